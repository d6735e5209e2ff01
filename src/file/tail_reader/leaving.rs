//! Leaving: how a reader goes over from one segment to the next, what it reports then, and what word the
//! live end leaves for those who are behind.

use std::io;
use std::sync::Arc;

use crate::chunk::Position;
use crate::file::content::Content;
use crate::file::segment::Segment;
use crate::file::segment::handover::Handover;
use crate::file::segment_reader::SegmentReader;
use crate::file::tail_reader::{
    Following, Goal, Left, MAX_OLDER, Of, Pace, State, TailReader, begin,
};
use crate::history::{
    Event, EventKind, GapReason, ReadError, RotatedHow, StreamItem, while_trying,
};

impl TailReader {
    /// Leaves the segment for the next one.
    pub(super) fn step_over(&mut self, next: Following) -> Result<(), ReadError> {
        let was_absent = self.reader.segment().id().is_none();
        let fresh = begin(next.segment)?;
        self.files.note_end(self.reader.segment());
        let start = self.take_last_line();
        let unread = match self.of {
            Of::Copy { seen_bytes, origin: _ } => seen_bytes.saturating_sub(start.offset),
            Of::Itself => 0,
        };
        let gone = std::mem::take(&mut self.ahead.gone_bytes);
        self.of = match self.of {
            // As long as the file itself has not come, what comes is another copy of it.
            Of::Copy { seen_bytes: _, ref origin }
                if origin.id() != fresh.segment().id() && !next.is_active =>
            {
                Of::Copy { seen_bytes: 0, origin: Arc::clone(origin) }
            }
            Of::Copy { .. } | Of::Itself => Of::Itself,
        };
        let gaps = [(unread, GapReason::Truncated), (gone, GapReason::RotatedAway)];
        self.go_over(fresh, start, &gaps, (!was_absent).then_some(next.how))
    }

    /// The file was deleted, and closed as too many such were held for readers who are behind.
    pub(super) fn leave_released(&mut self) -> Result<(), ReadError> {
        let what = format!("leaving {}", self.reader.segment().path().display());
        let Some(next) = self.find_next().map_err(while_trying(&what))? else {
            self.wait();
            return Ok(());
        };
        let fresh = begin(next.segment)?;
        let start = self.reader.place();
        let size = self.reader.segment().size_and_change().map_err(while_trying(&what))?.0;
        let gone = std::mem::take(&mut self.ahead.gone_bytes);
        self.of = Of::Itself;
        let lost = size.saturating_sub(start.offset);
        let gaps = [(lost, GapReason::Deleted), (gone, GapReason::RotatedAway)];
        self.go_over(fresh, start, &gaps, Some(RotatedHow::Replaced))
    }

    /// Goes over to another content, and says so: what is missing before it, and how it came.
    pub(super) fn go_over(
        &mut self,
        fresh: SegmentReader,
        start: Position,
        gaps: &[(u64, GapReason)],
        how: Option<RotatedHow>,
    ) -> Result<(), ReadError> {
        let from = Arc::clone(self.reader.segment());
        self.go_over_to(fresh)?;
        let gaps = gaps.iter().filter(|(bytes, _)| *bytes > 0);
        let gaps = gaps.map(|(bytes, reason)| EventKind::Gap { bytes: *bytes, reason: *reason });
        let events: Vec<EventKind> = gaps.chain(how.map(EventKind::Rotated)).collect();
        self.push_events(&events, &start);
        self.note_handover(&from, start.offset, events, false);
        Ok(())
    }

    /// Queues what happened between `start` and what is read now.
    pub(super) fn push_events(&mut self, events: &[EventKind], start: &Position) {
        for event in events {
            let end = match event {
                EventKind::Gap { .. } => start.clone(),
                EventKind::Rotated(_) => self.reader.place(),
            };
            self.push_event(*event, start.clone(), end);
        }
    }

    /// Goes on in another segment that holds the same content.
    pub(super) fn go_on_in(&mut self, segment: Arc<Segment>) -> io::Result<()> {
        let from = Arc::clone(self.reader.segment());
        self.reader.go_on_in(segment)?;
        let end = self.reader.place().offset;
        self.behind.note_same(&from);
        self.note_handover(&from, end, Vec::new(), true);
        Ok(())
    }

    /// Of a live end: leaves word for those who are behind.
    pub(super) fn note_handover(
        &self,
        from: &Arc<Segment>,
        end: u64,
        events: Vec<EventKind>,
        is_same: bool,
    ) {
        if self.pace == Pace::Live {
            let (to, Position { offset, check, .. }) =
                (Arc::clone(self.reader.segment()), self.reader.place());
            let number = self.files.number_handover();
            let handover = Handover { number, end, events, to, offset, check, is_same };
            self.files.note_handover(from, handover);
        }
    }

    /// What is left of the segment is a line: nobody writes to it any more. Returns its end.
    pub(super) fn take_last_line(&mut self) -> Position {
        if let Some(rest) = self.reader.take_rest(true) {
            self.queue.push_back(StreamItem::Chunk(Arc::new(rest)));
        }
        self.reader.place()
    }

    pub(super) fn go_over_to(&mut self, reader: SegmentReader) -> Result<(), ReadError> {
        self.state = State::Current;
        self.cut = None;
        self.behind.leave();
        // The goal is come to another way.
        let has_come = |goal: &mut Goal| goal.segment.id() == reader.segment().id();
        drop(self.behind.goal.take_if(has_come));
        self.ahead.segments.pop_front();
        let left = self.reader.segment();
        // The inode of one that was emptied stands for what it holds now, and that is not read yet.
        if !left.is_truncated() {
            let content =
                Content::of(left).map_err(while_trying("looking at the file that was read"))?;
            let before = self.seen.left.replace(Left { id: left.id(), content });
            self.seen.older.extend(before.and_then(|before| before.id));
            let n_spare = self.seen.older.len().saturating_sub(MAX_OLDER);
            self.seen.older.drain(..n_spare);
        }
        self.seen.begun_empty = reader.segment().begun_empty();
        let left = std::mem::replace(&mut self.reader, reader);
        if self.pace == Pace::Live {
            self.late.keep(left);
        }
        // As of when it was opened: what was copied away since may be what it held then.
        self.seen.known.clone_from(&self.ahead.known);
        Ok(())
    }

    pub(super) fn push_gap(&mut self, at: &Position, bytes: u64, reason: GapReason) {
        if bytes > 0 {
            self.push_event(EventKind::Gap { bytes, reason }, at.clone(), at.clone());
        }
    }

    pub(super) fn push_event(&mut self, kind: EventKind, start: Position, end: Position) {
        self.queue.push_back(StreamItem::Event(Event { kind, start, end }));
    }
}
