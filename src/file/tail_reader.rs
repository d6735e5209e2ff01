//! Tail reader: a source's lines, forward from a place, through rotation and truncation. The feed
//! reads with one, and so does each viewer that is behind. Which file follows which is decided in
//! `rotation::next`; when a file is left for the next one is decided here.
//!
//! ```text
//!              the path leads elsewhere          the next file has lines
//!   Current ──────────────────────────► Astray ──────────────────────────► Leaving
//!      ▲  ◄──────────────────────────────┘  │                                 │
//!      │      it leads here again           │ its writer has surely gone over │ quiet, or too long
//!      └────────────────────────────────────┴─────────────────────────────────┘
//!                                    the next file is read
//! ```
//! Beside that, what is read is the file itself, or the copy of what was in it.

mod following;
mod late;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::chunk::{Chunk, Generation, Place};
use crate::cursor::check_of;
use crate::file::content::Content;
use crate::file::file_id::FileId;
use crate::file::files::Files;
use crate::file::held_file::is_released;
use crate::file::lineage;
use crate::file::segment::Segment;
use crate::file::segment_reader::{Block, SegmentReader};
use crate::file::tail_reader::late::LateFiles;
use crate::file::watch_hub::WatchGuard;
use crate::history::{
    Event, EventKind, GapReason, History, Progress, ReadError, Rest, RotatedHow, Step, while_trying,
};

/// Reads a source forward.
#[derive(Debug)]
pub struct TailReader {
    files: Arc<Files>,
    reader: SegmentReader,
    /// Ready to be handed out.
    queue: VecDeque<Step>,
    pace: Pace,
    /// Of a live end: what wakes it.
    watch: Option<Arc<WatchGuard>>,
    state: State,
    of: Of,
    ahead: Ahead,
    seen: SeenFiles,
    /// Of a live end: files that were left, and may still be written to.
    late: LateFiles,
}

/// How a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At the live end: waits after a rotation until nobody writes to the old file any more.
    Live,
    /// Through what was written before.
    Backlog,
}

/// How the file that is read stands to the path of the source.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The path leads to it, as far as is known.
    Current,
    /// The path leads to another file, or to none.
    Astray { since: Instant },
    /// The next file has lines: this one is read out before it is left.
    Leaving {
        astray_since: Instant,
        since: Instant,
        /// Up to here it was read at the last look.
        read_to: u64,
        /// Since when nothing was added.
        quiet_since: Instant,
    },
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// What the file holds.
    Itself,
    /// The file was emptied, and this is the copy of what was in it.
    Copy {
        /// The greatest size of the file that was seen.
        seen_bytes: u64,
        /// The file itself.
        origin: Option<FileId>,
    },
}

/// What comes after the segment, as far as it was seen. Open, so that it cannot be lost to a rotator
/// that is faster than the reader.
#[derive(Debug)]
struct Ahead {
    segments: VecDeque<Arc<Segment>>,
    /// How the segment came to have a successor.
    how: RotatedHow,
    /// Bytes of the files that were seen between the segment and its successor and are gone.
    gone_bytes: u64,
}

/// What was seen before.
#[derive(Debug)]
struct SeenFiles {
    /// The source's files when the segment was begun; only noted at the live end.
    known: Vec<FileId>,
    /// The file that was read before this one: nothing up to it is read again.
    left: Option<Left>,
    /// When the segment was begun, if nothing was in it then and this reader may have missed what
    /// came first.
    begun_empty: Option<SystemTime>,
}

/// A file that was read to its end.
#[derive(Clone, Debug)]
struct Left {
    id: Option<FileId>,
    content: Content,
}

/// What comes after a segment.
struct Following {
    segment: Arc<Segment>,
    how: RotatedHow,
    /// Nothing comes after it.
    is_last: bool,
    /// It is the one that is written to.
    is_active: bool,
}

impl TailReader {
    /// A reader that begins at `offset` of `segment`.
    pub fn new(
        files: Arc<Files>,
        segment: Arc<Segment>,
        offset: u64,
        pace: Pace,
    ) -> io::Result<Self> {
        let reader = SegmentReader::new(segment, offset)?;
        let is_empty = reader.segment().size_and_change()?.0 == 0;
        let begun_empty = reader.segment().begun_empty().filter(|_| is_empty);
        let left = begun_empty.map(|_| before(&files, reader.segment())).transpose()?.flatten();
        let segments = VecDeque::new();
        let mut reader = TailReader {
            files,
            reader,
            queue: VecDeque::new(),
            pace,
            watch: None,
            state: State::Current,
            of: Of::Itself,
            ahead: Ahead { segments, how: RotatedHow::Renamed, gone_bytes: 0 },
            seen: SeenFiles { known: Vec::new(), left, begun_empty },
            late: LateFiles::default(),
        };
        reader.note_known()?;
        Ok(reader)
    }

