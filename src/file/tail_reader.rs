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

mod behind;
mod copying;
mod following;
mod late;
mod leaving;
mod truncation;
mod waiting;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::chunk::{Chunk, Generation, Position};
use crate::cursor::check_of;
use crate::file::archive::is_damage;
use crate::file::content::Content;
use crate::file::file_id::FileId;
use crate::file::files::Files;
use crate::file::held_file::is_released;
use crate::file::lineage::{self, Sibling};
use crate::file::marks::Mark;
use crate::file::segment::Segment;
use crate::file::segment_reader::{Block, SegmentReader};
use crate::file::tail_reader::behind::{Behind, Goal};
use crate::file::tail_reader::late::LateFiles;
use crate::file::watch_hub::WatchGuard;
use crate::history::{
    EventKind, GapReason, ReadError, Rest, RotatedHow, SourceReader, SourceStat, StreamItem,
    while_trying,
};

/// Reads a source forward.
#[derive(Debug)]
pub struct TailReader {
    files: Arc<Files>,
    reader: SegmentReader,
    /// Ready to be handed out.
    queue: VecDeque<StreamItem>,
    pace: Pace,
    /// Of a live end: what wakes it.
    watch: Option<Arc<WatchGuard>>,
    state: State,
    of: Of,
    ahead: Ahead,
    seen: SeenFiles,
    /// Of a live end: files that were left, and may still be written to.
    late: LateFiles,
    /// The file was cut while this reader was behind: up to here it holds what it held.
    cut: Option<Cut>,
    /// Of a reader who is behind.
    behind: Behind,
    block_bytes: usize,
    /// As of the last read: whoever asks for it must not wait for a disk.
    stat: SourceStat,
}

/// Where what a file held ends, and what of it is gone.
#[derive(Clone, Copy, Debug)]
struct Cut {
    offset: u64,
    lost_bytes: u64,
}

/// How a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At the live end: waits after a rotation until nobody writes to the old file any more.
    Live,
    /// Through what was written before.
    Backlog,
}

impl Pace {
    fn block_bytes(self) -> usize {
        match self {
            Self::Live => LIVE_BLOCK_BYTES,
            Self::Backlog => BACKLOG_BLOCK_BYTES,
        }
    }
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
#[derive(Clone, Debug)]
enum Of {
    /// What the file holds.
    Itself,
    /// The file was emptied, and this is the copy of what was in it.
    Copy {
        /// The greatest size of the file that was seen.
        seen_bytes: u64,
        /// The file itself, held open: what it was filled with since is read even if it is deleted.
        origin: Arc<Segment>,
    },
}

impl Of {
    fn is_copy(&self) -> bool {
        match self {
            Self::Copy { .. } => true,
            Self::Itself => false,
        }
    }
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
    /// The source's files when the first of them was opened.
    known: Known,
}

/// What was seen before.
#[derive(Debug)]
struct SeenFiles {
    /// The source's files when the segment was opened; not noted of the first segment of a backlog.
    known: Known,
    /// The file that was read before this one: nothing up to it is read again.
    left: Option<Left>,
    /// Files that were left before that: it may be gone.
    older: VecDeque<FileId>,
    /// When the segment was begun, if nothing was in it then and this reader may have missed what
    /// came first.
    begun_empty: Option<SystemTime>,
}

/// The files of a source at a moment.
#[derive(Clone, Debug, Default)]
struct Known {
    ids: Vec<FileId>,
    /// When the last of them was made or written to, in nanoseconds since 1970.
    until: u64,
}

impl Known {
    fn of(siblings: &[Sibling]) -> Self {
        let listed = lineage::listed(siblings);
        let until = listed.iter().map(|file| file.came).max().unwrap_or(0);
        Known { ids: listed.iter().map(|file| file.id).collect(), until }
    }
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
        let (size, modified) = reader.segment().size_and_change()?;
        let begun_empty = reader.segment().begun_empty().filter(|_| size == 0);
        let is_start = reader.read_to() == reader.segment().data_start();
        let may_miss = begun_empty.is_some() || pace == Pace::Live && is_start;
        let left = if may_miss { before(&files, reader.segment())? } else { None };
        let segments = VecDeque::new();
        let behind = Behind::begun_after(files.n_handovers());
        let mut reader = TailReader {
            files,
            reader,
            queue: VecDeque::new(),
            pace,
            watch: None,
            state: State::Current,
            of: Of::Itself,
            ahead: Ahead {
                segments,
                how: RotatedHow::Renamed,
                gone_bytes: 0,
                known: Known::default(),
            },
            seen: SeenFiles { known: Known::default(), left, older: VecDeque::new(), begun_empty },
            late: LateFiles::default(),
            cut: None,
            behind,
            block_bytes: pace.block_bytes(),
            stat: SourceStat { size, modified },
        };
        if pace == Pace::Live {
            reader.ahead.known = reader.list_known()?;
            reader.seen.known.clone_from(&reader.ahead.known);
        }
        Ok(reader)
    }

