//! Track: a viewer's way through one source. It reads the history until it meets the ring, then
//! takes from the ring; when the ring has let go of what it wants, it reads the history again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::chunk::{Chunk, Place};
use crate::feed::FeedGuard;
use crate::feed::ring::{Found, Item, Taken};
use crate::filter::{Filter, Inherited, Selection};
use crate::follower::wait::{self, Cause, Woken};
use crate::history::{EventKind, History, Progress, Rest, Step};
use crate::line::Zone;
use crate::source::{Gap, Opened, Source, SourceName};

/// What a track brings to its viewer.
#[derive(Debug)]
pub enum Output {
    /// Lines, at least one of which passes.
    Lines {
        /// All of them.
        chunk: Arc<Chunk>,
        /// Those that pass.
        selection: Selection,
    },
    /// Something happened between two lines.
    Event {
        /// What.
        kind: EventKind,
        /// The place after it.
        end: Place,
    },
    /// Lines up to this place were read, and none passes.
    Passed(Place),
}

/// What going on has brought.
#[derive(Default)]
pub struct Progressed {
    /// For the viewer.
    pub items: Vec<Output>,
    /// What to wait for.
    pub next: Vec<Woken>,
}

/// What all tracks of a viewer share.
#[derive(Debug)]
pub struct Shared {
    /// Which lines.
    pub filter: Arc<Filter>,
    /// For times that tell no zone.
    pub zone: Arc<Zone>,
}

/// One viewer's way through one source.
#[derive(Debug)]
pub struct Track {
    number: usize,
    source: Arc<dyn Source>,
    /// A part in the live end; none for a stream that does not follow.
    guard: Option<FeedGuard>,
    shared: Arc<Shared>,
    /// Up to here all was delivered.
    place: Place,
    /// Up to here all was read.
    read_to: Place,
    inherited: Inherited,
    phase: Phase,
    /// Ends where it catches up.
    is_ending: bool,
    /// Where a stream that does not follow ends.
    stop: Place,
    progress: Progress,
    n_failures: u32,
    /// Reads that failed in a row.
    n_read_failures: u32,
    /// What was found to be gone when the track was opened, and is not told yet.
    gap: Option<Gap>,
}

#[derive(Debug)]
enum Phase {
    /// Opened, not begun.
    Opened(Option<Box<dyn History>>),
    /// A block is being read, or waited for.
    Reading,
    /// At the ring: this item is the next.
    Live(u64),
    /// Ended.
    Done,
}

