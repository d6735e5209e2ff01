//! Late lines: what a writer adds to a file after the live end has left it for the next one. They go out
//! between lines of the next file, at a position in that, so that no cursor leads back into the old
//! file. Viewers that read the ring at that moment get them; one that has passed the old file and is behind
//! gets a gap of as many bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crate::chunk::{Generation, LateRange, Position};

/// The late lines that went through a ring.
#[derive(Debug, Default)]
pub struct LateLog {
    ranges: VecDeque<LateRange>,
}

impl LateLog {
    /// Adds a range.
    pub fn note(&mut self, range: &LateRange) {
        if let Some(last) = self.ranges.back_mut()
            && Weak::ptr_eq(&last.generation, &range.generation)
            && last.to == range.from
        {
            last.to = range.to;
            return;
        }
        if self.ranges.len() >= MAX_RANGES {
            self.ranges.pop_front();
        }
        self.ranges.push_back(range.clone());
    }

    /// How many bytes of late lines a viewer has missed.
    #[must_use]
    pub fn missed(&self, passed: &PassedFiles) -> u64 {
        self.ranges.iter().map(|range| passed.missed(range)).sum()
    }
}

/// How far a viewer has read the files that it has left. It keeps none of them open.
#[derive(Debug, Default)]
pub struct PassedFiles {
    ends: VecDeque<(Weak<dyn Generation>, u64)>,
}

impl PassedFiles {
    /// Records that a file was left at this position.
    pub fn leave(&mut self, position: &Position) {
        if self.ends.len() >= MAX_PASSED {
            self.ends.pop_front();
        }
        self.ends.push_back((Arc::downgrade(&position.generation), position.offset));
    }

    /// Records that late lines were taken, or that their loss was reported.
    pub fn take(&mut self, range: &LateRange) {
        if let Some((_, end)) = self.end_in(range) {
            *end = (*end).max(range.to);
        }
    }

    /// How far the file of a range was read, if it was left.
    #[must_use]
    pub fn end(&self, range: &LateRange) -> Option<u64> {
        let end = self.ends.iter().find(|(it, _)| Weak::ptr_eq(it, &range.generation));
        end.map(|(_, end)| *end)
    }

    /// Records that everything in `log` was taken, or its loss reported.
    pub fn take_all(&mut self, log: &LateLog) {
        log.ranges.iter().for_each(|range| self.take(range));
    }

    fn end_in(&mut self, range: &LateRange) -> Option<&mut (Weak<dyn Generation>, u64)> {
        self.ends.iter_mut().find(|(generation, _)| Weak::ptr_eq(generation, &range.generation))
    }

    fn missed(&self, range: &LateRange) -> u64 {
        // A viewer that began later has not passed it.
        self.end(range).map_or(0, |end| range.to.saturating_sub(range.from.max(end)))
    }
}

/// A live end keeps fewer old files open at a time.
const MAX_RANGES: usize = 64;
const MAX_PASSED: usize = 8;