    /// It goes on for somebody who has read up to here: all that was noted since then counts.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        self.behind.begun = 0;
        self
    }

    /// Comes to `segment`, where the live end is: what becomes of that meanwhile is told.
    pub fn towards(mut self, segment: Arc<Segment>) -> io::Result<Self> {
        let is_own = Arc::ptr_eq(&segment, self.reader.segment());
        if is_own || segment.id().is_none() || segment.is_truncated() || segment.is_released() {
            return Ok(self);
        }
        // It may have been emptied, and the live end has yet to find out: then it is not where that is.
        let now = segment.again()?;
        if now.size_and_change()?.0 >= segment.seen_bytes() && segment.is_continued_by(&now)? {
            segment.learn_head(&now);
            let known = self.list_known()?.ids;
            let content = Content { is_whole: false, modified: None, ..Content::of(&now)? };
            segment.note_seen(content.end.as_ref().map_or(0, |(end, _)| *end));
            let mark = last_mark(&segment, &content)?;
            let noted = mark.map(|(offset, check)| (offset, Mark { check, start: None }));
            segment.marks().note(noted);
            // What it begins in may be what that was packed to.
            let own = self.reader.segment();
            let is_in_own = match mark {
                Some((offset, check)) if own.head().starts_with(&content.head) => {
                    let before = own.check_at(offset).or_else(none_at_end)?;
                    before == check
                }
                Some(_) | None => false,
            };
            if !is_in_own {
                self.behind.goal = Some(Goal { segment, content, mark, known });
            }
        }
        Ok(self)
    }

    /// Goes on at the place `to` of this segment once it has come to the place `from`.
    pub fn leap(&mut self, from: u64, to: u64) {
        self.reader.leap(from, to);
    }

    fn list_known(&self) -> io::Result<Known> {
        Ok(Known::of(&self.files.list()?))
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
    fn read(&mut self, limit: Option<&Position>) -> Result<(), ReadError> {
        let own: Arc<dyn Generation> = Arc::<Segment>::clone(self.reader.segment());
        let is_own = |limit: &&Position| crate::chunk::is_same(&limit.generation, &own);
        let last = limit.filter(is_own).map_or(u64::MAX, |limit| limit.offset);
        let last = self.cut.map_or(last, |cut| last.min(cut.offset)).min(self.behind.until());
        let path = self.reader.segment().path().to_owned();
        let block = match self.reader.next_block(self.block_bytes, last) {
            Err(error) if is_released(&error) => {
                let left = match self.handover(limit) {
                    Some(handover) => self.take_handover(handover, GapReason::Deleted),
                    None => self.leave_released(),
                };
                return self.unless_moving(left);
            }
            block => block.map_err(while_trying(format!("reading {}", path.display())))?,
        };
        if self.behind.is_owed() {
            let taken = self.take_from_stand_in(block);
            return self.unless_moving(taken);
        }
        match block {
            Block::Chunk(chunk) => {
                let taken = self.take_chunk(chunk);
                self.unless_moving(taken)
            }
            Block::Truncated => {
                let taken = match self.handover(limit) {
                    Some(handover) => self.take_handover(handover, GapReason::Truncated),
                    None if self.is_with_live_end(limit) => {
                        // It will find out as well, and say what comes next.
                        self.queue.push_back(StreamItem::AtEnd { look_again: Some(LOOK_AGAIN) });
                        Ok(())
                    }
                    None => self.take_truncation(),
                };
                self.unless_moving(taken)
            }
            Block::End if self.come_to_cut() => Ok(()),
            Block::End if self.reader.read_to() >= last => {
                self.queue.push_back(StreamItem::AtEnd { look_again: None });
                Ok(())
            }
            Block::End if self.take_late() => Ok(()),
            Block::End => {
                let looked = match self.handover(limit) {
                    Some(handover) => self.take_handover(handover, GapReason::Truncated),
                    None => self.look_for_next(limit),
                };
                self.unless_moving(looked)
            }
        }
    }

    fn take_chunk(&mut self, chunk: Arc<Chunk>) -> Result<(), ReadError> {
        match self.has_missed_some(&chunk) {
            Ok(true) => {}
            Ok(false) => {
                self.pass_goal(&chunk);
                self.files.metrics().bytes_read.inc_by(chunk.raw().len() as u64);
                self.note_marks(&chunk);
                self.queue.push_back(StreamItem::Chunk(chunk));
            }
            Err(error) => {
                // Only asked of a first chunk: it is read again when this is known.
                self.reader = begin(Arc::clone(self.reader.segment()))?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Of a file whose size cannot be had the last one stays; the next read says what is wrong.
    fn note_stat(&mut self) {
        if let Ok((size, modified)) = self.reader.segment().size_and_change() {
            self.stat = SourceStat { size, modified };
        }
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
                let start = Some(from + line_start as u64);
                marks.push((from + line_end as u64, Mark { check: check_of(line), start }));
            }
            line_start = line_end;
        });
        segment.marks().note(marks);
        Ok(())
    }

    /// Notes where lines end, for the case that the file is cut.
    fn note_marks(&self, chunk: &Chunk) {
        let marks = self.reader.segment().marks();
        let mut start = chunk.start().offset;
        let lines = chunk.lines().map(|line| {
            let mark = Mark { check: line.check, start: Some(start) };
            start = line.end_offset;
            (line.end_offset, mark)
        });
        match self.pace {
            Pace::Live => marks.note(lines),
            Pace::Backlog => {
                // The first ones, as files may begin alike and go on otherwise.
                let is_first = chunk.start().offset == self.reader.segment().data_start();
                marks.note(lines.take(if is_first { NOTED_LINES } else { 0 }));
                let end = chunk.end();
                marks.note([(end.offset, Mark { check: end.check, start: None })]);
            }
        }
    }

    /// A file that was listed and is gone when it is looked at is just being renamed or packed: what
    /// was begun has changed nothing, and is begun again in a moment.
    fn unless_moving(&mut self, done: Result<(), ReadError>) -> Result<(), ReadError> {
        match done {
            Err(error) if lineage::is_absence(&error.source) => {
                self.queue.push_back(StreamItem::AtEnd { look_again: Some(LOOK_AGAIN) });
                Ok(())
            }
            done => done,
        }
    }
}

