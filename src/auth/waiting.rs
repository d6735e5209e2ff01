//! Waiting: the queue of password checks, bounded in all and per address, so that no address can
//! block the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// The number of waiting checks, in all and by address.
#[derive(Debug, Default)]
pub(super) struct CheckQueue {
    n_waiting: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place in the queue.
#[must_use = "the place is free again when its guard is dropped"]
pub(super) struct CheckQueueGuard<'a> {
    waiting: &'a Mutex<CheckQueue>,
    address: Option<IpAddr>,
}

impl<'a> CheckQueueGuard<'a> {
    /// `None` if too many wait already. `address` is `None` if it stands for many clients.
    pub(super) fn new(waiting: &'a Mutex<CheckQueue>, address: Option<IpAddr>) -> Option<Self> {
        let mut all = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = address.and_then(|address| all.by_address.get(&address)).copied();
        if all.n_waiting >= MAX_WAITING || own.is_some_and(|own| own >= MAX_OF_ADDRESS) {
            return None;
        }
        all.n_waiting += 1;
        if let Some(address) = address {
            *all.by_address.entry(address).or_default() += 1;
        }
        Some(CheckQueueGuard { waiting, address })
    }
}

impl Drop for CheckQueueGuard<'_> {
    fn drop(&mut self) {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        all.n_waiting = all.n_waiting.saturating_sub(1);
        let Some(address) = self.address else { return };
        if let Some(own) = all.by_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                all.by_address.remove(&address);
            }
        }
    }
}

const MAX_WAITING: usize = 32;
/// A page sends some ten requests at once while it loads.
const MAX_OF_ADDRESS: usize = 16;
