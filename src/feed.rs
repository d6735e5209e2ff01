//! Feed: the live end of one source, read once and shared by all its viewers. It exists while
//! somebody holds a [`FeedGuard`], and for a moment (the linger) longer. It does not know what it
//! reads: that is behind [`History`], and wake-ups come from whoever made the [`LiveEnd`].

pub mod ring;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chunk::Place;
use crate::feed::ring::{Found, Item, Ring, Taken};
use crate::history::{EventKind, History, Progress, ReadError, Step};
use crate::metrics::Metrics;

/// What every feed of a server needs from it.
#[derive(Clone, Debug)]
pub struct FeedContext {
    /// All feeds' tasks.
    pub tasks: TaskTracker,
    /// Ends all feeds.
    pub cancel: CancellationToken,
    /// How long a feed goes on after its last viewer has left.
    pub linger: Duration,
    /// Where feeds are counted.
    pub metrics: Arc<Metrics>,
}

/// The end of a source as a feed needs it.
pub struct LiveEnd {
    /// Opens a reader at the end of the last whole line. Blocking.
    pub open: Opener,
    /// Tells that there may be something to read. A hint: it may be late, doubled or missing.
    pub hints: watch::Receiver<Hint>,
    /// What is released with the feed.
    pub held: Box<dyn Send + Sync>,
}

/// Opens a reader. Blocking.
pub type Opener = Arc<dyn Fn() -> Result<Box<dyn History>, ReadError> + Send + Sync>;

/// What the source of wake-ups has told last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint {
    /// Grows with every wake-up.
    pub n_wakes: u64,
    /// No wake-ups are to be had: look often.
    pub is_polled: bool,
}

/// The feed of one source, if there is one just now.
#[derive(Debug, Default)]
pub struct FeedSlot {
    current: Mutex<Option<Arc<Feed>>>,
}

/// A part in a feed. Dropping the last one is the only way in which a feed, and so its watch and
/// its file, ends.
#[derive(Debug)]
#[must_use = "the feed ends when its guards are dropped"]
pub struct FeedGuard {
    feed: Arc<Feed>,
}

/// The live end of one source.
pub struct Feed {
    /// None until the source has been opened.
    ring: Mutex<Option<Ring>>,
    progress: Mutex<Progress>,
    /// Grows with everything that becomes visible in the ring; a version cannot be lost.
    version: watch::Sender<u64>,
    n_viewers: AtomicUsize,
    /// The last viewer has left, or the first has come. Holds one permit, so that it cannot be
    /// missed; who is woken looks at the number.
    company: Notify,
    /// The task has ended, by itself or by a panic: nothing will be added.
    is_closed: AtomicBool,
}

impl FeedSlot {
    /// Takes part in the feed, which is begun where there is none.
    pub fn subscribe(
        self: &Arc<Self>,
        context: &FeedContext,
        begin: impl FnOnce() -> LiveEnd,
    ) -> FeedGuard {
        let mut current = lock(&self.current);
        if let Some(feed) = current.as_ref().filter(|feed| !feed.is_closed()) {
            if feed.n_viewers.fetch_add(1, Ordering::AcqRel) == 0 {
                feed.company.notify_one();
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
        };
        // The task is boxed, so that the tracker moves a pointer only.
        context.tasks.spawn(run.run().boxed());
        FeedGuard { feed }
    }

    /// How many guards are held.
    #[must_use]
    pub fn n_viewers(&self) -> usize {
        lock(&self.current).as_ref().map_or(0, |feed| feed.n_viewers.load(Ordering::Acquire))
    }

    /// Takes `feed` out if nobody holds a guard; under the lock, so that nobody can take one
    /// meanwhile.
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
    /// A receiver that changes with everything that becomes visible.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.feed.version.subscribe()
    }

    /// Where `place` lies; none before the feed has opened its source.
    #[must_use]
    pub fn find(&self, place: &Place) -> Option<Found> {
        lock(&self.feed.ring).as_ref().map(|ring| ring.find(place))
    }

