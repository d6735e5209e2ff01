//! Watch hub: notifies feeds that their file may have changed. Its events come from linemux, which
//! knows about files that do not exist yet and about rotation. They are hints only: a hint that is
//! missed costs latency, never a line, as every feed checks its file periodically.
//!
//! linemux cannot unwatch. When something is released, the hub builds a fresh multiplexer over what
//! is still followed and drops the old one with all its watches.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use linemux::MuxedEvents;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::disk::Disks;
use crate::feed::Hint;
use crate::metrics::Metrics;

/// Watches files on behalf of feeds.
#[derive(Debug)]
pub struct WatchHub {
    followed: Mutex<HashMap<PathBuf, Followed>>,
    /// Signals that `followed` differs from what the multiplexer watches. Holds one permit.
    changed: Notify,
    metrics: Arc<Metrics>,
    disks: Arc<Disks>,
}

/// A file that is watched. Dropping it is what ends the watch.
#[derive(Debug)]
#[must_use = "the watch ends when its guard is dropped"]
pub struct WatchGuard {
    hub: Arc<WatchHub>,
    path: PathBuf,
    /// A second file whose events wake the same feed.
    beside: Mutex<Option<PathBuf>>,
}

#[derive(Debug)]
struct Followed {
    n_guards: usize,
    hints: watch::Sender<Hint>,
    is_watched: bool,
}

