//! Disk: where blocking calls run. Each device has threads of its own, a bounded number for each kind
//! of work, so that one that does not answer uses up nothing that the others need; among the callers
//! of one device the turns go round by source, so that no source uses up what the others need.
//!
//! A call holds its thread exactly for as long as it runs: whoever waits for the answer, and when it
//! is fetched, makes no difference. Dropping the [`Call`] takes one that has not begun out of the
//! queue, and tells one that runs that nobody wants its answer any more ([`stop_if_abandoned`]).

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

/// What a blocking call is for. The kinds do not wait for each other, only for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A live end: short, and what is written to waits for it.
    Live,
    /// The next block of a history: short, one a viewer.
    Read,
    /// Finding a place: short, as nothing is searched.
    Open,
    /// A search through as much as it takes; it may be long.
    Search,
    /// What is there: lists, sizes, whether a place answers.
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

    /// Of these, how many one source may have: never all.
    const fn max_of_source(self) -> usize {
        self.max_threads() * 3 / 4
    }
}

/// All devices that were met, by their numbers.
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

/// A caller's way to the device that it reads from: a source's, or that of a place which is looked
/// at. Turns go round by these.
#[derive(Debug)]
pub struct DiskAccess {
    disks: Arc<Disks>,
    disk: Mutex<Arc<Disk>>,
    caller: u64,
}

/// A blocking call, queued or begun. Resolves to its answer.
#[must_use = "a call that is dropped is abandoned"]
pub struct Call<T> {
    answer: oneshot::Receiver<T>,
    /// None once it has ended, or is left to run by itself.
    ticket: Option<Ticket>,
}

/// What it takes to abandon a call.
struct Ticket {
    is_abandoned: Arc<AtomicBool>,
    pool: Arc<Pool>,
    caller: u64,
    number: u64,
}

/// A call has ended without an answer: it has panicked, or no thread could be had for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blocking call has ended without an answer")]
pub struct CallLost;

impl Disks {
    /// A way to the device that `path` is on, as the table of mounts tells it: the disk is not
    /// touched. Behind a link that may be another one; [`DiskAccess::note_device`] corrects it.
    #[must_use]
    pub fn access(self: &Arc<Self>, path: &Path) -> DiskAccess {
        let device = lock(&self.mounts).device_of(path);
        let caller = RandomState::new().hash_one(path);
        DiskAccess { disks: Arc::clone(self), disk: Mutex::new(self.disk(device)), caller }
    }

    /// Whether others may write at `path` from another host.
    #[must_use]
    pub fn is_remote(&self, path: &Path) -> bool {
        lock(&self.mounts).is_remote(path)
    }

    /// The points of the table of mounts that lie below one of `places`.
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
    /// Has `work` done on a thread of the device, as soon as it is its turn.
    pub fn call<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Call<T> {
        self.begin(lane, None, work)
    }

    /// As [`Self::call`], for work that whoever asks can make expensive: it takes what it spends off
    /// `allowance` ([`spend`]), and ends when there is no more.
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

    /// Notes on which device the caller's files were found.
    pub fn note_device(&self, device: u64) {
        let mut disk = lock(&self.disk);
        if disk.device != device {
            *disk = self.disks.disk(device);
        }
    }

    /// The number of the device, as far as known.
    #[must_use]
    pub fn device(&self) -> u64 {
        lock(&self.disk).device
    }

    /// Whether the device answers within a moment when it is asked for `path`. At most one thread
    /// waits for it.
    pub async fn answers(&self, path: &Path) -> bool {
        let disk = Arc::clone(&lock(&self.disk));
        let now = Instant::now();
        let since = *lock(&disk.probed).get_or_insert(now);
        if now - since >= PATIENCE {
            return false;
        }
        let (path, probed) = (path.to_owned(), Arc::clone(&disk.probed));
        let mut probe = self.call(Lane::Look, move || {
            // That it does not exist is an answer, too.
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
    /// Lets it run to its end although nobody waits for its answer.
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

/// A healthy device under load answers within this.
const PATIENCE: Duration = Duration::from_secs(1);

/// Devices that are kept in mind although nobody reads from them.
const MAX_KNOWN: usize = 64;

#[cfg(test)]
mod tests;
