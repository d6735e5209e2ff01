//! Behind: how a reader who is behind the live end goes the way that it went. What was emptied, cut or
//! deleted since cannot be told from the disk any more; the live end has noted it.

use std::io;
use std::sync::{Arc, Weak};

use crate::chunk::{Chunk, Generation, Position, is_same};
use crate::file::content::Content;
use crate::file::file_id::FileId;
use crate::file::segment::Segment;
use crate::file::segment::handover::Handover;
use crate::file::segment_reader::{Block, SegmentReader};
use crate::file::tail_reader::following::holds;
use crate::file::tail_reader::{Known, LOOK_AGAIN, Pace, TailReader};
use crate::history::{EventKind, GapReason, ReadError, RotatedHow, StreamItem, while_trying};

/// What a reader keeps of the way that it is led.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// The segment was come to as the live end did: nothing was missed before it.
    is_led: bool,
    /// A part of what was lost is read where it still is; then this comes next.
    owed: Option<Owed>,
    /// Segments of the same content that were read before.
    same: Vec<Weak<Segment>>,
    /// The handovers that had been when it began are none of its own.
    pub(super) begun: u64,
    /// Where the live end was then, if that is another file.
    pub(super) goal: Option<Goal>,
    /// What the segment held when this reader began.
    content: Option<Content>,
}

/// The segment in which the live end was when a reader began in an earlier one.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) segment: Arc<Segment>,
    /// What it held then; it may have been emptied since.
    pub(super) content: Content,
    /// Where its last line ended then, and the check of that.
    pub(super) mark: Option<(u64, u32)>,
    /// The source's files then.
    pub(super) known: Vec<FileId>,
}

#[derive(Debug)]
struct Owed {
    /// Up to here the stand-in holds what was lost.
    until: u64,
    /// It is what is left of the file itself.
    is_rest: bool,
    handover: Handover,
}

impl Behind {
    /// Of a reader who begins after so many handovers.
    pub(super) fn begun_after(n_handovers: u64) -> Self {
        Behind { begun: n_handovers, ..Behind::default() }
    }

    pub(super) fn is_led(&self) -> bool {
        self.is_led
    }

    pub(super) fn is_owed(&self) -> bool {
        self.owed.is_some()
    }

    /// What is known of the segment's content, if that is more than was read of it.
    pub(super) fn known_content(&self, read_to: u64) -> Option<&Content> {
        let is_more = |content: &&Content| content.end.as_ref().is_some_and(|it| it.0 > read_to);
        self.content.as_ref().filter(is_more)
    }

    /// Up to where the segment may be read.
    pub(super) fn until(&self) -> u64 {
        self.owed.as_ref().map_or(u64::MAX, |owed| owed.until)
    }

    /// The segment is left for one with another content.
    pub(super) fn leave(&mut self) {
        self.is_led = false;
        self.owed = None;
        self.content = None;
        self.same.clear();
    }

    pub(super) fn note_same(&mut self, segment: &Arc<Segment>) {
        self.same.retain(|same| same.strong_count() > 0);
        self.same.push(Arc::downgrade(segment));
    }

    pub(super) fn as_read(&self, place: Position, now: &Arc<Segment>) -> Position {
        let is_it =
            |same: &Weak<Segment>| std::ptr::addr_eq(same.as_ptr(), Arc::as_ptr(&place.generation));
        match self.same.iter().any(is_it) {
            true => Position { generation: Arc::<Segment>::clone(now), ..place },
            false => place,
        }
    }
}

impl TailReader {
    /// How the live end has left the segment, if that is to be seen by now.
    pub(super) fn handover(&self, limit: Option<&Position>) -> Option<Handover> {
        if self.pace == Pace::Live || self.behind.is_owed() || self.is_with_live_end(limit) {
            return None;
        }
        let onward = self.reader.segment().onward();
        onward.shorten();
        onward.get().filter(|handover| handover.number > self.behind.begun)
    }

    /// The goal, if `next` comes after it, or is what became of it.
    pub(super) fn goal_before(&mut self, next: &Arc<Segment>) -> io::Result<Option<Goal>> {
        let Some(goal) = &self.behind.goal else { return Ok(None) };
        let is_known = next.id().is_some_and(|id| goal.known.contains(&id));
        let is_same_file = next.id() == goal.segment.id();
        let is_it = Arc::ptr_eq(&goal.segment, next);
        // Packing makes a file anew: one that was not known may be of any age.
        let is_passed = match is_known || is_same_file || !next.is_archive() {
            true => is_same_file || !is_known,
            false => self.is_packed_in(goal, next)?,
        };
        if !is_passed {
            return Ok(None);
        }
        Ok(self.behind.goal.take().filter(|_| !is_it))
    }

