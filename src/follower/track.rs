//! Track: a viewer's way through one source, and all of its ways together. A track reads the
//! history until it meets the ring, then takes from the ring; when the ring has let go of what it
//! wants, it reads the history again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, watch};

use crate::chunk::{Chunk, Place};
use crate::feed::FeedGuard;
use crate::feed::ring::{Found, Item, Taken};
use crate::filter::{Filter, Inherited, Selection};
use crate::history::{EventKind, GapReason, History, Progress, ReadError, Rest, Step};
use crate::line::Zone;
use crate::source::{OpenError, Opened, Source, SourceName, Start};

/// Resolves when a track can go on.
pub type Woken = BoxFuture<'static, Moved>;

/// A track that can go on.
pub struct Moved {
    /// Its number.
    pub track: usize,
    cause: Cause,
}

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

/// All tracks of a viewer.
pub struct Tracks {
    tracks: Vec<Track>,
    shared: Arc<Shared>,
    /// The track whose backlog is being shown; those after it have not begun.
    beginning: usize,
    follow: bool,
}

/// One viewer's way through one source.
#[derive(Debug)]
pub struct Track {
    source: Arc<dyn Source>,
    guard: Option<FeedGuard>,
    /// Up to here all was delivered.
    place: Place,
    /// Up to here all was read.
    read_to: Place,
    inherited: Inherited,
    phase: Phase,
    /// Where a stream that does not follow ends.
    stop: Option<Place>,
    progress: Progress,
    n_failures: u32,
    /// Bytes that were found to be gone when the track was opened.
    gap_bytes: Option<u64>,
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

struct Shared {
    filter: Arc<Filter>,
    zone: Arc<Zone>,
    /// Viewers that are behind, or go through a long history, read this many blocks at once.
    reads: &'static Semaphore,
}

enum Cause {
    Changed(watch::Receiver<u64>),
    Read(Box<dyn History>, Result<Step, ReadError>),
    Rest(Box<dyn History>, Rest),
    Reopened(Result<Opened, OpenError>),
    /// A read has panicked.
    Lost,
}

impl Tracks {
    /// No tracks yet.
    #[must_use]
    pub fn new(filter: Arc<Filter>, zone: Arc<Zone>, follow: bool) -> Self {
        let shared = Arc::new(Shared { filter, zone, reads: &READS });
        Tracks { tracks: Vec::new(), shared, beginning: 0, follow }
    }

    /// Opens a source as the next track and returns its number. Takes part in the live end first,
    /// then looks at the history: what is written in between is in both, not in neither.
    pub async fn open(
        &mut self,
        source: Arc<dyn Source>,
        start: Start,
    ) -> Result<usize, OpenError> {
        let guard = self.follow.then(|| Arc::clone(&source).subscribe());
        let end = match &guard {
            Some(guard) => live_end(guard).await,
            None => None,
        };
        let filter = Arc::clone(&self.shared.filter);
        let opened = open(Arc::clone(&source), start, filter, end).await?;
        let place = opened.history.place();
        self.tracks.push(Track {
            source,
            guard,
            read_to: place.clone(),
            place,
            inherited: Inherited::from_lines(&opened.before, &self.shared.zone),
            stop: (!self.follow).then_some(opened.end),
            progress: opened.history.progress(),
            phase: Phase::Opened(Some(opened.history)),
            n_failures: 0,
            gap_bytes: opened.gap_bytes,
        });
        Ok(self.tracks.len() - 1)
    }

    /// Begins with the first track; the others follow one after the other.
    pub fn begin(&mut self) -> Vec<Woken> {
        self.begin_one(0)
    }

    /// Begins a track.
    pub fn begin_one(&mut self, number: usize) -> Vec<Woken> {
        let shared = Arc::clone(&self.shared);
        match self.tracks.get_mut(number) {
            Some(track) => track.begin(number, &shared),
            None => Vec::new(),
        }
    }

    /// Goes on with a track.
    pub fn advance(&mut self, moved: Moved) -> Progressed {
        let (shared, follow) = (Arc::clone(&self.shared), self.follow);
        let number = moved.track;
        let mut out = Progressed::default();
        if let Some(track) = self.tracks.get_mut(number) {
            if let Some(bytes) = track.gap_bytes.take() {
                let kind = EventKind::Gap { bytes, reason: GapReason::RotatedAway };
                out.items.push(Output::Event { kind, end: track.place.clone() });
            }
            track.advance(number, moved.cause, follow, &shared, &mut out);
        }
        let has_caught_up = self.tracks.get(number).is_some_and(Track::has_caught_up);
        if has_caught_up && self.beginning == number && number + 1 < self.tracks.len() {
            self.beginning += 1;
            out.next.extend(self.begin_one(number + 1));
        }
        out
    }

