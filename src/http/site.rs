//! Site: what the routes of one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::line::Zone;
use crate::metrics::Metrics;
use crate::source::Source;

/// What the routes of one server share.
#[derive(Clone, Debug)]
pub struct Site {
    /// All sources.
    pub catalog: Arc<Catalog<dyn Source>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// For times that tell no zone.
    pub zone: Arc<Zone>,
    /// Where nobody says otherwise.
    pub heartbeat: Duration,
    /// A reader that takes nothing for this long is ended; none: it is kept.
    pub stall_limit: Option<Duration>,
    /// Other sites whose pages may open a `WebSocket`.
    pub origins: Arc<[String]>,
    /// How many viewers there may be.
    pub admission: Arc<Admission>,
    /// Ends all streams, and makes the server not ready.
    pub closing: CancellationToken,
    /// Why lines may arrive late just now.
    pub degraded: DegradedCheck,
}

/// Asks why lines may arrive late.
#[derive(Clone)]
pub struct DegradedCheck(pub Arc<dyn Fn() -> Vec<String> + Send + Sync>);

/// How many viewers there may be. Also those count that have left and were not yet noticed.
#[derive(Debug)]
pub struct Admission {
    n_viewers: AtomicUsize,
    max_viewers: usize,
}

/// One viewer's place.
#[derive(Debug)]
#[must_use = "the place is free again when its guard is dropped"]
pub struct AdmissionGuard {
    admission: Arc<Admission>,
}

impl Admission {
    /// For at most `max_viewers`.
    #[must_use]
    pub fn new(max_viewers: usize) -> Arc<Self> {
        Arc::new(Admission { n_viewers: AtomicUsize::new(0), max_viewers })
    }

    /// Takes a place; none if all are taken.
    #[must_use]
    pub fn admit(self: &Arc<Self>) -> Option<AdmissionGuard> {
        let fits = |n_viewers: usize| (n_viewers < self.max_viewers).then_some(n_viewers + 1);
        let admitted = self.n_viewers.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        admitted.is_ok().then(|| AdmissionGuard { admission: Arc::clone(self) })
    }

    /// How many places are taken.
    #[must_use]
    pub fn n_viewers(&self) -> usize {
        self.n_viewers.load(Ordering::Acquire)
    }

    /// How many there are.
    #[must_use]
    pub fn max_viewers(&self) -> usize {
        self.max_viewers
    }
}

impl Drop for AdmissionGuard {
    fn drop(&mut self) {
        self.admission.n_viewers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for DegradedCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DegradedCheck")
    }
}