impl Drop for TailReader {
    fn drop(&mut self) {
        if self.pace == Pace::Live {
            self.files.forget_left();
        }
    }
}

impl SourceReader for TailReader {
    fn step(&mut self, limit: Option<&Position>) -> Result<StreamItem, ReadError> {
        loop {
            if let Some(step) = self.queue.pop_front() {
                return Ok(step);
            }
            self.read(limit)?;
            self.note_stat();
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

    fn set_block_bytes(&mut self, n_bytes: usize) {
        self.block_bytes = n_bytes.min(self.pace.block_bytes());
    }

    fn place(&self) -> Position {
        self.reader.place()
    }

    fn as_read(&self, place: Position) -> Position {
        self.behind.as_read(place, self.reader.segment())
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

    fn progress(&self) -> SourceStat {
        self.stat
    }
}

/// A reader of all that `segment` holds.
fn begin(segment: Arc<Segment>) -> Result<SegmentReader, ReadError> {
    let what = format!("reading {}", segment.path().display());
    SegmentReader::new(segment, 0).map_err(while_trying(what))
}

/// The file that comes before a segment. A reader that begins with the segment does not need it.
fn before(files: &Files, segment: &Segment) -> io::Result<Option<Left>> {
    let siblings = files.list()?;
    let own = siblings.iter().position(|sibling| Some(sibling.id) == segment.id());
    let before = own.and_then(|own| own.checked_sub(1)).and_then(|before| siblings.get(before));
    let Some(sibling) = before else { return Ok(None) };
    let content = match files.open(sibling).and_then(|segment| Content::of(&segment)) {
        // It is just being renamed or packed: its identity tells it, or nothing does.
        Err(error) if lineage::is_absence(&error) => Content::default(),
        content => content?,
    };
    Ok(Some(Left { id: Some(sibling.id), content }))
}

/// Where the last line of `content`, which `segment` holds, ends, and the check of that.
fn last_mark(segment: &Segment, content: &Content) -> io::Result<Option<(u64, u32)>> {
    let Some((end, lead)) = &content.end else { return Ok(None) };
    let Some(line_end) = segment.encoding().last_line_end(lead) else { return Ok(None) };
    let offset = end - (lead.len() - line_end) as u64;
    Ok(Some((offset, segment.check_at(offset)?)).filter(|(_, check)| *check != 0))
}

/// Content that ends before a position, or is damaged, has nothing there.
fn none_at_end(error: io::Error) -> io::Result<u32> {
    let is_none = error.kind() == io::ErrorKind::UnexpectedEof || is_damage(&error);
    if is_none { Ok(0) } else { Err(error) }
}

/// The old file has to be this quiet before it is left for the new one.
const ROTATE_QUIET: Duration = Duration::from_millis(300);

/// However, lines of the new file do not wait longer than this.
const ROTATE_PATIENCE: Duration = Duration::from_secs(5);

/// While the path does not lead to the file that is read.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// As many as a live end keeps for late lines, and some that were deleted.
const MAX_OLDER: usize = 32;

/// Segments that the live end holds open beyond its own.
const MAX_AHEAD: usize = 16;

/// How much before the live end is noted, for the case that the file is cut.
const NOTED_BYTES: u64 = 64 * 1024;

/// How many lines at the start of a file are noted by who reads a backlog, for the same case.
const NOTED_LINES: usize = 256;

/// Chunks of the live end are shared and kept: small.
const LIVE_BLOCK_BYTES: usize = 64 * 1024;

/// Chunks of a backlog are one viewer's own, and are gone once sent.
const BACKLOG_BLOCK_BYTES: usize = 128 * 1024;