    /// All tracks, by number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Track> {
        self.tracks.iter()
    }

    /// Notes how far a track was delivered.
    pub fn set_place(&mut self, number: usize, place: Place) {
        if let Some(track) = self.tracks.get_mut(number) {
            track.place = place;
        }
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn are_done(&self) -> bool {
        self.tracks.iter().all(|track| matches!(track.phase, Phase::Done))
    }

    /// Whether a read has failed for good.
    #[must_use]
    pub fn have_failed(&self) -> bool {
        self.tracks.iter().any(|track| track.n_failures >= MAX_FAILURES)
    }

    /// Ends each track where it catches up.
    pub fn stop_following(&mut self) {
        self.follow = false;
        for track in &mut self.tracks {
            if matches!(track.phase, Phase::Live(_)) {
                track.phase = Phase::Done;
            }
        }
    }
}

impl Track {
    /// The source's name.
    #[must_use]
    pub fn name(&self) -> &SourceName {
        self.source.name()
    }

    /// Up to here all was delivered.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How the source stands, and how many bytes this track is behind.
    #[must_use]
    pub fn progress(&self) -> (Progress, u64) {
        let progress = self.guard.as_ref().map_or(self.progress, FeedGuard::progress);
        let end = self.guard.as_ref().and_then(FeedGuard::end).or_else(|| self.stop.clone());
        let is_last = end.is_none_or(|end| end.same_generation(&self.place));
        let passed = if is_last { self.place.offset } else { 0 };
        (progress, progress.size.saturating_sub(passed))
    }

    fn has_caught_up(&self) -> bool {
        match &self.phase {
            Phase::Live(_) | Phase::Done => true,
            Phase::Opened(_) | Phase::Reading => false,
        }
    }

    fn begin(&mut self, number: usize, shared: &Arc<Shared>) -> Vec<Woken> {
        let Phase::Opened(history) = &mut self.phase else { return Vec::new() };
        let history = history.take();
        self.phase = Phase::Reading;
        history
            .map(|history| self.read(number, history, shared, Duration::ZERO))
            .into_iter()
            .collect()
    }

    fn advance(
        &mut self,
        number: usize,
        cause: Cause,
        follow: bool,
        shared: &Arc<Shared>,
        out: &mut Progressed,
    ) {
        if matches!(self.phase, Phase::Done) {
            return;
        }
        match cause {
            Cause::Changed(changes) => self.take_live(number, changes, follow, shared, out),
            Cause::Read(history, Ok(step)) => {
                self.n_failures = 0;
                self.progress = history.progress();
                self.take_step(number, history, step, follow, shared, out);
            }
            Cause::Read(history, Err(error)) => {
                tracing::warn!(source = %self.name(), %error, "a read has failed");
                self.retry(follow, out, |track| track.read(number, history, shared, RETRY_PAUSE));
            }
            Cause::Rest(history, rest) => self.take_rest(number, history, rest, shared, out),
            Cause::Reopened(Ok(opened)) => {
                if let Some(bytes) = opened.gap_bytes {
                    let kind = EventKind::Gap { bytes, reason: GapReason::RotatedAway };
                    out.items.push(Output::Event { kind, end: opened.history.place() });
                }
                self.read_to = opened.history.place();
                out.next.push(self.read(number, opened.history, shared, Duration::ZERO));
            }
            Cause::Reopened(Err(error)) => {
                tracing::warn!(source = %self.name(), %error, "a source cannot be read on");
                self.retry(follow, out, |track| track.reopen(number, shared, RETRY_PAUSE));
            }
            Cause::Lost => {
                tracing::error!(source = %self.name(), "a read has panicked");
                self.retry(follow, out, |track| track.reopen(number, shared, RETRY_PAUSE));
            }
        }
    }

    /// Tries again; a stream that does not follow only a few times.
    fn retry(
        &mut self,
        follow: bool,
        out: &mut Progressed,
        again: impl FnOnce(&mut Self) -> Woken,
    ) {
        if !follow {
            self.n_failures += 1;
        }
        if self.n_failures >= MAX_FAILURES {
            self.phase = Phase::Done;
        } else {
            let next = again(self);
            out.next.push(next);
        }
    }

