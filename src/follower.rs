//! Follower: drives one viewer. It holds positions, not queues: at the live end it takes shared
//! chunks from the ring, behind it it reads the history, and it reads nothing while it is not
//! polled. It holds the only `select!` over data, heartbeat and cancellation. It knows neither
//! files nor formats.

pub mod delivery;
pub mod filtering;
pub mod opening;
pub mod output;
pub mod source_stream;
pub mod source_streams;
pub mod stream_spec;
pub mod wait;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chunk::{Chunk, Position};
use crate::cursor::MAX_SET;
pub use crate::disk::Allowance;
pub use crate::follower::delivery::{Delivery, EndReason};
use crate::follower::filtering::{FilterJob, Filtered, Filtering, FirstPass};
use crate::follower::output::Output;
pub use crate::follower::source_stream::PROVEN_BYTES;
use crate::follower::source_stream::SourceStream;
use crate::follower::source_streams::SourceStreams;
use crate::follower::stream_spec::changed;
pub use crate::follower::stream_spec::{Permissions, SourceWatch, StreamSpec, permissions_changed};
use crate::follower::wait::{PendingRead, Ready};
use crate::history::SourceStat;
use crate::line::Zone;
use crate::source::{OpenError, Source, SourceName};

/// What waits to be delivered.
#[derive(Debug)]
enum Queued {
    /// Lines of a source that are not filtered yet.
    Unfiltered(usize, Arc<Chunk>),
    /// Ready, with the position that the source then has.
    Ready(Delivery, Option<(usize, Position)>),
}

/// One viewer's stream of its sources.
pub struct Follower {
    streams: SourceStreams,
    cancel: CancellationToken,
    heartbeat: Duration,
    /// When something was last delivered.
    last_word: Instant,
    until: Option<Instant>,
    done: EndReason,
    /// What comes next.
    queue: VecDeque<Queued>,
    filtering: Filtering,
    /// The chunk that is being filtered; queued items wait for it.
    job: Option<FilterJob>,
    pending: FuturesUnordered<PendingRead>,
    source_watch: Option<SourceWatch>,
    permissions: Option<Permissions>,
    /// When the permissions are checked next.
    permissions_due: Instant,
    has_ended: bool,
}

impl Follower {
    /// Opens the sources, of many only the first: the others join as they are opened. Nothing is
    /// read before [`Self::next`] is called. An error only if no source can be read: a single
    /// failure is reported in the stream.
    pub async fn open(spec: StreamSpec, zone: Arc<Zone>) -> Result<Self, OpenError> {
        let mut streams = SourceStreams::new(spec.filter, zone, spec.follow, spec.allowance);
        for (source, start) in spec.sources {
            streams.add(source, start);
        }
        let now = Instant::now();
        let mut follower = Follower {
            filtering: Filtering::new(Arc::clone(streams.shared())),
            job: None,
            streams,
            cancel: spec.cancel,
            heartbeat: spec.heartbeat,
            last_word: now,
            until: spec.until,
            done: spec.done,
            queue: VecDeque::new(),
            pending: FuturesUnordered::new(),
            source_watch: spec.source_watch.filter(|_| spec.follow),
            permissions: spec.permissions,
            permissions_due: now + spec.heartbeat,
            has_ended: false,
        };
        follower.wait_for_sources().await?;
        Ok(follower)
    }

    /// Waits until the stream can begin.
    async fn wait_for_sources(&mut self) -> Result<(), OpenError> {
        self.pending.extend(self.streams.open_due());
        while !self.streams.can_begin(MAX_SET)
            && let Some(advanced) = self.pending.next().await
        {
            self.advance(advanced);
            if self.streams.are_too_expensive() {
                return Ok(());
            }
            if let Some(error) = self.streams.refusal() {
                return Err(error);
            }
        }
        let begun = self.streams.begin();
        self.pending.extend(begun);
        Ok(())
    }

