//! Follower: one a viewer. It holds places, not queues: at the live end it takes shared chunks from
//! the ring, behind it it reads the history, and it reads nothing while nobody asks it for more.
//! It holds the only `select!` over data, heartbeat and cancellation. It knows neither files nor
//! formats.

pub mod track;
pub mod tracks;
pub mod wait;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chunk::{Chunk, Place};
use crate::filter::{Filter, Selection};
use crate::follower::track::{Output, Track};
use crate::follower::tracks::Tracks;
use crate::follower::wait::{Moved, Woken};
use crate::history::{EventKind, Progress};
use crate::line::Zone;
use crate::source::{OpenError, Source, SourceName, Start};

/// What a viewer wants to see.
#[derive(Debug)]
pub struct Wish {
    /// The sources, and where to begin in each.
    pub sources: Vec<(Arc<dyn Source>, Start)>,
    /// Which lines.
    pub filter: Filter,
    /// Go on at the live end.
    pub follow: bool,
    /// With `follow`: end when the clock comes here.
    pub until: Option<Instant>,
    /// The reason to give when all was sent without a fault.
    pub done: EndReason,
    /// The longest time without a word.
    pub heartbeat: Duration,
    /// Sources that may appear later.
    pub roster: Option<Roster>,
    /// What the viewer may read, where that can change.
    pub rights: Option<Rights>,
    /// Ends the stream.
    pub cancel: CancellationToken,
}

/// Tells whether a viewer may still read what it reads.
pub struct Rights {
    /// Changes when rights may have changed. They may also run out by themselves, so that they are
    /// looked at with each heartbeat as well.
    pub changes: watch::Receiver<u64>,
    /// Whether it may read a source now.
    pub may_read: Box<dyn Fn(&SourceName) -> bool + Send + Sync>,
}

impl Rights {
    /// Waits until rights may have changed; for ever once they cannot. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether every source of a follower may be read now.
    #[must_use]
    pub fn cover(&self, follower: &Follower) -> bool {
        follower.names().all(|source| (self.may_read)(source))
    }
}

/// Tells of sources that appear later.
pub struct Roster {
    /// Changes when the list may have changed.
    pub changes: watch::Receiver<u64>,
    /// All sources that the viewer wants, as of now.
    pub list: Box<dyn Fn() -> Vec<Arc<dyn Source>> + Send + Sync>,
}

/// What a viewer gets next.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The lines of a chunk that pass the filter, at least one.
    Lines {
        /// Whose lines, by its number among [`Follower::names`].
        track: usize,
        /// The chunk.
        chunk: Arc<Chunk>,
        /// Its lines that pass.
        selection: Selection,
    },
    /// Something happened between two lines.
    Event {
        /// In which source.
        track: usize,
        /// What.
        kind: EventKind,
    },
    /// Nothing was to be said for the time of a heartbeat.
    Heartbeat,
    /// The last delivery.
    End(EndReason),
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// All was sent that was there.
    Eof,
    /// The clock has passed `until`.
    Until,
    /// The server stops.
    Shutdown,
    /// The viewer may not read this any more.
    Revoked,
    /// A limit of the server was met.
    Limit,
    /// The source could not be read to its end.
    Error,
}

impl EndReason {
    /// The reason's name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eof => "eof",
            Self::Until => "until",
            Self::Shutdown => "shutdown",
            Self::Revoked => "revoked",
            Self::Limit => "limit",
            Self::Error => "error",
        }
    }
}

/// One viewer's way through its sources.
#[derive(Debug)]
pub struct Follower {
    tracks: Tracks,
    cancel: CancellationToken,
    heartbeat: Duration,
    /// When something was last delivered.
    last_word: Instant,
    until: Option<Instant>,
    done: EndReason,
    /// Ready to be delivered, with what is then the place of which track.
    queue: VecDeque<(Delivery, Option<(usize, Place)>)>,
    woken: FuturesUnordered<Woken>,
    roster: Option<Roster>,
    rights: Option<Rights>,
    /// When the rights are looked at next.
    rights_due: Instant,
    has_ended: bool,
}

