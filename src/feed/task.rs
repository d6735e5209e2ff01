//! Feed task: reads the live end of one source, round by round, while it has viewers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::disk::{Call, CallLost, Lane};
use crate::feed::ring::{Ring, RingItem};
use crate::feed::troubles::TroubleGuard;
use crate::feed::{Feed, FeedContext, FeedSlot, LiveEnd, lock};
use crate::history::{EventKind, ReadError, SourceReader, SourceStat, StreamItem};
use crate::metrics::Metrics;

/// The result of one round of reading.
struct Round {
    items: Vec<RingItem>,
    is_at_end: bool,
    look_again: Option<Duration>,
    progress: SourceStat,
    error: Option<ReadError>,
}

pub(super) struct FeedTask {
    pub(super) feed: Arc<Feed>,
    pub(super) slot: Arc<FeedSlot>,
    pub(super) context: FeedContext,
    pub(super) end: LiveEnd,
    /// The earliest time for the next round.
    pub(super) next_round: Instant,
    pub(super) trouble: TroubleGuard,
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

/// Counts a live end as stalled, and notifies those that wait for it.
struct StalledGuard {
    feed: Arc<Feed>,
    metrics: Arc<Metrics>,
}

impl StalledGuard {
    fn new(feed: Arc<Feed>, metrics: Arc<Metrics>) -> Self {
        metrics.stalled.inc();
        feed.is_stalled.store(true, Ordering::Release);
        feed.wake_viewers();
        StalledGuard { feed, metrics }
    }
}

impl Drop for StalledGuard {
    fn drop(&mut self) {
        self.metrics.stalled.dec();
        self.feed.is_stalled.store(false, Ordering::Release);
    }
}

impl FeedTask {
    pub(super) async fn run(mut self) {
        let _close = CloseOnDrop {
            feed: Arc::clone(&self.feed),
            metrics: Arc::clone(&self.context.metrics),
        };
        let Some(mut reader) = self.open().await else { return };
        let mut n_failures = 0;
        loop {
            self.end.hints.mark_unchanged();
            let gives_up = n_failures >= MAX_FAILURES;
            let reading = self.end.disk.call(Lane::Live, move || read_round(reader, gives_up));
            let Ok((back, round)) = self.outlast(reading).await else {
                self.context.metrics.faults.inc();
                tracing::error!("a read panicked; its viewers begin anew");
                return;
            };
            reader = back;
            n_failures = if round.error.is_some() { n_failures + 1 } else { 0 };
            let wait = self.publish(round);
            if let Some(at_most) = wait
                && !self.wait(at_most).await
            {
                return;
            }
        }
    }

    /// Waits for a blocking call. One that takes very long is reported: a disk may have stalled.
    async fn outlast<T>(&self, mut call: Call<T>) -> Result<T, CallLost> {
        if let Ok(done) = tokio::time::timeout(STALLED, &mut call).await {
            return done;
        }
        let (feed, metrics) = (Arc::clone(&self.feed), Arc::clone(&self.context.metrics));
        let _stalled = StalledGuard::new(feed, metrics);
        tracing::warn!("a read has not come back for {STALLED:?}: its disk does not answer");
        call.await
    }

    /// Opens the source, with retries until that succeeds or the last viewer has left.
    async fn open(&mut self) -> Option<Box<dyn SourceReader>> {
        loop {
            let open = Arc::clone(&self.end.open);
            let opening = self.end.disk.call(Lane::Live, move || open());
            match self.outlast(opening).await {
                Ok(Ok(reader)) => {
                    *lock(&self.feed.ring) = Some(Ring::new(reader.place()));
                    *lock(&self.feed.progress) = reader.progress();
                    self.feed.wake_viewers();
                    return Some(reader);
                }
                Ok(Err(error)) => {
                    self.context.metrics.faults.inc();
                    tracing::warn!(%error, "a source cannot be read; trying again");
                    self.trouble.report(&error);
                }
                Err(CallLost) => {
                    self.context.metrics.faults.inc();
                    tracing::error!("the opening of a source panicked");
                    return None;
                }
            }
            if !self.wait(SAFETY_TICK).await {
                return None;
            }
        }
    }

