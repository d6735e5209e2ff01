//! Disk: where blocking calls run. Each device has threads of its own, a bounded number for each
//! kind of work, so that a device that does not respond does not block the others; the callers of
//! one device take turns by source, so that no source blocks the others.
//!
//! A call holds its thread exactly for as long as it runs: whoever waits for the answer, and when it
//! is fetched, makes no difference. Dropping the [`Call`] takes one that has not begun out of the
//! queue, and flags one that runs as abandoned ([`stop_if_abandoned`]).
//!
//! `pool` has the threads for one kind of work on one device, `turns` whose call is next, `job` one call.
//! `allowance` is what one viewer may spend; `mounts` says which device a path is on.

pub mod allowance;
pub mod job;
pub mod mounts;
mod pool;
mod turns;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use crate::disk::allowance::{Allowance, AllowanceSpent};
pub use crate::disk::job::{is_abandoned, spend, stop_if_abandoned};

use crate::disk::job::{Job, JobContext};
use crate::disk::mounts::Mounts;
use crate::disk::pool::Pool;

/// The purpose of a blocking call. The kinds do not queue behind each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Reads of a live end: short, and urgent.
    Live,
    /// Reads of the next block of a history: short, one per viewer.
    Read,
    /// Finding a position: short, as nothing is searched.
    Open,
    /// A search; it may be long.
    Search,
    /// Metadata: lists, sizes, whether a path responds.
    Look,
}

impl Lane {
    const ALL: [Self; 5] = [Self::Live, Self::Read, Self::Open, Self::Search, Self::Look];

    /// Threads of one device.
    const fn max_threads(self) -> usize {
        match self {
            Self::Live | Self::Read => 16,
            Self::Open => 8,
            Self::Search | Self::Look => 4,
        }
    }

    /// How many of them one source may have: never all.
    const fn max_of_source(self) -> usize {
        self.max_threads() * 3 / 4
    }
}

/// All known devices, by number.
#[derive(Debug, Default)]
pub struct Disks {
    known: Mutex<HashMap<u64, Arc<Disk>>>,
    mounts: Mutex<Mounts>,
}

/// One device, with its threads.
#[derive(Debug)]
pub struct Disk {
    device: u64,
    live: Arc<Pool>,
    read: Arc<Pool>,
    open: Arc<Pool>,
    search: Arc<Pool>,
    look: Arc<Pool>,
    /// Since when a [`DiskAccess::answers`] has been waiting.
    probed: Arc<Mutex<Option<Instant>>>,
}

/// A caller's access to its device, one for each source or probed path. Turns are taken by these.
#[derive(Debug)]
pub struct DiskAccess {
    disks: Arc<Disks>,
    disk: Mutex<Arc<Disk>>,
    caller: u64,
}

/// A blocking call, queued or running. Resolves to its result.
#[must_use = "a call that is dropped is abandoned"]
pub struct Call<T> {
    answer: oneshot::Receiver<T>,
    /// `None` once it has ended, or was left to run by itself.
    ticket: Option<Ticket>,
}

/// What is needed to abandon a call.
struct Ticket {
    is_abandoned: Arc<AtomicBool>,
    pool: Arc<Pool>,
    caller: u64,
    number: u64,
}

/// A call has ended without a result: it has panicked, or no thread could be started for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blocking call has ended without an answer")]
pub struct CallLost;

impl Disks {
    /// Access to the device of `path`, according to the mount table: the disk is not touched.
    /// Behind a link it may be the wrong one; [`DiskAccess::note_device`] corrects it.
    #[must_use]
    pub fn access(self: &Arc<Self>, path: &Path) -> DiskAccess {
        let device = lock(&self.mounts).device_of(path);
        let caller = RandomState::new().hash_one(path);
        DiskAccess { disks: Arc::clone(self), disk: Mutex::new(self.disk(device)), caller }
    }

    /// Whether another host may write at `path`.
    #[must_use]
    pub fn is_remote(&self, path: &Path) -> bool {
        lock(&self.mounts).is_remote(path)
    }

    /// The mount points below a path.
    #[must_use]
    pub fn mounts_below(&self, root: &Path) -> Vec<std::path::PathBuf> {
        lock(&self.mounts).below(root)
    }