impl Track {
    /// A track through `source`, which was `opened`; it follows if it has a `guard`.
    #[must_use]
    pub fn new(
        number: usize,
        source: Arc<dyn Source>,
        guard: Option<FeedGuard>,
        opened: Opened,
        shared: Arc<Shared>,
    ) -> Self {
        let read_to = opened.history.place();
        // Until the gap is told, the viewer is where it was.
        let place = opened.gap.as_ref().map_or_else(|| read_to.clone(), |gap| gap.before.clone());
        Track {
            number,
            source,
            is_ending: guard.is_none(),
            guard,
            read_to,
            place,
            inherited: Inherited::from_lines(&opened.before, &shared.zone),
            shared,
            progress: opened.history.progress(),
            phase: Phase::Opened(Some(opened.history)),
            stop: opened.end,
            n_failures: 0,
            n_read_failures: 0,
            gap: opened.gap,
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
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Notes how far was delivered.
    pub fn set_place(&mut self, place: Place) {
        self.place = place;
    }

    /// How the source stands, and how many bytes this track is behind.
    #[must_use]
    pub fn progress(&self) -> (Progress, u64) {
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
            Phase::Live(_) | Phase::Done => true,
            Phase::Opened(_) | Phase::Reading => false,
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
        if matches!(self.phase, Phase::Live(_)) {
            self.phase = Phase::Done;
        }
    }

    /// Begins to read.
    pub fn begin(&mut self) -> Option<Woken> {
        let Phase::Opened(history) = &mut self.phase else { return None };
        let history = history.take()?;
        self.phase = Phase::Reading;
        Some(self.read(history, Duration::ZERO))
    }

    /// Goes on with what was waited for.
    pub fn advance(&mut self, cause: Cause) -> Progressed {
        let mut out = Progressed::default();
        if self.is_done() {
            return out;
        }
        if let Some(gap) = self.gap.take() {
            out.items.push(told(&gap, self.read_to.clone()));
        }
        match cause {
            Cause::Changed(changes) => self.take_live(changes, &mut out),
            Cause::Read(history, Ok(step)) => {
                (self.n_failures, self.n_read_failures) = (0, 0);
                self.progress = history.progress();
                self.take_step(history, step, &mut out);
            }
            Cause::Read(history, Err(error)) => {
                tracing::warn!(source = %self.name(), %error, "a read has failed");
                self.n_read_failures += 1;
                let gives_up = !self.is_ending && self.n_read_failures >= MAX_FAILURES;
                self.retry(&mut out, |track| match gives_up {
                    true => track.give_up(history),
                    false => track.read(history, wait::PAUSE),
                });
            }
            Cause::Rest(history, rest) => self.take_rest(history, rest, &mut out),
            Cause::Reopened(Ok(opened)) => self.go_on_from(opened, &mut out),
            Cause::Reopened(Err(error)) => {
                tracing::warn!(source = %self.name(), %error, "a source cannot be read on");
                self.retry(&mut out, |track| track.reopen(wait::PAUSE));
            }
            Cause::Lost => {
                tracing::error!(source = %self.name(), "a read has panicked");
                // It will panic again: what cannot be read is told rather than tried for ever.
                self.n_failures += u32::from(!self.is_ending);
                self.retry(&mut out, |track| track.reopen(wait::PAUSE));
            }
        }
        out
    }

    /// Tries again; a stream that does not follow only a few times.
    fn retry(&mut self, out: &mut Progressed, again: impl FnOnce(&Self) -> Woken) {
        if self.is_ending {
            self.n_failures += 1;
        }
        if self.has_failed() {
            self.phase = Phase::Done;
        } else {
            out.next.push(again(self));
        }
    }

    fn take_step(&mut self, history: Box<dyn History>, step: Step, out: &mut Progressed) {
        let at_end = match step {
            Step::Chunk(chunk) => {
                self.take_chunk(chunk, out);
                None
            }
            Step::Event(event) if self.is_past_stop(&event.start) => {
                self.phase = Phase::Done;
                return;
            }
            Step::Event(event) => {
                self.read_to = event.end.clone();
                out.items.push(Output::Event { kind: event.kind, end: event.end });
                None
            }
            Step::AtEnd { look_again } => Some(look_again),
        };
        if self.is_past_stop(&self.read_to) {
            self.phase = Phase::Done;
        } else if self.has_joined(out) {
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

    /// Goes over to the ring if the track has met it.
    fn has_joined(&mut self, out: &mut Progressed) -> bool {
        let Some(guard) = &self.guard else { return false };
        let next = match guard.find(&self.read_to) {
            Some(Found::At(next)) => next,
            Some(Found::Inside(at)) => {
                let Taken::Items { items, has_more: _ } = guard.take(at, 1) else { return false };
                let Some(Item::Chunk(chunk)) = items.into_iter().next() else { return false };
                self.take_chunk(Arc::new(chunk.after(self.read_to.offset)), out);
                at + 1
            }
            Some(Found::Elsewhere) | None => return false,
        };
        self.phase = if self.is_ending { Phase::Done } else { Phase::Live(next) };
        true
    }

    fn wait_live(&self, out: &mut Progressed) {
        if let (Phase::Live(_), Some(guard)) = (&self.phase, &self.guard) {
            let mut changes = guard.changes();
            // What has come since the look at the ring is to be seen, too.
            changes.mark_changed();
            out.next.push(wait::changed(self.number, changes));
        }
    }

    fn take_live(&mut self, mut changes: watch::Receiver<u64>, out: &mut Progressed) {
        changes.mark_unchanged();
        let (Phase::Live(next), Some(guard)) = (&self.phase, &self.guard) else { return };
        let next = *next;
        match guard.take(next, TAKE_BYTES) {
            Taken::Items { items, has_more } => {
                self.phase = Phase::Live(next + items.len() as u64);
                for item in items {
                    self.take_item(item, out);
                }
                // The word of a feed that has ended was its last.
                if has_more || self.guard.as_ref().is_some_and(FeedGuard::is_closed) {
                    changes.mark_changed();
                }
                out.next.push(wait::changed(self.number, changes));
            }
            Taken::Nothing if guard.is_closed() => {
                self.guard = Some(Arc::clone(&self.source).subscribe());
                self.phase = Phase::Reading;
                out.next.push(self.reopen(wait::PAUSE));
            }
            Taken::Nothing => out.next.push(wait::changed(self.number, changes)),
            Taken::Evicted => {
                self.phase = Phase::Reading;
                out.next.push(self.reopen(Duration::ZERO));
            }
        }
    }

    fn take_item(&mut self, item: Item, out: &mut Progressed) {
        match item {
            Item::Chunk(chunk) => self.take_chunk(chunk, out),
            Item::Event(event) => {
                self.read_to = event.end.clone();
                out.items.push(Output::Event { kind: event.kind, end: event.end });
            }
        }
    }

    fn take_chunk(&mut self, chunk: Arc<Chunk>, out: &mut Progressed) {
        self.read_to = chunk.end();
        let shared = &self.shared;
        let selection = shared.filter.select(&chunk, &mut self.inherited, &shared.zone);
        out.items.push(match selection.is_empty() {
            true => Output::Passed(self.read_to.clone()),
            false => Output::Lines { chunk, selection },
        });
    }

    fn take_rest(&mut self, history: Box<dyn History>, rest: Rest, out: &mut Progressed) {
        match rest {
            Rest::None => self.phase = Phase::Done,
            Rest::Growing(pause) => out.next.push(self.read(history, pause)),
            Rest::Piece(chunk) => {
                self.take_chunk(chunk, out);
                self.phase = Phase::Done;
            }
        }
    }

    fn go_on_from(&mut self, opened: Opened, out: &mut Progressed) {
        let place = opened.history.place();
        if let Some(gap) = opened.gap {
            out.items.push(told(&gap, place.clone()));
        }
        self.read_to = place;
        out.next.push(self.read(opened.history, Duration::ZERO));
    }

    /// Whether a stream that does not follow has still to come to where it ends.
    fn has_more_before_stop(&self) -> bool {
        self.guard.is_none() && !self.stop.same_generation(&self.read_to)
    }

    fn is_past_stop(&self, place: &Place) -> bool {
        self.guard.is_none() && self.stop.same_generation(place) && place.offset >= self.stop.offset
    }

    fn read(&self, history: Box<dyn History>, pause: Duration) -> Woken {
        let disk = Arc::clone(self.source.disk());
        wait::step(self.number, history, self.limit(), disk, pause)
    }

    fn give_up(&self, history: Box<dyn History>) -> Woken {
        let disk = Arc::clone(self.source.disk());
        wait::give_up(self.number, history, self.limit(), disk)
    }

    fn reopen(&self, pause: Duration) -> Woken {
        let (source, filter) = (Arc::clone(&self.source), Arc::clone(&self.shared.filter));
        wait::reopen(self.number, source, self.read_to.clone(), filter, pause)
    }

    /// The end of the ring: what comes after it comes from there.
    fn limit(&self) -> Option<Place> {
        self.guard.as_ref().and_then(FeedGuard::end)
    }
}

fn told(gap: &Gap, end: Place) -> Output {
    let kind = EventKind::Gap { bytes: gap.bytes, reason: gap.reason };
    Output::Event { kind, end }
}

impl fmt::Debug for Progressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progressed").field("items", &self.items).finish_non_exhaustive()
    }
}

/// What a viewer takes from the ring at a time.
const TAKE_BYTES: usize = 256 * 1024;

/// After this many failures in a row a stream that does not follow ends; one that does leaves what
/// can never be read.
const MAX_FAILURES: u32 = 3;