    /// Adds a round to the ring. Returns how long to wait for a hint before the next round; `None`:
    /// not at all.
    fn publish(&mut self, round: Round) -> Option<Duration> {
        let has_news = !round.items.is_empty();
        {
            let mut ring = lock(&self.feed.ring);
            if let Some(ring) = ring.as_mut() {
                for item in round.items {
                    if let RingItem::Event(event) = &item {
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
            self.trouble.report(&error);
            return Some(SAFETY_TICK);
        }
        self.trouble.withdraw();
        let tick = if self.end.hints.borrow().is_polled { POLL_TICK } else { SAFETY_TICK };
        round.is_at_end.then(|| round.look_again.unwrap_or(tick).min(tick))
    }

    fn count(&self, kind: EventKind) {
        match kind {
            EventKind::Rotated(_) => self.context.metrics.rotations.inc(),
            EventKind::Gap { bytes: _, reason: _ } => {}
        }
    }

    /// How long lines are gathered after a round was sent. A quiet log's line goes out at once; the
    /// more viewers there are, the more a write has to carry (lines per write decide the cost of a
    /// fan-out), up to [`LONGEST_PAUSE`], or as long as sending to all of them takes.
    fn pause(&self) -> Duration {
        let n_viewers = self.feed.n_viewers.load(Ordering::Acquire);
        let n_viewers = u32::try_from(n_viewers).unwrap_or(u32::MAX);
        let gathering = PAUSE_PER_VIEWER.saturating_mul(n_viewers.saturating_sub(1));
        // A round that begins before the previous one was sent only makes more, smaller writes.
        gathering.min(LONGEST_PAUSE).max(SEND_PER_VIEWER.saturating_mul(n_viewers))
    }

    /// Waits for a hint, at most for `at_most`, and for the next round to be due. False if the
    /// feed has to end.
    async fn wait(&mut self, at_most: Duration) -> bool {
        tokio::select! {
            () = self.context.cancel.cancelled() => return false,
            () = self.feed.viewers_changed.notified() => {
                if !self.linger().await {
                    return false;
                }
            }
            hint = self.end.hints.changed() => {
                if hint.is_err() {
                    // The sender of hints is gone.
                    tokio::time::sleep(at_most).await;
                }
            }
            () = tokio::time::sleep(at_most) => {}
        }
        tokio::time::sleep_until(self.next_round).await;
        true
    }

    /// Waits for the linger if there is no viewer; false if none has come meanwhile.
    async fn linger(&self) -> bool {
        while self.feed.n_viewers.load(Ordering::Acquire) == 0 {
            tokio::select! {
                () = self.context.cancel.cancelled() => return false,
                () = self.feed.viewers_changed.notified() => {}
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

/// Reads everything available, or as much as one round may carry; if it `gives_up` it skips what
/// can never be read.
fn read_round(mut reader: Box<dyn SourceReader>, gives_up: bool) -> (Box<dyn SourceReader>, Round) {
    let mut round = Round {
        items: Vec::new(),
        is_at_end: false,
        look_again: None,
        progress: SourceStat::default(),
        error: None,
    };
    if gives_up && let Err(error) = reader.give_up() {
        round.error = Some(error);
        return (reader, round);
    }
    let mut n_bytes = 0;
    while n_bytes < ROUND_BYTES && !round.is_at_end {
        match reader.step(None) {
            Ok(StreamItem::Chunk(chunk)) => {
                n_bytes += chunk.raw().len();
                round.items.push(RingItem::Chunk(chunk));
            }
            Ok(StreamItem::Event(event)) => round.items.push(RingItem::Event(event)),
            Ok(StreamItem::AtEnd { look_again }) => {
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

/// Hints may be lost: size and identity are checked this often regardless.
const SAFETY_TICK: Duration = Duration::from_secs(1);

/// The same where there are no hints at all.
const POLL_TICK: Duration = Duration::from_millis(250);

/// After this time an item is dropped from the ring; viewers further behind read the file.
const KEEP_IN_RING: Duration = Duration::from_secs(2);

/// After this many failed rounds in a row the reader may skip what it cannot read.
const MAX_FAILURES: u32 = 3;

/// A read that takes longer is reported.
const STALLED: Duration = Duration::from_secs(5);

/// What a round may carry at most.
const ROUND_BYTES: usize = 1 << 20;

/// See [`FeedTask::pause`].
const PAUSE_PER_VIEWER: Duration = Duration::from_micros(200);

/// About how long it takes to send a round to one viewer.
const SEND_PER_VIEWER: Duration = Duration::from_micros(15);

/// See [`FeedTask::pause`].
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
