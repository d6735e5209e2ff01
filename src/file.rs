//! File source: a log that is a file, with what it was rotated to. The only code that opens log
//! files. It does not know who reads, nor in which format.
//!
//! What may be opened: `location`, and never `own_files`. Which file it is: `file_id` (device, inode, birth
//! time), `content` (found again in another file), `resume` (which one a cursor names, and `return_position` what follows from that). Which file follows
//! which: `rotation` (by name; its `next` is pure, with its cases in `tests/cases`), `lineage` (the files in
//! order), `file_history` (what the folder was seen to hold).
//!
//! One open file: `segment` (its `handover`: how the live end left it), `files` (one, however many read it),
//! `held_file` (deleted ones), `fd_reserve` (descriptors kept back), `folders` (listings), `hole` (zeros that
//! a file begins with), `marks` (line ends that were read, in case the file is cut). Packed ones:
//! `archive`, `gzip` and `gzip_indexes` (positions to begin unpacking at, checksums).
//!
//! Reading: `segment_reader` (the lines of one segment), `tail_reader` (those of the source, and when a file
//! is left), `seek` (`tail`, `since`), `older` (pages, backwards), `search` (a filter on the blocking side),
//! `watch_hub` (linemux).

pub mod archive;
pub mod content;
pub mod fd_reserve;
pub mod file_history;
pub mod file_id;
pub mod files;
pub mod folders;
pub mod gzip;
pub mod gzip_indexes;
pub mod held_file;
pub mod hole;
pub mod lineage;
pub mod location;
pub mod marks;
pub mod older;
pub mod own_files;
pub mod resume;
mod return_position;
pub mod rotation;
pub mod search;
pub mod seek;
pub mod segment;
pub mod segment_reader;
pub mod tail_reader;
pub mod watch_hub;

use std::io;
use std::sync::Arc;

use crate::chunk::Position;
use crate::cursor::Cursor;
use crate::disk::{AllowanceSpent, DiskAccess, Disks};
use crate::feed::{FeedContext, FeedGuard, FeedSlot, LiveEnd};
use crate::file::archive::is_damage;
use crate::file::files::{Files, SharedFiles};
use crate::file::lineage::Sibling;
use crate::file::location::Location;
use crate::file::older::OlderSeek;
use crate::file::seek::TailSeek;
use crate::file::segment::Segment;
use crate::file::segment_reader::SegmentReader;
use crate::file::tail_reader::{Pace, TailReader};
use crate::file::watch_hub::{WatchGuard, WatchHub};
use crate::filter::Filter;
use crate::history::{GapReason, SourceReader, while_trying};
use crate::line::Zone;
use crate::redact::Redactor;
use crate::source::{
    Gap, Older, OpenError, Opened, SegmentStatus, Source, SourceName, Start, Status,
};

/// A log that is a file.
#[derive(Debug)]
pub struct FileSource {
    name: SourceName,
    files: Arc<Files>,
    feed: Arc<FeedSlot>,
    disk: Arc<DiskAccess>,
    context: FileContext,
}

/// What all file sources of a server share.
#[derive(Clone, Debug)]
pub struct FileContext {
    /// The context of live ends.
    pub feeds: FeedContext,
    /// Signals when a file may have changed.
    pub hub: Arc<WatchHub>,
    /// Where blocking calls run.
    pub disks: Arc<Disks>,
    /// The zone for times without one.
    pub zone: Arc<Zone>,
    /// What the files of all sources share.
    pub shared: Arc<SharedFiles>,
    /// The redaction of each source.
    pub redactors: Redactors,
}

/// Sets the redaction of sources; by default there is none.
#[derive(Clone, Default)]
pub struct Redactors(pub Option<RedactorOf>);

/// Returns the redaction of a source.
pub type RedactorOf = Arc<dyn Fn(&SourceName) -> Redactor + Send + Sync>;

impl std::fmt::Debug for Redactors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactors")
    }
}

