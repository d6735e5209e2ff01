//! Throttle: who has failed to log in too often waits, ever longer. It counts by address and by
//! name. What is refused meanwhile costs nothing and makes nobody wait longer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failed logins, by address and by name.
#[derive(Debug, Default)]
pub struct Throttle {
    addresses: HashMap<IpAddr, Failures>,
    names: HashMap<String, Failures>,
    /// Where somebody has logged in from: guessing from elsewhere locks nobody out there.
    known: HashMap<(String, IpAddr), Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    n_failures: u32,
    last: Instant,
}

impl Throttle {
    /// How long somebody still has to wait before the next attempt. `address` is none for one that
    /// stands for many clients.
    #[must_use]
    pub fn wait(&self, address: Option<IpAddr>, name: Option<&str>) -> Option<Duration> {
        let now = Instant::now();
        let by_address = address.and_then(|address| self.addresses.get(&address));
        let is_known = |name: &str| {
            address.is_some_and(|address| self.known.contains_key(&(name.to_owned(), address)))
        };
        let by_name = name.filter(|name| !is_known(name)).and_then(|name| self.names.get(name));
        let left = |failures: Option<&Failures>, longest| {
            failures.map(|failures| failures.wait(now, longest)).unwrap_or_default()
        };
        let left = left(by_address, LONGEST_OF_ADDRESS).max(left(by_name, LONGEST_OF_NAME));
        (!left.is_zero()).then_some(left)
    }

    /// Notes a failure.
    pub fn note_failure(&mut self, address: Option<IpAddr>, name: Option<&str>) {
        let now = Instant::now();
        if let Some(address) = address {
            make_room(&mut self.addresses, now);
            Failures::note(self.addresses.entry(address), now);
        }
        if let Some(name) = name.filter(|name| name.len() <= MAX_NAME_BYTES) {
            make_room(&mut self.names, now);
            Failures::note(self.names.entry(name.to_owned()), now);
        }
    }

    /// Notes a success.
    pub fn note_success(&mut self, address: Option<IpAddr>, name: &str) {
        self.names.remove(name);
        let Some(address) = address else { return };
        self.addresses.remove(&address);
        if self.known.len() >= MAX_ENTRIES
            && let Some(oldest) = self.known.iter().min_by_key(|(_, seen)| **seen)
        {
            let oldest = oldest.0.clone();
            self.known.remove(&oldest);
        }
        self.known.insert((name.to_owned(), address), Instant::now());
    }
}

impl Failures {
    fn note<K>(entry: std::collections::hash_map::Entry<'_, K, Failures>, now: Instant) {
        let failures = entry.or_insert(Failures { n_failures: 0, last: now });
        if now - failures.last > FORGET {
            failures.n_failures = 0;
        }
        failures.n_failures += 1;
        failures.last = now;
    }

    /// The first few are free, then the time doubles.
    fn wait(&self, now: Instant, longest: Duration) -> Duration {
        let Some(over) = self.n_failures.checked_sub(FREE) else { return Duration::ZERO };
        let delay = Duration::from_secs(1_u64 << over.min(16)).min(longest);
        (self.last + delay).saturating_duration_since(now)
    }
}

fn make_room<K: std::hash::Hash + Eq + Clone>(all: &mut HashMap<K, Failures>, now: Instant) {
    if all.len() < MAX_ENTRIES {
        return;
    }
    all.retain(|_, failures| now - failures.last <= FORGET);
    if all.len() >= MAX_ENTRIES
        && let Some((oldest, _)) = all.iter().min_by_key(|(_, failures)| failures.last)
    {
        let oldest = oldest.clone();
        all.remove(&oldest);
    }
}

/// Failures without a delay.
const FREE: u32 = 10;
const LONGEST_OF_ADDRESS: Duration = Duration::from_secs(300);

/// Short: whoever guesses at a name must not lock its owner out for long.
const LONGEST_OF_NAME: Duration = Duration::from_secs(15);
const FORGET: Duration = Duration::from_secs(900);
const MAX_ENTRIES: usize = 10_000;
const MAX_NAME_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_and_falls_on_nobody_else() {
        let (one, other) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let mut throttle = Throttle::default();
        throttle.note_success(other, "alice");
        (1..FREE).for_each(|_| throttle.note_failure(one, Some("alice")));
        assert_eq!(throttle.wait(one, Some("alice")), None);
        let waits: Vec<u128> = (0..4)
            .map(|_| {
                throttle.note_failure(one, Some("alice"));
                throttle.wait(one, None).unwrap().as_millis().div_ceil(1000)
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8]);
        assert!(throttle.wait(None, Some("alice")).is_some());
        assert_eq!(throttle.wait(other, Some("alice")), None, "a known address is let in");
        assert_eq!(throttle.wait(other, Some("bob")), None);
        (0..20).for_each(|_| throttle.note_failure(None, Some("bob")));
        assert!(throttle.wait(None, Some("bob")).unwrap() <= LONGEST_OF_NAME);
        throttle.note_success(one, "bob");
        assert_eq!(throttle.wait(one, Some("bob")), None);
    }
}
