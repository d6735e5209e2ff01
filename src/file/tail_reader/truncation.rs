//! Truncation: what becomes of a reader whose file was emptied or cut.

use std::sync::Arc;

use crate::file::segment::Segment;
use crate::file::segment_reader::SegmentReader;
use crate::file::tail_reader::{Of, TailReader, begin};
use crate::history::{EventKind, GapReason, ReadError, RotatedHow, while_trying};

impl TailReader {
    /// The file has been emptied, or cut. What was in it may have been copied away before.
    pub(super) fn take_truncation(&mut self) -> Result<(), ReadError> {
        // What was seen to follow the old content follows the new one.
        self.ahead.segments.clear();
        let what = format!("looking for a copy of {}", self.reader.segment().path().display());
        if let Some(same) = self.find_same().map_err(while_trying(&what))? {
            let cut = self.find_cut(&same).map_err(while_trying(&what))?;
            self.go_on_in(same).map_err(while_trying(what))?;
            self.cut = cut;
            return Ok(());
        }
        if let Some(copy) = self.find_copy().map_err(while_trying(&what))? {
            let emptied = Arc::clone(self.reader.segment());
            self.of = Of::Copy { seen_bytes: emptied.seen_bytes(), origin: emptied };
            let what = format!("opening the copy {}", copy.path().display());
            return self.go_on_in(copy).map_err(while_trying(what));
        }
        // What can fail comes first: it is tried again, and nothing may be reported twice.
        self.ahead.known = self.list_known().map_err(while_trying(&what))?;
        if let Some((rest, offset, untold)) = self.find_rest().map_err(while_trying(&what))? {
            rest.marks().take_over(self.reader.segment().marks(), offset);
            let fresh = SegmentReader::new(rest, offset).map_err(while_trying(&what))?;
            return self.leave_truncated(fresh, untold);
        }
        let next = self.find_next().map_err(while_trying(&what))?;
        let segment = next.map_or_else(|| self.files.absent(), |next| next.segment);
        if !self.is_unread_in(&segment) {
            return self.leave_truncated(begin(segment)?, 0);
        }
        self.of = Of::Copy { seen_bytes: 0, origin: Arc::clone(self.reader.segment()) };
        let (fresh, start) = (begin(segment)?, self.reader.place());
        self.go_over(fresh, start, &[], Some(RotatedHow::Truncated))
    }

    /// Goes on in what is left, or comes next; what is gone is a gap, with `untold` bytes of which it is
    /// not known whether they were read.
    fn leave_truncated(&mut self, fresh: SegmentReader, untold: u64) -> Result<(), ReadError> {
        // A rest with nothing after it is a line; of another one the end is gone.
        let seen = self.reader.segment().seen_bytes();
        let is_all = self.reader.read_to() >= seen;
        let start = if is_all { self.take_last_line() } else { self.reader.place() };
        let lost = seen.saturating_sub(start.offset);
        let gap = (lost + untold, GapReason::Truncated);
        self.go_over(fresh, start, &[gap], Some(RotatedHow::Truncated))
    }

    /// Whether `next`, which comes after what was emptied, is a copy of that. Where nothing of it was read
    /// (and the file was opened empty) nothing but the order tells.
    fn is_unread_in(&self, next: &Segment) -> bool {
        let own = self.reader.segment();
        self.reader.read_to() <= own.data_start() && next.id().is_some() && next.id() != own.id()
    }

    /// Reports what was cut off, once all before it was read. Whether it has come to that now.
    pub(super) fn come_to_cut(&mut self) -> bool {
        let Some(cut) = self.cut.take_if(|cut| self.reader.read_to() >= cut.offset) else {
            return false;
        };
        let at = self.reader.place();
        self.push_gap(&at, cut.lost_bytes, GapReason::Truncated);
        self.push_event(EventKind::Rotated(RotatedHow::Truncated), at.clone(), at);
        true
    }
}
