//! Marks: ends of lines that were read from a file, each with what stood before it. When the file
//! is suddenly shorter they show how much of what was read is still there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Offsets of line ends with their checks ([`crate::cursor::check_of`]).
#[derive(Debug, Default)]
pub struct Marks {
    kept: Mutex<BTreeMap<u64, u32>>,
}

impl Marks {
    /// Notes line ends, in any order.
    pub fn note(&self, ends: impl IntoIterator<Item = (u64, u32)>) {
        let mut kept = self.lock();
        kept.extend(ends.into_iter().filter(|(_, check)| *check != 0));
        if kept.len() > MAX_MARKS {
            thin(&mut kept);
        }
    }

    /// The last mark at or before `size` for which `holds(offset, check)` is true, and whether what
    /// stands before it stood before no other.
    pub fn last_before<E>(
        &self,
        size: u64,
        mut holds: impl FnMut(u64, u32) -> Result<bool, E>,
    ) -> Result<Option<(u64, bool)>, E> {
        let marks: Vec<_> = self.lock().range(..=size).map(|(at, check)| (*at, *check)).collect();
        for (offset, check) in marks.iter().rev() {
            if holds(*offset, *check)? {
                let n_alike = marks.iter().filter(|(_, other)| other == check).count();
                return Ok(Some((*offset, n_alike == 1)));
            }
        }
        Ok(None)
    }

    /// Notes what `other` knows of the part before `offset`.
    pub fn take_over(&self, other: &Marks, offset: u64) {
        let before: Vec<_> = other.lock().range(..=offset).map(|(at, it)| (*at, *it)).collect();
        self.note(before);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops every second mark of the older half: what was read last is kept line by line.
fn thin(kept: &mut BTreeMap<u64, u32>) {
    let n_old = kept.len() / 2;
    let dropped: Vec<u64> = kept.keys().copied().take(n_old).step_by(2).collect();
    for offset in dropped {
        kept.remove(&offset);
    }
}

/// Of one file: 48 KiB at most.
const MAX_MARKS: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_that_still_holds_is_found() {
        let marks = Marks::default();
        marks.note((1..=10).map(|line| (line * 10, 100 + u32::try_from(line).unwrap())));
        let holds = |offset: u64, _check: u32| Ok::<_, ()>(offset <= 60);
        assert_eq!(marks.last_before(75, holds), Ok(Some((60, true))));
        assert_eq!(marks.last_before(55, holds), Ok(Some((50, true))));
        assert_eq!(marks.last_before(5, holds), Ok(None));
    }

    #[test]
    fn lines_that_are_alike_are_said_to_be() {
        let marks = Marks::default();
        marks.note([(10, 7), (20, 7)]);
        assert_eq!(marks.last_before(20, |_, _| Ok::<_, ()>(true)), Ok(Some((20, false))));
    }

    #[test]
    fn marks_are_bounded_and_the_last_lines_are_all_kept() {
        let marks = Marks::default();
        for line in 1..10_000 {
            marks.note([(line, 1)]);
        }
        assert!(marks.lock().len() <= MAX_MARKS);
        let n_last = marks.lock().range(10_000 - 500..).count();
        assert_eq!(n_last, 500);
    }
}
