//! Succession: which file comes after the one that was read. Told by identity, by the order of the
//! names and by the times at which files were written to; never by events.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crate::chunk::Chunk;
use crate::file::lineage::{self, Sibling};
use crate::file::segment::{Segment, millis_of};
use crate::file::tail_reader::{MAX_AHEAD, Next, Pace, TailReader, begin};
use crate::history::{ReadError, RotatedHow, while_trying};

impl TailReader {
    /// An empty file's first lines are not the source's next ones if it was filled, copied and
    /// emptied between two looks. Then the copy comes first.
    pub(super) fn has_missed_some(&mut self, first: &Chunk) -> Result<bool, ReadError> {
        let segment = Arc::clone(self.reader.segment());
        let Some(time) = self.begun_empty.filter(|_| first.start().offset == 0) else {
            return Ok(false);
        };
        let what = format!("looking for what came before {}", segment.path().display());
        let siblings = self.files.list().map_err(while_trying(&what))?;
        let own_place = siblings.iter().position(|sibling| Some(sibling.id) == segment.id());
        let first =
            self.first_unread_after(&siblings, millis_of(time)).map_err(while_trying(&what))?;
        let is_before = |first: &usize| own_place.is_none_or(|own| *first < own);
        let missed = first.filter(is_before).and_then(|missed| siblings.get(missed));
        let Some(missed) = missed.filter(|missed| !missed.is_active()) else { return Ok(false) };
        let missed = self.files.open(missed).map_err(while_trying(&what))?;
        // A copy of what is (still) in the file itself: it is about to be emptied.
        let (copied, own) = (missed.head(), segment.head());
        if copied.starts_with(&own) || own.starts_with(&copied) {
            return Ok(false);
        }
        let missed = begin(missed)?;
        // What the file holds now comes later: as the list has it, or without a name.
        let nameless = own_place.is_none();
        let again = nameless.then(|| self.files.again(&segment)).transpose();
        let again = again.map_err(while_trying(&what))?;
        segment.mark_missed();
        self.copied_bytes = Some(0);
        self.go_over_to(missed)?;
        self.ahead = again.into_iter().collect();
        Ok(true)
    }

    pub(super) fn find_next(&mut self) -> io::Result<Option<Next>> {
        let segment = Arc::clone(self.reader.segment());
        let active = lineage::active(self.files.location())?;
        let is_active = active.as_ref().is_some_and(|file| Some(file.id) == segment.id());
        if is_active && !segment.is_truncated() {
            self.astray_since = None;
            self.ahead.clear();
            return Ok(None);
        }
        self.astray_since.get_or_insert_with(Instant::now);
        let siblings = self.files.list()?;
        self.look_ahead(&siblings)?;
        let Some(next) = self.ahead.front().cloned() else { return Ok(None) };
        let is_truncated = self.copied_bytes.is_some() || segment.is_truncated();
        let how = if is_truncated { RotatedHow::Truncated } else { self.how };
        let last = siblings.last().filter(|last| Some(last.id) == next.id());
        let is_active = last.is_some_and(Sibling::is_active);
        Ok(Some(Next { segment: next, how, is_last: last.is_some(), is_active }))
    }

