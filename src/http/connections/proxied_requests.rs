//! Under way: the requests of clients behind a listed proxy that have not been answered to the end. The
//! proxy's connections say nothing about its clients; each of these counts like a connection of the
//! client's own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests each client address has in progress.
#[derive(Debug)]
pub(super) struct ProxiedRequests {
    max: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One request.
#[derive(Debug)]
#[must_use = "the request counts as answered once its guard is dropped"]
pub struct ProxiedRequestGuard {
    proxied_requests: Arc<ProxiedRequests>,
    address: IpAddr,
}

impl ProxiedRequests {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(ProxiedRequests { max, held: Mutex::default() })
    }

    /// Counts another request of `address`; `None` if it has too many.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<ProxiedRequestGuard> {
        let mut held = self.lock();
        let n_held = held.entry(address).or_insert(0);
        if *n_held >= self.max {
            return None;
        }
        *n_held += 1;
        drop(held);
        Some(ProxiedRequestGuard { proxied_requests: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ProxiedRequestGuard {
    fn drop(&mut self) {
        let mut held = self.proxied_requests.lock();
        if let Some(n_held) = held.get_mut(&self.address) {
            *n_held -= 1;
            if *n_held == 0 {
                held.remove(&self.address);
            }
        }
    }
}
