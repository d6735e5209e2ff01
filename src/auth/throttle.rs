//! Throttle: a client that has failed to log in too often waits, ever longer, and learns nothing
//! meanwhile. What is refused costs nothing and makes nobody wait longer.
//!
//! Failures count against the address that they come from, never against the name that they are
//! aimed at: otherwise an attacker who guesses at a name locks its owner out. An address that a
//! user has logged in from counts for that user on its own, whatever else comes from there (the
//! device cookies of OWASP, with the address in place of the cookie). A name at which many have
//! guessed only leaves less to addresses that fail. SECURITY.md has the table of states.

mod failures;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::auth::sessions::CredentialDigest;
use crate::auth::throttle::failures::{FREE, Failures, HALF_LIFE};

/// Failed logins. Its memory is bounded, and no entry can be evicted by inventing names.
#[derive(Debug)]
pub struct Throttle {
    addresses: HashMap<IpAddr, Failures>,
    /// The addresses that users have logged in from.
    known: HashMap<(String, IpAddr), KnownAddress>,
    /// Failures from addresses that stand for many clients, by name.
    shared: Vec<Option<Failures>>,
    /// Guesses from everywhere, by name.
    names: Vec<Option<Failures>>,
    hasher: RandomState,
}

/// A login attempt.
#[derive(Clone, Copy, Debug)]
pub struct LoginAttempt<'a> {
    /// Where it comes from; none for an address that stands for many clients.
    pub address: Option<IpAddr>,
    /// The name that is claimed.
    pub name: &'a str,
    /// A keyed hash of the credentials.
    pub digest: CredentialDigest,
}

#[derive(Clone, Copy, Debug)]
struct KnownAddress {
    proved: Instant,
    failures: Failures,
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle {
            addresses: HashMap::new(),
            known: HashMap::new(),
            shared: vec![None; N_NAMES],
            names: vec![None; N_NAMES],
            hasher: RandomState::new(),
        }
    }
}

impl Throttle {
    /// How long this attempt has to wait; `None` if it may be checked.
    #[must_use]
    pub fn wait(&self, attempt: &LoginAttempt<'_>, now: Instant) -> Option<Duration> {
        let left = match attempt.address {
            None => self.slot(&self.shared, attempt.name).map(|failures| {
                // Short: the failures may be another client's.
                failures.wait(FREE, LONGEST_OF_SHARED, now)
            }),
            Some(address) => match self.known.get(&(attempt.name.to_owned(), address)) {
                Some(known) => Some(known.failures.wait(FREE, LONGEST, now)),
                None => self
                    .addresses
                    .get(&address)
                    .map(|failures| failures.wait(self.n_free(attempt.name, now), LONGEST, now)),
            },
        };
        left.filter(|left| !left.is_zero())
    }

    /// Records a failed attempt.
    pub fn note_failure(&mut self, attempt: &LoginAttempt<'_>, now: Instant) {
        let index = self.index(attempt.name);
        let Some(address) = attempt.address else {
            if let Some(slot) = self.shared.get_mut(index) {
                slot.get_or_insert_with(|| Failures::new(now)).note(&attempt.digest, now);
            }
            return;
        };
        if let Some(known) = self.known.get_mut(&(attempt.name.to_owned(), address)) {
            known.failures.note(&attempt.digest, now);
            return;
        }
        if !self.addresses.contains_key(&address) {
            make_room(&mut self.addresses, now);
        }
        let failures = self.addresses.entry(address).or_insert_with(|| Failures::new(now));
        let is_new_guess = failures.note(&attempt.digest, now);
        if let Some(slot) = self.names.get_mut(index).filter(|_| is_new_guess) {
            slot.get_or_insert_with(|| Failures::new(now)).note(&attempt.digest, now);
        }
    }

    /// Records a successful attempt. It removes no failures.
    pub fn note_success(&mut self, attempt: &LoginAttempt<'_>, now: Instant) {
        let Some(address) = attempt.address else { return };
        let key = (attempt.name.to_owned(), address);
        if let Some(known) = self.known.get_mut(&key) {
            known.proved = now;
            return;
        }
        let of_name = self.known.keys().filter(|(name, _)| name == attempt.name).count();
        if of_name >= MAX_KNOWN_OF_NAME {
            self.forget_oldest(|name| name == attempt.name);
        } else if self.known.len() >= MAX_KNOWN {
            self.forget_oldest(|_| true);
        }
        self.known.insert(key, KnownAddress { proved: now, failures: Failures::new(now) });
    }

    /// How many failures an address has for free; fewer while the name is under attack. Never none,
    /// so that the owner comes in from a new address.
    fn n_free(&self, name: &str, now: Instant) -> u32 {
        let n_guesses = self.slot(&self.names, name).map_or(0, |failures| failures.n_failures(now));
        if n_guesses >= MANY_GUESSES { FREE_OF_ATTACKED_NAME } else { FREE }
    }

    /// Names whose hashes collide share an entry: a table of names could be filled.
    fn slot<'a>(&self, slots: &'a [Option<Failures>], name: &str) -> Option<&'a Failures> {
        slots.get(self.index(name))?.as_ref()
    }

    fn index(&self, name: &str) -> usize {
        usize::try_from(self.hasher.hash_one(name) % N_NAMES as u64).unwrap_or_default()
    }

    fn forget_oldest(&mut self, of: impl Fn(&str) -> bool) {
        let all = self.known.iter().filter(|((name, _), _)| of(name));
        let oldest = all.min_by_key(|(_, known)| known.proved).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
        }
    }
}

/// The entries with the fewest failures are evicted: an attacker is not forgotten because of
/// others' mistakes.
fn make_room<K: Hash + Eq + Clone>(all: &mut HashMap<K, Failures>, now: Instant) {
    if all.len() < MAX_ADDRESSES {
        return;
    }
    all.retain(|_, failures| failures.n_failures(now) > 0);
    if all.len() >= MAX_ADDRESSES
        && let Some((least, _)) = all.iter().min_by_key(|(_, failures)| failures.n_failures(now))
    {
        let least = least.clone();
        all.remove(&least);
    }
}

const LONGEST: Duration = Duration::from_secs(300);
const LONGEST_OF_SHARED: Duration = Duration::from_secs(15);
/// From this many guesses on, from any address, a name counts as under attack.
const MANY_GUESSES: u32 = 50;
const FREE_OF_ATTACKED_NAME: u32 = 3;
const N_NAMES: usize = 4096;
const MAX_ADDRESSES: usize = 20_000;
const MAX_KNOWN: usize = 20_000;
const MAX_KNOWN_OF_NAME: usize = 64;
const _: () = assert!(HALF_LIFE.as_secs() > LONGEST.as_secs());