    /// The end of what is visible; none before the feed has opened its source.
    #[must_use]
    pub fn end(&self) -> Option<Place> {
        lock(&self.feed.ring).as_ref().map(|ring| ring.end().clone())
    }

    /// The items from `number` on.
    #[must_use]
    pub fn take(&self, number: u64, max_bytes: usize) -> Taken {
        lock(&self.feed.ring).as_ref().map_or(Taken::Nothing, |ring| ring.take(number, max_bytes))
    }

    /// How the source stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *lock(&self.feed.progress)
    }

    /// Nothing will be added: take part anew.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.feed.is_closed()
    }
}

impl Drop for FeedGuard {
    fn drop(&mut self) {
        if self.feed.n_viewers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.feed.company.notify_one();
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
            company: Notify::new(),
            is_closed: AtomicBool::new(false),
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

/// What one round of reading has brought.
struct Round {
    items: Vec<Item>,
    is_at_end: bool,
    look_again: Option<Duration>,
    progress: Progress,
    error: Option<ReadError>,
}

impl fmt::Debug for LiveEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveEnd").field("hints", &self.hints).finish_non_exhaustive()
    }
}

struct FeedTask {
    feed: Arc<Feed>,
    slot: Arc<FeedSlot>,
    context: FeedContext,
    end: LiveEnd,
    /// The earliest time for the next round.
    next_round: Instant,
}

/// Marks the feed as ended when its task ends, in whatever way.
struct CloseOnDrop {
    feed: Arc<Feed>,
    metrics: Arc<Metrics>,
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.feed.is_closed.store(true, Ordering::Release);
        self.metrics.feeds.dec();
        self.feed.wake_viewers();
    }
}

impl FeedTask {
    async fn run(mut self) {
        let _close = CloseOnDrop {
            feed: Arc::clone(&self.feed),
            metrics: Arc::clone(&self.context.metrics),
        };
        let Some(mut reader) = self.open().await else { return };
        loop {
            self.end.hints.mark_unchanged();
            let Ok((back, round)) =
                self.context.tasks.spawn_blocking(move || read_round(reader)).await
            else {
                self.context.metrics.faults.inc();
                tracing::error!("a read panicked; its viewers begin anew");
                return;
            };
            reader = back;
            let wait = self.publish(round);
            if let Some(at_most) = wait
                && !self.wait(at_most).await
            {
                return;
            }
        }
    }

    /// Opens the source, again and again until it can be opened or nobody waits for it.
    async fn open(&mut self) -> Option<Box<dyn History>> {
        loop {
            let open = Arc::clone(&self.end.open);
            match self.context.tasks.spawn_blocking(move || open()).await {
                Ok(Ok(reader)) => {
                    *lock(&self.feed.ring) = Some(Ring::new(reader.place()));
                    *lock(&self.feed.progress) = reader.progress();
                    self.feed.wake_viewers();
                    return Some(reader);
                }
                Ok(Err(error)) => {
                    self.context.metrics.faults.inc();
                    tracing::warn!(%error, "a source cannot be read; trying again");
                }
                Err(_panicked) => return None,
            }
            if !self.wait(SAFETY_TICK).await {
                return None;
            }
        }
    }

    /// Makes a round visible. How long to wait for a hint before the next one; none: not at all.
    fn publish(&mut self, round: Round) -> Option<Duration> {
        let has_news = !round.items.is_empty();
        {
            let mut ring = lock(&self.feed.ring);
            if let Some(ring) = ring.as_mut() {
                for item in round.items {
                    if let Item::Event(event) = &item {
                        self.count(event.kind);
                    }
                    ring.push(item);
                }
                ring.drop_older_than(KEEP_IN_RING);
            }
        }
        *lock(&self.feed.progress) = round.progress;
        // The lock is released: a woken viewer would only meet it.
        if has_news {
            self.next_round = Instant::now() + self.pause();
            self.feed.wake_viewers();
        }
        if let Some(error) = round.error {
            self.context.metrics.faults.inc();
            tracing::warn!(%error, "a source cannot be read on; trying again");
            return Some(SAFETY_TICK);
        }
        let tick = if self.end.hints.borrow().is_polled { POLL_TICK } else { SAFETY_TICK };
        round.is_at_end.then(|| round.look_again.unwrap_or(tick).min(tick))
    }

