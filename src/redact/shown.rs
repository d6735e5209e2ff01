//! A line without its escape sequences and controls: a colour in the middle of a secret does not
//! hide it from a pattern.

use std::ops::Range;

use crate::line::escape::for_each_shown;

/// The visible text of a line, and its offsets in the line.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) text: Vec<u8>,
    /// Where each range begins: in the text, and in the line.
    stretches: Vec<(usize, usize)>,
}

impl Shown {
    pub(super) fn of(line: &[u8]) -> Self {
        let mut shown = Shown::default();
        for_each_shown(line, |stretch| {
            shown.stretches.push((shown.text.len(), stretch.start));
            shown.text.extend_from_slice(line.get(stretch).unwrap_or_default());
        });
        shown
    }

    /// The range of the line for a range of the text, including what is hidden inside it.
    pub(super) fn in_line(&self, stretch: Range<usize>) -> Range<usize> {
        let start = self.byte_in_line(stretch.start);
        match stretch.end.checked_sub(1) {
            Some(last) if stretch.start < stretch.end => start..self.byte_in_line(last) + 1,
            Some(_) | None => start..start,
        }
    }

    fn byte_in_line(&self, at: usize) -> usize {
        let n_before = self.stretches.partition_point(|(text, _)| *text <= at);
        let stretch = n_before.checked_sub(1).and_then(|before| self.stretches.get(before));
        stretch.map_or(at, |(text, line)| line + at - text)
    }
}
