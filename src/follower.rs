//! Follower: one a viewer. It holds places, not queues: at the live end it takes shared chunks from
//! the ring, behind it it reads the history, and it reads nothing while nobody asks it for more.
//! It holds the only `select!` over data, heartbeat and cancellation. It knows neither files nor
//! formats.

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
use crate::follower::filtering::{Begun, FilterJob, Filtered, Filtering};
use crate::follower::output::Output;
pub use crate::follower::source_stream::PROVEN_BYTES;
use crate::follower::source_stream::SourceStream;
use crate::follower::source_streams::SourceStreams;
use crate::follower::stream_spec::changed;
pub use crate::follower::stream_spec::{Permissions, SourceWatch, StreamSpec, changed_rights};
use crate::follower::wait::{PendingRead, Ready};
use crate::history::SourceStat;
use crate::line::Zone;
use crate::source::{OpenError, Source, SourceName};

/// What waits to be delivered.
#[derive(Debug)]
enum Queued {
    /// Lines that the filter has yet to look at, of a track.
    Unfiltered(usize, Arc<Chunk>),
    /// Ready, with what is then the place of which track.
    Ready(Delivery, Option<(usize, Position)>),
}

/// One viewer's way through its sources.
pub struct Follower {
    tracks: SourceStreams,
    cancel: CancellationToken,
    heartbeat: Duration,
    /// When something was last delivered.
    last_word: Instant,
    until: Option<Instant>,
    done: EndReason,
    /// What comes next.
    queue: VecDeque<Queued>,
    filtering: Filtering,
    /// The chunk that the filter looks through; what is queued waits for it.
    job: Option<FilterJob>,
    woken: FuturesUnordered<PendingRead>,
    source_watch: Option<SourceWatch>,
    permissions: Option<Permissions>,
    /// When the rights are looked at next.
    rights_due: Instant,
    has_ended: bool,
}

impl Follower {
    /// Opens the sources, of many only the first: the others join as they are opened. Nothing is read
    /// before [`Self::next`] is asked. An error only where no source can be read: what cannot is told
    /// in the stream.
    pub async fn open(spec: StreamSpec, zone: Arc<Zone>) -> Result<Self, OpenError> {
        let mut tracks = SourceStreams::new(spec.filter, zone, spec.follow, spec.allowance);
        for (source, start) in spec.sources {
            tracks.add(source, start);
        }
        let now = Instant::now();
        let mut follower = Follower {
            filtering: Filtering::new(Arc::clone(tracks.shared())),
            job: None,
            tracks,
            cancel: spec.cancel,
            heartbeat: spec.heartbeat,
            last_word: now,
            until: spec.until,
            done: spec.done,
            queue: VecDeque::new(),
            woken: FuturesUnordered::new(),
            source_watch: spec.source_watch.filter(|_| spec.follow),
            permissions: spec.permissions,
            rights_due: now + spec.heartbeat,
            has_ended: false,
        };
        follower.wait_for_sources().await?;
        Ok(follower)
    }

    /// Waits until the stream can begin.
    async fn wait_for_sources(&mut self) -> Result<(), OpenError> {
        self.woken.extend(self.tracks.open_due());
        while !self.tracks.can_begin(MAX_SET)
            && let Some(moved) = self.woken.next().await
        {
            self.advance(moved);
            if self.tracks.are_too_expensive() {
                return Ok(());
            }
            if let Some(error) = self.tracks.refusal() {
                return Err(error);
            }
        }
        let begun = self.tracks.begin();
        self.woken.extend(begun);
        Ok(())
    }