/// Where a history begins.
struct HistoryStart {
    segment: Arc<Segment>,
    offset: u64,
    gap: Option<Gap>,
    /// The bytes before this offset, from the start of the file, are part of the history, too.
    head: u64,
    /// All that the live end has noted of how it went on from here counts.
    is_led: bool,
}

impl HistoryStart {
    fn at(segment: Arc<Segment>, offset: u64) -> Self {
        HistoryStart { segment, offset, gap: None, head: 0, is_led: false }
    }
}

impl FileSource {
    /// The source `name` at `location`. Opens nothing.
    #[must_use]
    pub fn new(name: SourceName, location: Location, context: FileContext) -> Self {
        let metrics = Arc::clone(&context.feeds.metrics);
        let shared = Arc::clone(&context.shared);
        let redactor = context.redactors.0.as_ref().map(|of| of(&name)).unwrap_or_default();
        let disk = Arc::new(context.disks.access(&location.path));
        let files = Arc::new(Files::new(&name, location, metrics, shared, redactor));
        FileSource { name, files, feed: Arc::default(), disk, context }
    }

    /// Where the source's files are.
    #[must_use]
    pub fn location(&self) -> &Location {
        self.files.location()
    }

    fn find(
        &self,
        start: &Start,
        filter: &Filter,
        end: &HistoryStart,
    ) -> io::Result<Option<HistoryStart>> {
        let found = match start {
            Start::Oldest => self.oldest()?,
            Start::At(place) => match self.files.segment_of(place) {
                Some(segment) if !segment.is_released() => {
                    Some(HistoryStart::at(segment, place.offset))
                }
                Some(_) | None => {
                    return self.resumed_after(&place.cursor().map_err(io::Error::other)?);
                }
            },
            Start::Since => match filter.since {
                Some(since) => Some(self.since(since, end)?),
                None => self.oldest()?,
            },
            Start::Tail(n_lines) => Some(self.tail(*n_lines, filter, end)?),
            Start::After(cursor) => return self.resumed_after(cursor),
        };
        Ok(Some(found.unwrap_or_else(|| HistoryStart::at(self.files.absent(), 0))))
    }

    fn oldest(&self) -> io::Result<Option<HistoryStart>> {
        let oldest = self.files.list()?.into_iter().next();
        oldest
            .map(|sibling| {
                let segment = self.files.open(&sibling)?;
                Ok(HistoryStart::at(segment, 0))
            })
            .transpose()
    }

