//! Where a client continues that comes back with a cursor: in the file that the cursor names, wherever that
//! is now, or in what comes after it, with a gap.

use std::io;
use std::sync::Arc;

use crate::chunk::Position;
use crate::cursor::Cursor;
use crate::file::lineage::{self, Sibling};
use crate::file::resume::{self, Candidates, Certainty};
use crate::file::segment::{NANOS_A_MILLI, Segment};
use crate::file::{FileSource, HistoryStart, seek};
use crate::history::GapReason;
use crate::source::Gap;

impl FileSource {
    /// Where a client continues that comes back with `cursor`. What the live end has seen of its file counts
    /// where the disk no longer shows it.
    pub(super) fn resumed_after(&self, cursor: &Cursor) -> io::Result<Option<HistoryStart>> {
        let found = self.after(cursor)?;
        // At the start of a file nothing tells it from another one that begins alike.
        let is_start = cursor.check == 0;
        let is_unsure = |found: &HistoryStart| {
            let is_same_file = found.segment.id().is_some_and(|id| id.is_in(cursor));
            found.gap.is_some() || is_start && is_same_file
        };
        let own_cursor = cursor.generation.source == self.files.source_hash();
        let is_asked = own_cursor && found.as_ref().is_some_and(is_unsure);
        let read = if is_asked { self.files.read_before(cursor) } else { None };
        Ok(match read {
            Some(segment) => {
                Some(HistoryStart { is_led: true, ..HistoryStart::at(segment, cursor.offset) })
            }
            None => found,
        })
    }

    /// The position of a cursor, wherever its file is now. `None`: it is of another source.
    pub(super) fn after(&self, cursor: &Cursor) -> io::Result<Option<HistoryStart>> {
        let siblings = self.files.list()?;
        let own_cursor = cursor.generation.source == self.files.source_hash();
        if own_cursor && cursor.generation.head_bytes == 0 && cursor.offset == 0 {
            return self.after_empty(cursor, &siblings).map(Some);
        }
        let written = cursor.generation.written;
        let is_likely = |sibling: &&Sibling| {
            let changed = lineage::latest_written(sibling) / NANOS_A_MILLI;
            sibling.id.is_in(cursor) || changed >= written
        };
        // Most cursors are of the active file: then no archive is opened.
        let likely: Vec<_> = siblings.iter().filter(is_likely).collect();
        let mut looked = Candidates::open(&self.files, cursor, &likely)?;
        let mut found = looked.resolve(cursor, own_cursor)?;
        if found.is_none() && likely.len() < siblings.len() {
            looked = Candidates::open(&self.files, cursor, &siblings.iter().collect::<Vec<_>>())?;
            found = looked.resolve(cursor, own_cursor)?;
        }
        if let Some((segment, certainty)) = found {
            let gap = match certainty {
                Certainty::Sure => match gone_in_hole(cursor, &segment) {
                    Some(gap) => return self.after_hole(cursor, &siblings, segment, gap).map(Some),
                    None => None,
                },
                Certainty::Doubtful => Some(Gap {
                    before: Position::gone(cursor),
                    bytes: 0,
                    reason: GapReason::RotatedAway,
                }),
            };
            return Ok(Some(HistoryStart { gap, ..HistoryStart::at(segment, cursor.offset) }));
        }
        if !own_cursor {
            return Ok(None);
        }
        if let Some(segment) = looked.cut_behind(cursor)? {
            let bytes = cursor.offset.saturating_sub(segment.data_start());
            let (before, reason) = (Position::gone(cursor), GapReason::Truncated);
            let gap = Some(Gap { before, bytes, reason });
            return Ok(Some(HistoryStart { gap, ..HistoryStart::at(segment, cursor.offset) }));
        }
        if let Some(segment) = looked.cut_short() {
            return cut_short(cursor, &segment).map(Some);
        }
        // Gone: continue with the oldest file that was written after it. Older ones have been read.
        // Late lines make an older file look younger: files known to come before are skipped.
        let n_before = self.files.n_before(cursor, &siblings);
        let unread = siblings.get(n_before..).unwrap_or_default();
        let next = lineage::first_written_after(unread, cursor.generation.written);
        let next = next.map(|at| at + n_before);
        // Under other redaction rules the cursor's own file is not recognised once it was rotated:
        // it is the oldest one written to later, and is skipped rather than sent again.
        let is_own = |at: usize| {
            !looked.are_comparable(cursor) && siblings.get(at).is_some_and(|it| !it.is_active())
        };
        let next = next.map(|at| if is_own(at) { at + 1 } else { at });
        let segment = match next.and_then(|next| siblings.get(next)) {
            Some(next) => self.files.open(next)?,
            None => self.files.absent(),
        };
        let (before, reason) = (Position::gone(cursor), GapReason::RotatedAway);
        let gap = Gap { before, bytes: 0, reason };
        Ok(Some(HistoryStart { gap: Some(gap), ..HistoryStart::at(segment, 0) }))
    }

