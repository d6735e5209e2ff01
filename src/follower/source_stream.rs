//! Track: a viewer's way through one source. It reads the history until it meets the ring, then
//! takes from the ring; when the ring has let go of what it wants, it reads the history again.

mod joining;
mod live;

use std::sync::Arc;
use std::time::Duration;

use crate::chunk::{Chunk, Position};
use crate::feed::FeedGuard;
use crate::feed::late::PassedFiles;
use crate::filter::Inherited;
use crate::follower::opening;
use crate::follower::output::{Advance, Output, Shared};
use crate::follower::wait::{self, PendingRead, ReadResult};
use crate::history::{Event, EventKind, Rest, RotatedHow, SourceReader, SourceStat, StreamItem};
use crate::source::{Gap, OpenError, Opened, Source, SourceName, Start};

/// One viewer's way through one source.
#[derive(Debug)]
pub struct SourceStream {
    number: usize,
    source: Arc<dyn Source>,
    /// Where to begin.
    start: Start,
    /// A part in the live end; none for a stream that does not follow, and before the opening.
    guard: Option<FeedGuard>,
    shared: Arc<Shared>,
    /// Up to here all was delivered.
    place: Position,
    /// Up to here all was read.
    read_to: Position,
    inherited: Inherited,
    phase: Phase,
    /// Ends where it catches up.
    is_ending: bool,
    /// Where a stream that does not follow ends.
    stop: Position,
    progress: SourceStat,
    n_failures: u32,
    /// Reads that failed in a row.
    n_read_failures: u32,
    /// What was found to be gone when the track was opened, and is not told yet.
    gap: Option<Gap>,
    /// Openings that failed.
    n_refusals: u32,
    /// Why the last one did.
    refusal: Option<OpenError>,
    /// Nobody waits for its backlog: it is shown as soon as it can be.
    has_turn: bool,
    /// The files that were left: late lines may still come to them.
    passed: PassedFiles,
    /// Bytes of lines that were read for this viewer alone.
    n_read: u64,
}

#[derive(Debug)]
enum Phase {
    /// Not opened yet.
    Closed,
    /// Being opened.
    Opening,
    /// Could not be opened; tried again.
    Unreadable,
    /// Opened, not begun.
    Opened(Option<Box<dyn SourceReader>>),
    /// A block is being read, or waited for.
    Reading,
    /// At the ring: this item is the next.
    Live(u64),
    /// Ended.
    Done,
}

impl SourceStream {
    /// A track through `source` from `start` on; `is_ending`: it does not follow.
    #[must_use]
    pub fn new(
        number: usize,
        source: Arc<dyn Source>,
        start: Start,
        shared: Arc<Shared>,
        is_ending: bool,
    ) -> Self {
        let place = opening::before_all(source.name());
        SourceStream {
            number,
            source,
            start,
            guard: None,
            shared,
            read_to: place.clone(),
            stop: place.clone(),
            place,
            inherited: Inherited::default(),
            phase: Phase::Closed,
            is_ending,
            progress: SourceStat::default(),
            n_failures: 0,
            n_read_failures: 0,
            gap: None,
            n_refusals: 0,
            refusal: None,
            has_turn: false,
            passed: PassedFiles::default(),
            n_read: 0,
        }
    }