    pub(super) fn is_packed_in(&self, goal: &Goal, packed: &Segment) -> io::Result<bool> {
        let siblings = self.files.list()?;
        let Some(packed) = siblings.iter().find(|sibling| Some(sibling.id) == packed.id()) else {
            return Ok(false);
        };
        let is_listed = siblings.iter().any(|sibling| Some(sibling.id) == goal.segment.id());
        Ok(goal.content.is_in(packed, &self.files)?
            || !is_listed && self.was_packed_to(&goal.segment, packed)?)
    }

    /// Notes what is being read: where what the goal held is read elsewhere, the goal is passed.
    pub(super) fn pass_goal(&mut self, chunk: &Chunk) {
        if self.behind.goal.is_none() {
            return;
        }
        let head = self.reader.segment().head();
        let has_passed = |goal: &mut Goal| {
            goal.mark.is_some_and(|(offset, check)| {
                (chunk.start().offset..=chunk.end().offset).contains(&offset)
                    && head.starts_with(&goal.content.head)
                    && chunk.lines().any(|it| it.end_offset == offset && it.check == check)
            })
        };
        drop(self.behind.goal.take_if(has_passed));
    }

    /// Goes over to where the live end was when this reader began.
    pub(super) fn come_to_goal(&mut self, goal: Goal) -> Result<(), ReadError> {
        let what = format!("going on in {}", goal.segment.path().display());
        let (own, content) = (Arc::clone(&goal.segment), goal.content.clone());
        let fresh = self
            .copy_of_goal(goal)
            .and_then(|copy| SegmentReader::new(copy.unwrap_or_else(|| Arc::clone(&own)), 0));
        let fresh = fresh.map_err(while_trying(what))?;
        let start = self.take_last_line();
        self.come_back();
        self.ahead.known = Known::default();
        self.go_over_to(fresh)?;
        self.behind.is_led = true;
        self.behind.note_same(&own);
        self.behind.content = Some(content);
        self.push_events(&[EventKind::Rotated(RotatedHow::Renamed)], &start);
        Ok(())
    }