    /// The place of a cursor whose own file begins with a hole that reaches beyond it: the file was emptied
    /// under a writer that does not append, and may have been copied and emptied again since.
    fn after_hole(
        &self,
        cursor: &Cursor,
        siblings: &[Sibling],
        segment: Arc<Segment>,
        gap: Gap,
    ) -> io::Result<HistoryStart> {
        let n_before = self.files.n_before(cursor, siblings);
        let unread = siblings.get(n_before..).unwrap_or_default();
        let first = lineage::first_written_after(unread, cursor.generation.written);
        let first = first.and_then(|at| unread.get(at)).filter(|it| Some(it.id) != segment.id());
        if let Some(first) = first {
            let copy = self.files.open(first)?;
            if let Some(gap) = gone_in_hole(cursor, &copy) {
                return Ok(HistoryStart { gap: Some(gap), ..HistoryStart::at(copy, 0) });
            }
        }
        Ok(HistoryStart { gap: Some(gap), ..HistoryStart::at(segment, cursor.offset) })
    }

    /// The place of a cursor of an empty file, or of none: that file, or an earlier one that was
    /// written to since (then it is a copy of what had been in that file).
    fn after_empty(&self, cursor: &Cursor, siblings: &[Sibling]) -> io::Result<HistoryStart> {
        let is_it = |sibling: &Sibling| sibling.id.is_in(cursor);
        let own = siblings.iter().position(is_it);
        let later = lineage::first_written_after(siblings, cursor.generation.written);
        let first = own.into_iter().chain(later).min();
        let segment = match first.and_then(|first| siblings.get(first)) {
            Some(first) => self.files.open(first)?,
            None => self.files.absent(),
        };
        Ok(HistoryStart::at(segment, 0))
    }
}

/// The gap between a cursor and the end of the hole that its file now begins with: the file was
/// truncated under a writer that does not append, or a hole was punched.
fn gone_in_hole(cursor: &Cursor, segment: &Segment) -> Option<Gap> {
    let bytes = segment.data_start().saturating_sub(cursor.offset);
    let (before, reason) = (Position::gone(cursor), GapReason::Truncated);
    // A cursor at 0 may have been made just after the truncation, and be of the current content.
    let has_begun = cursor.offset > 0
        || cursor.generation.head_bytes > 0 && !resume::begins_as(cursor, segment);
    (bytes > 0 && has_begun && !segment.is_archive()).then_some(Gap { before, bytes, reason })
}

/// The file of a cursor exists and has the same head, but not the cursor's line. Whether its
/// content is a remainder of the old one, or new with the same head, cannot be known: it is
/// reported as a gap, and reading continues after it.
fn cut_short(cursor: &Cursor, segment: &Arc<Segment>) -> io::Result<HistoryStart> {
    let end = seek::last_line_end(segment, segment.size_and_change()?.0)?;
    let (before, reason) = (Position::gone(cursor), GapReason::Truncated);
    let gap = Gap { before, bytes: end, reason };
    Ok(HistoryStart { gap: Some(gap), ..HistoryStart::at(Arc::clone(segment), end) })
}