impl WatchHub {
    /// A hub that watches nothing yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, disks: Arc<Disks>) -> Arc<Self> {
        let (followed, changed) = Default::default();
        Arc::new(WatchHub { followed, changed, metrics, disks })
    }

    /// Watches the file that is, or will be, at `path`.
    pub fn watch(self: &Arc<Self>, path: &Path) -> (watch::Receiver<Hint>, WatchGuard) {
        let hints = match self.lock().entry(path.to_owned()) {
            Entry::Occupied(mut kept) => {
                kept.get_mut().n_guards += 1;
                kept.get().hints.subscribe()
            }
            Entry::Vacant(vacant) => {
                let (hints, receiver) = watch::channel(Hint::default());
                vacant.insert(Followed { n_guards: 1, hints, is_watched: false });
                receiver
            }
        };
        self.changed.notify_one();
        let (hub, path) = (Arc::clone(self), path.to_owned());
        (hints, WatchGuard { hub, path, beside: Mutex::default() })
    }

    /// How many files have to be polled, as no event source is available for them.
    #[must_use]
    pub fn n_polled(&self) -> usize {
        self.lock().values().filter(|followed| followed.hints.borrow().is_polled).count()
    }

    /// How many files are followed.
    #[must_use]
    pub fn n_followed(&self) -> usize {
        self.lock().len()
    }

    /// Runs until cancelled.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut watcher = Watcher { hub: self, mux: None, keys: HashMap::new(), rebuild_at: None };
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = watcher.hub.changed.notified() => watcher.follow_changes().await,
                event = next_event(watcher.mux.as_mut()) => watcher.take_event(event),
                () = until(watcher.rebuild_at) => watcher.rebuild().await,
            }
        }
    }

    fn release(&self, path: PathBuf) {
        if let Entry::Occupied(mut kept) = self.lock().entry(path) {
            kept.get_mut().n_guards -= 1;
            if kept.get().n_guards == 0 {
                kept.remove();
                self.changed.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchGuard {
    /// Also watches the file at `path`, replacing an earlier one: the file that is read, if it is
    /// not at the path of its source.
    pub fn watch_beside(&self, path: Option<&Path>) {
        let mut beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        if beside.as_deref() == path {
            return;
        }
        if let Some(old) = beside.take() {
            self.hub.release(old);
        }
        let mut followed = self.hub.lock();
        let hints = followed.get(&self.path).map(|own| own.hints.clone());
        // If the path belongs to another source, events wake only that one: the safety tick covers
        // this.
        if let (Some(hints), Some(path)) = (hints, path)
            && let Entry::Vacant(vacant) = followed.entry(path.to_owned())
        {
            vacant.insert(Followed { n_guards: 1, hints, is_watched: false });
            *beside = Some(path.to_owned());
            self.hub.changed.notify_one();
        }
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.watch_beside(None);
        self.hub.release(std::mem::take(&mut self.path));
    }
}

/// The hub's task: owns the multiplexer.
struct Watcher {
    hub: Arc<WatchHub>,
    /// None while nothing is followed: then there is no inotify instance either.
    mux: Option<Mux>,
    /// Maps the paths in events to those of feeds.
    keys: HashMap<PathBuf, PathBuf>,
    /// When to rebuild the multiplexer.
    rebuild_at: Option<Instant>,
}

struct Mux {
    events: MuxedEvents,
    /// Files that were renamed or removed: linemux may hold a watch on the old file.
    n_stale: usize,
}

/// An event of the multiplexer.
enum WatchEvent {
    /// These paths may have changed.
    Paths {
        paths: Vec<PathBuf>,
        n_moved: usize,
    },
    /// Anything may have changed.
    Anything,
    /// There will be no further events.
    Dry,
    Failed(io::Error),
}

impl Watcher {
    /// Watches new files, and schedules the removal of those no longer needed.
    async fn follow_changes(&mut self) {
        let (new, n_followed) = {
            let followed = self.hub.lock();
            let is_new = |(_, followed): &(&PathBuf, &Followed)| !followed.is_watched;
            let new: Vec<PathBuf> =
                followed.iter().filter(is_new).map(|(path, _)| path.clone()).collect();
            (new, followed.len())
        };
        self.hub.metrics.watches.set(n_followed.try_into().unwrap_or(i64::MAX));
        if n_followed == 0 {
            self.hub.metrics.polled.set(0);
            (self.mux, self.rebuild_at) = (None, None);
            self.keys.clear();
            return;
        }
        for path in new {
            self.add(path).await;
        }
        if self.keys.len() > n_followed {
            self.plan_rebuild(RELEASE_PAUSE);
        }
    }

    async fn add(&mut self, path: PathBuf) {
        let is_remote = self.hub.disks.is_remote(&path);
        // Adding a watch examines the path: one that does not respond would block all the others.
        let is_silent = is_remote && !self.hub.disks.access(&path).answers(&path).await;
        let added = match &mut self.mux {
            _ if is_silent => Err(io::Error::new(io::ErrorKind::TimedOut, "its disk is silent")),
            Some(mux) => mux.events.add_file(&path).await,
            None => match MuxedEvents::new() {
                Ok(mut events) => {
                    let added = events.add_file(&path).await;
                    self.mux = Some(Mux { events, n_stale: 0 });
                    added
                }
                Err(error) => Err(error),
            },
        };
        let is_polled = match added {
            Ok(key) => {
                self.keys.insert(key, path.clone());
                // Other hosts may write there without an event here.
                is_remote
            }
            Err(error) => {
                self.hub.metrics.faults.inc();
                tracing::warn!(path = %path.display(), %error, "cannot be watched: it is polled");
                self.plan_rebuild(POLLED_PAUSE);
                true
            }
        };
        if let Some(followed) = self.hub.lock().get_mut(&path) {
            followed.is_watched = true;
            // Also a wake-up: lines may have been written before the watch was added.
            followed.hints.send_modify(|hint| {
                hint.n_wakes += 1;
                hint.is_polled = is_polled;
            });
        }
        self.hub.metrics.polled.set(self.hub.n_polled().try_into().unwrap_or(i64::MAX));
    }

    fn take_event(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Paths { paths, n_moved } => {
                self.wake(&paths);
                if let Some(mux) = &mut self.mux {
                    mux.n_stale += n_moved;
                    if mux.n_stale > MAX_STALE {
                        self.plan_rebuild(STALE_PAUSE);
                    }
                }
            }
            WatchEvent::Anything => self.wake_all(),
            WatchEvent::Dry => {
                self.mux = None;
                self.plan_rebuild(FAULT_PAUSE);
            }
            WatchEvent::Failed(error) => {
                self.hub.metrics.faults.inc();
                tracing::warn!(%error, "the event source has failed; building it anew");
                self.mux = None;
                self.wake_all();
                self.plan_rebuild(FAULT_PAUSE);
            }
        }
    }

    fn wake(&self, paths: &[PathBuf]) {
        let followed = self.hub.lock();
        for path in paths {
            if let Some(kept) = self.keys.get(path).and_then(|key| followed.get(key)) {
                kept.hints.send_modify(|hint| hint.n_wakes += 1);
            }
        }
    }

    fn wake_all(&self) {
        for kept in self.hub.lock().values() {
            kept.hints.send_modify(|hint| hint.n_wakes += 1);
        }
    }

    fn plan_rebuild(&mut self, pause: Duration) {
        let at = Instant::now() + pause;
        self.rebuild_at = Some(self.rebuild_at.map_or(at, |planned| planned.min(at)));
    }

    /// Watches what is followed with a fresh multiplexer. The old one is dropped only then.
    async fn rebuild(&mut self) {
        let old = self.mux.take();
        self.rebuild_at = None;
        self.keys.clear();
        for followed in self.hub.lock().values_mut() {
            followed.is_watched = false;
        }
        self.follow_changes().await;
        drop(old);
    }
}

/// The next event and all that wait behind it; never resolves while nothing is watched.
async fn next_event(mux: Option<&mut Mux>) -> WatchEvent {
    let Some(mux) = mux else { return std::future::pending().await };
    let mut next = mux.events.next_event().await;
    let (mut paths, mut n_moved) = (Vec::new(), 0);
    for _ in 0..MAX_EVENTS {
        match next {
            // An overflow names no path.
            Ok(Some(event)) if event.need_rescan() => return WatchEvent::Anything,
            // Our own opening and reading causes access events, too.
            Ok(Some(event)) if event.kind.is_access() => {}
            Ok(Some(event)) => {
                let is_move = !event.kind.is_modify() || event.paths.is_empty();
                n_moved += usize::from(is_move);
                for path in event.paths {
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                }
            }
            Ok(None) => return WatchEvent::Dry,
            Err(error) => return WatchEvent::Failed(error),
        }
        match mux.events.next_event().now_or_never() {
            Some(event) => next = event,
            None => break,
        }
    }
    WatchEvent::Paths { paths, n_moved }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Events that are taken at a time.
const MAX_EVENTS: usize = 1024;

/// After this many renames and removals the multiplexer is rebuilt.
const MAX_STALE: usize = 8;

const RELEASE_PAUSE: Duration = Duration::from_secs(1);
const STALE_PAUSE: Duration = Duration::from_secs(5);
const FAULT_PAUSE: Duration = Duration::from_secs(1);
const POLLED_PAUSE: Duration = Duration::from_secs(30);
