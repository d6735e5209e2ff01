//! Watching directories: reports when a look at the disk is due, and nothing else.
//!
//! Events are hints that a scan is due, whatever they say; the disk is the truth. One inotify
//! instance serves every directory. Where no watch can be made, a scan every two seconds replaces
//! it.

mod active_watches;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::catalog::found::DiscoveryResult;
use crate::catalog::watch::active_watches::ActiveWatches;

/// The directories to watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// All of them.
    pub directories: BTreeSet<PathBuf>,
    /// Directories in which only a few names matter. Other changes in a temporary or home folder
    /// that holds one log cause no wake-ups.
    pub narrowed: BTreeMap<PathBuf, BTreeSet<OsString>>,
}

impl From<DiscoveryResult> for WatchSet {
    fn from(found: DiscoveryResult) -> Self {
        Self { directories: found.directories, narrowed: found.narrowed }
    }
}

/// Watches a set of directories, and schedules the scans.
#[derive(Debug)]
pub struct DirectoryWatch {
    active_watches: Arc<Mutex<ActiveWatches>>,
    wakes: watch::Receiver<u64>,
    seen: u64,
    degraded: Vec<String>,
    last_scan: ScanTiming,
    /// A task that waits for a disk that does not respond.
    following: Option<JoinHandle<Vec<String>>>,
}

#[derive(Debug)]
struct ScanTiming {
    ended: Instant,
    took: Duration,
}

impl Default for DirectoryWatch {
    fn default() -> Self {
        Self::new()
    }
}

impl DirectoryWatch {
    /// Watches nothing yet. Needs a Tokio runtime.
    #[must_use]
    pub fn new() -> Self {
        let (active_watches, wakes) = ActiveWatches::new();
        let last_scan = ScanTiming { ended: Instant::now(), took: Duration::ZERO };
        let active_watches = Arc::new(Mutex::new(active_watches));
        Self { active_watches, wakes, seen: 0, degraded: Vec::new(), last_scan, following: None }
    }

    /// Watches exactly the directories of `set` from now on. A new directory makes a scan due, as a
    /// file may have appeared in it before it was watched. If a disk does not respond, this returns
    /// without its watches and reports it; the next call tries again.
    pub async fn follow(&mut self, set: WatchSet) {
        if let Some(before) = self.following.take()
            && self.finish(before).await.is_none()
        {
            return;
        }
        let active_watches = Arc::clone(&self.active_watches);
        let work =
            move || active_watches.lock().unwrap_or_else(PoisonError::into_inner).follow(&set);
        if let Some(degraded) = self.finish(tokio::task::spawn_blocking(work)).await {
            self.report(degraded);
        }
    }

    /// Why not everything is watched; `None`, and logged, if a disk does not respond.
    async fn finish(&mut self, mut following: JoinHandle<Vec<String>>) -> Option<Vec<String>> {
        match timeout(PATIENCE, &mut following).await {
            Ok(Ok(degraded)) => Some(degraded),
            Ok(Err(error)) => Some(vec![format!("directories cannot be watched: {error}")]),
            Err(_elapsed) => {
                self.following = Some(following);
                self.report(vec!["a disk does not answer to watching a directory".to_owned()]);
                None
            }
        }
    }

    /// Why new files may be found late; empty while everything is watched.
    #[must_use]
    pub fn degraded(&self) -> Vec<String> {
        self.degraded.clone()
    }

    /// Records the end of a scan, and how long it took.
    pub fn scanned(&mut self, took: Duration) {
        self.last_scan = ScanTiming { ended: Instant::now(), took };
    }

    /// Waits until a scan is due: shortly after something changed, so that a burst causes one scan;
    /// after a while in any case. Scans take no more than a tenth of the time, unless new files
    /// would be found too late because of that.
    ///
    /// Cancel-safe: what woke an abandoned call wakes the next one.
    pub async fn changed(&mut self) {
        let idle = if self.degraded.is_empty() { IDLE } else { POLL };
        let seen = self.seen;
        let wake_up = async {
            // The sender is held by `self.active_watches` for as long as this is.
            if self.wakes.wait_for(|version| *version != seen).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = wake_up => sleep_until(Instant::now() + SETTLE).await,
            () = sleep_until(self.last_scan.ended + idle) => {}
        }
        sleep_until(self.last_scan.ended + rest_after(self.last_scan.took)).await;
        // Marked before the scan, not after: a change during the scan makes another one due.
        self.seen = *self.wakes.borrow_and_update();
    }

    fn report(&mut self, degraded: Vec<String>) {
        if degraded != self.degraded {
            for reason in &degraded {
                tracing::warn!("{reason}; new files are looked for every {POLL:?}");
            }
            if degraded.is_empty() {
                tracing::info!("every directory is watched again");
            }
        }
        self.degraded = degraded;
    }
}

/// The time between scans, after one that took this long. A new file is found within 2 s as long as
/// a scan takes less than half of that; longer scans take no more than half of the time.
fn rest_after(took: Duration) -> Duration {
    (took * REST).min(took.max(MAX_REST))
}

/// How long to wait for new watches: many directories take a while.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a burst of changes may last before a scan.
const SETTLE: Duration = Duration::from_millis(50);
/// The pause between scans as a multiple of the last one's duration.
const REST: u32 = 10;
/// The longest pause after a scan that was shorter than that.
const MAX_REST: Duration = Duration::from_secs(1);
/// The pause between scans when nothing happens.
const IDLE: Duration = Duration::from_secs(60);
/// The pause between scans while a directory cannot be watched.
const POLL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