    /// Opens what comes after the segment; at the live end also what comes after that.
    fn look_ahead(&mut self, siblings: &[Sibling]) -> io::Result<()> {
        let last = Arc::clone(self.ahead.back().unwrap_or(self.reader.segment()));
        let (number, how) = self.what_follows(&last, siblings)?;
        for sibling in siblings.iter().skip(number.unwrap_or(siblings.len())) {
            let n_wanted = if self.pace == Pace::Live { MAX_AHEAD } else { 1 };
            if self.ahead.len() >= n_wanted {
                break;
            }
            match self.files.open(sibling) {
                Ok(segment) => {
                    if self.ahead.is_empty() {
                        self.how = how;
                        self.gone_bytes = match how {
                            RotatedHow::Replaced => {
                                self.files.gone_between(&last, &segment, siblings)
                            }
                            RotatedHow::Renamed | RotatedHow::Truncated => 0,
                        };
                    }
                    self.ahead.push_back(segment);
                }
                // Renamed or packed between the look and the opening: the next look tells.
                Err(error) if lineage::is_absence(&error) => break,
                Err(_later) if !self.ahead.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Which of the files follows a segment, and how that came.
    fn what_follows(
        &self,
        last: &Segment,
        siblings: &[Sibling],
    ) -> io::Result<(Option<usize>, RotatedHow)> {
        let mut later = self.first_unread_after(siblings, last.written())?;
        // A copy (or what it was packed to) of the content itself holds nothing new.
        while let Some(copy) = later.and_then(|at| siblings.get(at))
            && !copy.is_active()
            && self.is_copy(last, copy)?
        {
            later = later.map(|at| at + 1);
        }
        if last.id().is_none() {
            return Ok((later, RotatedHow::Replaced));
        }
        // What was emptied goes on under its own identity, by whatever name; unless it was filled,
        // copied and emptied again between two looks.
        let own = siblings.iter().position(|sibling| Some(sibling.id) == last.id());
        if let Some(own) = own.filter(|_| last.is_truncated()) {
            return Ok((Some(later.map_or(own, |later| later.min(own))), RotatedHow::Truncated));
        }
        let at = lineage::position(siblings, last, |sibling| self.files.head_of(sibling))?;
        if let Some(at) = at {
            return Ok((Some(at + 1), RotatedHow::Renamed));
        }
        let change = last.size_and_change()?.1;
        let n_read = self.n_read(siblings)?;
        let unread = siblings.get(n_read..).unwrap_or_default();
        let next = lineage::first_after(unread, change).map(|at| at + n_read);
        Ok((next, RotatedHow::Replaced))
    }

    /// How many of the files were read before this one.
    fn n_read(&self, siblings: &[Sibling]) -> io::Result<usize> {
        let Some(left) = &self.left else { return Ok(0) };
        if let Some(at) = siblings.iter().position(|sibling| Some(sibling.id) == left.id) {
            return Ok(at + 1);
        }
        // It may have been packed meanwhile.
        for (at, sibling) in siblings.iter().enumerate().rev() {
            let may_be = !sibling.is_active() && !left.head.is_empty();
            if may_be && self.files.head_of(sibling)?.starts_with(&left.head) {
                return Ok(at + 1);
            }
        }
        Ok(0)
    }

    /// The oldest file that was written to after a time and comes after what was read.
    fn first_unread_after(&self, siblings: &[Sibling], millis: u64) -> io::Result<Option<usize>> {
        let n_read = self.n_read(siblings)?;
        let unread = siblings.get(n_read..).unwrap_or_default();
        let first = lineage::first_written_after(unread, millis, &self.known);
        Ok(first.map(|at| at + n_read))
    }

    /// Whether a file begins with what is known of a segment.
    fn is_copy(&self, segment: &Segment, sibling: &Sibling) -> io::Result<bool> {
        let head = segment.head();
        Ok(!head.is_empty() && self.files.head_of(sibling)?.starts_with(&head))
    }

    /// The file itself, where it holds what was read of it after all. Another reader may have come
    /// to an empty segment, found that it had missed some before, and called its file emptied.
    pub(super) fn find_same(&self) -> io::Result<Option<Arc<Segment>>> {
        let (segment, read_to) = (self.reader.segment(), self.reader.read_to());
        if read_to == 0 || segment.is_archive() {
            return Ok(None);
        }
        let now = self.files.again(segment)?;
        let holds_head = now.head().starts_with(&segment.head());
        let is_same = holds_head && holds_lead(&now, read_to, self.reader.lead())?;
        Ok(is_same.then_some(now))
    }

    /// A sibling that holds what the segment held, at least as far as it was read.
    pub(super) fn find_copy(&self) -> io::Result<Option<Arc<Segment>>> {
        let (segment, read_to) = (self.reader.segment(), self.reader.read_to());
        let siblings = self.files.list()?;
        for sibling in siblings.iter().rev().filter(|sibling| Some(sibling.id) != segment.id()) {
            if self.is_copy(segment, sibling)? {
                let copy = self.files.open(sibling)?;
                if holds_lead(&copy, read_to, self.reader.lead())? {
                    return Ok(Some(copy));
                }
            }
        }
        Ok(None)
    }
}

/// Whether `segment` has `lead` just before `offset`.
fn holds_lead(segment: &Segment, offset: u64, lead: &[u8]) -> io::Result<bool> {
    let from = offset.saturating_sub(lead.len() as u64);
    match segment.unpack(from)? {
        None => {
            let is_long_enough = segment.size_and_change()?.0 >= offset;
            Ok(is_long_enough && segment.read_range(from, offset)? == lead)
        }
        Some(mut archive) => {
            let mut there = vec![0; lead.len()];
            let is_long_enough =
                archive.skip_to(from)? && archive.read_full(&mut there)? == lead.len();
            Ok(is_long_enough && there == lead)
        }
    }
}
