//! Source streams: all sources of a viewer. They are opened side by side, and their backlogs are
//! sent one after the other; from then on lines are sent as they come.

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

/// All source streams of a viewer.
#[derive(Debug)]
pub struct SourceStreams {
    all: Vec<SourceStream>,
    shared: Arc<Shared>,
    /// The source whose backlog is being sent; those after it have not begun.
    beginning: usize,
    /// Whether backlogs are being sent.
    has_begun: bool,
    /// Sources before this index were opened, or are being opened.
    to_open: usize,
    follow: bool,
}

impl SourceStreams {
    /// No sources yet.
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

    /// Adds a source, to be opened when its turn comes.
    pub fn add(&mut self, source: Arc<dyn Source>, start: Start) {
        let (number, shared) = (self.all.len(), Arc::clone(&self.shared));
        self.all.push(SourceStream::new(number, source, start, shared, !self.follow));
    }

    /// Adds a source that has appeared: its lines are sent as soon as they are read.
    pub fn add_newcomer(&mut self, source: Arc<dyn Source>) {
        self.add(source, Start::Oldest);
        if let Some(stream) = self.all.last_mut() {
            stream.give_turn();
        }
    }

    /// Opens the sources that are due. Of a stream that does not follow only those that are sent
    /// soon: a source takes a descriptor while it is read, and there may be more sources than
    /// descriptors.
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

    /// Whether a stream can begin: a source is open, and, if there are few (the `start` record then
    /// carries their positions), no opening is pending.
    #[must_use]
    pub fn can_begin(&self, n_few: usize) -> bool {
        let is_few = self.all.len() <= n_few;
        self.all.iter().any(SourceStream::is_open)
            && !(is_few && self.all.iter().any(SourceStream::is_pending))
    }

    /// Why no stream is possible: no source could be opened, or a cursor belongs to another source.
    pub fn refusal(&mut self) -> Option<OpenError> {
        let is_other = |stream: &&mut SourceStream| stream.is_of_other_source();
        if let Some(stream) = self.all.iter_mut().find(is_other) {
            return stream.take_refusal();
        }
        if self.all.iter().all(SourceStream::is_refused) {
            return self.all.iter_mut().find_map(SourceStream::take_refusal);
        }
        None
    }

    /// Whether backlogs are being sent.
    #[must_use]
    pub fn have_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether opening a source has exceeded the viewer's allowance.
    #[must_use]
    pub fn are_too_expensive(&self) -> bool {
        self.all.iter().any(SourceStream::is_too_expensive)
    }

    /// Begins with the first source; the others follow one after the other.
    pub fn begin(&mut self) -> Vec<PendingRead> {
        self.has_begun = true;
        let passed = self.all.iter_mut().take(self.beginning);
        let mut next: Vec<PendingRead> = passed.filter_map(SourceStream::begin).collect();
        next.extend(self.settle());
        next
    }

    /// Advances a source that is ready.
    pub fn advance(&mut self, ready: Ready) -> Advance {
        let number = ready.source_index;
        let Some(stream) = self.all.get_mut(number) else { return Advance::default() };
        let mut advance = stream.advance(ready.result);
        if self.has_begun && (number < self.beginning || stream.has_turn()) {
            advance.next.extend(stream.begin());
        }
        advance.next.extend(self.settle());
        advance
    }

    /// Moves to the next backlog to be sent, and opens the sources that are due.
    fn settle(&mut self) -> Vec<PendingRead> {
        while self.all.get(self.beginning).is_some_and(SourceStream::lets_pass) {
            self.beginning += 1;
        }
        let mut next = self.open_due();
        if self.has_begun
            && let Some(stream) = self.all.get_mut(self.beginning)
        {
            next.extend(stream.begin());
        }
        next
    }

    /// All source streams, by index.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SourceStream> {
        self.all.iter()
    }

    /// What all source streams share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The inherited metadata after the filtered lines of a source.
    #[must_use]
    pub fn inherited(&self, number: usize) -> Inherited {
        self.all.get(number).map(SourceStream::inherited).unwrap_or_default()
    }

    /// Sets the inherited metadata of a source.
    pub fn set_inherited(&mut self, number: usize, inherited: Inherited) {
        if let Some(stream) = self.all.get_mut(number) {
            stream.set_inherited(inherited);
        }
    }

    /// Sets how far a source was delivered.
    pub fn set_position(&mut self, number: usize, position: Position) {
        if let Some(stream) = self.all.get_mut(number) {
            stream.set_place(position);
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

    /// Ends each source where it catches up.
    pub fn stop_following(&mut self) {
        self.follow = false;
        self.all.iter_mut().for_each(SourceStream::stop_following);
    }
}
