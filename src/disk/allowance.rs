//! Allowance: the time for work whose cost a client controls, such as filtering with a pattern. A
//! viewer has one for all its work, wherever that runs.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time that one viewer may spend: it earns a share of the elapsed time.
#[derive(Debug)]
pub struct Allowance {
    account: Mutex<Account>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    left: Duration,
    counted: Instant,
}

/// More time was spent than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes too long; expected a simpler pattern")]
pub struct AllowanceSpent;

impl AllowanceSpent {
    /// Whether this is the cause of an error.
    #[must_use]
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<AllowanceSpent>)
    }
}

impl From<AllowanceSpent> for io::Error {
    fn from(spent: AllowanceSpent) -> Self {
        io::Error::new(io::ErrorKind::QuotaExceeded, spent)
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Allowance::new(Instant::now())
    }
}

impl Allowance {
    /// The maximum balance.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Allowance { account: Mutex::new(Account { left: SAVINGS, counted: now }) }
    }

    /// Charges spent time; returns whether there was enough.
    #[must_use]
    pub fn spend(&self, spent: Duration, now: Instant) -> bool {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = now.saturating_duration_since(account.counted) / SHARE;
        let left = (account.left + earned).min(SAVINGS);
        *account = Account { left: left.saturating_sub(spent), counted: now };
        left >= spent
    }
}

/// A viewer may spend one part in so many of the time that passes,
const SHARE: u32 = 4;

/// and save as much.
const SAVINGS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Allowance, AllowanceSpent, SAVINGS};

    #[test]
    fn who_spends_no_more_than_a_share_goes_on_for_ever() {
        let mut now = Instant::now();
        let allowance = Allowance::new(now);
        for _ in 0..1000 {
            now += Duration::from_secs(4);
            assert!(allowance.spend(Duration::from_secs(1), now));
        }
    }

    #[test]
    fn who_spends_more_comes_to_an_end() {
        let now = Instant::now();
        let allowance = Allowance::new(now);
        assert!(allowance.spend(SAVINGS, now));
        assert!(!allowance.spend(Duration::from_secs(1), now + Duration::from_secs(1)));
    }

    #[test]
    fn the_cause_is_found_in_an_error() {
        assert!(AllowanceSpent::is_cause_of(&AllowanceSpent.into()));
        assert!(!AllowanceSpent::is_cause_of(&std::io::Error::other("else")));
    }
}
