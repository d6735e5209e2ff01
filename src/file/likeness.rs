//! Likeness: whether a segment is the file that a cursor names: by device and inode, by its head, and
//! by what stands before the cursor's place.

use std::io;

use crate::cursor::{CHECK_BYTES, Cursor, check_of, hash32};
use crate::file::seek;
use crate::file::segment::{Segment, told_head};

/// How far a segment is what a cursor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The same file, and what it holds agrees.
    Sure,
    /// What it holds agrees.
    Likely,
    /// It is another one.
    None,
}

impl Likeness {
    /// How far `segment` is what `cursor` names.
    pub(super) fn of(cursor: &Cursor, segment: &Segment) -> io::Result<Self> {
        let key = &cursor.generation;
        let head = segment.head();
        let is_file = segment.id_hash() == key.file;
        let told = head.get(..usize::from(key.head_bytes));
        let told = told.filter(|told| told_head(told, segment.redactor()).len() == told.len());
        let is_head = told.is_some_and(|head| hash32(head) == key.head);
        let is_known = is_head && key.head_bytes > 0;
        // A hole punched into what was read leaves zeros in the file's place.
        let is_hole = is_file && is_zero(head.get(..usize::from(key.head_bytes)).unwrap_or(b"?"));
        if !(is_head && is_file || is_hole || is_known) {
            return Ok(Likeness::None);
        }
        if segment.is_archive() {
            return Ok(if is_known { Likeness::Likely } else { Likeness::None });
        }
        if segment.size_and_change()?.0 < cursor.offset {
            return Ok(Likeness::None);
        }
        let from = cursor.offset.saturating_sub(CHECK_BYTES as u64);
        let before = segment.read_range(from, cursor.offset)?;
        let is_checked = cursor.check == 0
            || !may_be_checked(segment, cursor.offset)?
            || before.is_empty()
            || check_of(&before) == cursor.check
            || is_hole && is_zero(&before);
        Ok(match (is_checked, is_file && is_head) {
            (false, true | false) => Likeness::None,
            (true, true) => Likeness::Sure,
            (true, false) => Likeness::Likely,
        })
    }
}

/// SECURITY: where something is masked, a place inside a line is believed without a look at the
/// bytes before it: the answer would tell whether a letter of a secret was guessed.
fn may_be_checked(segment: &Segment, offset: u64) -> io::Result<bool> {
    Ok(segment.redactor().is_empty() || seek::last_line_end(segment, offset)? == offset)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
