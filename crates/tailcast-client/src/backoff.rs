//! Backoff: how long to wait before the next try.

use std::time::Duration;

/// Delays that grow exponentially from [`FIRST`] to [`LONGEST`], each with full jitter, so that
/// many clients do not reconnect at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    n_tries: u32,
}

impl Backoff {
    /// The next delay.
    pub(crate) fn next(&mut self) -> Duration {
        let longest = self.longest();
        self.n_tries = self.n_tries.saturating_add(1);
        longest.mul_f64(fastrand::f64())
    }

    /// The number of tries so far.
    pub(crate) fn n_tries(self) -> u32 {
        self.n_tries
    }

    /// Starts again with short delays.
    pub(crate) fn reset(&mut self) {
        self.n_tries = 0;
    }

    fn longest(self) -> Duration {
        let factor = 2_u32.saturating_pow(self.n_tries.min(MAX_DOUBLINGS));
        FIRST.saturating_mul(factor).min(LONGEST)
    }
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
const MAX_DOUBLINGS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::{Backoff, FIRST, LONGEST};

    #[test]
    fn waits_grow_to_the_longest_and_are_spread_over_the_whole_of_it() {
        let mut backoff = Backoff::default();
        let bounds: Vec<_> = (0..9)
            .map(|_| {
                let longest = backoff.longest();
                assert!(backoff.next() <= longest);
                longest.as_secs_f64()
            })
            .collect();
        assert_eq!(bounds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        let waits: Vec<_> = (0..1000).map(|_| backoff.next()).collect();
        assert!(waits.iter().any(|wait| *wait < LONGEST / 10), "jitter is full");
        assert!(waits.iter().any(|wait| *wait > LONGEST * 9 / 10), "jitter is full");
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