    /// Where what the goal held is now, if its file was emptied since and nothing was noted of that.
    fn copy_of_goal(&self, goal: Goal) -> io::Result<Option<Arc<Segment>>> {
        let Goal { segment, content, mark: _, known: _ } = goal;
        let is_noted = segment.onward().get().is_some();
        if is_noted || segment.is_released() || holds(&segment.again()?, &content)? {
            return Ok(None);
        }
        segment.mark_truncated();
        for sibling in self.files.list()?.iter().rev() {
            if Some(sibling.id) != segment.id() && content.is_in(sibling, &self.files)? {
                return self.files.open(sibling).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether the live end is in the segment, as far as it has said.
    pub(super) fn is_with_live_end(&self, limit: Option<&Position>) -> bool {
        let own: Arc<dyn Generation> = Arc::<Segment>::clone(self.reader.segment());
        limit.is_some_and(|limit| is_same(&limit.generation, &own))
    }

    /// The live end has left the segment, which is read to its end, or cannot be read on for `reason`.
    pub(super) fn take_handover(
        &mut self,
        handover: Handover,
        reason: GapReason,
    ) -> Result<(), ReadError> {
        if handover.is_same {
            return self.go_on_in_same(handover);
        }
        let lost = handover.lost_from(self.reader.read_to());
        if lost > 0 && reason == GapReason::Truncated {
            let what =
                format!("looking for what is left of {}", self.reader.segment().path().display());
            if let Some(stand_in) = self.stand_in(&handover).map_err(while_trying(&what))? {
                let (segment, until, is_rest) = stand_in;
                self.go_on_in(segment).map_err(while_trying(what))?;
                self.behind.owed = Some(Owed { until, is_rest, handover });
                return Ok(());
            }
        }
        self.cross(handover, lost, reason)
    }

    /// Takes what was read where a part of what was lost still is.
    pub(super) fn take_from_stand_in(&mut self, block: Block) -> Result<(), ReadError> {
        let what = format!("reading {}", self.reader.segment().path().display());
        match block {
            Block::Chunk(chunk) if self.is_rest_whole().map_err(while_trying(&what))? => {
                self.take_chunk(chunk)
            }
            Block::Chunk(chunk) => {
                // Not delivered: the reader goes back to where it was.
                let (segment, offset) = (Arc::clone(self.reader.segment()), chunk.start().offset);
                self.reader = SegmentReader::new(segment, offset).map_err(while_trying(what))?;
                self.lose_stand_in()
            }
            Block::Truncated => self.lose_stand_in(),
            Block::End => self.end_stand_in(),
        }
    }

    /// The stand-in is lost as well.
    fn lose_stand_in(&mut self) -> Result<(), ReadError> {
        let Some(owed) = self.behind.owed.take() else { return Ok(()) };
        if !owed.is_rest {
            let lost = owed.handover.lost_from(self.reader.read_to());
            return self.cross(owed.handover, lost, GapReason::Truncated);
        }
        let Some(next) = owed.handover.to.onward().get() else {
            // The live end has yet to find out.
            self.behind.owed = Some(owed);
            self.queue.push_back(StreamItem::AtEnd { look_again: Some(LOOK_AGAIN) });
            return Ok(());
        };
        self.take_handover(owed.handover.and_then(next), GapReason::Truncated)
    }

    /// Whether what is left of the file is still what the live end has seen: it may have been cut again.
    /// Looked at after a read, so that nothing of another content is taken for it.
    fn is_rest_whole(&self) -> io::Result<bool> {
        let Some(owed) = self.behind.owed.as_ref().filter(|owed| owed.is_rest) else {
            return Ok(true);
        };
        match self.reader.segment().check_at(owed.handover.offset) {
            Ok(check) => Ok(check == owed.handover.check),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What stood in for the lost content is read.
    fn end_stand_in(&mut self) -> Result<(), ReadError> {
        let Some(owed) = &self.behind.owed else { return Ok(()) };
        if owed.is_rest && self.reader.read_to() < owed.until {
            return self.lose_stand_in();
        }
        let handover = owed.handover.clone();
        let lost = handover.lost_from(self.reader.read_to());
        self.cross(handover, lost, GapReason::Truncated)
    }

    fn go_on_in_same(&mut self, handover: Handover) -> Result<(), ReadError> {
        let what = format!("going on in {}", handover.to.path().display());
        self.go_on_in(handover.to).map_err(while_trying(what))
    }

    /// Goes over to what the live end went on in, and reports what it reported.
    fn cross(&mut self, handover: Handover, lost: u64, reason: GapReason) -> Result<(), ReadError> {
        let what = format!("going on in {}", handover.to.path().display());
        let fresh = SegmentReader::new(handover.to, handover.offset).map_err(while_trying(what))?;
        // Of a line whose end is lost nothing is shown.
        let start = if lost == 0 { self.take_last_line() } else { self.reader.place() };
        let lost = if lost == 0 { 0 } else { handover.end.saturating_sub(start.offset) };
        // What the live end has not read, and this reader has, is not lost.
        let mut more = start.offset.saturating_sub(handover.end);
        let mut events = Vec::with_capacity(handover.events.len() + 1);
        events.push(EventKind::Gap { bytes: lost, reason });
        for event in handover.events {
            events.push(match event {
                EventKind::Gap { bytes, reason } => {
                    let had = more.min(bytes);
                    more -= had;
                    EventKind::Gap { bytes: bytes - had, reason }
                }
                EventKind::Rotated(_) => event,
            });
        }
        events.retain(|event| !matches!(event, EventKind::Gap { bytes: 0, reason: _ }));
        self.come_back();
        self.ahead.known = Known::default();
        self.go_over_to(fresh)?;
        self.behind.is_led = true;
        self.push_events(&events, &start);
        Ok(())
    }

    /// Where a part of what was lost still is, and up to where: the file itself, if it was cut behind this
    /// reader, or a copy that was made before the end was written. And whether it is the file itself.
    fn stand_in(&self, handover: &Handover) -> io::Result<Option<(Arc<Segment>, u64, bool)>> {
        let (own, read_to) = (self.reader.segment(), self.reader.read_to());
        let is_cut =
            handover.to.id() == own.id() && !handover.to.is_truncated() && handover.check != 0;
        if is_cut && read_to < handover.offset && handover.offset <= handover.end {
            // Shared with nobody: at a position of the live end's own segment what is owed would be passed
            // over, as the viewer would go on there.
            return Ok(Some((Arc::new(handover.to.again()?), handover.offset, true)));
        }
        if self.reader.lead().is_empty() {
            return Ok(None);
        }
        Ok(self.find_copy()?.map(|copy| (copy, handover.end, false)))
    }
}