    fn disk(&self, device: u64) -> Arc<Disk> {
        let mut known = lock(&self.known);
        if known.len() >= MAX_KNOWN {
            known.retain(|_, disk| Arc::strong_count(disk) > 1 || !disk.is_idle());
        }
        Arc::clone(known.entry(device).or_insert_with(|| Arc::new(Disk::new(device))))
    }
}

impl Disk {
    fn new(device: u64) -> Self {
        let pool = |lane: Lane| Pool::new(lane.max_threads(), lane.max_of_source());
        Disk {
            device,
            live: pool(Lane::Live),
            read: pool(Lane::Read),
            open: pool(Lane::Open),
            search: pool(Lane::Search),
            look: pool(Lane::Look),
            probed: Arc::default(),
        }
    }

    fn pool(&self, lane: Lane) -> &Arc<Pool> {
        match lane {
            Lane::Live => &self.live,
            Lane::Read => &self.read,
            Lane::Open => &self.open,
            Lane::Search => &self.search,
            Lane::Look => &self.look,
        }
    }

    fn is_idle(&self) -> bool {
        Lane::ALL.iter().all(|lane| self.pool(*lane).is_idle())
    }
}

impl DiskAccess {
    /// Runs `work` on a thread of the device when its turn comes.
    pub fn call<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Call<T> {
        self.begin(lane, None, work)
    }

    /// Like [`Self::call`], for work whose cost a client controls: it charges `allowance`
    /// ([`spend`]), and ends when that is spent.
    pub fn call_within<T: Send + 'static>(
        &self,
        allowance: &Arc<Allowance>,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Call<T> {
        self.begin(lane, Some(Arc::clone(allowance)), work)
    }

    fn begin<T: Send + 'static>(
        &self,
        lane: Lane,
        allowance: Option<Arc<Allowance>>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Call<T> {
        let (tell, answer) = oneshot::channel();
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let context = JobContext { is_abandoned: Arc::clone(&is_abandoned), allowance };
        let disk = Arc::clone(&lock(&self.disk));
        let (pool, caller) = (Arc::clone(disk.pool(lane)), self.caller);
        let number = pool.begin(caller, Job::new(work, tell, context));
        Call { answer, ticket: Some(Ticket { is_abandoned, pool, caller, number }) }
    }

    /// Records the device on which the caller's files were found.
    pub fn note_device(&self, device: u64) {
        let mut disk = lock(&self.disk);
        if disk.device != device {
            *disk = self.disks.disk(device);
        }
    }

    /// The number of the device, as far as is known.
    #[must_use]
    pub fn device(&self) -> u64 {
        lock(&self.disk).device
    }

    /// Whether the device responds quickly to a request for `path`. At most one thread waits for
    /// it.
    pub async fn answers(&self, path: &Path) -> bool {
        let disk = Arc::clone(&lock(&self.disk));
        let now = Instant::now();
        let since = *lock(&disk.probed).get_or_insert(now);
        if now - since >= PATIENCE {
            return false;
        }
        let (path, probed) = (path.to_owned(), Arc::clone(&disk.probed));
        let mut probe = self.call(Lane::Look, move || {
            // An error is a response, too.
            let answer = std::fs::metadata(path).map(drop);
            *lock(&probed) = None;
            answer
        });
        match tokio::time::timeout(PATIENCE, &mut probe).await {
            Ok(Ok(_answer)) => true,
            Ok(Err(CallLost)) => {
                *lock(&disk.probed) = None;
                true
            }
            Err(_silent) => {
                probe.let_run();
                false
            }
        }
    }
}

impl<T> Call<T> {
    /// Lets it run to its end without waiting for its result.
    pub fn let_run(mut self) {
        self.ticket = None;
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, CallLost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        self.ticket = None;
        Poll::Ready(answer.map_err(|_closed| CallLost))
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if let Some(Ticket { is_abandoned, pool, caller, number }) = self.ticket.take() {
            is_abandoned.store(true, Ordering::Release);
            drop(pool.take_back(caller, number));
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("has_ended", &self.ticket.is_none()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A healthy device under load responds within this.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many unused devices are remembered.
const MAX_KNOWN: usize = 64;

#[cfg(test)]
mod tests;
