//! The catalog: all sources by name, kept up to date as files appear and vanish.
//!
//! It finds files and names them; it does not open them (but for a first check that they are text),
//! and knows nothing of a source object but how to make one.

pub mod discovery;
mod found;
mod inspection;
mod liveness;
mod naming;
pub mod pattern;
mod private_key;
mod roots;
mod siblings;
pub mod skipped;
mod snapshot;
mod suggest;
mod walk;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch as version;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::catalog::discovery::{Discovery, DiscoveryResult, FoundSource};
use crate::catalog::liveness::Liveness;
use crate::catalog::pattern::SourcePattern;
use crate::catalog::watch::{DirectoryWatch, WatchSet};
use crate::config::SourceSpec;
use crate::disk::Disks;
use crate::file::location::Location;
use crate::file::own_files::OwnFiles;
use crate::source::SourceName;

pub use crate::catalog::snapshot::Snapshot;

/// All sources, as objects of type `S`.
pub struct Catalog<S: ?Sized> {
    scanner: Mutex<ScannerState>,
    snapshot: RwLock<Arc<Snapshot<S>>>,
    version: version::Sender<u64>,
    degraded: RwLock<Vec<String>>,
    factory: Factory<S>,
    keep: Keep<S>,
}

type Factory<S> = Box<dyn Fn(FoundSource) -> Arc<S> + Send + Sync>;
type Keep<S> = Box<dyn Fn(&S) -> bool + Send + Sync>;

struct ScannerState {
    discovery: Discovery,
    served: BTreeMap<SourceName, Location>,
    watch_set: WatchSet,
}

/// The result of one scan of the disk. It has not been applied yet: a disk may stop answering
/// during the scan, which is then abandoned.
struct ScanOutcome {
    discovery: Discovery,
    found: DiscoveryResult,
    /// No root was skipped.
    is_whole: bool,
    took: Duration,
}

impl<S: Send + Sync + ?Sized + 'static> Catalog<S> {
    /// Reads the configuration and scans the disk once; it blocks. Files in `own` are never
    /// sources.
    ///
    /// `factory` makes the object of a source that appears. A source whose files are all gone is
    /// dropped at the next scan, unless `keep` says that it is still in use; one that is configured
    /// as a single file stays. Neither closure may call [`Catalog::rescan`].
    pub fn open(
        specs: &[SourceSpec],
        own: OwnFiles,
        factory: impl Fn(FoundSource) -> Arc<S> + Send + Sync + 'static,
        keep: impl Fn(&S) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        let discovery = Discovery::new(specs).without(own);
        let (served, watch_set) = (BTreeMap::new(), WatchSet::default());
        let catalog = Self {
            scanner: Mutex::new(ScannerState { discovery, served, watch_set }),
            snapshot: RwLock::default(),
            version: version::Sender::new(0),
            degraded: RwLock::default(),
            factory: Box::new(factory),
            keep: Box::new(keep),
        };
        catalog.rescan();
        Arc::new(catalog)
    }

    /// Keeps the catalog up to date until it is cancelled; `disks` shows which roots respond.
    pub async fn run(self: Arc<Self>, disks: Arc<Disks>, cancel: CancellationToken) {
        cancel.run_until_cancelled_owned(self.stay_current(disks)).await;
    }

    /// Scans the disk now, and publishes what changed; it blocks.
    pub fn rescan(&self) {
        self.take(self.scan(&BTreeSet::new()));
    }

    /// Scans all roots but the `silent` ones, whose sources stay as they were.
    fn scan(&self, silent: &BTreeSet<PathBuf>) -> ScanOutcome {
        let began = Instant::now();
        let (mut discovery, served) = {
            let scanner = self.scanner();
            (scanner.discovery.clone(), scanner.served.clone())
        };
        let is_served = |name: &SourceName, path: &std::path::Path| {
            served.get(name).is_some_and(|location| location.path == path)
        };
        let found = discovery.scan_but(silent, is_served);
        ScanOutcome { discovery, found, is_whole: silent.is_empty(), took: began.elapsed() }
    }

    /// Applies the result of a scan, and publishes it.
    fn take(&self, outcome: ScanOutcome) {
        let mut scanner = self.scanner();
        let ScannerState { discovery, served, watch_set } = &mut *scanner;
        let mut found = outcome.found;
        *discovery = outcome.discovery;
        let before = self.snapshot();
        let mut after = Snapshot::default();
        let mut locations = BTreeMap::new();
        for source in std::mem::take(&mut found.sources) {
            let FoundSource { name, location } = source.clone();
            let kept = before.sources.get(&name).filter(|_| served.get(&name) == Some(&location));
            let object = kept.map_or_else(|| (self.factory)(source), Arc::clone);
            after.sources.insert(name.clone(), object);
            locations.insert(name, location);
        }
        self.keep_in_use(&found, served, &before, &mut after, &mut locations);
        after.skipped = std::mem::take(&mut found.skipped);
        after.skipped.sort();
        after.skipped.dedup();
        *served = locations;
        if outcome.is_whole {
            *watch_set = WatchSet::from(found);
        }
        self.publish(&before, after);
    }

    async fn stay_current(self: Arc<Self>, disks: Arc<Disks>) {
        let (mut watch, liveness) = (DirectoryWatch::new(), Liveness::new(disks));
        loop {
            // A path that did not exist may have become a directory.
            let places = self.scanner().discovery.places();
            let silent = liveness.silent(liveness.with_mounts(&places)).await;
            // Even removing a watch on a disk that does not respond would block.
            if silent.is_empty() {
                watch.follow(self.watch_set()).await;
            }
            self.set_degraded(&watch, silent.len());
            if silent.is_empty() {
                watch.changed().await;
            } else if timeout(SILENT_PAUSE, watch.changed()).await.is_err() {
                tracing::debug!(places = silent.len(), "some places do not answer");
            }
            let silent = liveness.silent(liveness.with_mounts(&places)).await;
            let (catalog, skipped) = (Arc::clone(&self), silent.clone());
            let scan = tokio::task::spawn_blocking(move || catalog.scan(&skipped));
            match outcome(scan, &liveness, &places, &silent).await {
                Some(Ok(outcome)) => {
                    watch.scanned(outcome.took);
                    self.take(outcome);
                }
                Some(Err(error)) => {
                    tracing::error!("the look for sources failed: {error}");
                    watch.scanned(AFTER_FAILURE);
                }
                None => {
                    tracing::debug!("a place has fallen silent while it was looked at");
                    watch.scanned(AFTER_FAILURE);
                }
            }
        }
    }

    fn set_degraded(&self, watch: &DirectoryWatch, n_silent: usize) {
        let mut reasons = watch.degraded();
        if n_silent > 0 {
            reasons.push(format!("{n_silent} of the configured places do not answer"));
        }
        *self.degraded.write().unwrap_or_else(PoisonError::into_inner) = reasons;
    }

    /// Keeps sources that were not found but are in use, or not known to be gone.
    fn keep_in_use(
        &self,
        found: &DiscoveryResult,
        served: &BTreeMap<SourceName, Location>,
        before: &Snapshot<S>,
        after: &mut Snapshot<S>,
        locations: &mut BTreeMap<SourceName, Location>,
    ) {
        for (name, location) in served {
            let Some(object) = before.sources.get(name) else { continue };
            let is_missing = !after.sources.contains_key(name);
            // A name is not given to another file because its own could not be examined.
            let is_unread =
                locations.get(name) != Some(location) && found.is_unread(&location.path);
            if is_unread || is_missing && (self.keep)(object) {
                after.sources.insert(name.clone(), Arc::clone(object));
                locations.insert(name.clone(), location.clone());
            }
        }
    }

    fn publish(&self, before: &Snapshot<S>, after: Snapshot<S>) {
        if before.is_same(&after) {
            return;
        }
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        self.version.send_modify(|version| *version += 1);
    }

    fn watch_set(&self) -> WatchSet {
        self.scanner().watch_set.clone()
    }

    fn scanner(&self) -> MutexGuard<'_, ScannerState> {
        self.scanner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a scan; `None` if another root than the skipped ones stops responding during it:
