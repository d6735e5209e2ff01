//! Admission: how many viewers there may be, in all, of one address and of one user. Also those
//! count that have left and were not yet noticed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rocket::http::Status;

use crate::config::NetworkConfig;
use crate::http::connections::{Connections, StreamGuard};
use crate::http::host::Client;
use crate::http::problem::Problem;

/// How many viewers there may be, and are.
#[derive(Debug)]
pub struct Admission {
    places: Mutex<Places>,
    max_viewers: usize,
    max_of_address: usize,
    max_of_user: usize,
    connections: Arc<Connections>,
}

#[derive(Debug, Default)]
struct Places {
    n_viewers: usize,
    held: HashMap<Holder, usize>,
}

/// Who holds places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    User(String),
}

/// One viewer's place.
#[derive(Debug)]
#[must_use = "the place is free again when its guard is dropped"]
pub struct AdmissionGuard {
    admission: Arc<Admission>,
    holders: Vec<Holder>,
    _stream: Option<StreamGuard>,
}

impl Admission {
    /// For at most `max_viewers`, and of each as many as `network` says.
    #[must_use]
    pub fn new(
        max_viewers: usize,
        network: &NetworkConfig,
        connections: Arc<Connections>,
    ) -> Arc<Self> {
        Arc::new(Admission {
            places: Mutex::default(),
            max_viewers,
            max_of_address: network.max_viewers_per_address,
            max_of_user: network.max_viewers_per_user,
            connections,
        })
    }

    /// Takes a place for a client; `user` is none where nobody is asked.
    pub fn admit(
        self: &Arc<Self>,
        client: &Client,
        user: Option<String>,
    ) -> Result<AdmissionGuard, Problem> {
        let address = client.limited_address().map(Holder::Address);
        let holders: Vec<_> = address.into_iter().chain(user.map(Holder::User)).collect();
        let mut places = self.lock();
        if places.n_viewers >= self.max_viewers {
            let detail = format!("all {} places for viewers are taken", self.max_viewers);
            return Err(Problem::new(Status::ServiceUnavailable, detail).retry_after(5));
        }
        for holder in &holders {
            let (max, whose) = match holder {
                Holder::Address(_) => (self.max_of_address, "this address"),
                Holder::User(_) => (self.max_of_user, "this user"),
            };
            if places.held.get(holder).is_some_and(|n_held| *n_held >= max) {
                let detail = format!("all {max} places for viewers of {whose} are taken");
                return Err(Problem::new(Status::TooManyRequests, detail).retry_after(5));
            }
        }
        places.n_viewers += 1;
        for holder in &holders {
            *places.held.entry(holder.clone()).or_insert(0) += 1;
        }
        drop(places);
        let stream = client.peer.map(|peer| self.connections.stream(peer));
        Ok(AdmissionGuard { admission: Arc::clone(self), holders, _stream: stream })
    }

    /// How many places are taken.
    #[must_use]
    pub fn n_viewers(&self) -> usize {
        self.lock().n_viewers
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AdmissionGuard {
    fn drop(&mut self) {
        let mut places = self.admission.lock();
        places.n_viewers -= 1;
        for holder in &self.holders {
            if let Some(n_held) = places.held.get_mut(holder) {
                *n_held -= 1;
                if *n_held == 0 {
                    places.held.remove(holder);
                }
            }
        }
    }
}

/// How fast each address may open connections: a bucket that fills with time.
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
    /// So many a second, and as many at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        ConnectionRate { per_second, buckets: Mutex::default() }
    }

    /// Counts a connection of `address`; false if it is one too many.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let full = f64::from(self.per_second);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            // One that was left alone for a second is full again, which is as good as none.
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
