//! Check: whether numbered lines came once each, and in order.

use std::ops::Range;

/// Follows the numbers that one viewer gets.
#[derive(Debug)]
pub(crate) struct Check {
    next: u64,
    /// Numbers that were passed over and have not come since.
    missing: Vec<Range<u64>>,
    /// How many lines came.
    pub(crate) n_lines: u64,
    /// How many came again.
    pub(crate) n_doubled: u64,
    /// How many came after a later one.
    pub(crate) n_reordered: u64,
}

impl Check {
    /// Expects `first`, and all after it.
    pub(crate) fn new(first: u64) -> Self {
        Check { next: first, missing: Vec::new(), n_lines: 0, n_doubled: 0, n_reordered: 0 }
    }

    /// Takes the next line's number.
    #[inline]
    pub(crate) fn take(&mut self, number: u64) {
        self.n_lines += 1;
        if number == self.next {
            self.next += 1;
        } else {
            self.take_unexpected(number);
        }
    }

    /// The number that is expected next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many numbers before `end` have not come.
    pub(crate) fn n_lost(&self, end: u64) -> u64 {
        let missing: u64 = self.missing.iter().map(|range| range.end - range.start).sum();
        missing + end.saturating_sub(self.next)
    }

    #[cold]
    fn take_unexpected(&mut self, number: u64) {
        if number > self.next {
            self.missing.push(self.next..number);
            self.next = number + 1;
            return;
        }
        let Some(at) = self.missing.iter().position(|range| range.contains(&number)) else {
            self.n_doubled += 1;
            return;
        };
        self.n_reordered += 1;
        let range = self.missing.swap_remove(at);
        let halves = [range.start..number, number + 1..range.end];
        self.missing.extend(halves.into_iter().filter(|half| !half.is_empty()));
    }
}