    /// Goes on at the place `to` of this segment once it has come to the place `from`.
    pub fn leap(&mut self, from: u64, to: u64) {
        self.reader.leap(from, to);
    }

    fn note_known(&mut self) -> io::Result<()> {
        if self.pace == Pace::Live {
            self.seen.known = self.files.list()?.iter().map(|sibling| sibling.id).collect();
        }
        Ok(())
    }

    /// A reader of the live end, which is woken through `watch`.
    pub fn live(
        files: Arc<Files>,
        segment: Arc<Segment>,
        offset: u64,
        watch: Arc<WatchGuard>,
    ) -> io::Result<Self> {
        let mut reader = Self::new(files, segment, offset, Pace::Live)?;
        reader.watch = Some(watch);
        reader.note_last_lines()?;
        Ok(reader)
    }

    /// Reads on in the same segment; queues what was found.
    fn read(&mut self, limit: Option<&Place>) -> Result<(), ReadError> {
        let own: Arc<dyn Generation> = Arc::<Segment>::clone(self.reader.segment());
        let is_own = |limit: &&Place| crate::chunk::is_same(&limit.generation, &own);
        let last = limit.filter(is_own).map_or(u64::MAX, |limit| limit.offset);
        let block_bytes = match self.pace {
            Pace::Live => LIVE_BLOCK_BYTES,
            Pace::Backlog => BACKLOG_BLOCK_BYTES,
        };
        let path = self.reader.segment().path().to_owned();
        let block = match self.reader.next_block(block_bytes, last) {
            Err(error) if is_released(&error) => {
                let left = self.leave_released();
                return self.unless_moving(left);
            }
            block => block.map_err(while_trying(format!("reading {}", path.display())))?,
        };
        match block {
            Block::Chunk(chunk) => self.take_chunk(chunk),
            Block::Truncated => {
                let taken = self.take_truncation();
                self.unless_moving(taken)
            }
            Block::End if self.reader.read_to() >= last => {
                self.queue.push_back(Step::AtEnd { look_again: None });
                Ok(())
            }
            Block::End if self.take_late() => Ok(()),
            Block::End => {
                let looked = self.look_for_next(limit);
                self.unless_moving(looked)
            }
        }
    }

