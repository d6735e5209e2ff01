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

/// A source and how it stands.
pub type Listed = (Arc<dyn Source>, Status);

/// What is known of all sources.
#[derive(Debug)]
pub struct Statuses {
    kept: Mutex<Kept>,
    /// Grows when something was looked at.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    last: HashMap<SourceName, Status>,
    /// Those that wait for a look, or are being looked at.
    due: HashSet<SourceName>,
    /// Those that wait, by device, with how many look there.
    queues: HashMap<u64, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<dyn Source>>,
    n_lookers: usize,
}

/// Somebody looks at the sources of a device.
struct LookerGuard {
    statuses: Arc<Statuses>,
    device: u64,
}

/// A source is being looked at.
struct LookGuard<'a> {
    statuses: &'a Statuses,
    name: SourceName,
}

impl Default for Statuses {
    fn default() -> Self {
        Statuses { kept: Mutex::default(), version: watch::Sender::new(0) }
    }
}

impl Statuses {
    /// How `sources` stand now, or stood when they last answered.
    pub async fn of(self: Arc<Self>, sources: Vec<Arc<dyn Source>>) -> Vec<Listed> {
        let mut changes = self.version.subscribe();
        let devices = self.queue(&sources);
        for (device, source) in &devices {
            self.add_looker(*device, source, 0);
        }
        let mut n_due = self.n_due(&sources);
        let (mut n_lookers, mut patience) = (1, Instant::now() + PATIENCE);
        while n_due > 0 {
            if timeout_at(patience, changes.changed()).await.is_err() {
                if n_lookers >= MAX_LOOKERS {
                    tracing::debug!(
                        n_due,
                        "some sources do not answer; they are listed as they were"
                    );
                    break;
                }
                // One source may be silent on a device that is not.
                for (device, source) in &devices {
                    self.add_looker(*device, source, n_lookers);
                }
                (n_lookers, patience) = (n_lookers + 1, Instant::now() + PATIENCE);
            }
            let n_left = self.n_due(&sources);
            if n_left < n_due {
                (n_due, patience) = (n_left, Instant::now() + PATIENCE);
            }
        }
        let kept = lock(&self.kept);
        let with_status = |source: Arc<dyn Source>| {
            let status = kept.last.get(source.name()).cloned();
            (source, status.unwrap_or_default())
        };
        sources.into_iter().map(with_status).collect()
    }

    /// Puts those in line that are not. The devices on which some wait, with a source of each.
    fn queue(&self, sources: &[Arc<dyn Source>]) -> HashMap<u64, Arc<dyn Source>> {
        let mut devices = HashMap::new();
        let mut kept = lock(&self.kept);
        for source in sources {
            let device = source.disk().device();
            devices.entry(device).or_insert_with(|| Arc::clone(source));
            if kept.due.insert(source.name().clone()) {
                kept.queues.entry(device).or_default().waiting.push_back(Arc::clone(source));
            }
        }
        devices
    }

    /// Has one more look at the sources of a device, where some wait and only `n_others` look.
    fn add_looker(self: &Arc<Self>, device: u64, source: &Arc<dyn Source>, n_others: usize) {
        if let Some(queue) = lock(&self.kept).queues.get_mut(&device)
            && queue.n_lookers <= n_others
            && !queue.waiting.is_empty()
        {
            queue.n_lookers += 1;
            let guard = LookerGuard { statuses: Arc::clone(self), device };
            source.disk().call(Lane::Look, move || guard.look_at_all()).let_run();
        }
    }

    fn n_due(&self, sources: &[Arc<dyn Source>]) -> usize {
        let kept = lock(&self.kept);
        sources.iter().filter(|source| kept.due.contains(source.name())).count()
    }

    fn tell(&self) {
        self.version.send_modify(|version| *version += 1);
    }
}

impl LookerGuard {
    fn look_at_all(self) {
        let mut told = std::time::Instant::now();
        while let Some(source) = self.next() {
            let guard = LookGuard { statuses: &self.statuses, name: source.name().clone() };
            let status = source.status();
            let mut kept = lock(&self.statuses.kept);
            if kept.last.len() >= MAX_KEPT {
                kept.last.clear();
            }
            kept.last.insert(guard.name.clone(), status);
            drop(kept);
            drop(guard);
            if told.elapsed() > TELL_PAUSE {
                self.statuses.tell();
                told = std::time::Instant::now();
            }
        }
    }

    fn next(&self) -> Option<Arc<dyn Source>> {
        lock(&self.statuses.kept).queues.get_mut(&self.device)?.waiting.pop_front()
    }
}

impl Drop for LookerGuard {
    fn drop(&mut self) {
        let mut kept = lock(&self.statuses.kept);
        if let Some(queue) = kept.queues.get_mut(&self.device) {
            queue.n_lookers -= 1;
            if queue.n_lookers == 0 && queue.waiting.is_empty() {
                kept.queues.remove(&self.device);
            }
        }
        drop(kept);
        self.statuses.tell();
    }
}

impl Drop for LookGuard<'_> {
    fn drop(&mut self) {
        lock(&self.statuses.kept).due.remove(&self.name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When no look has ended for this time, another one begins with the sources that are left, or the
/// list is made without them.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often it is told that looks have ended.
const TELL_PAUSE: Duration = Duration::from_millis(20);

/// More sources than this of one device that do not answer are not looked past at once.
const MAX_LOOKERS: usize = 3;

/// As many as a catalog holds.
const MAX_KEPT: usize = 100_000;