    /// The next delivery; `None` after [`Delivery::End`]. Cancel-safe: what was read is kept.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            if !self.has_ended && self.has_lost_permission() {
                // Undelivered lines must not be sent after a revocation.
                self.cut(EndReason::Revoked);
            }
            if let Some(delivery) = self.next_ready() {
                return Some(delivery);
            }
            if self.has_ended && self.job.is_none() {
                return None;
            }
            let due = self.last_word + self.heartbeat;
            if Instant::now() >= due {
                self.last_word = Instant::now();
                return Some(Delivery::Heartbeat);
            }
            let is_free = self.job.is_none();
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => self.cut(EndReason::Shutdown),
                () = permissions_changed(self.permissions.as_mut()) => self.permissions_due = Instant::now(),
                filtered = looked_through(self.job.as_mut()) => self.take_filtered(filtered),
                Some(ready) = self.pending.next(), if is_free => self.advance(ready),
                () = at(self.until) => self.come_to_until(),
                true = changed(self.source_watch.as_mut()) => self.look_for_newcomers(),
                () = sleep_until(due) => {}
            }
        }
    }

    /// What can be delivered now; nothing while the filter looks through a chunk.
    fn next_ready(&mut self) -> Option<Delivery> {
        while self.job.is_none()
            && let Some(queued) = self.queue.pop_front()
        {
            let (delivery, advanced) = match queued {
                Queued::Ready(delivery, advanced) => (delivery, advanced),
                Queued::Unfiltered(source_index, chunk) => {
                    self.look_through(source_index, chunk);
                    continue;
                }
            };
            if let Some((source_index, position)) = advanced {
                self.streams.set_position(source_index, position);
            }
            if !matches!(delivery, Delivery::Joined { source_index: _ }) {
                self.last_word = Instant::now();
            }
            return Some(delivery);
        }
        None
    }

    /// Filters a chunk.
    fn look_through(&mut self, source_index: usize, chunk: Arc<Chunk>) {
        let inherited = self.streams.inherited(source_index);
        match self.filtering.begin(source_index, chunk, inherited) {
            FirstPass::Done(filtered) => self.take_filtered(filtered),
            FirstPass::Pending(job) => self.job = Some(job),
        }
    }

    /// Takes a filtered chunk: it is delivered before everything queued.
    fn take_filtered(&mut self, filtered: Filtered) {
        self.job = None;
        if filtered.is_lost {
            return self.cut(EndReason::Error);
        }
        let may_go_on = self.filtering.note(&filtered);
        let Filtered { source_index, chunk, selection, inherited, .. } = filtered;
        self.streams.set_inherited(source_index, inherited);
        let end = chunk.end();
        if !may_go_on {
            tracing::info!("a stream is ended: its filter takes too long");
            self.cut(EndReason::Limit);
        }
        if selection.is_empty() {
            self.streams.set_position(source_index, end);
        } else {
            let lines = Delivery::Lines { source_index, chunk, selection };
            self.queue.push_front(Queued::Ready(lines, Some((source_index, end))));
        }
    }

    /// The sources, in the order of their numbers.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &SourceName> {
        self.streams.iter().map(SourceStream::name)
    }

    /// The sources themselves, in the order of their numbers.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &Arc<dyn Source>> {
        self.streams.iter().map(SourceStream::source)
    }

    /// How far each source was delivered, in the order of their numbers.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = &Position> {
        self.streams.iter().map(SourceStream::place)
    }

    /// The state of all sources together: the sums of sizes and of bytes behind, and the latest
    /// change.
    #[must_use]
    pub fn progress(&self) -> (SourceStat, u64) {
        self.streams.iter().map(SourceStream::progress).fold(
            (SourceStat::default(), 0),
            |(sum, behind), (progress, source_behind)| {
                let size = sum.size + progress.size;
                let modified = sum.modified.max(progress.modified);
                (SourceStat { size, modified }, behind + source_behind)
            },
        )
    }

    /// Whether every backlog has been read.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.streams.iter().all(SourceStream::has_caught_up)
    }

    /// Whether everything that existed at the opening has been read with nothing to deliver. Reads
    /// until that is known; only for a stream that does not follow.
    pub async fn has_nothing(&mut self) -> bool {
        loop {
            if let Some(job) = self.job.as_mut() {
                let filtered = job.await;
                self.take_filtered(filtered);
            }
            match self.queue.pop_front() {
                Some(Queued::Unfiltered(source_index, chunk)) => {
                    self.look_through(source_index, chunk);
                }
                Some(ready @ Queued::Ready(_, _)) => {
                    let is_end = matches!(ready, Queued::Ready(Delivery::End(_), _));
                    self.queue.push_front(ready);
                    return is_end;
                }
                None => match self.pending.next().await {
                    Some(pending) => self.advance(pending),
                    None => return true,
                },
            }
        }
    }

    fn say(&mut self, delivery: Delivery) {
        self.queue.push_back(Queued::Ready(delivery, None));
    }

    /// Ends at once: undelivered items are dropped.
    fn cut(&mut self, reason: EndReason) {
        self.queue.clear();
        self.job = None;
        self.end(reason);
    }

    fn end(&mut self, reason: EndReason) {
        self.has_ended = true;
        self.pending.clear();
        self.say(Delivery::End(reason));
    }

    /// Handles a source that is ready.
    fn advance(&mut self, ready: Ready) {
        let number = ready.source_index;
        let output = self.streams.advance(ready);
        self.pending.extend(output.next);
        for item in output.items {
            self.take_over(number, item);
        }
        if self.streams.are_too_expensive() && !self.has_ended {
            tracing::info!("a stream is ended: to find where it begins takes too long");
            self.cut(EndReason::Limit);
        }
        self.end_if_done();
    }

    fn end_if_done(&mut self) {
        if self.streams.are_done() && !self.has_ended {
            self.end(if self.streams.have_failed() { EndReason::Error } else { self.done });
        }
    }

    fn take_over(&mut self, source_index: usize, item: Output) {
        match item {
            Output::Lines(chunk) => self.queue.push_back(Queued::Unfiltered(source_index, chunk)),
            Output::Event { kind, end } => {
                let event = Delivery::Event { source_index, kind };
                self.queue.push_back(Queued::Ready(event, Some((source_index, end))));
            }
            // Before the stream has begun, its `start` record carries the position.
            Output::Joined if self.streams.have_begun() => {
                self.say(Delivery::Joined { source_index });
            }
            Output::Joined => {}
            Output::Unreadable(reason) => self.say(Delivery::Unreadable { source_index, reason }),
        }
    }

    /// Whether the permission for one of the sources was revoked. Checked when permissions have
    /// changed, and at each heartbeat.
    fn has_lost_permission(&mut self) -> bool {
        let Some(permissions) = &mut self.permissions else { return false };
        let now = Instant::now();
        let has_changed = permissions.changes.has_changed().unwrap_or(false);
        if !has_changed && now < self.permissions_due {
            return false;
        }
        permissions.changes.mark_unchanged();
        self.permissions_due = now + self.heartbeat;
        !self.streams.iter().all(|stream| (permissions.may_read)(stream.name()))
    }

    /// The clock has come to `until`: what was written before is still delivered.
    fn come_to_until(&mut self) {
        (self.until, self.source_watch) = (None, None);
        self.done = EndReason::Until;
        self.streams.stop_following();
        self.end_if_done();
    }

    /// Adds the sources that have appeared. Their openings are polled with all other reads, so that
    /// none is lost when the future that finds them is dropped.
    fn look_for_newcomers(&mut self) {
        let Some(source_watch) = &self.source_watch else { return };
        let known: HashSet<SourceName> = self.names().cloned().collect();
        let mut sources = (source_watch.list)();
        sources.retain(|source| !known.contains(source.name()));
        for source in sources {
            self.streams.add_newcomer(source);
        }
        self.pending.extend(self.streams.open_due());
    }
}

/// Waits for the filter; for ever if it has no work. Cancel-safe.
async fn looked_through(job: Option<&mut FilterJob>) -> Filtered {
    match job {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// Waits until a time, for ever if there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
