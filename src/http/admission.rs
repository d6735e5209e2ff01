//! Admission: limits the viewers in all, of one address and of one user. Viewers whose disconnect
//! was not noticed yet still count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rocket::http::Status;

use crate::config::NetworkConfig;
use crate::http::connections::{Connections, StreamGuard};
use crate::http::host::ClientAddress;
use crate::http::problem::Problem;

/// The viewer limits, and the current counts.
#[derive(Debug)]
pub struct Admission {
    counts: Mutex<ViewerCounts>,
    max_viewers: usize,
    max_of_address: usize,
    max_of_user: usize,
    connections: Arc<Connections>,
}

#[derive(Debug, Default)]
struct ViewerCounts {
    n_viewers: usize,
    by_holder: HashMap<Holder, usize>,
}

/// What viewers are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    User(String),
}

/// A viewer, counted until this is dropped.
#[derive(Debug)]
#[must_use = "the place is free again when its guard is dropped"]
pub struct AdmissionGuard {
    admission: Arc<Admission>,
    holders: Vec<Holder>,
    _stream: Option<StreamGuard>,
}

impl Admission {
    /// Allows `max_viewers` in all, and as many of each address and user as `network` says.
    #[must_use]
    pub fn new(
        max_viewers: usize,
        network: &NetworkConfig,
        connections: Arc<Connections>,
    ) -> Arc<Self> {
        Arc::new(Admission {
            counts: Mutex::default(),
            max_viewers,
            max_of_address: network.max_viewers_per_address,
            max_of_user: network.max_viewers_per_user,
            connections,
        })
    }

    /// Admits a viewer; `user` is `None` without authentication.
    pub fn admit(
        self: &Arc<Self>,
        client: &ClientAddress,
        user: Option<String>,
    ) -> Result<AdmissionGuard, Problem> {
        let address = client.limited_address().map(Holder::Address);
        let holders: Vec<_> = address.into_iter().chain(user.map(Holder::User)).collect();
        let mut counts = self.lock();
        if counts.n_viewers >= self.max_viewers {
            let detail = format!("all {} places for viewers are taken", self.max_viewers);
            return Err(Problem::new(Status::ServiceUnavailable, detail).retry_after(5));
        }
        for holder in &holders {
            let (max, whose) = match holder {
                Holder::Address(_) => (self.max_of_address, "this address"),
                Holder::User(_) => (self.max_of_user, "this user"),
            };
            if counts.by_holder.get(holder).is_some_and(|n_held| *n_held >= max) {
                let detail = format!("all {max} places for viewers of {whose} are taken");
                return Err(Problem::new(Status::TooManyRequests, detail).retry_after(5));
            }
        }
        counts.n_viewers += 1;
        for holder in &holders {
            *counts.by_holder.entry(holder.clone()).or_insert(0) += 1;
        }
        drop(counts);
        let stream = client.peer.map(|peer| self.connections.stream(peer));
        Ok(AdmissionGuard { admission: Arc::clone(self), holders, _stream: stream })
    }

    /// The current number of viewers.
    #[must_use]
    pub fn n_viewers(&self) -> usize {
        self.lock().n_viewers
    }

    fn lock(&self) -> MutexGuard<'_, ViewerCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AdmissionGuard {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.n_viewers -= 1;
        for holder in &self.holders {
            if let Some(n_held) = counts.by_holder.get_mut(holder) {
                *n_held -= 1;
                if *n_held == 0 {
                    counts.by_holder.remove(holder);
                }
            }
        }
    }
}

/// A token bucket that limits how fast each address may open connections.
#[derive(Debug)]
pub struct ConnectionRate {
    per_second: u32,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    seen: Instant,
}

impl ConnectionRate {
    /// Allows this many per second, and as many at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        ConnectionRate { per_second, buckets: Mutex::default() }
    }

    /// Counts a connection of `address`; false if it is over the limit.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let full = f64::from(self.per_second);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            // A bucket unused for a second is full again, so it can be dropped.
            buckets.retain(|_, bucket| (now - bucket.seen).as_secs_f64() < 1.0);
        }
        let bucket = buckets.entry(address).or_insert(Bucket { left: full, seen: now });
        let refill = (now - bucket.seen).as_secs_f64() * full;
        *bucket = Bucket { left: (bucket.left + refill).min(full), seen: now };
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

const MAX_BUCKETS: usize = 100_000;
