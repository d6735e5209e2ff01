//! The catalog: all sources by name, kept up to date as files appear and vanish.
//!
//! It finds files and names them; it does not open what it found (but for a first look whether it
//! is text), and knows nothing of a source object but how to make one.

pub mod discovery;
mod found;
mod inspection;
mod naming;
pub mod pattern;
mod private_key;
mod reach;
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

use crate::catalog::discovery::{Discovery, Found, FoundSource};
use crate::catalog::pattern::SourcePattern;
use crate::catalog::reach::Reach;
use crate::catalog::watch::{DirectoryWatch, WatchSet};
use crate::config::SourceSpec;
use crate::disk::Disks;
use crate::file::location::Location;
use crate::file::own_files::OwnFiles;
use crate::source::SourceName;

pub use crate::catalog::snapshot::Snapshot;

/// All sources, as objects of the kind `S`.
pub struct Catalog<S: ?Sized> {
    scanner: Mutex<Scanner>,
    snapshot: RwLock<Arc<Snapshot<S>>>,
    version: version::Sender<u64>,
    degraded: RwLock<Vec<String>>,
    factory: Factory<S>,
    keep: Keep<S>,
}

type Factory<S> = Box<dyn Fn(FoundSource) -> Arc<S> + Send + Sync>;
type Keep<S> = Box<dyn Fn(&S) -> bool + Send + Sync>;

struct Scanner {
    discovery: Discovery,
    served: BTreeMap<SourceName, Location>,
    watch_set: WatchSet,
}

/// What a look at the disk has brought. Nothing is changed by it yet: a place may fall silent on its way,
/// and it is then left to itself.
struct Looked {
    discovery: Discovery,
    found: Found,
    /// No place was left out.
    is_whole: bool,
    took: Duration,
}

impl<S: Send + Sync + ?Sized + 'static> Catalog<S> {
    /// Reads the configuration and looks at the disk once; it blocks. None of `own` is a source.
    ///
    /// `factory` makes the object of a source that appears. A source whose files are all gone is
    /// dropped at the next look, unless `keep` says that it is still in use; one that the
    /// configuration names as a single file stays. Neither closure may call [`Catalog::rescan`].
    pub fn open(
        specs: &[SourceSpec],
        own: OwnFiles,
        factory: impl Fn(FoundSource) -> Arc<S> + Send + Sync + 'static,
        keep: impl Fn(&S) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        let discovery = Discovery::new(specs).without(own);
        let (served, watch_set) = (BTreeMap::new(), WatchSet::default());
        let catalog = Self {
            scanner: Mutex::new(Scanner { discovery, served, watch_set }),
            snapshot: RwLock::default(),
            version: version::Sender::new(0),
            degraded: RwLock::default(),
            factory: Box::new(factory),
            keep: Box::new(keep),
        };
        catalog.rescan();
        Arc::new(catalog)
    }

    /// Keeps the catalog up to date until it is cancelled; `disks` tell which places answer.
    pub async fn run(self: Arc<Self>, disks: Arc<Disks>, cancel: CancellationToken) {
        cancel.run_until_cancelled_owned(self.stay_current(disks)).await;
    }

    /// Looks at the disk now, and publishes what changed; it blocks.
    pub fn rescan(&self) {
        self.take(self.look(&BTreeSet::new()));
    }

    /// Looks everywhere but at the places that do not answer: what is there stays as it was.
    fn look(&self, silent: &BTreeSet<PathBuf>) -> Looked {
        let began = Instant::now();
        let (mut discovery, served) = {
            let scanner = self.scanner();
            (scanner.discovery.clone(), scanner.served.clone())
        };
        let is_served = |name: &SourceName, path: &std::path::Path| {
            served.get(name).is_some_and(|location| location.path == path)
        };
        let found = discovery.scan_but(silent, is_served);
        Looked { discovery, found, is_whole: silent.is_empty(), took: began.elapsed() }
    }

    /// Takes over what a look has brought, and publishes it.
    fn take(&self, looked: Looked) {
        let mut scanner = self.scanner();
        let Scanner { discovery, served, watch_set } = &mut *scanner;
        let mut found = looked.found;
        *discovery = looked.discovery;
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
        if looked.is_whole {
            *watch_set = WatchSet::from(found);
        }
        self.publish(&before, after);
    }

    async fn stay_current(self: Arc<Self>, disks: Arc<Disks>) {
        let (mut watch, reach) = (DirectoryWatch::new(), Reach::new(disks));
        loop {
            // A path at which nothing was may have become a directory.
            let places = self.scanner().discovery.places();
            let silent = reach.silent(reach.with_mounts(&places)).await;
            // Even to stop watching a place that does not answer would wait for it.
            if silent.is_empty() {
                watch.follow(self.watch_set()).await;
            }
            self.set_degraded(&watch, silent.len());
            if silent.is_empty() {
                watch.changed().await;
            } else if timeout(SILENT_PAUSE, watch.changed()).await.is_err() {
                tracing::debug!(places = silent.len(), "some places do not answer");
            }
            let silent = reach.silent(reach.with_mounts(&places)).await;
            let (catalog, skipped) = (Arc::clone(&self), silent.clone());
            let look = tokio::task::spawn_blocking(move || catalog.look(&skipped));
            match outcome(look, &reach, &places, &silent).await {
                Some(Ok(looked)) => {
                    watch.looked(looked.took);
                    self.take(looked);
                }
                Some(Err(error)) => {
                    tracing::error!("the look for sources failed: {error}");
                    watch.looked(AFTER_FAILURE);
                }
                None => {
                    tracing::debug!("a place has fallen silent while it was looked at");
                    watch.looked(AFTER_FAILURE);
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

    /// Carries over what was not found but is in use, or not known to be gone.
    fn keep_in_use(
        &self,
        found: &Found,
        served: &BTreeMap<SourceName, Location>,
        before: &Snapshot<S>,
        after: &mut Snapshot<S>,
        locations: &mut BTreeMap<SourceName, Location>,
    ) {
        for (name, location) in served {
            let Some(object) = before.sources.get(name) else { continue };
            let is_missing = !after.sources.contains_key(name);
            // A name does not go to another file because its own could not be looked at.
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

    fn scanner(&self) -> MutexGuard<'_, Scanner> {
        self.scanner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look brings; none if another place than those left out falls silent on its way: it then waits
/// there for as long as the disk does, and for nobody.
async fn outcome(
    mut look: JoinHandle<Looked>,
    reach: &Reach,
    places: &BTreeSet<PathBuf>,
    skipped: &BTreeSet<PathBuf>,
) -> Option<Result<Looked, JoinError>> {
    loop {
        if let Ok(outcome) = timeout(LOOK_PATIENCE, &mut look).await {
            return Some(outcome);
        }
        // To look at much takes long as well.
        if !reach.silent(reach.with_mounts(places)).await.is_subset(skipped) {
            return None;
        }
    }
}

impl<S: ?Sized> Catalog<S> {
    /// The catalog as it is now.
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

    /// Up to three names near to one that nobody has, of those that `accept` lets through.
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

/// Counts as the duration of a look that did not end.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// After this time it is asked whether a look still gets answers.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);

/// Between looks while a place does not answer.
const SILENT_PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