/// the scan then blocks for as long as the disk does, and its result is discarded.
async fn outcome(
    mut scan: JoinHandle<ScanOutcome>,
    liveness: &Liveness,
    places: &BTreeSet<PathBuf>,
    skipped: &BTreeSet<PathBuf>,
) -> Option<Result<ScanOutcome, JoinError>> {
    loop {
        if let Ok(outcome) = timeout(LOOK_PATIENCE, &mut scan).await {
            return Some(outcome);
        }
        // A large scan takes long, too.
        if !liveness.silent(liveness.with_mounts(places)).await.is_subset(skipped) {
            return None;
        }
    }
}

impl<S: ?Sized> Catalog<S> {
    /// The current catalog.
    pub fn snapshot(&self) -> Arc<Snapshot<S>> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The source of exactly this name.
    pub fn get(&self, name: &str) -> Option<Arc<S>> {
        self.snapshot().get(name)
    }

    /// The sources whose names fit a pattern, sorted by name.
    pub fn matching(&self, pattern: &SourcePattern) -> Vec<Arc<S>> {
        self.snapshot().matching(pattern)
    }

    /// Up to three names similar to one that does not exist, of those that `accept` allows.
    pub fn suggest(&self, name: &str, accept: impl Fn(&SourceName) -> bool) -> Vec<SourceName> {
        self.snapshot().suggest(name, accept)
    }

    /// A version that grows with each change. Subscribe, then take a snapshot.
    pub fn subscribe(&self) -> version::Receiver<u64> {
        self.version.subscribe()
    }

    /// Why new files may be found late; empty while everything is watched.
    pub fn degraded(&self) -> Vec<String> {
        self.degraded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: ?Sized> fmt::Debug for Catalog<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}

/// Assumed as the duration of a scan that did not end.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// After this time it is checked whether the disks still respond.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);

/// The pause between scans while a root does not respond.
const SILENT_PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
