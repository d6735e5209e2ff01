//! Watching directories: reports when a look at the disk is due, and nothing else.
//!
//! Events are hints that a look is due, whatever they say; the disk is the truth. One inotify
//! instance serves every directory. Where a watch cannot be had, a look every two seconds takes its
//! place.

mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::catalog::found::Found;
use crate::catalog::watch::held::Held;

/// The directories to watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// All of them.
    pub directories: BTreeSet<PathBuf>,
    /// Those in which only a few names matter. A temporary or home folder, in which one log stands
    /// among much else, does not wake anybody for the rest.
    pub narrowed: BTreeMap<PathBuf, BTreeSet<OsString>>,
}

impl From<Found> for WatchSet {
    fn from(found: Found) -> Self {
        Self { directories: found.directories, narrowed: found.narrowed }
    }
}

/// Watches a set of directories, and keeps the time of the looks at the disk.
#[derive(Debug)]
pub struct DirectoryWatch {
    held: Arc<Mutex<Held>>,
    wakes: watch::Receiver<u64>,
    seen: u64,
    degraded: Vec<String>,
    last_look: Look,
    /// Waits for a disk that does not answer.
    following: Option<JoinHandle<Vec<String>>>,
}

#[derive(Debug)]
struct Look {
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
        let (held, wakes) = Held::new();
        let last_look = Look { ended: Instant::now(), took: Duration::ZERO };
        let held = Arc::new(Mutex::new(held));
        Self { held, wakes, seen: 0, degraded: Vec::new(), last_look, following: None }
    }

    /// Watches exactly the directories of `set` from now on. A directory that is new in it is due
    /// for a look, as something may have appeared in it before it was watched. Where a disk does not answer
    /// it goes on without this, and says so; the next call tries again.
    pub async fn follow(&mut self, set: WatchSet) {
        if let Some(before) = self.following.take()
            && self.finish(before).await.is_none()
        {
            return;
        }
        let held = Arc::clone(&self.held);
        let work = move || held.lock().unwrap_or_else(PoisonError::into_inner).follow(&set);
        if let Some(degraded) = self.finish(tokio::task::spawn_blocking(work)).await {
            self.report(degraded);
        }
    }

    /// Why not everything is watched; none, and reported, if a disk does not answer.
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

    /// Tells that a look at the disk has ended, and how long it took.
    pub fn looked(&mut self, took: Duration) {
        self.last_look = Look { ended: Instant::now(), took };
    }

    /// Waits until a look at the disk is due: shortly after something changed, so that a burst
    /// makes for one look; after a while in any case. Looks take no more than a tenth of the time,
    /// unless what appeared would be found too late by that.
    ///
    /// Cancel-safe: what woke an abandoned call wakes the next one.
    pub async fn changed(&mut self) {
        let idle = if self.degraded.is_empty() { IDLE } else { POLL };
        let seen = self.seen;
        let woken = async {
            // The sender is held by `self.held` for as long as this is.
            if self.wakes.wait_for(|version| *version != seen).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = woken => sleep_until(Instant::now() + SETTLE).await,
            () = sleep_until(self.last_look.ended + idle) => {}
        }
        sleep_until(self.last_look.ended + rest_after(self.last_look.took)).await;
        // Seen before the look, not after: what happens during the look is due for another one.
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

/// The time between looks, after one that took this long. Something that appears is found within 2 s
/// as long as a look takes less than half of that; a longer one takes no more than half of the time.
fn rest_after(took: Duration) -> Duration {
    (took * REST).min(took.max(MAX_REST))
}

/// To watch many directories takes a while.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a burst of changes may go on before it is looked at.
const SETTLE: Duration = Duration::from_millis(50);
/// Between looks, as the time the last one took.
const REST: u32 = 10;
/// The longest rest after a look that was shorter than that.
const MAX_REST: Duration = Duration::from_secs(1);
/// Between looks when nothing happens.
const IDLE: Duration = Duration::from_secs(60);
/// Between looks while something cannot be watched.
const POLL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