    /// The next delivery; none after [`Delivery::End`]. Cancel-safe: what was read is kept.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            if !self.has_ended && self.has_lost_rights() {
                // What was read and not delivered is not theirs any more.
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
                () = changed_rights(self.permissions.as_mut()) => self.rights_due = Instant::now(),
                filtered = looked_through(self.job.as_mut()) => self.take_filtered(filtered),
                Some(woken) = self.woken.next(), if is_free => self.advance(woken),
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
            let (delivery, moved) = match queued {
                Queued::Ready(delivery, moved) => (delivery, moved),
                Queued::Unfiltered(track, chunk) => {
                    self.look_through(track, chunk);
                    continue;
                }
            };
            if let Some((track, place)) = moved {
                self.tracks.set_place(track, place);
            }
            if !matches!(delivery, Delivery::Joined { track: _ }) {
                self.last_word = Instant::now();
            }
            return Some(delivery);
        }
        None
    }

    /// Has the filter look through a chunk.
    fn look_through(&mut self, track: usize, chunk: Arc<Chunk>) {
        let inherited = self.tracks.inherited(track);
        match self.filtering.begin(track, chunk, inherited) {
            Begun::Done(filtered) => self.take_filtered(filtered),
            Begun::Goes(job) => self.job = Some(job),
        }
    }

    /// The filter has looked through a chunk: it comes before all that is queued.
    fn take_filtered(&mut self, filtered: Filtered) {
        self.job = None;
        if filtered.is_lost {
            return self.cut(EndReason::Error);
        }
        let may_go_on = self.filtering.note(&filtered);
        let Filtered { track, chunk, selection, inherited, .. } = filtered;
        self.tracks.set_inherited(track, inherited);
        let end = chunk.end();
        if !may_go_on {
            tracing::info!("a stream is ended: its filter takes too long");
            self.cut(EndReason::Limit);
        }
        if selection.is_empty() {
            self.tracks.set_place(track, end);
        } else {
            let lines = Delivery::Lines { track, chunk, selection };
            self.queue.push_front(Queued::Ready(lines, Some((track, end))));
        }
    }

    /// The sources, in the order of their numbers.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &SourceName> {
        self.tracks.iter().map(SourceStream::name)
    }

    /// The sources themselves, in the order of their numbers.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &Arc<dyn Source>> {
        self.tracks.iter().map(SourceStream::source)
    }

    /// How far each source was delivered, in the order of their numbers.
    pub fn places(&self) -> impl ExactSizeIterator<Item = &Position> {
        self.tracks.iter().map(SourceStream::place)
    }

    /// How the sources stand together: sizes and bytes behind added up, the latest change.
    #[must_use]
    pub fn progress(&self) -> (SourceStat, u64) {
        self.tracks.iter().map(SourceStream::progress).fold(
            (SourceStat::default(), 0),
            |(sum, behind), (progress, track_behind)| {
                let size = sum.size + progress.size;
                let modified = sum.modified.max(progress.modified);
                (SourceStat { size, modified }, behind + track_behind)
            },
        )
    }

    /// Whether every backlog has been read.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.tracks.iter().all(SourceStream::has_caught_up)
    }

    /// Whether all that was there at the opening has been read without anything to deliver. Reads
    /// on until that is known; only for a stream that does not follow.
    pub async fn has_nothing(&mut self) -> bool {
        loop {
            if let Some(job) = self.job.as_mut() {
                let filtered = job.await;
                self.take_filtered(filtered);
            }
            match self.queue.pop_front() {
                Some(Queued::Unfiltered(track, chunk)) => self.look_through(track, chunk),
                Some(ready @ Queued::Ready(_, _)) => {
                    let is_end = matches!(ready, Queued::Ready(Delivery::End(_), _));
                    self.queue.push_front(ready);
                    return is_end;
                }
                None => match self.woken.next().await {
                    Some(woken) => self.advance(woken),
                    None => return true,
                },
            }
        }
    }

    fn say(&mut self, delivery: Delivery) {
        self.queue.push_back(Queued::Ready(delivery, None));
    }

    /// Ends at once: what was read and not delivered is left.
    fn cut(&mut self, reason: EndReason) {
        self.queue.clear();
        self.job = None;
        self.end(reason);
    }

    fn end(&mut self, reason: EndReason) {
        self.has_ended = true;
        self.woken.clear();
        self.say(Delivery::End(reason));
    }

    /// Takes over what a track has brought.
    fn advance(&mut self, moved: Ready) {
        let number = moved.track;
        let output = self.tracks.advance(moved);
        self.woken.extend(output.next);
        for item in output.items {
            self.take_over(number, item);
        }
        if self.tracks.are_too_expensive() && !self.has_ended {
            tracing::info!("a stream is ended: to find where it begins takes too long");
            self.cut(EndReason::Limit);
        }
        self.end_if_done();
    }

    fn end_if_done(&mut self) {
        if self.tracks.are_done() && !self.has_ended {
            self.end(if self.tracks.have_failed() { EndReason::Error } else { self.done });
        }
    }

    fn take_over(&mut self, track: usize, item: Output) {
        match item {
            Output::Lines(chunk) => self.queue.push_back(Queued::Unfiltered(track, chunk)),
            Output::Event { kind, end } => {
                let event = Delivery::Event { track, kind };
                self.queue.push_back(Queued::Ready(event, Some((track, end))));
            }
            // Before the beginning its own record tells the place.
            Output::Joined if self.tracks.have_begun() => self.say(Delivery::Joined { track }),
            Output::Joined => {}
            Output::Unreadable(reason) => self.say(Delivery::Unreadable { track, reason }),
        }
    }

    /// Whether one of the sources may not be read any more. Asked when rights have changed, and once
    /// a heartbeat.
    fn has_lost_rights(&mut self) -> bool {
        let Some(permissions) = &mut self.permissions else { return false };
        let now = Instant::now();
        let has_changed = permissions.changes.has_changed().unwrap_or(false);
        if !has_changed && now < self.rights_due {
            return false;
        }
        permissions.changes.mark_unchanged();
        self.rights_due = now + self.heartbeat;
        !self.tracks.iter().all(|track| (permissions.may_read)(track.name()))
    }

    /// The clock has come to `until`: what was written before is still delivered.
    fn come_to_until(&mut self) {
        (self.until, self.source_watch) = (None, None);
        self.done = EndReason::Until;
        self.tracks.stop_following();
        self.end_if_done();
    }

    /// Adds the sources that have appeared. Their openings are waited for with all the rest, so that
    /// nothing is forgotten where the future that looks for them is dropped.
    fn look_for_newcomers(&mut self) {
        let Some(source_watch) = &self.source_watch else { return };
        let known: HashSet<SourceName> = self.names().cloned().collect();
        let mut sources = (source_watch.list)();
        sources.retain(|source| !known.contains(source.name()));
        for source in sources {
            self.tracks.add_newcomer(source);
        }
        self.woken.extend(self.tracks.open_due());
    }
}

/// Waits for the filter; for ever where it has nothing to look through. Cancel-safe.
async fn looked_through(job: Option<&mut FilterJob>) -> Filtered {
    match job {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("tracks", &self.tracks).finish_non_exhaustive()
    }
}

/// Waits for a time, for ever where there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