    /// The source's name.
    #[must_use]
    pub fn name(&self) -> &SourceName {
        self.source.name()
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// Up to here all was delivered.
    #[must_use]
    pub fn place(&self) -> &Position {
        &self.place
    }

    /// What the lines that the filter has looked at have told.
    #[must_use]
    pub fn inherited(&self) -> Inherited {
        self.inherited
    }

    /// Notes what the lines that the filter has looked at have told.
    pub fn set_inherited(&mut self, inherited: Inherited) {
        self.inherited = inherited;
    }

    /// Notes how far was delivered.
    pub fn set_place(&mut self, place: Position) {
        self.place = place;
        self.release();
    }

    /// A track that has ended keeps no file open.
    fn release(&mut self) {
        if self.is_done() {
            for place in [&mut self.place, &mut self.read_to, &mut self.stop] {
                match place.cursor() {
                    Ok(cursor) => *place = Position::gone(&cursor),
                    Err(error) => tracing::error!(%error, "our own cursor cannot be read"),
                }
            }
        }
    }

    /// How the source stands, and how many bytes this track is behind.
    #[must_use]
    pub fn progress(&self) -> (SourceStat, u64) {
        if self.is_done() {
            return (self.progress, 0);
        }
        let progress = self.guard.as_ref().map_or(self.progress, FeedGuard::progress);
        let end = self.guard.as_ref().and_then(FeedGuard::end);
        let is_last = end.as_ref().unwrap_or(&self.stop).same_generation(&self.place);
        let passed = if is_last { self.place.offset } else { 0 };
        (progress, progress.size.saturating_sub(passed))
    }

    /// Whether the backlog has been read.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        match &self.phase {
            Phase::Live(_) | Phase::Done | Phase::Unreadable => true,
            Phase::Closed | Phase::Opening | Phase::Opened(_) | Phase::Reading => false,
        }
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Whether it ended because it could not be read.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.n_failures >= MAX_FAILURES
    }

    /// Ends where the track catches up.
    pub fn stop_following(&mut self) {
        self.is_ending = true;
        if matches!(self.phase, Phase::Live(_) | Phase::Unreadable) {
            self.phase = Phase::Done;
        }
    }

    /// Begins to read.
    pub fn begin(&mut self) -> Option<PendingRead> {
        let Phase::Opened(history) = &mut self.phase else { return None };
        let history = history.take()?;
        self.phase = Phase::Reading;
        Some(self.read(history, Duration::ZERO))
    }

    /// Goes on with what was waited for.
    pub fn advance(&mut self, result: ReadResult) -> Advance {
        let mut out = Advance::default();
        if self.is_done() {
            return out;
        }
        if let Some(gap) = self.gap.take() {
            out.items.push(Output::of_gap(&gap, self.read_to.clone()));
        }
        match result {
            ReadResult::Opening(opening) => self.take_opening(opening, &mut out),
            ReadResult::Changed(changes) => self.take_live(changes, &mut out),
            ReadResult::Read(history, Ok(step)) => {
                (self.n_failures, self.n_read_failures) = (0, 0);
                self.progress = history.progress();
                self.take_step(history, step, &mut out);
            }
            ReadResult::Read(history, Err(error)) => {
                tracing::warn!(source = %self.name(), %error, "a read has failed");
                self.n_read_failures += 1;
                // What is damaged for good is left before that, and reported as a gap.
                let n_patient = MAX_FAILURES + u32::from(!self.is_ending);
                if self.n_read_failures == n_patient {
                    out.items.push(Output::Unreadable(error.source.to_string().into()));
                }
                let gives_up = !self.is_ending && self.n_read_failures >= MAX_FAILURES;
                self.retry(&mut out, |source_index| match gives_up {
                    true => source_index.give_up(history),
                    false => source_index.read(history, wait::PAUSE),
                });
            }
            ReadResult::Rest(history, rest) => self.take_rest(history, rest, &mut out),
            ReadResult::Reopened(Ok(opened)) => self.go_on_from(opened, &mut out),
            ReadResult::Reopened(Err(error)) => {
                tracing::warn!(source = %self.name(), %error, "a source cannot be read on");
                self.retry(&mut out, |source_index| source_index.reopen(wait::PAUSE));
            }
            ReadResult::Lost => {
                tracing::error!(source = %self.name(), "a read has panicked");
                // It will panic again: what cannot be read is told rather than tried for ever.
                self.n_failures += u32::from(!self.is_ending);
                self.retry(&mut out, |source_index| source_index.reopen(wait::PAUSE));
            }
        }
        self.release();
        out
    }

    /// Tries again; a stream that does not follow only a few times.
    fn retry(&mut self, out: &mut Advance, again: impl FnOnce(&Self) -> PendingRead) {
        if self.is_ending {
            self.n_failures += 1;
        }
        if self.has_failed() {
            self.phase = Phase::Done;
        } else {
            out.next.push(again(self));
        }
    }

    fn take_step(&mut self, history: Box<dyn SourceReader>, step: StreamItem, out: &mut Advance) {
        self.stop = history.as_read(self.stop.clone());
        // A gap ends where it begins: in the ring it would be met again.
        let can_join =
            !matches!(&step, StreamItem::Event(Event { kind: EventKind::Gap { .. }, .. }));
        let at_end = match step {
            StreamItem::Chunk(chunk) => {
                self.take_chunk(chunk, out);
                None
            }
            StreamItem::Event(event) if self.is_past_stop(&event.start) => {
                self.phase = Phase::Done;
                return;
            }
            StreamItem::Event(event) => {
                self.set_new_stop(&event);
                self.come_to(event.end.clone());
                out.items.push(Output::Event { kind: event.kind, end: event.end });
                None
            }
            StreamItem::AtEnd { look_again } => Some(look_again),
        };
        if self.is_past_stop(&self.read_to) {
            self.phase = Phase::Done;
        } else if can_join && self.has_joined(out) {
            self.wait_live(out);
        } else if at_end.is_none() {
            out.next.push(self.read(history, Duration::ZERO));
        } else if let Some(pause) = at_end.flatten().filter(|_| self.has_more_before_stop()) {
            // Files are just being renamed or packed: a history is complete, or it says it is not.
            out.next.push(self.read(history, pause));
        } else if let Some(guard) = &mut self.guard {
            // At the end and not on the ring: the feed has yet to come here.
            if guard.is_closed() {
                *guard = Arc::clone(&self.source).subscribe();
            }
            let changes = guard.changes();
            let (limit, disk) = (self.limit(), Arc::clone(self.source.disk()));
            out.next.push(wait::step_after_change(self.number, history, limit, disk, changes));
        } else {
            let disk = Arc::clone(self.source.disk());
            out.next.push(wait::rest(self.number, history, disk));
        }
    }

    fn take_chunk(&mut self, chunk: Arc<Chunk>, out: &mut Advance) {
        if matches!(self.phase, Phase::Reading) {
            self.n_read += chunk.raw().len() as u64;
        }
        self.come_to(chunk.end());
        let Some(late) = chunk.late() else {
            out.items.push(Output::Lines(chunk));
            return;
        };
        // Whoever has come from the file where they are may have had them there.
        let fresh = match self.passed.end(late) {
            Some(end) if end > late.from => chunk.late_after(end).map(Arc::new),
            Some(_) | None => Some(Arc::clone(&chunk)),
        };
        self.passed.take(late);
        out.items.extend(fresh.map(Output::Lines));
    }

    /// Notes how far was read.
    fn come_to(&mut self, place: Position) {
        if !place.same_generation(&self.read_to) {
            self.passed.leave(&self.read_to);
        }
        self.read_to = place;
    }

    /// Where a stream that does not follow was to end has been emptied: it ends with what is in the file
    /// now, as a busy writer would keep it going for ever.
    fn set_new_stop(&mut self, event: &Event) {
        let is_emptied = matches!(event.kind, EventKind::Rotated(RotatedHow::Truncated));
        if self.guard.is_none() && is_emptied && self.stop.same_generation(&event.start) {
            self.stop = Position { offset: self.progress.size, ..event.end.clone() };
        }
    }

    fn take_rest(&mut self, history: Box<dyn SourceReader>, rest: Rest, out: &mut Advance) {
        match rest {
            Rest::None => self.phase = Phase::Done,
            Rest::Growing(pause) => out.next.push(self.read(history, pause)),
            Rest::Piece(chunk) => {
                self.take_chunk(chunk, out);
                self.phase = Phase::Done;
            }
        }
    }

    fn go_on_from(&mut self, opened: Opened, out: &mut Advance) {
        let place = opened.history.place();
        if let Some(gap) = opened.gap {
            out.items.push(Output::of_gap(&gap, place.clone()));
        }
        self.read_to = place;
        out.next.push(self.read(opened.history, Duration::ZERO));
    }

    /// Whether a stream that does not follow has still to come to where it ends.
    fn has_more_before_stop(&self) -> bool {
        self.guard.is_none() && !self.stop.same_generation(&self.read_to)
    }

    fn is_past_stop(&self, place: &Position) -> bool {
        self.guard.is_none() && self.stop.same_generation(place) && place.offset >= self.stop.offset
    }

    /// Reads little for those that have yet to show that they take it: who stops at once holds no more.
    fn read(&self, mut history: Box<dyn SourceReader>, pause: Duration) -> PendingRead {
        let is_proven = self.n_read >= PROVEN_BYTES;
        history.set_block_bytes(if is_proven { usize::MAX } else { FIRST_BLOCK_BYTES });
        let disk = Arc::clone(self.source.disk());
        wait::step(self.number, history, self.limit(), disk, pause)
    }

    fn give_up(&self, history: Box<dyn SourceReader>) -> PendingRead {
        let disk = Arc::clone(self.source.disk());
        wait::give_up(self.number, history, self.limit(), disk)
    }

    fn reopen(&self, pause: Duration) -> PendingRead {
        let (source, shared) = (Arc::clone(&self.source), Arc::clone(&self.shared));
        wait::reopen(self.number, source, self.read_to.clone(), shared, pause)
    }

    /// The end of the ring: what comes after it comes from there.
    fn limit(&self) -> Option<Position> {
        self.guard.as_ref().and_then(FeedGuard::end)
    }
}

/// A client that has taken as much is one that reads: kernels on the way take less from one that does not.
pub const PROVEN_BYTES: u64 = 1 << 20;

const FIRST_BLOCK_BYTES: usize = 2 * 1024;

/// After this many failures in a row a stream that does not follow ends; one that does leaves what
/// can never be read.
const MAX_FAILURES: u32 = 3;
