//! Resume: which file of a source a cursor names, wherever that file is by now. A file that was
//! packed or copied has another inode, and files may begin alike or be alike throughout, so no single
//! piece of evidence is enough: identity, head, the line before the position, size, time of the last
//! change and the order of the files decide together.

use std::io;
use std::sync::Arc;

use crate::cursor::{Cursor, Version, check_of, check_v1, hash32};
use crate::file::archive::is_damage;
use crate::file::files::Files;
use crate::file::hole::count_zeros;
use crate::file::lineage::{Sibling, latest_written};
use crate::file::segment::{NANOS_A_MILLI, Segment, shown_head};

/// Files that a cursor may name, open, from old to young.
#[derive(Debug)]
pub struct Candidates {
    files: Vec<(Arc<Segment>, Evidence)>,
}

impl Candidates {
    /// Opens `siblings` and looks at them.
    pub fn open(files: &Files, cursor: &Cursor, siblings: &[&Sibling]) -> io::Result<Self> {
        let open = |sibling: &&Sibling| {
            let segment = files.open(sibling)?;
            let evidence = Evidence::of(cursor, sibling, &segment)?;
            Ok((segment, evidence))
        };
        Ok(Candidates { files: siblings.iter().map(open).collect::<io::Result<_>>()? })
    }

    /// The file that `cursor` names, if it is here. One of another source (not `is_own`) names only
    /// the very same file: two logs often begin alike.
    pub fn resolve(
        &self,
        cursor: &Cursor,
        is_own: bool,
    ) -> io::Result<Option<(Arc<Segment>, Certainty)>> {
        let evidence: Vec<Evidence> = self.files.iter().map(|(_, evidence)| *evidence).collect();
        let check = |at: usize| match self.files.get(at) {
            Some((segment, evidence)) if is_own || evidence.is_same_file => {
                check_agreement(cursor, segment, evidence.is_same_file)
            }
            Some(_) | None => Ok(Agreement::Differs),
        };
        let found = resolve(&evidence, cursor.generation.written, check)?;
        let named = |(at, certainty): (usize, Certainty)| {
            self.files.get(at).map(|(segment, _)| (Arc::clone(segment), certainty))
        };
        Ok(found.and_then(named))
    }

    /// Whether head and check of `cursor` can be compared with those of these files.
    #[must_use]
    pub fn are_comparable(&self, cursor: &Cursor) -> bool {
        self.files.iter().all(|(segment, _)| is_comparable(cursor, segment))
    }

    /// The very file that the cursor names, cut or emptied since: it does not begin as it did, but that may
    /// be behind the position, and it has the line before that. For a cursor that was not resolved.
    pub fn cut_behind(&self, cursor: &Cursor) -> io::Result<Option<Arc<Segment>>> {
        let is_in_head = cursor.offset < u64::from(cursor.generation.head_bytes);
        if !is_in_head || cursor.generation.version == Version::V1 {
            return Ok(None);
        }
        for (segment, it) in &self.files {
            if it.is_same_file
                && !it.is_packed
                && it.head == Agreement::Differs
                && check_agreement(cursor, segment, true)? == Agreement::Agrees
            {
                return Ok(Some(Arc::clone(segment)));
            }
        }
        Ok(None)
    }

    /// The very file that the cursor names, beginning as it did, and holding something else at its
    /// position; for a cursor that was not resolved.
    #[must_use]
    pub fn cut_short(&self) -> Option<Arc<Segment>> {
        let is_cut = |(_, it): &&(Arc<Segment>, Evidence)| {
            it.is_same_file && it.head == Agreement::Agrees && !it.is_packed
        };
        self.files.iter().find(is_cut).map(|(segment, _)| Arc::clone(segment))
    }
}

/// Whether `segment` begins as the file of `cursor` did; not known is no.
#[must_use]
pub fn begins_as(cursor: &Cursor, segment: &Segment) -> bool {
    head_agreement(cursor, segment, true) == Agreement::Agrees
}

/// Whether `cursor` may be a position in `segment`, by what was read of that: whatever is in its file now.
/// At the start of a file, where nothing was read, the time decides.
#[must_use]
pub fn was_read_of(cursor: &Cursor, segment: &Segment) -> bool {
    let is_in = match cursor.offset == segment.data_start() || cursor.offset == 0 {
        true => {
            segment.is_truncated() && segment.written() / NANOS_A_MILLI >= cursor.generation.written
        }
        false => segment.marks().check_at(cursor.offset) == Some(cursor.check),
    };
    is_in
        && segment.id().is_some_and(|id| id.is_in(cursor))
        && head_agreement(cursor, segment, false) == Agreement::Agrees
}

/// How a piece of evidence stands to what a cursor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It is as the cursor says.
    Agrees,
    /// It is not.
    Differs,
    /// One of the two does not tell.
    Unknown,
}

