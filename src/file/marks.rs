//! Marks: line ends that were read from a file, each with a check of the bytes before it. When the
//! file is suddenly shorter they show how much of what was read is still there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Offsets of line ends.
#[derive(Debug, Default)]
pub struct Marks {
    kept: Mutex<BTreeMap<u64, Mark>>,
}

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// [`crate::cursor::check_of`] the bytes before it.
    pub check: u32,
    /// Where its line begins; `None` if the end of the line before is not known.
    pub start: Option<u64>,
}

/// The last mark that still matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// Where it is.
    pub offset: u64,
    /// Whether the bytes before it are unique among the marks.
    pub is_only: bool,
    /// The next line end is known, too, and does not match: everything left was read up to here.
    pub is_exact: bool,
}

impl Marks {
    /// Adds line ends, in any order.
    pub fn note(&self, ends: impl IntoIterator<Item = (u64, Mark)>) {
        let mut kept = self.lock();
        for (offset, mark) in ends.into_iter().filter(|(_, mark)| mark.check != 0) {
            let known = kept.entry(offset).or_insert(mark);
            *known = Mark { start: mark.start.or(known.start), ..mark };
        }
        if kept.len() > MAX_MARKS {
            thin(&mut kept);
        }
    }

    /// The last mark at or before `size` for which `holds(offset, check)` is true.
    pub fn last_before<E>(
        &self,
        size: u64,
        mut holds: impl FnMut(u64, u32) -> Result<bool, E>,
    ) -> Result<Option<Last>, E> {
        let marks: Vec<(u64, Mark)> = self.lock().iter().map(|(at, mark)| (*at, *mark)).collect();
        for (offset, mark) in marks.iter().rev().filter(|(offset, _)| *offset <= size) {
            if holds(*offset, mark.check)? {
                let before = marks.iter().filter(|(at, _)| *at <= size);
                let n_alike = before.filter(|(_, other)| other.check == mark.check).count();
                let mut later = marks.iter().filter(|(at, _)| at > offset).peekable();
                let is_last = later.peek().is_none();
                let is_exact = is_last || later.any(|(_, next)| next.start == Some(*offset));
                return Ok(Some(Last { offset: *offset, is_only: n_alike == 1, is_exact }));
            }
        }
        Ok(None)
    }

    /// The last of them: its offset and its check.
    #[must_use]
    pub fn last(&self) -> Option<(u64, u32)> {
        self.lock().last_key_value().map(|(offset, mark)| (*offset, mark.check))
    }

    /// The check of a line that was read and ends at `offset`.
    #[must_use]
    pub fn check_at(&self, offset: u64) -> Option<u32> {
        self.lock().get(&offset).map(|mark| mark.check)
    }

    /// Adds the marks of `other` before `offset`.
    pub fn take_over(&self, other: &Marks, offset: u64) {
        let before: Vec<_> = other.lock().range(..=offset).map(|(at, it)| (*at, *it)).collect();
        self.note(before);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Mark>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops every second mark of the older half: recent marks are kept for every line.
fn thin(kept: &mut BTreeMap<u64, Mark>) {
    let n_old = kept.len() / 2;
    let dropped: Vec<u64> = kept.keys().copied().take(n_old).step_by(2).collect();
    for offset in dropped {
        kept.remove(&offset);
    }
}

/// Of one file: 80 KiB at most.
const MAX_MARKS: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(check: u32, start: u64) -> Mark {
        Mark { check, start: Some(start) }
    }

    const fn last(offset: u64, is_only: bool, is_exact: bool) -> Last {
        Last { offset, is_only, is_exact }
    }

    #[test]
    fn the_last_mark_that_still_holds_is_found() {
        let marks = Marks::default();
        let check = |line: u64| 100 + u32::try_from(line).unwrap();
        marks.note((1..=10).map(|line| (line * 10, mark(check(line), line * 10 - 10))));
        let holds = |offset: u64, _check: u32| Ok::<_, ()>(offset <= 60);
        assert_eq!(marks.last_before(75, holds), Ok(Some(last(60, true, true))));
        assert_eq!(marks.last_before(55, holds), Ok(Some(last(50, true, true))));
        assert_eq!(marks.last_before(5, holds), Ok(None));
        assert_eq!(
            marks.last_before(200, |_, _| Ok::<_, ()>(true)),
            Ok(Some(last(100, true, true)))
        );
    }

    #[test]
    fn a_mark_with_an_unknown_line_after_it_is_not_exact() {
        let marks = Marks::default();
        marks.note([(10, mark(1, 0)), (100, mark(2, 90)), (200, Mark { check: 3, start: None })]);
        let holds = |offset: u64| move |at: u64, _check: u32| Ok::<_, ()>(at <= offset);
        assert_eq!(marks.last_before(60, holds(60)), Ok(Some(last(10, true, false))));
        assert_eq!(marks.last_before(150, holds(150)), Ok(Some(last(100, true, false))));
    }

    #[test]
    fn lines_that_are_alike_are_said_to_be() {
        let marks = Marks::default();
        marks.note([(10, mark(7, 0)), (20, mark(7, 10))]);
        assert_eq!(
            marks.last_before(20, |_, _| Ok::<_, ()>(true)),
            Ok(Some(last(20, false, true)))
        );
    }

    #[test]
    fn marks_are_bounded_and_the_last_lines_are_all_kept() {
        let marks = Marks::default();
        for line in 1..10_000 {
            marks.note([(line, mark(1, line - 1))]);
        }
        assert!(marks.lock().len() <= MAX_MARKS);
        let n_last = marks.lock().range(10_000 - 500..).count();
        assert_eq!(n_last, 500);
    }
}
