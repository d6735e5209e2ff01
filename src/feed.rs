//! Feed: the live end of one source, read once and shared by all its viewers. It exists while a
//! [`FeedGuard`] is held, and for a moment (the linger) longer. It does not know what it reads:
//! that is behind [`SourceReader`], and wake-ups come from the creator of the [`LiveEnd`].

pub mod late;
pub mod ring;
mod task;
pub mod troubles;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chunk::Position;
use crate::disk::DiskAccess;
use crate::feed::late::PassedFiles;
use crate::feed::ring::{Ring, RingPosition, RingRead};
use crate::feed::task::FeedTask;
use crate::feed::troubles::Troubles;
use crate::history::{ReadError, SourceReader, SourceStat};
use crate::metrics::Metrics;

/// What every feed of a server needs from it.
#[derive(Clone, Debug)]
pub struct FeedContext {
    /// All feeds' tasks.
    pub tasks: TaskTracker,
    /// Ends all feeds.
    pub cancel: CancellationToken,
    /// How long a feed continues after its last viewer has left.
    pub linger: Duration,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Where feeds report that they cannot be read.
    pub troubles: Arc<Troubles>,
}

/// The end of a source as a feed needs it.
pub struct LiveEnd {
    /// Opens a reader at the end of the last whole line. Blocking.
    pub open: Opener,
    /// Signals that there may be something to read. A hint: it may be late, duplicated or missing.
    pub hints: watch::Receiver<Hint>,
    /// Where the blocking calls run.
    pub disk: Arc<DiskAccess>,
    /// What is released with the feed.
    pub held: Box<dyn Send + Sync>,
}

/// Opens a reader. Blocking.
pub type Opener = Arc<dyn Fn() -> Result<Box<dyn SourceReader>, ReadError> + Send + Sync>;

/// The last wake-up state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint {
    /// Grows with every wake-up.
    pub n_wakes: u64,
    /// No wake-ups are available: poll.
    pub is_polled: bool,
}

/// The feed of one source, if there is one.
#[derive(Debug, Default)]
pub struct FeedSlot {
    current: Mutex<Option<Arc<Feed>>>,
}

/// Keeps a feed alive. Dropping the last one is the only way in which a feed, and so its watch and
/// its file, ends.
#[derive(Debug)]
#[must_use = "the feed ends when its guards are dropped"]
pub struct FeedGuard {
    feed: Arc<Feed>,
}

/// The live end of one source.
pub struct Feed {
    /// `None` until the source has been opened.
    ring: Mutex<Option<Ring>>,
    progress: Mutex<SourceStat>,
    /// Grows with everything added to the ring; a version cannot be lost.
    version: watch::Sender<u64>,
    n_viewers: AtomicUsize,
    /// The last viewer has left, or the first has come. Holds one permit, so that it cannot be
    /// missed; the task then reads the number of guards.
    viewers_changed: Notify,
    /// The task has ended, by itself or by a panic: nothing will be added.
    is_closed: AtomicBool,
    /// A read has not come back for long.
    is_stalled: AtomicBool,
}

impl FeedSlot {
    /// Joins the feed, and starts it if there is none.
    pub fn subscribe(
        self: &Arc<Self>,
        context: &FeedContext,
        begin: impl FnOnce() -> LiveEnd,
    ) -> FeedGuard {
        let mut current = lock(&self.current);
        if let Some(feed) = current.as_ref().filter(|feed| !feed.is_closed()) {
            if feed.n_viewers.fetch_add(1, Ordering::AcqRel) == 0 {
                feed.viewers_changed.notify_one();
            }
            return FeedGuard { feed: Arc::clone(feed) };
        }
        let feed = Arc::new(Feed::new());
        *current = Some(Arc::clone(&feed));
        context.metrics.feeds.inc();
        let run = FeedTask {
            feed: Arc::clone(&feed),
            slot: Arc::clone(self),
            context: context.clone(),
            end: begin(),
            next_round: Instant::now(),
            trouble: context.troubles.reporter(),
        };
        // The task is boxed, so that the tracker moves a pointer only.
        context.tasks.spawn(run.run().boxed());
        FeedGuard { feed }
    }

    /// The number of guards.
    #[must_use]
    pub fn n_viewers(&self) -> usize {
        lock(&self.current).as_ref().map_or(0, |feed| feed.n_viewers.load(Ordering::Acquire))
    }

    /// Removes `feed` if there is no guard; under the lock, so that none can be made meanwhile.
    fn retire(&self, feed: &Feed) -> bool {
        let mut current = lock(&self.current);
        let is_alone = feed.n_viewers.load(Ordering::Acquire) == 0;
        if is_alone && current.as_ref().is_some_and(|kept| std::ptr::eq(&raw const **kept, feed)) {
            *current = None;
        }
        is_alone
    }
}

impl FeedGuard {
    /// A receiver that changes with everything added to the ring.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.feed.version.subscribe()
    }

    /// Where a position lies in the ring; `None` before the feed has opened its source.
    #[must_use]
    pub fn find(&self, position: &Position) -> Option<RingPosition> {
        lock(&self.feed.ring).as_ref().map(|ring| ring.find(position))
    }

    /// The end of the ring; `None` before the feed has opened its source.
    #[must_use]
    pub fn end(&self) -> Option<Position> {
        lock(&self.feed.ring).as_ref().map(|ring| ring.end().clone())
    }

    /// How many bytes of late lines were missed by a viewer that has passed these files; from now
    /// on they count as reported.
    #[must_use]
    pub fn missed_late(&self, passed: &mut PassedFiles) -> u64 {
        let ring = lock(&self.feed.ring);
        let Some(ring) = ring.as_ref() else { return 0 };
        let missed = ring.late().missed(passed);
        passed.take_all(ring.late());
        missed
    }

    /// The items from `number` on.
    #[must_use]
    pub fn take(&self, number: u64, max_bytes: usize) -> RingRead {
        lock(&self.feed.ring)
            .as_ref()
            .map_or(RingRead::Nothing, |ring| ring.take(number, max_bytes))
    }

    /// The size and modification time of the source.
    #[must_use]
    pub fn progress(&self) -> SourceStat {
        *lock(&self.feed.progress)
    }

    /// Nothing will be added: join again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.feed.is_closed()
    }

    /// Resolves when the source's storage has not responded for some seconds.
    pub async fn stalled(&self) {
        let mut changes = self.changes();
        while !self.feed.is_stalled.load(Ordering::Acquire) {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for FeedGuard {
    fn drop(&mut self) {
        if self.feed.n_viewers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.feed.viewers_changed.notify_one();
        }
    }
}

impl Feed {
    fn new() -> Self {
        Feed {
            ring: Mutex::new(None),
            progress: Mutex::default(),
            version: watch::Sender::new(0),
            n_viewers: AtomicUsize::new(1),
            viewers_changed: Notify::new(),
            is_closed: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
        }
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    fn wake_viewers(&self) {
        self.version.send_modify(|version| *version += 1);
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("n_viewers", &self.n_viewers).finish_non_exhaustive()
    }
}

impl fmt::Debug for LiveEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveEnd").field("hints", &self.hints).finish_non_exhaustive()
    }
}

/// A panic under this lock leaves nothing half done: only pushes and assignments happen under it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
