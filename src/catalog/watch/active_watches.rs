//! The active directory watches, and their difference to the required ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use notify::{Config, ErrorKind, Event, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

use crate::catalog::found::DirectoryId;
use crate::catalog::watch::WatchSet;

/// A watcher and its directories. Its calls wait for the watcher's thread.
#[derive(Debug)]
pub(super) struct ActiveWatches {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeMap<PathBuf, DirectoryId>,
    signal: Signal,
}

/// Shared with the watcher's thread.
#[derive(Debug, Clone)]
struct Signal {
    wake: watch::Sender<u64>,
    set: Arc<RwLock<Arc<WatchSet>>>,
}

/// The result of watching one directory.
enum WatchResult {
    Watched,
    /// It vanished in the meantime, so the scan is out of date.
    Vanished,
    /// The failure is too unimportant to report.
    Unneeded,
    /// The system's error message, and whether every further watch would fail in the same way.
    Failed(String, bool),
}

impl ActiveWatches {
    /// Watches nothing; the receiver's version grows with each event that matters.
    pub(super) fn new() -> (Self, watch::Receiver<u64>) {
        let (wake, wakes) = watch::channel(0);
        let signal = Signal { wake, set: Arc::default() };
        (Self { watcher: None, directories: BTreeMap::new(), signal }, wakes)
    }

    /// Watches exactly the set; returns why that was not possible for all of it.
    pub(super) fn follow(&mut self, set: &WatchSet) -> Vec<String> {
        let required = identified(&set.directories);
        self.signal.attend_to(honest(set, &required));
        if let Err(error) = self.ensure_watcher() {
            return vec![format!("directories cannot be watched: {error}")];
        }
        self.drop_stale(&required);
        let missing: Vec<_> =
            required.into_iter().filter(|(path, _)| !self.directories.contains_key(path)).collect();
        let mut failures: BTreeMap<String, usize> = BTreeMap::new();
        let mut is_due = false;
        let mut missing = missing.into_iter();
        while let Some((path, id)) = missing.next() {
            match self.watch(&path, set) {
                WatchResult::Watched => {
                    self.directories.insert(path, id);
                    is_due = true;
                }
                WatchResult::Vanished => is_due = true,
                WatchResult::Unneeded => {}
                WatchResult::Failed(error, is_final) => {
                    tracing::debug!(directory = %path.display(), "cannot be watched: {error}");
                    let rest = if is_final { missing.by_ref().count() } else { 0 };
                    *failures.entry(error).or_default() += 1 + rest;
                }
            }
        }
        if is_due {
            self.signal.wake();
        }
        let message =
            |(error, count)| format!("{count} of the directories cannot be watched: {error}");
        failures.into_iter().map(message).collect()
    }

    fn ensure_watcher(&mut self) -> notify::Result<()> {
        if self.watcher.is_none() {
            let signal = self.signal.clone();
            let handler = move |event| signal.handle(event);
            let config = Config::default().with_event_kinds(event_kinds());
            self.watcher = Some(RecommendedWatcher::new(handler, config)?);
            self.directories.clear();
        }
        Ok(())
    }

    /// Drops the watches that are not required, and those whose path is another directory by now:
    /// after a rename they are still on the old one, and a new watch on the same path would be
    /// taken for the one that is there already.
    fn drop_stale(&mut self, required: &BTreeMap<PathBuf, DirectoryId>) {
        let Some(watcher) = &mut self.watcher else { return };
        // The watcher drops the watches of deleted and renamed directories by itself.
        let alive: BTreeSet<PathBuf> = match watcher.watched_paths() {
            Ok(paths) => paths.into_iter().map(|(path, _)| path).collect(),
            Err(error) => {
                // Its thread has ended. The next round starts over.
                tracing::warn!("the directory watcher has ended: {error}");
                self.watcher = None;
                self.directories.clear();
                return;
            }
        };
        self.directories.retain(|path, id| {
            let is_fit = required.get(path) == Some(id);
            if !is_fit
                && alive.contains(path)
                && let Err(error) = watcher.unwatch(path)
            {
                tracing::debug!(directory = %path.display(), "was not watched: {error}");
            }
            is_fit && alive.contains(path)
        });
    }

    fn watch(&mut self, path: &Path, set: &WatchSet) -> WatchResult {
        let Some(watcher) = &mut self.watcher else {
            return WatchResult::Failed("the watcher has ended".to_owned(), true);
        };
        let error = match watcher.watch(path, RecursiveMode::NonRecursive) {
            Ok(()) => return WatchResult::Watched,
            Err(error) => error.kind,
        };
        match error {
            ErrorKind::PathNotFound => WatchResult::Vanished,
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                WatchResult::Vanished
            }
            // Watching names in a directory requires the permission to list it; opening one of them
            // does not.
            ErrorKind::Io(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    && set.narrowed.contains_key(path) =>
            {
                WatchResult::Unneeded
            }
            ErrorKind::Io(error) => WatchResult::Failed(error.to_string(), false),
            ErrorKind::MaxFilesWatch => WatchResult::Failed(
                "the limit fs.inotify.max_user_watches is reached".to_owned(),
                true,
            ),
            ErrorKind::Generic(error) => WatchResult::Failed(error, false),
            ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => {
                WatchResult::Failed("invariant: not an error of a new watch".to_owned(), false)
            }
        }
    }
}

impl Signal {
    /// Runs on the watcher's thread, for each event; it never waits for a caller that waits for
    /// that thread, as [`Signal::attend_to`] holds the lock for one assignment only.
    fn handle(&self, event: notify::Result<Event>) {
        let is_due = match event {
            Ok(event) => event.need_rescan() || event.paths.is_empty() || self.concerns(&event),
            Err(error) => {
                tracing::warn!("watching directories: {error}");
                true
            }
        };
        if is_due {
            self.wake();
        }
    }

    fn concerns(&self, event: &Event) -> bool {
        let set = Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner));
        event.paths.iter().any(|path| match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                set.narrowed.get(parent).is_none_or(|names| names.contains(name))
            }
            _ => true,
        })
    }

    fn attend_to(&self, set: WatchSet) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }

    fn wake(&self) {
        self.wake.send_modify(|version| *version = version.wrapping_add(1));
    }
}

/// The current identity of each directory; without those that are gone.
fn identified(directories: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, DirectoryId> {
    let identify = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((path.clone(), DirectoryId::of(&metadata)))
    };
    directories.iter().filter_map(identify).collect()
}

/// The set, narrowed only where that is sound: inotify has one watch for a directory that is
/// reached by two paths, and its events come under one of them.
fn honest(set: &WatchSet, identities: &BTreeMap<PathBuf, DirectoryId>) -> WatchSet {
    let mut paths: HashMap<DirectoryId, usize> = HashMap::new();
    for id in identities.values() {
        *paths.entry(*id).or_default() += 1;
    }
    let is_alone =
        |path: &PathBuf| identities.get(path).and_then(|id| paths.get(id)).is_none_or(|n| *n == 1);
    let mut set = set.clone();
    set.narrowed.retain(|path, _| is_alone(path));
    set
}

/// Writes into a file are ignored. A change of permissions is not: an unreadable file may be
/// readable now.
fn event_kinds() -> EventKindMask {
    EventKindMask::CREATE
        | EventKindMask::REMOVE
        | EventKindMask::MODIFY_NAME
        | EventKindMask::MODIFY_META
}