/// How sure it is which file a cursor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The evidence names it.
    Sure,
    /// An older file may be it as well, of which then something is missed.
    Doubtful,
}

/// What a file shows at a glance, beside a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Device, inode and birth time are the cursor's.
    pub is_same_file: bool,
    /// How the file begins.
    pub head: Agreement,
    /// It reaches as far as the cursor's position, as far as that is known.
    pub is_long_enough: bool,
    /// When it was last written to, in milliseconds since 1970.
    pub written: u64,
    /// It is packed.
    pub is_packed: bool,
}

impl Evidence {
    /// What `segment`, listed as `sibling`, shows beside `cursor`.
    fn of(cursor: &Cursor, sibling: &Sibling, segment: &Segment) -> io::Result<Self> {
        let is_same_file = sibling.id.is_in(cursor);
        let size = segment.size_and_change()?.0;
        let is_packed = segment.is_archive();
        Ok(Evidence {
            is_same_file,
            head: head_agreement(cursor, segment, is_same_file),
            is_long_enough: is_packed || size >= cursor.offset,
            written: latest_written(sibling) / NANOS_A_MILLI,
            is_packed,
        })
    }

    fn may_be(&self) -> bool {
        self.is_long_enough && self.head != Agreement::Differs
    }
}

/// Which of a source's files, listed from old to young, a cursor names whose file was last written to
/// at `written`. `check` compares the line before the position: it may have to unpack the file, and
/// is only called where it can decide.
///
/// A file cannot have been changed last before the cursor saw it change. So among files that agree the
/// oldest that was changed at that time or later is the one: those after it were begun later.
pub fn resolve(
    files: &[Evidence],
    written: u64,
    mut check: impl FnMut(usize) -> io::Result<Agreement>,
) -> io::Result<Option<(usize, Certainty)>> {
    let (mut same_file, mut copy, mut tied, mut earlier) = (None, None, None, Vec::new());
    let mut is_checked = false;
    for (at, file) in files.iter().enumerate().filter(|(_, file)| file.may_be()) {
        let agreement = check(at)?;
        let is_it = match agreement {
            Agreement::Differs => false,
            Agreement::Agrees => true,
            Agreement::Unknown => file.is_same_file || file.head == Agreement::Agrees,
        };
        if !is_it {
            continue;
        }
        let is_seen = agreement == Agreement::Agrees || file.head == Agreement::Agrees;
        if file.is_same_file {
            is_checked |= same_file.is_none() && agreement == Agreement::Agrees;
            same_file = same_file.or(Some((at, is_seen)));
        } else if file.written > written {
            copy = copy.or(Some(at));
        } else if file.written == written {
            tied = tied.or(Some(at));
        } else if agreement == Agreement::Agrees {
            earlier.push(at);
        }
    }
    // What was copied away and emptied has kept its identity; the copy is older in the list, and was
    // made after the cursor.
    let is_copy_first = match (copy, same_file) {
        (Some(copy), Some((own, is_seen))) => {
            copy < own && (!is_seen || files.get(copy).is_some_and(|copy| !copy.is_packed))
        }
        (Some(_) | None, Some(_) | None) => false,
    };
    let first = if is_copy_first { copy } else { same_file.map(|(own, _)| own) };
    let oldest = match (tied, copy) {
        (Some(tied), Some(copy)) => Some(tied.min(copy)),
        (tied, copy) => tied.or(copy),
    };
    // A time may have been lost in a copy: then one file that agrees is enough, and two are not.
    let only = if earlier.len() == 1 { earlier.pop() } else { None };
    // At the start of a file that begins like others nothing was seen that only it has: if it was copied
    // away, packed and emptied since, nothing tells.
    let is_doubtful = match (copy, same_file) {
        (Some(copy), Some((own, _))) => !is_copy_first && !is_checked && copy < own,
        (Some(_) | None, Some(_) | None) => false,
    };
    let certainty = if is_doubtful { Certainty::Doubtful } else { Certainty::Sure };
    Ok(first.or(oldest).or(only).map(|at| (at, certainty)))
}

/// Whether head and check of `cursor` were made as they would be for `segment` now. SECURITY: version 1
/// hashed what is to be hidden; no answer may depend on that.
#[must_use]
fn is_comparable(cursor: &Cursor, segment: &Segment) -> bool {
    match cursor.generation.version {
        Version::V1 => segment.redactor().is_empty(),
        Version::V2 => segment.redactor().fingerprint() == cursor.generation.redaction,
    }
}

