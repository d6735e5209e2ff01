//! Statuses: how all sources stand. One whose disk does not answer holds up neither the list nor the
//! others: it is listed as it was last seen. Lists that are made at the same time
//! share the looks: each source waits for at most one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::disk::Lane;
use crate::source::{Source, SourceName, Status};

/// A source and its status.
pub type CurrentStatus = (Arc<dyn Source>, Status);

/// The last known status of every source.
#[derive(Debug)]
pub struct Statuses {
    cache: Mutex<StatusCache>,
    /// Grows when a check has ended.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct StatusCache {
    last: HashMap<SourceName, Status>,
    /// Sources that wait to be checked, or are being checked.
    due: HashSet<SourceName>,
    /// The waiting sources by device, with the number of checkers there.
    queues: HashMap<u64, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<dyn Source>>,
    n_checkers: usize,
}

/// A task is checking the sources of a device.
struct CheckerGuard {
    statuses: Arc<Statuses>,
    device: u64,
}

/// A source is being checked.
struct CheckGuard<'a> {
    statuses: &'a Statuses,
    name: SourceName,
}

impl Default for Statuses {
    fn default() -> Self {
        Statuses { cache: Mutex::default(), version: watch::Sender::new(0) }
    }
}

impl Statuses {
    /// The current status of `sources`, or the last known one of those that do not answer.
    pub async fn of(self: Arc<Self>, sources: Vec<Arc<dyn Source>>) -> Vec<CurrentStatus> {
        let mut changes = self.version.subscribe();
        let devices = self.queue(&sources);
        for (device, source) in &devices {
            self.add_checker(*device, source, 0);
        }
        let mut n_due = self.n_due(&sources);
        let (mut n_checkers, mut patience) = (1, Instant::now() + PATIENCE);
        while n_due > 0 {
            if timeout_at(patience, changes.changed()).await.is_err() {
                if n_checkers >= MAX_CHECKERS {
                    tracing::debug!(
                        n_due,
                        "some sources do not answer; they are listed as they were"
                    );
                    break;
                }
                // One source may be silent on a device that is not.
                for (device, source) in &devices {
                    self.add_checker(*device, source, n_checkers);
                }
                (n_checkers, patience) = (n_checkers + 1, Instant::now() + PATIENCE);
            }
            let n_left = self.n_due(&sources);
            if n_left < n_due {
                (n_due, patience) = (n_left, Instant::now() + PATIENCE);
            }
        }
        let cache = lock(&self.cache);
        let with_status = |source: Arc<dyn Source>| {
            let status = cache.last.get(source.name()).cloned();
            (source, status.unwrap_or_default())
        };
        sources.into_iter().map(with_status).collect()
    }

    /// Queues the sources that are not queued yet. Returns the devices on which some wait, with a
    /// source of each.
    fn queue(&self, sources: &[Arc<dyn Source>]) -> HashMap<u64, Arc<dyn Source>> {
        let mut devices = HashMap::new();
        let mut cache = lock(&self.cache);
        for source in sources {
            let device = source.disk().device();
            devices.entry(device).or_insert_with(|| Arc::clone(source));
            if cache.due.insert(source.name().clone()) {
                cache.queues.entry(device).or_default().waiting.push_back(Arc::clone(source));
            }
        }
        devices
    }

    /// Adds a checker for a device on which sources wait, if it has only `n_others` so far.
    fn add_checker(self: &Arc<Self>, device: u64, source: &Arc<dyn Source>, n_others: usize) {
        if let Some(queue) = lock(&self.cache).queues.get_mut(&device)
            && queue.n_checkers <= n_others
            && !queue.waiting.is_empty()
        {
            queue.n_checkers += 1;
            let guard = CheckerGuard { statuses: Arc::clone(self), device };
            source.disk().call(Lane::Look, move || guard.look_at_all()).let_run();
        }
    }

    fn n_due(&self, sources: &[Arc<dyn Source>]) -> usize {
        let cache = lock(&self.cache);
        sources.iter().filter(|source| cache.due.contains(source.name())).count()
    }

    fn tell(&self) {
        self.version.send_modify(|version| *version += 1);
    }
}

impl CheckerGuard {
    fn look_at_all(self) {
        let mut announced = std::time::Instant::now();
        while let Some(source) = self.next() {
            let guard = CheckGuard { statuses: &self.statuses, name: source.name().clone() };
            let status = source.status();
            let mut cache = lock(&self.statuses.cache);
            if cache.last.len() >= MAX_KEPT {
                cache.last.clear();
            }
            cache.last.insert(guard.name.clone(), status);
            drop(cache);
            drop(guard);
            if announced.elapsed() > TELL_PAUSE {
                self.statuses.tell();
                announced = std::time::Instant::now();
            }
        }
    }

    fn next(&self) -> Option<Arc<dyn Source>> {
        lock(&self.statuses.cache).queues.get_mut(&self.device)?.waiting.pop_front()
    }
}

impl Drop for CheckerGuard {
    fn drop(&mut self) {
        let mut cache = lock(&self.statuses.cache);
        if let Some(queue) = cache.queues.get_mut(&self.device) {
            queue.n_checkers -= 1;
            if queue.n_checkers == 0 && queue.waiting.is_empty() {
                cache.queues.remove(&self.device);
            }
        }
        drop(cache);
        self.statuses.tell();
    }
}

impl Drop for CheckGuard<'_> {
    fn drop(&mut self) {
        lock(&self.statuses.cache).due.remove(&self.name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When no check has ended for this time, another checker starts on the remaining sources, or the
/// list is made without them.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often finished checks are announced.
const TELL_PAUSE: Duration = Duration::from_millis(20);

/// How many checkers a device may have, and so how many silent sources are passed at once.
const MAX_CHECKERS: usize = 3;

/// As many as a catalog can hold.
const MAX_KEPT: usize = 100_000;