    fn take_step(
        &mut self,
        number: usize,
        history: Box<dyn History>,
        step: Step,
        follow: bool,
        shared: &Arc<Shared>,
        out: &mut Progressed,
    ) {
        let is_at_end = match step {
            Step::Chunk(chunk) => {
                self.take_chunk(chunk, shared, out);
                false
            }
            Step::Event(event) if self.is_past_stop(&event.start) => {
                self.phase = Phase::Done;
                return;
            }
            Step::Event(event) => {
                self.read_to = event.end.clone();
                out.items.push(Output::Event { kind: event.kind, end: event.end });
                false
            }
            Step::AtEnd { look_again: _ } => true,
        };
        if self.is_past_stop(&self.read_to) {
            self.phase = Phase::Done;
        } else if let Some(woken) = self.join_live(number, shared, follow, out) {
            out.next.extend(woken);
        } else if !is_at_end {
            out.next.push(self.read(number, history, shared, Duration::ZERO));
        } else if follow {
            // At the end and not on the ring: the feed has yet to come here.
            let pause = self.guard.as_ref().map(FeedGuard::changes);
            out.next.push(self.read_after_change(number, history, shared, pause));
        } else {
            out.next.push(rest_of(number, history, Duration::ZERO));
        }
    }

    /// Goes over to the ring if the track has met it.
    fn join_live(
        &mut self,
        number: usize,
        shared: &Arc<Shared>,
        follow: bool,
        out: &mut Progressed,
    ) -> Option<Option<Woken>> {
        let guard = self.guard.as_ref()?;
        let next = match guard.find(&self.read_to)? {
            Found::At(next) => next,
            Found::Inside(at) => {
                let Taken::Items(items) = guard.take(at, 1) else { return None };
                let Some(Item::Chunk(chunk)) = items.into_iter().next() else { return None };
                let rest = Arc::new(chunk.after(self.read_to.offset));
                self.take_chunk(rest, shared, out);
                at + 1
            }
            Found::Elsewhere(_) | Found::Ahead => return None,
        };
        if !follow {
            self.phase = Phase::Done;
            return Some(None);
        }
        self.phase = Phase::Live(next);
        let mut changes = self.guard.as_ref()?.changes();
        // What has come since the look at the ring is to be seen, too.
        changes.mark_changed();
        Some(Some(when_changed(number, changes)))
    }

    fn take_live(
        &mut self,
        number: usize,
        mut changes: watch::Receiver<u64>,
        follow: bool,
        shared: &Arc<Shared>,
        out: &mut Progressed,
    ) {
        changes.mark_unchanged();
        let (Phase::Live(next), Some(guard)) = (&self.phase, &self.guard) else { return };
        let next = *next;
        match guard.take(next, TAKE_BYTES) {
            Taken::Items(items) => {
                self.phase = Phase::Live(next + items.len() as u64);
                for item in items {
                    self.take_item(item, shared, out);
                }
                // There may be more than was taken.
                changes.mark_changed();
                out.next.push(when_changed(number, changes));
            }
            Taken::Nothing if guard.is_closed() => {
                self.guard = follow.then(|| Arc::clone(&self.source).subscribe());
                self.phase = Phase::Reading;
                out.next.push(self.reopen(number, shared, RETRY_PAUSE));
            }
            Taken::Nothing => out.next.push(when_changed(number, changes)),
            Taken::Evicted => {
                self.phase = Phase::Reading;
                out.next.push(self.reopen(number, shared, Duration::ZERO));
            }
        }
    }

    fn take_item(&mut self, item: Item, shared: &Shared, out: &mut Progressed) {
        match item {
            Item::Chunk(chunk) => self.take_chunk(chunk, shared, out),
            Item::Event(event) => {
                self.read_to = event.end.clone();
                out.items.push(Output::Event { kind: event.kind, end: event.end });
            }
        }
    }

    fn take_chunk(&mut self, chunk: Arc<Chunk>, shared: &Shared, out: &mut Progressed) {
        self.read_to = chunk.end();
        let selection = shared.filter.select(&chunk, &mut self.inherited, &shared.zone);
        out.items.push(match selection.is_empty() {
            true => Output::Passed(self.read_to.clone()),
            false => Output::Lines { chunk, selection },
        });
    }

    fn take_rest(
        &mut self,
        number: usize,
        history: Box<dyn History>,
        rest: Rest,
        shared: &Arc<Shared>,
        out: &mut Progressed,
    ) {
        match rest {
            Rest::None => self.phase = Phase::Done,
            Rest::Growing(pause) => out.next.push(self.read(number, history, shared, pause)),
            Rest::Piece(chunk) => {
                self.take_chunk(chunk, shared, out);
                self.phase = Phase::Done;
            }
        }
    }

