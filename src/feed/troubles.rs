//! Troubles: live ends that currently cannot be read, and why. They are retried; until that
//! succeeds their lines are late, and `/readyz` says so.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The live ends of a server that currently cannot be read.
#[derive(Debug, Default)]
pub struct Troubles {
    list: Mutex<TroubleList>,
}

#[derive(Debug, Default)]
struct TroubleList {
    next: u64,
    reasons: BTreeMap<u64, String>,
}

/// What one live end reports. Dropping it withdraws the report.
#[derive(Debug)]
#[must_use = "what is reported is withdrawn when this is dropped"]
pub struct TroubleGuard {
    troubles: Arc<Troubles>,
    number: u64,
}

impl Troubles {
    /// A reporter for one live end.
    pub fn reporter(self: &Arc<Self>) -> TroubleGuard {
        let mut list = self.lock();
        list.next += 1;
        TroubleGuard { troubles: Arc::clone(self), number: list.next }
    }

    /// The reasons why lines are late, a bounded number of them.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let list = self.lock();
        let mut reasons: Vec<_> = list.reasons.values().take(MAX_REASONS).cloned().collect();
        let n_more = list.reasons.len().saturating_sub(MAX_REASONS);
        if n_more > 0 {
            reasons.push(format!("{n_more} more logs cannot be read"));
        }
        reasons
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TroubleList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TroubleGuard {
    /// The last read failed, for this reason.
    pub fn report(&self, reason: impl fmt::Display) {
        self.troubles.lock().reasons.insert(self.number, reason.to_string());
    }

    /// The last read succeeded.
    pub fn withdraw(&self) {
        self.troubles.lock().reasons.remove(&self.number);
    }
}

impl Drop for TroubleGuard {
    fn drop(&mut self) {
        self.withdraw();
    }
}

const MAX_REASONS: usize = 8;