    /// A page of the lines before `before`. `None`: that is of another source.
    fn older_at(
        &self,
        before: &Cursor,
        filter: &Filter,
        n_lines: usize,
    ) -> io::Result<Option<Older>> {
        let Some(end) = self.after(before)? else { return Ok(None) };
        let mut seek = OlderSeek::new(filter, &self.context.zone, n_lines);
        let mut segment = Arc::clone(&end.segment);
        let mut reached = match segment.id() {
            Some(_) => seek.in_segment(&segment, Some(end.offset))?,
            None => 0,
        };
        let mut earlier = self.backwards(&end)?.into_iter().peekable();
        let mut is_cut = false;
        while reached == 0
            && !seek.is_done()
            && let Some(sibling) = earlier.next()
        {
            let next = self.files.open(&sibling)?;
            match seek.in_segment(&next, None) {
                Ok(at) => (segment, reached) = (next, at),
                // A short page; the next one begins with this segment.
                Err(error) if AllowanceSpent::is_cause_of(&error) => {
                    is_cut = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let is_oldest = reached == 0 && earlier.peek().is_none() && !is_cut;
        let position = match segment.is_archive() {
            true => Position { generation: segment, offset: reached, check: 0 },
            false => SegmentReader::new(segment, reached)?.place(),
        };
        Ok(Some(seek.finish(position, is_oldest)))
    }

    /// The segments up to that of `end`, from young to old.
    fn backwards(&self, end: &HistoryStart) -> io::Result<Vec<Sibling>> {
        let mut siblings = self.files.list()?;
        let at = content::position(&siblings, &end.segment, &self.files)?;
        siblings.truncate(at.unwrap_or(siblings.len()));
        siblings.reverse();
        Ok(siblings)
    }

    fn since(&self, since: i64, end: &HistoryStart) -> io::Result<HistoryStart> {
        let mut first = (Arc::clone(&end.segment), end.offset);
        for sibling in self.backwards(end)? {
            let is_before = sibling.modified.is_some_and(|changed| nanos_of(changed) < since);
            if is_before {
                break;
            }
            first = (self.files.open(&sibling)?, u64::MAX);
        }
        let (segment, size) = first;
        let size = if size == u64::MAX { segment.size_and_change()?.0 } else { size };
        let start = seek::since(&segment, since, size, &self.context.zone)?;
        Ok(HistoryStart { head: start.head, ..HistoryStart::at(segment, start.offset) })
    }

    fn tail(&self, n_lines: u64, filter: &Filter, end: &HistoryStart) -> io::Result<HistoryStart> {
        let zone = &self.context.zone;
        let lowest = filter.since.map(|since| self.since(since, end)).transpose()?;
        let lower_in = |segment: &Arc<Segment>| match &lowest {
            Some(lowest) if Arc::ptr_eq(&lowest.segment, segment) => lowest.offset,
            Some(_) | None => 0,
        };
        let mut seek = TailSeek { filter, zone, n_wanted: n_lines };
        let mut segment = Arc::clone(&end.segment);
        let mut offset = seek.in_segment(&segment, lower_in(&segment), end.offset)?;
        if seek.n_wanted > 0 {
            for sibling in self.backwards(end)? {
                let is_lowest =
                    lowest.as_ref().is_some_and(|at| Arc::ptr_eq(&at.segment, &segment));
                if seek.n_wanted == 0 || is_lowest {
                    break;
                }
                let earlier = self.files.open(&sibling)?;
                let size = earlier.size_and_change()?.0;
                match seek.in_segment(&earlier, lower_in(&earlier), size) {
                    Ok(start) => (segment, offset) = (earlier, start),
                    Err(error) if is_damage(&error) => {
                        tracing::warn!(path = %earlier.path().display(), %error, "is damaged");
                        self.files.metrics().damaged.inc();
                        let before = Position { generation: earlier, offset: 0, check: 0 };
                        let gap = Gap { before, bytes: 0, reason: GapReason::Damaged };
                        return Ok(HistoryStart {
                            gap: Some(gap),
                            ..HistoryStart::at(segment, offset)
                        });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(HistoryStart::at(segment, offset))
    }

    /// The end of what was written so far, including an unterminated line.
    fn written_end(&self) -> io::Result<HistoryStart> {
        let Some(sibling) = self.files.youngest()? else {
            return Ok(HistoryStart::at(self.files.absent(), 0));
        };
        let segment = self.files.open(&sibling)?;
        let offset = if segment.is_archive() { u64::MAX } else { segment.size_and_change()?.0 };
        Ok(HistoryStart::at(segment, offset))
    }

    fn open_at(
        &self,
        start: &Start,
        filter: &Filter,
        end: Option<&Position>,
    ) -> io::Result<Option<Opened>> {
        let ring_end = end.and_then(|position| {
            let segment = self.files.segment_of(position)?;
            Some(HistoryStart::at(segment, position.offset))
        });
        let has_live_end = ring_end.is_some();
        let mut end = match ring_end {
            Some(end) => end,
            None => self.written_end()?,
        };
        note_device(&self.disk, &end.segment);
        let Some(found) = self.find(start, filter, &end)? else { return Ok(None) };
        let before = match filter.uses_metadata() && found.head == 0 {
            true => seek::lines_before(&found.segment, found.offset)?,
            false => Vec::new(),
        };
        let files = Arc::clone(&self.files);
        let begin = if found.head > 0 { 0 } else { found.offset };
        let is_begun_in_end = Arc::ptr_eq(&found.segment, &end.segment);
        let mut history = TailReader::new(files, found.segment, begin, Pace::Backlog)?;
        if found.head > 0 {
            history.leap(found.head, found.offset);
        }
        if found.is_led || matches!(start, Start::At(_)) {
            history = history.resumed();
        } else if has_live_end || is_begun_in_end {
            history = history.towards(Arc::clone(&end.segment))?;
        } else if end.segment.id().is_some() && !end.segment.is_archive() {
            // Shared with nobody: of what others read there may be more, or less, than it holds now.
            let own_end = Arc::new(end.segment.again()?);
            history = history.towards(Arc::clone(&own_end))?;
            end.segment = own_end;
        }
        let generation = end.segment;
        let end = Position { generation, offset: end.offset, check: 0 };
        Ok(Some(Opened { history: Box::new(history), gap: found.gap, before, end }))
    }
}

impl Source for FileSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn subscribe(self: Arc<Self>) -> FeedGuard {
        let slot = Arc::clone(&self.feed);
        let context = self.context.feeds.clone();
        slot.subscribe(&context, || {
            let (hints, guard) = self.context.hub.watch(&self.files.active_path());
            let files = Arc::clone(&self.files);
            let guard = Arc::new(guard);
            let held = Box::new(Arc::clone(&guard));
            let (disk, own) = (Arc::clone(&self.disk), Arc::clone(&self.disk));
            let open = Arc::new(move || open_live(&files, &guard, &own));
            LiveEnd { open, hints, disk, held }
        })
    }

    fn disk(&self) -> &Arc<DiskAccess> {
        &self.disk
    }

    fn viewers(&self) -> usize {
        self.feed.n_viewers()
    }

    fn open(
        &self,
        start: &Start,
        filter: &Filter,
        end: Option<&Position>,
    ) -> Result<Opened, OpenError> {
        match self.files.settled(|| self.open_at(start, filter, end)) {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(OpenError::OtherSource(self.name.clone())),
            Err(source) => Err(OpenError::of(self.name.clone(), source)),
        }
    }

    fn older(&self, before: &Cursor, filter: &Filter, n_lines: usize) -> Result<Older, OpenError> {
        match self.files.settled(|| self.older_at(before, filter, n_lines)) {
            Ok(Some(older)) => Ok(older),
            Ok(None) => Err(OpenError::OtherSource(self.name.clone())),
            Err(source) => Err(OpenError::of(self.name.clone(), source)),
        }
    }

    fn status(&self) -> Status {
        let siblings = self.files.list_for_show().unwrap_or_default();
        let segments = siblings.into_iter().rev().map(|sibling| SegmentStatus {
            file: sibling.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            size: sibling.size,
            modified: sibling.modified,
        });
        Status { segments: segments.collect() }
    }
}

/// A reader at the end of the last whole line.
fn open_live(
    files: &Arc<Files>,
    watch: &Arc<WatchGuard>,
    disk: &DiskAccess,
) -> Result<Box<dyn SourceReader>, crate::history::ReadError> {
    let what = || format!("opening {}", files.location().path.display());
    let open = || {
        let segment = match files.youngest()? {
            Some(youngest) => {
                let last_written = if youngest.size == 0 { files.last_written()? } else { None };
                files.open(&last_written.unwrap_or(youngest))?
            }
            None => files.absent(),
        };
        note_device(disk, &segment);
        let (segment, end) = if segment.is_archive() {
            (files.absent(), 0)
        } else {
            let end = seek::last_line_end(&segment, segment.size_and_change()?.0)?;
            (segment, end)
        };
        TailReader::live(Arc::clone(files), segment, end, Arc::clone(watch))
    };
    let reader = files.settled(open).map_err(while_trying(what()))?;
    Ok(Box::new(reader))
}

/// A symlink may lead to another device.
fn note_device(disk: &DiskAccess, segment: &Segment) {
    if let Some(id) = segment.id() {
        disk.note_device(id.device());
    }
}

/// Nanoseconds since 1970; times out of range are clamped.
fn nanos_of(time: std::time::SystemTime) -> i64 {
    time.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
