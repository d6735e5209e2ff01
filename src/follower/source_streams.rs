//! Tracks: all ways of a viewer through its sources. They are opened side by side, and their backlogs
//! are shown one after the other; from then on each goes on as its lines come.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::chunk::Position;
use crate::disk::Allowance;
use crate::filter::{Filter, Inherited};
use crate::follower::opening::MAX_OPENINGS;
use crate::follower::output::{Advance, Shared};
use crate::follower::source_stream::SourceStream;
use crate::follower::wait::{PendingRead, Ready};
use crate::line::Zone;
use crate::source::{OpenError, Source, Start};

/// All tracks of a viewer.
#[derive(Debug)]
pub struct SourceStreams {
    all: Vec<SourceStream>,
    shared: Arc<Shared>,
    /// The track whose backlog is being shown; those after it have not begun.
    beginning: usize,
    /// Backlogs are being shown.
    has_begun: bool,
    /// Tracks before this one were opened, or are being opened.
    to_open: usize,
    follow: bool,
}

impl SourceStreams {
    /// No tracks yet.
    #[must_use]
    pub fn new(filter: Filter, zone: Arc<Zone>, follow: bool, allowance: Arc<Allowance>) -> Self {
        let openings = Arc::new(Semaphore::new(MAX_OPENINGS));
        let shared = Arc::new(Shared { filter: Arc::new(filter), zone, openings, allowance });
        SourceStreams {
            all: Vec::new(),
            shared,
            beginning: 0,
            has_begun: false,
            to_open: 0,
            follow,
        }
    }

    /// Adds a source as the next track, to be opened when its turn comes.
    pub fn add(&mut self, source: Arc<dyn Source>, start: Start) {
        let (number, shared) = (self.all.len(), Arc::clone(&self.shared));
        self.all.push(SourceStream::new(number, source, start, shared, !self.follow));
    }

    /// Adds a source that has appeared: its lines are shown as soon as they can be.
    pub fn add_newcomer(&mut self, source: Arc<dyn Source>) {
        self.add(source, Start::Oldest);
        if let Some(track) = self.all.last_mut() {
            track.give_turn();
        }
    }

    /// Opens what is to be open by now. Of a stream that does not follow only what is shown soon: a
    /// source takes a descriptor while it is read, and there may be more sources than descriptors.
    pub fn open_due(&mut self) -> Vec<PendingRead> {
        let n_due = match self.follow {
            true => self.all.len(),
            false => self.all.len().min(self.beginning + MAX_OPENINGS),
        };
        let due = self.to_open..n_due;
        self.to_open = self.to_open.max(n_due);
        self.all
            .get_mut(due)
            .unwrap_or_default()
            .iter_mut()
            .filter_map(SourceStream::open)
            .collect()
    }

    /// Whether a stream can begin: a source is open, and of few sources (whose places the beginning
    /// tells) it is known of all how they stand.
    #[must_use]
    pub fn can_begin(&self, n_few: usize) -> bool {
        let is_few = self.all.len() <= n_few;
        self.all.iter().any(SourceStream::is_open)
            && !(is_few && self.all.iter().any(SourceStream::is_pending))
    }

    /// Why no stream can come about: no source could be opened, or one is not what it was taken for.
    pub fn refusal(&mut self) -> Option<OpenError> {
        let is_other = |track: &&mut SourceStream| track.is_of_other_source();
        if let Some(track) = self.all.iter_mut().find(is_other) {
            return track.take_refusal();
        }
        if self.all.iter().all(SourceStream::is_refused) {
            return self.all.iter_mut().find_map(SourceStream::take_refusal);
        }
        None
    }

    /// Whether backlogs are being shown.
    #[must_use]
    pub fn have_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether to open a source has taken more time than the viewer has.
    #[must_use]
    pub fn are_too_expensive(&self) -> bool {
        self.all.iter().any(SourceStream::is_too_expensive)
    }

    /// Begins with the first track; the others follow one after the other.
    pub fn begin(&mut self) -> Vec<PendingRead> {
        self.has_begun = true;
        let passed = self.all.iter_mut().take(self.beginning);
        let mut next: Vec<PendingRead> = passed.filter_map(SourceStream::begin).collect();
        next.extend(self.settle());
        next
    }

    /// Goes on with a track.
    pub fn advance(&mut self, moved: Ready) -> Advance {
        let number = moved.track;
        let Some(track) = self.all.get_mut(number) else { return Advance::default() };
        let mut progressed = track.advance(moved.cause);
        if self.has_begun && (number < self.beginning || track.has_turn()) {
            progressed.next.extend(track.begin());
        }
        progressed.next.extend(self.settle());
        progressed
    }

    /// Comes to the next backlog that is to be shown, and opens what is to be open by then.
    fn settle(&mut self) -> Vec<PendingRead> {
        while self.all.get(self.beginning).is_some_and(SourceStream::lets_pass) {
            self.beginning += 1;
        }
        let mut next = self.open_due();
        if self.has_begun
            && let Some(track) = self.all.get_mut(self.beginning)
        {
            next.extend(track.begin());
        }
        next
    }

    /// All tracks, by number.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SourceStream> {
        self.all.iter()
    }

    /// What all tracks share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What the lines of a track have told that the filter has looked at.
    #[must_use]
    pub fn inherited(&self, number: usize) -> Inherited {
        self.all.get(number).map(SourceStream::inherited).unwrap_or_default()
    }

    /// Notes what the lines of a track have told.
    pub fn set_inherited(&mut self, number: usize, inherited: Inherited) {
        if let Some(track) = self.all.get_mut(number) {
            track.set_inherited(inherited);
        }
    }

    /// Notes how far a track was delivered.
    pub fn set_place(&mut self, number: usize, place: Position) {
        if let Some(track) = self.all.get_mut(number) {
            track.set_place(place);
        }
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn are_done(&self) -> bool {
        self.all.iter().all(SourceStream::is_done)
    }

    /// Whether a read has failed for good.
    #[must_use]
    pub fn have_failed(&self) -> bool {
        self.all.iter().any(SourceStream::has_failed)
    }

    /// Ends each track where it catches up.
    pub fn stop_following(&mut self) {
        self.follow = false;
        self.all.iter_mut().for_each(SourceStream::stop_following);
    }
}
