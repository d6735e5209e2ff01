//! Tail reader: a source's lines, forward from a place, through rotation and truncation. The feed
//! reads with one, and so does each viewer that is behind; what has to be known of rotation stands
//! here and nowhere else.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::chunk::{Generation, Place};
use crate::file::files::Files;
use crate::file::lineage::{self, Sibling};
use crate::file::segment::Segment;
use crate::file::segment_reader::{Block, SegmentReader};
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
    /// The next segment has been seen; the old one is read out before the step over.
    leaving: Option<Leaving>,
    /// The greatest size of a truncated file whose copy is being read.
    copied_bytes: Option<u64>,
}

/// How a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At the live end: waits after a rotation until nobody writes to the old file any more.
    Live,
    /// Through what was written before.
    Backlog,
}

/// A segment that is about to be left.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    since: Instant,
    /// Up to here it was read at the last look.
    read_to: u64,
    /// Since when nothing was added.
    quiet_since: Instant,
}

/// What comes after a segment.
struct Next {
    sibling: Sibling,
    how: RotatedHow,
    /// Nothing comes after it.
    is_last: bool,
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
        let (queue, leaving, copied_bytes) = Default::default();
        Ok(TailReader { files, reader, queue, pace, leaving, copied_bytes })
    }

    /// Reads on in the same segment; queues what was found.
    fn read(&mut self, limit: u64) -> Result<(), ReadError> {
        let block_bytes = match self.pace {
            Pace::Live => LIVE_BLOCK_BYTES,
            Pace::Backlog => BACKLOG_BLOCK_BYTES,
        };
        let path = self.reader.segment().path().to_owned();
        let block = self
            .reader
            .next_block(block_bytes, limit)
            .map_err(while_trying(format!("reading {}", path.display())))?;
        match block {
            Block::Chunk(chunk) => {
                self.files.metrics().bytes_read.inc_by(chunk.raw().len() as u64);
                self.queue.push_back(Step::Chunk(chunk));
                Ok(())
            }
            Block::Truncated => self.take_truncation(),
            Block::End if self.reader.read_to() >= limit => {
                self.queue.push_back(Step::AtEnd { look_again: None });
                Ok(())
            }
            Block::End => self.look_for_next(),
        }
    }

    /// The segment is read to its end: is there another one?
    fn look_for_next(&mut self) -> Result<(), ReadError> {
        let found = self.find_next().map_err(while_trying(format!(
            "looking for what follows {}",
            self.reader.segment().path().display()
        )))?;
        let Some(next) = found else {
            self.leaving = None;
            self.queue.push_back(Step::AtEnd { look_again: None });
            return Ok(());
        };
        match self.patience(&next) {
            Some(look_again) => {
                self.queue.push_back(Step::AtEnd { look_again });
                Ok(())
            }
            None if self.must_drain(&next) => Ok(()),
            None => self.step_over(&next),
        }
    }

    /// How long to stay with the old file although there is a new one; none: go.
    #[expect(clippy::option_option, reason = "wait, and how long if that is known")]
    fn patience(&mut self, next: &Next) -> Option<Option<Duration>> {
        let has_own_end = self.reader.segment().is_archive()
            || self.reader.segment().id().is_none()
            || self.copied_bytes.is_some();
        if has_own_end || self.pace == Pace::Backlog || !next.is_last {
            return None;
        }
        if next.sibling.size == 0 {
            // The writer has not gone over yet: until it has, it writes to the old file.
            self.leaving = None;
            return Some(None);
        }
        let now = Instant::now();
        let read_to = self.reader.read_to();
        let leaving = self.leaving.get_or_insert(Leaving { since: now, read_to, quiet_since: now });
        if leaving.read_to != read_to {
            (leaving.read_to, leaving.quiet_since) = (read_to, now);
        }
        let quiet = now - leaving.quiet_since;
        let is_due = quiet >= ROTATE_QUIET || now - leaving.since >= ROTATE_PATIENCE;
        (!is_due).then(|| Some(ROTATE_QUIET.saturating_sub(quiet).max(Duration::from_millis(10))))
    }

    /// Whether the old file has to be read once more, now that the new one has been seen: what was
    /// written to it before the new one was begun is then surely read.
    fn must_drain(&mut self, next: &Next) -> bool {
        let is_growing =
            self.reader.segment().id().is_some() && !self.reader.segment().is_archive();
        if !is_growing || self.leaving.is_some() || next.how == RotatedHow::Truncated {
            return false;
        }
        let now = Instant::now();
        let read_to = self.reader.read_to();
        self.leaving = Some(Leaving { since: now, read_to, quiet_since: now });
        true
    }

    fn find_next(&self) -> io::Result<Option<Next>> {
        let segment = self.reader.segment();
        let active = lineage::active(self.files.location())?;
        let is_active = active.as_ref().is_some_and(|file| Some(file.id) == segment.id());
        if is_active && !segment.is_truncated() {
            return Ok(None);
        }
        if segment.id().is_none() {
            let oldest = self.files.list()?.into_iter().next();
            return Ok(oldest.map(|sibling| Next {
                sibling,
                how: RotatedHow::Replaced,
                is_last: true,
            }));
        }
        let siblings = self.files.list()?;
        let at = lineage::position(&siblings, segment, |sibling| self.files.head_of(sibling));
        let (number, how) = if let Some(at) = at {
            (Some(at + 1), RotatedHow::Renamed)
        } else {
            let change = segment.size_and_change()?.1;
            (lineage::first_after(&siblings, change), RotatedHow::Replaced)
        };
        let how = if self.copied_bytes.is_some() || segment.is_truncated() {
            RotatedHow::Truncated
        } else {
            how
        };
        let n_siblings = siblings.len();
        let next = number.and_then(|number| {
            let sibling = siblings.into_iter().nth(number)?;
            Some(Next { sibling, how, is_last: number + 1 == n_siblings })
        });
        Ok(next)
    }

    /// Leaves the segment for the next one.
    fn step_over(&mut self, next: &Next) -> Result<(), ReadError> {
        let segment = match self.files.open(&next.sibling) {
            Ok(segment) => segment,
            Err(error) if lineage::is_absence(&error) => {
                // Renamed or packed between the look and the opening: look again.
                let look_again = Some(Duration::from_millis(20));
                self.queue.push_back(Step::AtEnd { look_again });
                return Ok(());
            }
            Err(error) => {
                let what = format!("opening {}", next.sibling.path.display());
                return Err(while_trying(what)(error));
            }
        };
        let was_absent = self.reader.segment().id().is_none();
        if let Some(rest) = self.reader.take_rest(true) {
            self.queue.push_back(Step::Chunk(Arc::new(rest)));
        }
        let start = self.reader.place();
        if let Some(seen) = self.copied_bytes.take() {
            self.push_gap(&start, seen.saturating_sub(start.offset));
        }
        self.begin(segment)?;
        if !was_absent {
            self.push_event(EventKind::Rotated(next.how), start, self.reader.place());
        }
        Ok(())
    }

    /// The file has been emptied. What was in it may have been copied away before.
    fn take_truncation(&mut self) -> Result<(), ReadError> {
        let what = format!("looking for a copy of {}", self.reader.segment().path().display());
        if let Some(copy) = self.find_copy().map_err(while_trying(&what))? {
            self.copied_bytes = Some(self.reader.segment().seen_bytes());
            let what = format!("opening the copy {}", copy.path().display());
            return self.reader.go_on_in(copy).map_err(while_trying(what));
        }
        if let Some(rest) = self.reader.take_rest(true) {
            self.queue.push_back(Step::Chunk(Arc::new(rest)));
        }
        let start = self.reader.place();
        let lost = self.reader.segment().seen_bytes().saturating_sub(start.offset);
        self.push_gap(&start, lost);
        match self.find_next().map_err(while_trying(&what))? {
            Some(next) => {
                let what = format!("opening {}", next.sibling.path.display());
                let segment = self.files.open(&next.sibling).map_err(while_trying(what))?;
                self.begin(segment)?;
            }
            None => self.begin(self.files.absent())?,
        }
        self.push_event(EventKind::Rotated(RotatedHow::Truncated), start, self.reader.place());
        Ok(())
    }

    /// A sibling that holds what the segment held, at least as far as it was read.
    fn find_copy(&self) -> io::Result<Option<Arc<Segment>>> {
        let (segment, read_to) = (self.reader.segment(), self.reader.read_to());
        let head = segment.head();
        let siblings = self.files.list()?;
        for sibling in siblings.iter().rev().filter(|sibling| Some(sibling.id) != segment.id()) {
            let holds_head = match self.files.head_of(sibling) {
                Ok(other) => !head.is_empty() && other.starts_with(&head),
                Err(error) if lineage::is_absence(&error) => false,
                Err(error) => return Err(error),
            };
            if holds_head {
                let copy = self.files.open(sibling)?;
                if holds_lead(&copy, read_to, self.reader.lead())? {
                    return Ok(Some(copy));
                }
            }
        }
        Ok(None)
    }

    fn begin(&mut self, segment: Arc<Segment>) -> Result<(), ReadError> {
        self.leaving = None;
        let what = format!("reading {}", segment.path().display());
        self.reader = SegmentReader::new(segment, 0).map_err(while_trying(what))?;
        Ok(())
    }

    fn push_gap(&mut self, at: &Place, bytes: u64) {
        if bytes > 0 {
            let kind = EventKind::Gap { bytes, reason: GapReason::Truncated };
            self.push_event(kind, at.clone(), at.clone());
        }
    }

    fn push_event(&mut self, kind: EventKind, start: Place, end: Place) {
        self.queue.push_back(Step::Event(Event { kind, start, end }));
    }
}

