//! Failures: how often one client was wrong, and how long that makes it wait.

use std::time::{Duration, Instant};

use crate::auth::sessions::CredentialDigest;

/// The failed attempts of one client. Only time removes them, half of them at a time: if a success
/// did, an attacker with an account of their own could log in after every ninth guess at another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    n_noted: u32,
    last: Instant,
    /// The last wrong credentials.
    shown: [Option<CredentialDigest>; N_REMEMBERED],
}

impl Failures {
    /// None yet.
    pub(super) fn new(now: Instant) -> Self {
        Failures { n_noted: 0, last: now, shown: [None; N_REMEMBERED] }
    }

    /// Records a failure; returns whether these credentials are a new guess. A program that sends
    /// the same old password again and again is not guessing: it waits for a moment each time, and
    /// never longer.
    pub(super) fn note(&mut self, digest: &CredentialDigest, now: Instant) -> bool {
        let n_failures = self.n_failures(now);
        let is_repeated = self.shown.iter().flatten().any(|shown| shown == digest);
        self.n_noted = match is_repeated {
            true if n_failures >= FREE => n_failures,
            true | false => n_failures.saturating_add(1),
        };
        if !is_repeated {
            self.shown.rotate_right(1);
            if let Some(first) = self.shown.first_mut() {
                *first = Some(*digest);
            }
        }
        self.last = now;
        !is_repeated
    }

    /// How many failures count now.
    pub(super) fn n_failures(&self, now: Instant) -> u32 {
        let halvings = now.saturating_duration_since(self.last).as_secs() / HALF_LIFE.as_secs();
        u32::try_from(halvings).ok().and_then(|n| self.n_noted.checked_shr(n)).unwrap_or(0)
    }

    /// How long to wait before the next attempt: `free` failures cost nothing, and from then on the
    /// time doubles up to `longest`.
    pub(super) fn wait(&self, free: u32, longest: Duration, now: Instant) -> Duration {
        let Some(over) = self.n_failures(now).checked_sub(free) else { return Duration::ZERO };
        let delay = Duration::from_secs(1_u64 << over.min(16)).min(longest);
        (self.last + delay).saturating_duration_since(now)
    }
}

/// Failures without a delay.
pub(super) const FREE: u32 = 10;

/// After this time half of the failures are forgotten.
pub(super) const HALF_LIFE: Duration = Duration::from_secs(900);

const N_REMEMBERED: usize = 2;
