//! Statuses: how all sources stand. One whose disk does not answer holds up neither the list nor the
//! others: it is told as it stood when it was last looked at.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::source::{Source, SourceName, Status};

/// A source and how it stands.
pub type Listed = (Arc<dyn Source>, Status);

/// What is known of all sources.
#[derive(Debug, Default)]
pub struct Statuses {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last: HashMap<SourceName, Status>,
    /// Those that are being looked at: since when, and by how many. One that takes long is left
    /// alone, so that few threads wait for it, however long its disk says nothing.
    looking: HashMap<SourceName, (Instant, usize)>,
}

type Queue = Arc<Mutex<VecDeque<Arc<dyn Source>>>>;

/// Somebody is looking at a source.
struct LookGuard<'a> {
    statuses: &'a Statuses,
    name: SourceName,
}

impl Statuses {
    /// How `sources` stand now, or stood when they last answered.
    pub async fn of(self: Arc<Self>, sources: Vec<Arc<dyn Source>>) -> Vec<Listed> {
        let queue: Queue = Arc::new(Mutex::new(sources.iter().map(Arc::clone).collect()));
        let mut lookers = JoinSet::new();
        for _ in 0..MAX_LOOKERS {
            let (statuses, queue) = (Arc::clone(&self), Arc::clone(&queue));
            lookers.spawn_blocking(move || statuses.look_at_all(&queue));
            if timeout(PATIENCE, lookers.join_next()).await.is_ok() {
                break;
            }
        }
        // The others are at their last source, or wait for a disk.
        let all = async { while lookers.join_next().await.is_some() {} };
        if timeout(PATIENCE, all).await.is_err() {
            tracing::debug!("some sources do not answer; they are listed as they were");
            lookers.detach_all();
        }
        let kept = lock(&self.kept);
        let with_status = |source: Arc<dyn Source>| {
            let status = kept.last.get(source.name()).cloned();
            (source, status.unwrap_or_default())
        };
        sources.into_iter().map(with_status).collect()
    }

    fn look_at_all(&self, queue: &Queue) {
        loop {
            let next = lock(queue).pop_front();
            let Some(source) = next else { return };
            if let Some(guard) = self.begin(source.name()) {
                let status = source.status();
                let mut kept = lock(&self.kept);
                if kept.last.len() >= MAX_KEPT {
                    kept.last.clear();
                }
                kept.last.insert(guard.name.clone(), status);
            }
        }
    }

    fn begin(&self, name: &SourceName) -> Option<LookGuard<'_>> {
        let mut kept = lock(&self.kept);
        let (since, n_lookers) =
            kept.looking.entry(name.clone()).or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() > PATIENCE {
            return None;
        }
        *n_lookers += 1;
        Some(LookGuard { statuses: self, name: name.clone() })
    }
}

impl Drop for LookGuard<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut looking) =
            lock(&self.statuses.kept).looking.entry(self.name.clone())
        {
            looking.get_mut().1 -= 1;
            if looking.get().1 == 0 {
                looking.remove();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a look has not ended after this time, another one goes on with the sources that are left.
const PATIENCE: Duration = Duration::from_millis(300);

/// More sources than this that do not answer are not looked past at once.
const MAX_LOOKERS: usize = 8;

/// As many as a catalog holds.
const MAX_KEPT: usize = 100_000;