    fn take_chunk(&mut self, chunk: Arc<Chunk>) -> Result<(), ReadError> {
        match self.has_missed_some(&chunk) {
            Ok(true) => {}
            Ok(false) => {
                self.files.metrics().bytes_read.inc_by(chunk.raw().len() as u64);
                self.note_marks(&chunk);
                self.queue.push_back(Step::Chunk(chunk));
            }
            Err(error) => {
                // Only asked of a first chunk: it is read again when this is known.
                self.reader = begin(Arc::clone(self.reader.segment()))?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Notes where the lines before the live end ended.
    fn note_last_lines(&self) -> io::Result<()> {
        let (segment, end) = (self.reader.segment(), self.reader.read_to());
        if segment.is_archive() || segment.id().is_none() || !segment.redactor().is_empty() {
            return Ok(());
        }
        let from = end.saturating_sub(NOTED_BYTES).max(segment.data_start().min(end));
        let bytes = segment.read_range(from, end)?;
        let encoding = segment.encoding();
        let mut marks = Vec::new();
        let mut line_start = 0;
        encoding.for_each_line_end(&bytes, |line_end| {
            // The first line may have begun earlier.
            let line = bytes.get(line_start..line_end).unwrap_or_default();
            if line_start > 0 || from == 0 {
                marks.push((from + line_end as u64, check_of(line)));
            }
            line_start = line_end;
        });
        segment.marks().note(marks);
        Ok(())
    }

    /// Notes where lines end, for the case that the file is cut.
    fn note_marks(&self, chunk: &Chunk) {
        let marks = self.reader.segment().marks();
        match self.pace {
            Pace::Live => marks.note(chunk.lines().map(|line| (line.end_offset, line.check))),
            Pace::Backlog => {
                let end = chunk.end();
                marks.note([(end.offset, end.check)]);
            }
        }
    }

    /// A file that was listed and is gone when it is looked at is just being renamed or packed: what
    /// was begun has changed nothing, and is begun again in a moment.
    fn unless_moving(&mut self, done: Result<(), ReadError>) -> Result<(), ReadError> {
        match done {
            Err(error) if lineage::is_absence(&error.source) => {
                self.queue.push_back(Step::AtEnd { look_again: Some(LOOK_AGAIN) });
                Ok(())
            }
            done => done,
        }
    }

    /// The segment is read to its end: is there another one?
    fn look_for_next(&mut self, limit: Option<&Place>) -> Result<(), ReadError> {
        let found = self.find_next().map_err(while_trying(format!(
            "looking for what follows {}",
            self.reader.segment().path().display()
        )))?;
        let Some(next) = found else {
            self.stay();
            self.wait();
            return Ok(());
        };
        if self.must_wait(&next, limit)? {
            self.wait();
            return Ok(());
        }
        if self.must_drain(&next) { Ok(()) } else { self.step_over(next) }
    }

    /// Since when the path has led elsewhere.
    fn astray_since(&self) -> Option<Instant> {
        match self.state {
            State::Current => None,
            State::Astray { since: astray_since } | State::Leaving { astray_since, .. } => {
                Some(astray_since)
            }
        }
    }

    /// The path leads to the file that is read.
    fn come_back(&mut self) {
        self.state = State::Current;
        self.ahead.segments.clear();
    }

    /// The path leads elsewhere.
    fn go_astray(&mut self) {
        if let State::Current = self.state {
            self.state = State::Astray { since: Instant::now() };
        }
    }

    /// The file is not left yet: nothing comes after it, or its writer has not gone over.
    fn stay(&mut self) {
        if let State::Leaving { astray_since, .. } = self.state {
            self.state = State::Astray { since: astray_since };
        }
    }

    /// Nothing more for now. What a rotator does next may go unnoticed by the watch, so that it is
    /// looked for at short intervals for a while.
    fn wait(&mut self) {
        let astray_since = self.astray_since();
        let is_unsettled = astray_since.is_some_and(|since| since.elapsed() < ROTATE_PATIENCE);
        let look_again = is_unsettled.then_some(LOOK_AGAIN);
        if let Some(watch) = self.watch.as_ref().filter(|_| !is_unsettled) {
            let segment = self.reader.segment();
            let is_astray = astray_since.is_some() && segment.id().is_some();
            watch.watch_beside(is_astray.then(|| segment.path()));
        }
        self.queue.push_back(Step::AtEnd { look_again });
    }

    /// Whether to stay with the old file although there is a new one.
    fn must_wait(&mut self, next: &Following, limit: Option<&Place>) -> Result<bool, ReadError> {
        let has_own_end = self.reader.segment().is_archive()
            || self.reader.segment().id().is_none()
            || self.of != Of::Itself;
        if has_own_end || !next.is_last {
            return Ok(false);
        }
        if self.pace == Pace::Backlog {
            // The live end knows whether somebody still writes to the old file.
            let live_end = limit.and_then(|limit| self.files.segment_of(limit));
            return Ok(next.is_active && live_end.is_some_and(|end| end.id() != next.segment.id()));
        }
        let what = || format!("looking at {}", next.segment.path().display());
        if next.segment.size_and_change().map_err(while_trying(what()))?.0 == 0 {
            // The writer has not gone over yet: until it has, it writes to the old file.
            self.stay();
            return Ok(true);
        }
        let (since, quiet_since) = self.leave();
        let now = Instant::now();
        Ok(now - quiet_since < ROTATE_QUIET && now - since < ROTATE_PATIENCE)
    }

    /// Begins to leave the file, or notes whether it has grown since. Since when it is left, and since
    /// when nothing was added.
    fn leave(&mut self) -> (Instant, Instant) {
        let (now, read_to) = (Instant::now(), self.reader.read_to());
        let (astray_since, since, quiet_since) = match self.state {
            State::Current => (now, now, now),
            State::Astray { since } => (since, now, now),
            State::Leaving { astray_since, since, read_to: before, quiet_since } => {
                (astray_since, since, if before == read_to { quiet_since } else { now })
            }
        };
        self.state = State::Leaving { astray_since, since, read_to, quiet_since };
        (since, quiet_since)
    }

    /// Whether the old file has to be read once more, now that the new one has been seen: what was
    /// written to it before the new one was begun is then surely read.
    fn must_drain(&mut self, next: &Following) -> bool {
        let is_growing =
            self.reader.segment().id().is_some() && !self.reader.segment().is_archive();
        let is_leaving = matches!(self.state, State::Leaving { .. });
        if !is_growing || is_leaving || next.how == RotatedHow::Truncated {
            return false;
        }
        self.leave();
        true
    }

    /// Leaves the segment for the next one.
    fn step_over(&mut self, next: Following) -> Result<(), ReadError> {
        let was_absent = self.reader.segment().id().is_none();
        let fresh = begin(next.segment)?;
        self.files.note_end(self.reader.segment());
        let start = self.take_last_line();
        if let Of::Copy { seen_bytes, origin: _ } = self.of {
            self.push_gap(&start, seen_bytes.saturating_sub(start.offset), GapReason::Truncated);
        }
        let gone = std::mem::take(&mut self.ahead.gone_bytes);
        self.push_gap(&start, gone, GapReason::RotatedAway);
        self.of = match self.of {
            // As long as the file itself has not come, what comes is another copy of it.
            Of::Copy { seen_bytes: _, origin }
                if origin != fresh.segment().id() && !next.is_active =>
            {
                Of::Copy { seen_bytes: 0, origin }
            }
            Of::Copy { .. } | Of::Itself => Of::Itself,
        };
        self.go_over_to(fresh)?;
        if !was_absent {
            self.push_event(EventKind::Rotated(next.how), start, self.reader.place());
        }
        Ok(())
    }

    /// The file has been emptied, or cut. What was in it may have been copied away before.
    fn take_truncation(&mut self) -> Result<(), ReadError> {
        // What was seen to follow the old content follows the new one.
        self.ahead.segments.clear();
        let what = format!("looking for a copy of {}", self.reader.segment().path().display());
        if let Some(same) = self.find_same().map_err(while_trying(&what))? {
            return self.reader.go_on_in(same).map_err(while_trying(what));
        }
        if let Some(copy) = self.find_copy().map_err(while_trying(&what))? {
            let emptied = self.reader.segment();
            self.of = Of::Copy { seen_bytes: emptied.seen_bytes(), origin: emptied.id() };
            let what = format!("opening the copy {}", copy.path().display());
            return self.reader.go_on_in(copy).map_err(while_trying(what));
        }
        // What can fail comes first: it is tried again, and nothing may be reported twice.
        let rest = self.find_rest().map_err(while_trying(&what))?;
        let (fresh, untold) = if let Some((rest, offset, is_only)) = rest {
            rest.marks().take_over(self.reader.segment().marks(), offset);
            let fresh = SegmentReader::new(rest, offset).map_err(while_trying(&what))?;
            (fresh, if is_only { 0 } else { offset })
        } else {
            let next = self.find_next().map_err(while_trying(&what))?;
            let segment = next.map_or_else(|| self.files.absent(), |next| next.segment);
            (begin(segment)?, 0)
        };
        // A rest with nothing after it is a line; of another one the end is gone.
        let seen = self.reader.segment().seen_bytes();
        let is_all = self.reader.read_to() >= seen;
        let start = if is_all { self.take_last_line() } else { self.reader.place() };
        let lost = seen.saturating_sub(start.offset);
        self.push_gap(&start, lost + untold, GapReason::Truncated);
        self.go_over_to(fresh)?;
        self.push_event(EventKind::Rotated(RotatedHow::Truncated), start, self.reader.place());
        Ok(())
    }

    /// The file was deleted, and closed as too many such were held for readers who are behind.
    fn leave_released(&mut self) -> Result<(), ReadError> {
        let what = format!("leaving {}", self.reader.segment().path().display());
        let Some(next) = self.find_next().map_err(while_trying(&what))? else {
            self.wait();
            return Ok(());
        };
        let fresh = begin(next.segment)?;
        let start = self.reader.place();
        let size = self.reader.segment().size_and_change().map_err(while_trying(&what))?.0;
        self.push_gap(&start, size.saturating_sub(start.offset), GapReason::Deleted);
        let gone = std::mem::take(&mut self.ahead.gone_bytes);
        self.push_gap(&start, gone, GapReason::RotatedAway);
        self.of = Of::Itself;
        self.go_over_to(fresh)?;
        self.push_event(EventKind::Rotated(RotatedHow::Replaced), start, self.reader.place());
        Ok(())
    }

    /// What is left of the segment is a line: nobody writes to it any more. Returns its end.
    fn take_last_line(&mut self) -> Place {
        if let Some(rest) = self.reader.take_rest(true) {
            self.queue.push_back(Step::Chunk(Arc::new(rest)));
        }
        self.reader.place()
    }

    fn go_over_to(&mut self, reader: SegmentReader) -> Result<(), ReadError> {
        self.state = State::Current;
        self.ahead.segments.pop_front();
        let left = self.reader.segment();
        // The inode of one that was emptied stands for what it holds now, and that is not read yet.
        if !left.is_truncated() {
            let content =
                Content::of(left).map_err(while_trying("looking at the file that was read"))?;
            self.seen.left = Some(Left { id: left.id(), content });
        }
        self.seen.begun_empty = reader.segment().begun_empty();
        let left = std::mem::replace(&mut self.reader, reader);
        if self.pace == Pace::Live {
            self.late.keep(left);
        }
        self.note_known().map_err(while_trying("listing the files of a source"))
    }

    fn push_gap(&mut self, at: &Place, bytes: u64, reason: GapReason) {
        if bytes > 0 {
            self.push_event(EventKind::Gap { bytes, reason }, at.clone(), at.clone());
        }
    }

    fn push_event(&mut self, kind: EventKind, start: Place, end: Place) {
        self.queue.push_back(Step::Event(Event { kind, start, end }));
    }
}

impl History for TailReader {
    fn step(&mut self, limit: Option<&Place>) -> Result<Step, ReadError> {
        loop {
            if let Some(step) = self.queue.pop_front() {
                return Ok(step);
            }
            self.read(limit)?;
        }
    }

    fn give_up(&mut self) -> Result<bool, ReadError> {
        if !self.reader.segment().is_archive() {
            return Ok(false);
        }
        let path = self.reader.segment().path().display().to_string();
        let found = self.find_next().map_err(while_trying(format!("leaving {path}")))?;
        let Some(next) = found else { return Ok(false) };
        tracing::warn!(path, "is damaged, and left");
        self.files.metrics().damaged.inc();
        let (at, n_queued) = (self.reader.place(), self.queue.len());
        // How much it held cannot be told.
        let kind = EventKind::Gap { bytes: 0, reason: GapReason::Damaged };
        self.push_event(kind, at.clone(), at);
        if let Err(error) = self.step_over(next) {
            // It is left at the next try, and told once.
            self.queue.truncate(n_queued);
            return Err(error);
        }
        Ok(true)
    }

    fn place(&self) -> Place {
        self.reader.place()
    }

    fn take_rest(&mut self, quiet: Duration) -> Rest {
        if !self.reader.has_rest() {
            return Rest::None;
        }
        let changed = self.reader.segment().size_and_change().ok().and_then(|(_, change)| change);
        let age = changed.and_then(|change| SystemTime::now().duration_since(change).ok());
        // The clock may have been set: what this reader saw itself counts, too.
        let age = age.unwrap_or_default().max(self.reader.grown().elapsed());
        let left = quiet.saturating_sub(age);
        if !left.is_zero() {
            return Rest::Growing(left);
        }
        match self.reader.take_rest(false) {
            Some(rest) => Rest::Piece(Arc::new(rest)),
            None => Rest::None,
        }
    }

    fn progress(&self) -> Progress {
        let (size, modified) = self.reader.segment().size_and_change().unwrap_or_default();
        Progress { size, modified }
    }
}

/// A reader of all that `segment` holds.
fn begin(segment: Arc<Segment>) -> Result<SegmentReader, ReadError> {
    let what = format!("reading {}", segment.path().display());
    SegmentReader::new(segment, 0).map_err(while_trying(what))
}

/// The file that comes before a segment. Who begins with the segment has no wish for it.
fn before(files: &Files, segment: &Segment) -> io::Result<Option<Left>> {
    let siblings = files.list()?;
    let own = siblings.iter().position(|sibling| Some(sibling.id) == segment.id());
    let before = own.and_then(|own| own.checked_sub(1)).and_then(|before| siblings.get(before));
    let Some(sibling) = before else { return Ok(None) };
    let head = match files.head_of(sibling) {
        // It is just being renamed or packed: its identity tells it, or nothing does.
        Err(error) if lineage::is_absence(&error) => Vec::new(),
        head => head?,
    };
    let content = Content { head, end: None, is_whole: true, modified: sibling.modified };
    Ok(Some(Left { id: Some(sibling.id), content }))
}

/// The old file has to be this quiet before it is left for the new one.
const ROTATE_QUIET: Duration = Duration::from_millis(300);

/// However, lines of the new file do not wait longer than this.
const ROTATE_PATIENCE: Duration = Duration::from_secs(5);

/// While the path does not lead to the file that is read.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Segments that the live end holds open beyond its own.
const MAX_AHEAD: usize = 16;

/// How much before the live end is noted, for the case that the file is cut.
const NOTED_BYTES: u64 = 64 * 1024;

/// Chunks of the live end are shared and kept: small.
const LIVE_BLOCK_BYTES: usize = 64 * 1024;

/// Chunks of a backlog are one viewer's own, and are gone once sent.
const BACKLOG_BLOCK_BYTES: usize = 128 * 1024;