/// How the beginning of `segment` stands to the head in `cursor`.
fn head_agreement(cursor: &Cursor, segment: &Segment, is_same_file: bool) -> Agreement {
    let key = &cursor.generation;
    if key.head_bytes == 0 || !is_comparable(cursor, segment) {
        return Agreement::Unknown;
    }
    let head = segment.head();
    let shown = shown_head(&head, segment.redactor());
    let is_head = |head: &[u8]| hash32(head) == key.head;
    match shown.get(..usize::from(key.head_bytes)) {
        Some(shown) if is_head(shown) => Agreement::Agrees,
        // A hole punched into what was read has taken the head with it.
        Some(_) | None if is_same_file && segment.data_start() > 0 => Agreement::Unknown,
        Some(_) | None => Agreement::Differs,
    }
}

/// How the line before the position in `segment` stands to that in `cursor`.
fn check_agreement(
    cursor: &Cursor,
    segment: &Segment,
    is_same_file: bool,
) -> io::Result<Agreement> {
    if cursor.offset == 0 || !is_comparable(cursor, segment) {
        return Ok(Agreement::Unknown);
    }
    if cursor.check == 0 && !segment.is_archive() {
        return Ok(Agreement::Unknown);
    }
    let before = match segment.line_shown_before(cursor.offset) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Agreement::Differs);
        }
        Err(error) if is_damage(&error) => return Ok(Agreement::Unknown),
        Err(error) => return Err(error),
    };
    let Some(before) = before.filter(|_| cursor.check != 0) else {
        return Ok(Agreement::Unknown);
    };
    // A hole came to it after the cursor was made. No other file has it at the same place.
    if count_zeros(&before) == before.len() {
        return Ok(if is_same_file || before.is_empty() {
            Agreement::Unknown
        } else {
            Agreement::Differs
        });
    }
    let check = match cursor.generation.version {
        Version::V1 => check_v1(&before),
        Version::V2 => check_of(&before),
    };
    Ok(if check == cursor.check { Agreement::Agrees } else { Agreement::Differs })
}

#[cfg(test)]
mod tests {
    use super::Agreement::{Agrees, Differs, Unknown};
    use super::*;

    const SEEN: u64 = 100;

    fn file(written: u64) -> Evidence {
        Evidence {
            is_same_file: false,
            head: Agrees,
            is_long_enough: true,
            written,
            is_packed: true,
        }
    }

    fn own(written: u64) -> Evidence {
        Evidence { is_same_file: true, is_packed: false, ..file(written) }
    }

    fn check(files: &[Evidence], checks: &[Agreement], expected: Option<usize>) {
        let found = resolve(files, SEEN, |at| Ok(checks[at])).unwrap();
        assert_eq!(found.map(|(at, _)| at), expected);
    }

    #[test]
    fn the_file_itself_is_found_wherever_it_is() {
        check(&[file(50), own(100), file(150)], &[Differs, Agrees, Differs], Some(1));
        check(&[own(100), file(150)], &[Unknown, Differs], Some(0));
    }

    #[test]
    fn of_packed_files_that_begin_alike_the_line_before_the_position_decides() {
        check(&[file(90), file(100), file(150)], &[Differs, Agrees, Differs], Some(1));
    }

    #[test]
    fn of_files_that_are_all_alike_the_time_decides() {
        check(&[file(90), file(100), file(150)], &[Agrees, Agrees, Agrees], Some(1));
        check(&[file(90), file(120), file(150)], &[Agrees, Agrees, Agrees], Some(1));
    }

    #[test]
    fn a_file_that_ends_before_the_position_is_not_it() {
        let short = Evidence { is_long_enough: false, ..own(120) };
        check(&[file(120), short], &[Agrees, Agrees], Some(0));
        check(&[short], &[Unknown], None);
    }

    #[test]
    fn what_was_copied_away_beats_the_same_inode_with_content_that_is_alike() {
        let copy = Evidence { is_packed: false, ..file(120) };
        check(&[copy, own(150)], &[Agrees, Agrees], Some(0));
    }

    #[test]
    fn a_packed_copy_beats_the_same_inode_of_which_nothing_is_seen() {
        let hole = Evidence { head: Unknown, ..own(150) };
        check(&[file(120), hole], &[Agrees, Unknown], Some(0));
        check(&[file(120), own(150)], &[Agrees, Agrees], Some(1));
    }

    #[test]
    fn where_only_the_beginning_was_seen_an_older_packed_file_is_a_doubt() {
        let found = |checks: [Agreement; 2]| {
            resolve(&[file(120), own(150)], SEEN, |at| Ok(checks[at])).unwrap()
        };
        assert_eq!(found([Unknown, Unknown]), Some((1, Certainty::Doubtful)));
        assert_eq!(found([Unknown, Agrees]), Some((1, Certainty::Sure)));
    }

    #[test]
    fn an_older_file_with_another_time_is_taken_only_if_it_is_the_only_one() {
        check(&[file(50)], &[Agrees], Some(0));
        check(&[file(50), file(60)], &[Agrees, Agrees], None);
        check(&[file(50)], &[Unknown], None);
    }
}