    fn count(&self, kind: EventKind) {
        match kind {
            EventKind::Rotated(_) => self.context.metrics.rotations.inc(),
            EventKind::Gap { bytes: _, reason: _ } => {}
        }
    }

    /// How long lines are gathered after some have gone out. A quiet log's line goes out at once;
    /// the more viewers there are, the more a write has to carry (lines per write decide the cost
    /// of a fan-out), up to [`LONGEST_PAUSE`], or as long as sending to all of them takes.
    fn pause(&self) -> Duration {
        let n_viewers = self.feed.n_viewers.load(Ordering::Acquire);
        let n_viewers = u32::try_from(n_viewers).unwrap_or(u32::MAX);
        let gathering = PAUSE_PER_VIEWER.saturating_mul(n_viewers.saturating_sub(1));
        // A round that begins before the one before is out only makes more, smaller writes.
        gathering.min(LONGEST_PAUSE).max(SEND_PER_VIEWER.saturating_mul(n_viewers))
    }

    /// Waits for a hint, at most for `at_most`, and for the next round to be due. False if the
    /// feed has to end.
    async fn wait(&mut self, at_most: Duration) -> bool {
        tokio::select! {
            () = self.context.cancel.cancelled() => return false,
            () = self.feed.company.notified() => {
                if !self.linger().await {
                    return false;
                }
            }
            hint = self.end.hints.changed() => {
                if hint.is_err() {
                    // Nobody sends hints any more.
                    tokio::time::sleep(at_most).await;
                }
            }
            () = tokio::time::sleep(at_most) => {}
        }
        tokio::time::sleep_until(self.next_round).await;
        true
    }

    /// Waits out the linger if nobody looks; false if nobody has come meanwhile.
    async fn linger(&self) -> bool {
        while self.feed.n_viewers.load(Ordering::Acquire) == 0 {
            tokio::select! {
                () = self.context.cancel.cancelled() => return false,
                () = self.feed.company.notified() => {}
                () = tokio::time::sleep(self.context.linger) => {
                    if self.slot.retire(&self.feed) {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Reads all there is, or as much as one round may carry.
fn read_round(mut reader: Box<dyn History>) -> (Box<dyn History>, Round) {
    let mut round = Round {
        items: Vec::new(),
        is_at_end: false,
        look_again: None,
        progress: Progress::default(),
        error: None,
    };
    let mut n_bytes = 0;
    while n_bytes < ROUND_BYTES && !round.is_at_end {
        match reader.step(None) {
            Ok(Step::Chunk(chunk)) => {
                n_bytes += chunk.raw().len();
                round.items.push(Item::Chunk(chunk));
            }
            Ok(Step::Event(event)) => round.items.push(Item::Event(event)),
            Ok(Step::AtEnd { look_again }) => {
                round.is_at_end = true;
                round.look_again = look_again;
            }
            Err(error) => {
                round.error = Some(error);
                break;
            }
        }
    }
    round.progress = reader.progress();
    (reader, round)
}

/// A panic while a lock was held has left nothing half done: all that is done under it is a push
/// or an assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hints may be lost: size and identity are looked at this often all the same.
const SAFETY_TICK: Duration = Duration::from_secs(1);

/// The same where there are no hints at all.
const POLL_TICK: Duration = Duration::from_millis(250);

/// After this time an item is dropped from the ring; who still wants it reads the file.
const KEEP_IN_RING: Duration = Duration::from_secs(2);

/// What a round may carry at most.
const ROUND_BYTES: usize = 1 << 20;

/// See [`FeedTask::pause`].
const PAUSE_PER_VIEWER: Duration = Duration::from_micros(200);

/// About what it takes to send a round to one viewer.
const SEND_PER_VIEWER: Duration = Duration::from_micros(15);

/// See [`FeedTask::pause`].
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