impl Follower {
    /// Opens all sources. Nothing is read before [`Self::next`] is asked.
    pub async fn open(wish: Wish, zone: Arc<Zone>) -> Result<Self, OpenError> {
        let mut tracks = Tracks::new(wish.filter, zone, wish.follow);
        for (source, start) in wish.sources {
            tracks.open(source, start).await?;
        }
        let mut woken = FuturesUnordered::new();
        woken.extend(tracks.begin());
        let now = Instant::now();
        Ok(Follower {
            tracks,
            cancel: wish.cancel,
            heartbeat: wish.heartbeat,
            last_word: now,
            until: wish.until,
            done: wish.done,
            queue: VecDeque::new(),
            woken,
            roster: wish.roster.filter(|_| wish.follow),
            rights: wish.rights,
            rights_due: now + wish.heartbeat,
            has_ended: false,
        })
    }

    /// The next delivery; none after [`Delivery::End`]. Cancel-safe: what was read is kept.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            if !self.has_ended && self.has_lost_rights() {
                // What was read and not delivered is not theirs any more.
                self.queue.clear();
                self.end(EndReason::Revoked);
            }
            if let Some((delivery, moved)) = self.queue.pop_front() {
                if let Some((track, place)) = moved {
                    self.tracks.set_place(track, place);
                }
                self.last_word = Instant::now();
                return Some(delivery);
            }
            if self.has_ended {
                return None;
            }
            let due = self.last_word + self.heartbeat;
            if Instant::now() >= due {
                self.say(Delivery::Heartbeat);
                continue;
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => self.end(EndReason::Shutdown),
                () = changed_rights(self.rights.as_mut()) => self.rights_due = Instant::now(),
                Some(woken) = self.woken.next() => self.advance(woken),
                () = at(self.until) => self.come_to_until(),
                true = changed(self.roster.as_mut()) => self.look_for_newcomers().await,
                () = sleep_until(due) => {}
            }
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
        while self.queue.is_empty() {
            match self.woken.next().await {
                Some(woken) => self.advance(woken),
                None => break,
            }
        }
        self.queue.iter().all(|(delivery, _)| matches!(delivery, Delivery::End(_)))
    }

    fn say(&mut self, delivery: Delivery) {
        self.queue.push_back((delivery, None));
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
            Output::Lines { chunk, selection } => {
                let end = chunk.end();
                self.queue
                    .push_back((Delivery::Lines { track, chunk, selection }, Some((track, end))));
            }
            Output::Event { kind, end } => {
                self.queue.push_back((Delivery::Event { track, kind }, Some((track, end))));
            }
            // Nothing of it passes: the place moves with what was said before.
            Output::Passed(place) => match self.queue.back_mut() {
                Some((_, Some(moved))) => *moved = (track, place),
                Some((_, None)) | None => self.tracks.set_place(track, place),
            },
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

    async fn look_for_newcomers(&mut self) {
        let Some(roster) = &self.roster else { return };
        let is_new = |source: &Arc<dyn Source>| !self.names().any(|name| name == source.name());
        let newcomers: Vec<_> = (roster.list)().into_iter().filter(is_new).collect();
        for source in newcomers {
            match self.tracks.open(source, Start::Oldest).await {
                Ok(number) => {
                    let begun = self.tracks.begin_one(number);
                    self.woken.extend(begun);
                }
                Err(error) => tracing::warn!(%error, "a new source cannot be read"),
            }
        }
    }
}

/// Waits for a time, for ever where there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// True when the list of sources has changed; never where there is no list.
async fn changed(roster: Option<&mut Roster>) -> bool {
    if let Some(roster) = roster
        && roster.changes.changed().await.is_ok()
    {
        return true;
    }
    std::future::pending().await
}

/// Waits until rights may have changed; for ever where they cannot.
pub async fn changed_rights(rights: Option<&mut Rights>) {
    match rights {
        Some(rights) => rights.changed().await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rights").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster").field("changes", &self.changes).finish_non_exhaustive()
    }
}
