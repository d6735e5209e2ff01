//! Follower: one a viewer. It holds places, not queues: at the live end it takes shared chunks from
//! the ring, behind it it reads the history, and it reads nothing while nobody asks it for more.
//! It holds the only `select!` over data, heartbeat and cancellation. It knows neither files nor
//! formats.

pub mod delivery;
pub mod filtering;
pub mod opening;
pub mod output;
pub mod track;
pub mod tracks;
pub mod wait;
pub mod wish;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chunk::{Chunk, Place};
pub use crate::follower::delivery::{Delivery, EndReason};
use crate::follower::filtering::{Begun, Filtered, Filtering, Job};
use crate::follower::output::Output;
use crate::follower::track::Track;
use crate::follower::tracks::Tracks;
use crate::follower::wait::{Moved, Woken};
use crate::follower::wish::changed;
pub use crate::follower::wish::{Rights, Roster, Wish, changed_rights};
use crate::history::Progress;
use crate::line::Zone;
use crate::source::{OpenError, Source, SourceName};

/// What waits to be delivered.
#[derive(Debug)]
enum Queued {
    /// Lines that the filter has yet to look at, of a track.
    Unfiltered(usize, Arc<Chunk>),
    /// Ready, with what is then the place of which track.
    Ready(Delivery, Option<(usize, Place)>),
}

/// One viewer's way through its sources.
pub struct Follower {
    tracks: Tracks,
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
    job: Option<Job>,
    woken: FuturesUnordered<Woken>,
    roster: Option<Roster>,
    rights: Option<Rights>,
    /// When the rights are looked at next.
    rights_due: Instant,
    has_ended: bool,
}

impl Follower {
    /// Opens the sources, of many only the first: the others join as they are opened. Nothing is read
    /// before [`Self::next`] is asked. An error only where no source can be read: what cannot is told
    /// in the stream.
    pub async fn open(wish: Wish, zone: Arc<Zone>) -> Result<Self, OpenError> {
        let mut tracks = Tracks::new(wish.filter, zone, wish.follow);
        for (source, start) in wish.sources {
            tracks.add(source, start);
        }
        let now = Instant::now();
        let mut follower = Follower {
            filtering: Filtering::new(Arc::clone(tracks.shared())),
            job: None,
            tracks,
            cancel: wish.cancel,
            heartbeat: wish.heartbeat,
            last_word: now,
            until: wish.until,
            done: wish.done,
            queue: VecDeque::new(),
            woken: FuturesUnordered::new(),
            roster: wish.roster.filter(|_| wish.follow),
            rights: wish.rights,
            rights_due: now + wish.heartbeat,
            has_ended: false,
        };
        follower.wait_for_sources().await?;
        Ok(follower)
    }

    /// Waits until the stream can begin.
    async fn wait_for_sources(&mut self) -> Result<(), OpenError> {
        self.woken.extend(self.tracks.open_due());
        while !self.tracks.can_begin(MAX_RESUMABLE)
            && let Some(moved) = self.woken.next().await
        {
            self.advance(moved);
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
                () = changed_rights(self.rights.as_mut()) => self.rights_due = Instant::now(),
                filtered = looked_through(self.job.as_mut()) => self.take_filtered(filtered),
                Some(woken) = self.woken.next(), if is_free => self.advance(woken),
                () = at(self.until) => self.come_to_until(),
                true = changed(self.roster.as_mut()) => self.look_for_newcomers(),
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
        self.tracks.iter().map(Track::name)
    }

    /// The sources themselves, in the order of their numbers.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &Arc<dyn Source>> {
        self.tracks.iter().map(Track::source)
    }

    /// How far each source was delivered, in the order of their numbers.
    pub fn places(&self) -> impl ExactSizeIterator<Item = &Place> {
        self.tracks.iter().map(Track::place)
    }

    /// How the sources stand together: sizes and bytes behind added up, the latest change.
    #[must_use]
    pub fn progress(&self) -> (Progress, u64) {
        self.tracks.iter().map(Track::progress).fold(
            (Progress::default(), 0),
            |(sum, behind), (progress, track_behind)| {
                let size = sum.size + progress.size;
                let modified = sum.modified.max(progress.modified);
                (Progress { size, modified }, behind + track_behind)
            },
        )
    }

    /// Whether every backlog has been read.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.tracks.iter().all(Track::has_caught_up)
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
    fn advance(&mut self, moved: Moved) {
        let number = moved.track;
        let output = self.tracks.advance(moved);
        self.woken.extend(output.next);
        for item in output.items {
            self.take_over(number, item);
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
        let Some(rights) = &mut self.rights else { return false };
        let now = Instant::now();
        let has_changed = rights.changes.has_changed().unwrap_or(false);
        if !has_changed && now < self.rights_due {
            return false;
        }
        rights.changes.mark_unchanged();
        self.rights_due = now + self.heartbeat;
        !self.tracks.iter().all(|track| (rights.may_read)(track.name()))
    }

    /// The clock has come to `until`: what was written before is still delivered.
    fn come_to_until(&mut self) {
        (self.until, self.roster) = (None, None);
        self.done = EndReason::Until;
        self.tracks.stop_following();
        self.end_if_done();
    }

    /// Adds the sources that have appeared. Their openings are waited for with all the rest, so that
    /// nothing is forgotten where the future that looks for them is dropped.
    fn look_for_newcomers(&mut self) {
        let Some(roster) = &self.roster else { return };
        let known: HashSet<SourceName> = self.names().cloned().collect();
        let mut sources = (roster.list)();
        sources.retain(|source| !known.contains(source.name()));
        for source in sources {
            self.tracks.add_newcomer(source);
        }
        self.woken.extend(self.tracks.open_due());
    }
}

/// Of up to this many sources the place of each is told, so that a stream of them can be resumed.
pub const MAX_RESUMABLE: usize = 16;

/// Waits for the filter; for ever where it has nothing to look through. Cancel-safe.
async fn looked_through(job: Option<&mut Job>) -> Filtered {
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
