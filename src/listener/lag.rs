//! Lag: how long a ready task waits for a worker. A connection whose request was read and is in the
//! workers' queue looks the same from outside as one whose client has stopped in the middle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How late the workers are. Measured only on request.
#[derive(Debug, Default)]
pub struct Lag {
    state: Mutex<LagState>,
    /// Requests a measurement. Holds one permit.
    requested: Notify,
}

#[derive(Debug, Default)]
struct LagState {
    /// When the current measurement began.
    begun: Option<Instant>,
    last: Option<(Instant, Duration)>,
}

impl Lag {
    /// The last measurement, or the duration of the current one if that is longer.
    #[must_use]
    pub fn current(&self) -> Duration {
        let now = Instant::now();
        let mut state = self.lock();
        let is_new = |(at, _): &(Instant, Duration)| now.saturating_duration_since(*at) < FRESH;
        if state.begun.is_none() && !state.last.as_ref().is_some_and(is_new) {
            state.begun = Some(now);
            self.requested.notify_one();
        }
        let so_far = state.begun.map(|begun| now.saturating_duration_since(begun));
        let last = state.last.map(|(_, lag)| lag);
        so_far.max(last).unwrap_or_default()
    }

    /// Measures on request, until it is cancelled; runs as a task of the workers.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        while cancel.run_until_cancelled(self.requested.notified()).await.is_some() {
            // To the end of this worker's queue, behind every task that was ready before.
            tokio::task::yield_now().await;
            let now = Instant::now();
            let mut state = self.lock();
            if let Some(begun) = state.begun.take() {
                state.last = Some((now, now.saturating_duration_since(begun)));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, LagState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FRESH: Duration = Duration::from_millis(2);