impl History for TailReader {
    fn step(&mut self, limit: Option<&Place>) -> Result<Step, ReadError> {
        let own: Arc<dyn Generation> = Arc::<Segment>::clone(self.reader.segment());
        let limit = limit
            .filter(|limit| crate::chunk::is_same(&limit.generation, &own))
            .map_or(u64::MAX, |limit| limit.offset);
        loop {
            if let Some(step) = self.queue.pop_front() {
                return Ok(step);
            }
            self.read(limit)?;
        }
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

/// Whether `segment` has `lead` just before `offset`.
fn holds_lead(segment: &Segment, offset: u64, lead: &[u8]) -> io::Result<bool> {
    let from = offset.saturating_sub(lead.len() as u64);
    match segment.unpack(from)? {
        None => Ok(segment.read_range(from, offset)? == lead),
        Some(mut archive) => {
            let mut there = vec![0; lead.len()];
            let is_long_enough =
                archive.skip_to(from)? && archive.read_full(&mut there)? == lead.len();
            Ok(is_long_enough && there == lead)
        }
    }
}

/// The old file has to be this quiet before it is left for the new one.
const ROTATE_QUIET: Duration = Duration::from_millis(300);

/// However, lines of the new file do not wait longer than this.
const ROTATE_PATIENCE: Duration = Duration::from_secs(5);

/// Chunks of the live end are shared and kept: small.
const LIVE_BLOCK_BYTES: usize = 64 * 1024;

/// Chunks of a backlog are one viewer's own, and are gone once sent.
const BACKLOG_BLOCK_BYTES: usize = 128 * 1024;