    fn is_past_stop(&self, place: &Place) -> bool {
        self.stop
            .as_ref()
            .is_some_and(|stop| stop.same_generation(place) && place.offset >= stop.offset)
    }

    /// Reads the next block, after a pause. The read begins now, and goes on while what was read
    /// before is being sent: one block ahead, no more.
    fn read(
        &self,
        number: usize,
        mut history: Box<dyn History>,
        shared: &Shared,
        pause: Duration,
    ) -> Woken {
        let limit = self.limit();
        let reads = shared.reads;
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let permit = reads.acquire().await;
            let read = tokio::task::spawn_blocking(move || {
                let step = history.step(limit.as_ref());
                (history, step)
            });
            let cause = match read.await {
                Ok((history, step)) => Cause::Read(history, step),
                Err(_panicked) => Cause::Lost,
            };
            drop(permit);
            Moved { track: number, cause }
        }
        .boxed()
    }

    fn read_after_change(
        &self,
        number: usize,
        history: Box<dyn History>,
        shared: &Shared,
        changes: Option<watch::Receiver<u64>>,
    ) -> Woken {
        let read = self.read(number, history, shared, Duration::ZERO);
        async move {
            if let Some(mut changes) = changes {
                // A time-out and a feed that has ended both mean: look again.
                let _: Result<_, _> = tokio::time::timeout(RETRY_PAUSE, changes.changed()).await;
            }
            read.await
        }
        .boxed()
    }

    /// Opens the history at the place where the track is.
    fn reopen(&self, number: usize, shared: &Shared, pause: Duration) -> Woken {
        let (source, filter) = (Arc::clone(&self.source), Arc::clone(&shared.filter));
        let start = Start::At(self.read_to.clone());
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let opened = open(source, start, filter, None).await;
            Moved { track: number, cause: Cause::Reopened(opened) }
        }
        .boxed()
    }

    /// The end of the ring, where it lies in the generation that is being read.
    fn limit(&self) -> Option<Place> {
        match self.guard.as_ref()?.find(&self.read_to)? {
            Found::Elsewhere(end) => Some(end),
            Found::At(_) | Found::Inside(_) | Found::Ahead => None,
        }
    }
}

/// The end of what the feed has read, as soon as it has opened its source. None if that takes
/// long: then opening the history will tell why, or the two ends meet later.
async fn live_end(guard: &FeedGuard) -> Option<Place> {
    let mut changes = guard.changes();
    let opened = async { while guard.end().is_none() && changes.changed().await.is_ok() {} };
    // Running into the time-out is one of the two ways on.
    let _: Result<(), _> = tokio::time::timeout(OPEN_PATIENCE, opened).await;
    guard.end()
}

async fn open(
    source: Arc<dyn Source>,
    start: Start,
    filter: Arc<Filter>,
    end: Option<Place>,
) -> Result<Opened, OpenError> {
    let name = source.name().clone();
    let opening =
        tokio::task::spawn_blocking(move || source.open(&start, &filter, end.as_ref())).await;
    opening.unwrap_or_else(|panicked| {
        Err(OpenError::Unreadable { name, source: std::io::Error::other(panicked) })
    })
}

fn when_changed(track: usize, mut changes: watch::Receiver<u64>) -> Woken {
    async move {
        if changes.changed().await.is_err() {
            // The feed is gone; looking at it tells so.
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        Moved { track, cause: Cause::Changed(changes) }
    }
    .boxed()
}

fn rest_of(track: usize, mut history: Box<dyn History>, pause: Duration) -> Woken {
    async move {
        tokio::time::sleep(pause).await;
        let look = tokio::task::spawn_blocking(move || {
            let rest = history.take_rest(REST_QUIET);
            (history, rest)
        });
        let cause = match look.await {
            Ok((history, rest)) => Cause::Rest(history, rest),
            Err(_panicked) => Cause::Lost,
        };
        Moved { track, cause }
    }
    .boxed()
}

impl fmt::Debug for Tracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracks").field("tracks", &self.tracks).finish_non_exhaustive()
    }
}

/// Blocks that are read at once on behalf of viewers, in the whole process.
static READS: Semaphore = Semaphore::const_new(64);

/// What a viewer takes from the ring at a time.
const TAKE_BYTES: usize = 256 * 1024;

/// A last line without end is sent when nothing was added to it for this long.
const REST_QUIET: Duration = Duration::from_secs(1);

const RETRY_PAUSE: Duration = Duration::from_secs(1);
const OPEN_PATIENCE: Duration = Duration::from_secs(2);

/// After this many failures in a row a stream that does not follow ends.
const MAX_FAILURES: u32 = 3;
