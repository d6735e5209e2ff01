//! Older: the lines before a position. They are searched backwards, window by window, so that a
//! page costs what it shows and not what lies before it; a compressed file is read from near the
//! window if its index allows.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::chunk::{Chunk, Ends, Position};
use crate::disk::{AllowanceSpent, stop_if_abandoned};
use crate::file::search;
use crate::file::seek;
use crate::file::segment::Segment;
use crate::file::segment_reader::{Block, SegmentReader};
use crate::filter::{Filter, Selection};
use crate::line::Zone;
use crate::source::Older;

/// Gathers a page of older lines, from young to old.
#[derive(Debug)]
pub struct OlderSeek<'a> {
    filter: &'a Filter,
    zone: &'a Zone,
    n_wanted: usize,
    /// How many bytes may still be searched.
    budget: u64,
    found: PageLines,
}

/// Lines that pass, in order.
#[derive(Debug, Default)]
struct PageLines {
    parts: VecDeque<SelectedLines>,
    n_lines: usize,
    n_bytes: usize,
}

#[derive(Debug)]
struct SelectedLines {
    chunk: Arc<Chunk>,
    selection: Selection,
}

/// A stretch of a segment.
#[derive(Clone, Copy)]
struct Window {
    from: u64,
    to: u64,
    /// The segment ends at `to`: an unterminated rest there is a line.
    is_end: bool,
}

impl<'a> OlderSeek<'a> {
    /// Searches for the last `n_wanted` lines that pass `filter`.
    #[must_use]
    pub fn new(filter: &'a Filter, zone: &'a Zone, n_wanted: usize) -> Self {
        OlderSeek { filter, zone, n_wanted, budget: BUDGET_BYTES, found: PageLines::default() }
    }

    /// Searches a segment backwards from `upper` (`None`: from its end, as it is no longer written
    /// to). Returns how far it has searched: 0 for all of it.
    pub fn in_segment(&mut self, segment: &Arc<Segment>, upper: Option<u64>) -> io::Result<u64> {
        let (mut to, mut is_end) = match upper {
            Some(upper) => (upper, false),
            // The decompressed size is known only after reading all of it.
            None if segment.is_archive() => {
                let all = Window { from: 0, to: u64::MAX, is_end: true };
                let lines = self.read(segment, all, false)?;
                let first = lines.as_ref().map_or(0, |(first, _)| *first);
                self.found.put_before(lines.map(|(_, lines)| lines).unwrap_or_default());
                return Ok(first);
            }
            None => (segment.size_and_change()?.0, true),
        };
        let (unit, upper) = (segment.encoding().unit_bytes() as u64, to);
        let mut window_bytes = FIRST_WINDOW_BYTES;
        while to > 0 && !self.is_done() {
            let from = to.saturating_sub(window_bytes) / unit * unit;
            let window = Window { from, to, is_end };
            let is_widest = window_bytes >= MAX_WINDOW_BYTES;
            window_bytes = (window_bytes * 4).min(MAX_WINDOW_BYTES);
            self.budget = self.budget.saturating_sub(to - from);
            let lines = match self.read(segment, window, from > 0) {
                // A line longer than the window: read more of it, and at last only a piece.
                Ok(None) if !is_widest => continue,
                Ok(None) => self.read(segment, window, false),
                lines => lines,
            };
            let lines = match lines {
                // What was found so far is a short page.
                Err(error) if to < upper && AllowanceSpent::is_cause_of(&error) => {
                    self.budget = 0;
                    break;
                }
                lines => lines?,
            };
            let Some((first, lines)) = lines else { break };
            self.found.put_before(lines);
            (to, is_end) = (first, false);
        }
        Ok(to)
    }

    /// Whether the search is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.found.n_lines >= self.n_wanted || self.budget == 0 || self.found.n_bytes >= PAGE_BYTES
    }

    /// The page. `reached`: how far was searched; `is_oldest`: nothing lies before it.
    #[must_use]
    pub fn finish(self, reached: Position, is_oldest: bool) -> Older {
        let mut found = self.found;
        let cut = found.keep_last(self.n_wanted);
        let begin = is_oldest && cut.is_none();
        let start = cut.unwrap_or(reached);
        let lines = found.parts.into_iter().map(|part| (part.chunk, part.selection)).collect();
        Older { lines, start, begin }
    }

    /// The matching lines of a window, and where its first line begins. `skips`: the window may
    /// begin inside a line, which is skipped; `None` if no other begins.
    fn read(
        &self,
        segment: &Arc<Segment>,
        window: Window,
        mut skips: bool,
    ) -> io::Result<Option<(u64, PageLines)>> {
        let mut reader = SegmentReader::new(Arc::clone(segment), window.from)?;
        let mut found = PageLines::default();
        let (mut first, mut inherited) = (window.from, None);
        loop {
            stop_if_abandoned()?;
            let mut chunk = match reader.next_block(BLOCK_BYTES, window.to)? {
                Block::Chunk(chunk) => chunk,
                Block::Truncated => break,
                Block::End => match reader.take_rest(window.is_end) {
                    Some(rest) => Arc::new(rest),
                    None => break,
                },
            };
            if skips {
                let line = chunk.lines().find(|line| !line.partial);
                let Some(end) = line.map(|line| line.end_offset).filter(|end| *end < window.to)
                else {
                    continue;
                };
                chunk = Arc::new(chunk.after(end));
                (skips, first) = (false, end);
            }
            let mut metadata_state = match inherited.take() {
                Some(metadata_state) => metadata_state,
                None => seek::context(segment, first, self.filter, self.zone)?,
            };
            if !chunk.raw().is_empty() {
                let selection =
                    search::select(self.filter, &chunk, &mut metadata_state, self.zone)?;
                found.push(chunk, selection);
            }
            inherited = Some(metadata_state);
            // Of a whole compressed file only the end is kept.
            if found.n_lines > 4 * self.n_wanted || found.n_bytes > 4 * PAGE_BYTES {
                first = found.keep_last(self.n_wanted).map_or(first, |cut| cut.offset);
            }
        }
        Ok((!skips).then_some((first, found)))
    }
}

impl PageLines {
    fn push(&mut self, chunk: Arc<Chunk>, selection: Selection) {
        match selection {
            Selection::All => self.push_part(chunk, Selection::All),
            Selection::Lines(selected) if selected.is_empty() => {}
            Selection::Lines(selected) if selected.len() * 4 < chunk.n_lines() => {
                // Copied, so that few lines do not keep the memory of many.
                for index in selected {
                    self.push_part(Arc::new(line_of(&chunk, index as usize)), Selection::All);
                }
            }
            Selection::Lines(selected) => self.push_part(chunk, Selection::Lines(selected)),
        }
    }

    fn push_part(&mut self, chunk: Arc<Chunk>, selection: Selection) {
        let part = SelectedLines { chunk, selection };
        self.n_lines += part.n_lines();
        self.n_bytes += part.chunk.raw().len();
        self.parts.push_back(part);
    }

    fn put_before(&mut self, mut earlier: PageLines) {
        std::mem::swap(self, &mut earlier);
        self.n_lines += earlier.n_lines;
        self.n_bytes += earlier.n_bytes;
        self.parts.append(&mut earlier.parts);
    }

    /// Drops all but the last lines, as many as requested and as fit a page. Returns the position
    /// before the kept ones, if any were dropped.
    fn keep_last(&mut self, n_wanted: usize) -> Option<Position> {
        let mut cut = None;
        loop {
            let is_last = self.parts.len() == 1;
            let Some(first) = self.parts.front_mut() else { break };
            let n_lines = first.n_lines();
            let spare = self.n_lines.saturating_sub(n_wanted);
            if spare >= n_lines || self.n_bytes > PAGE_BYTES && !is_last {
                let Some(dropped) = self.parts.pop_front() else { break };
                cut = Some(dropped.chunk.end());
                self.n_lines -= n_lines;
                self.n_bytes -= dropped.chunk.raw().len();
            } else if spare > 0 {
                cut = Some(first.drop_first(spare));
                self.n_lines -= spare;
            } else {
                break;
            }
        }
        cut
    }
}

impl SelectedLines {
    fn n_lines(&self) -> usize {
        match &self.selection {
            Selection::All => self.chunk.n_lines(),
            Selection::Lines(selected) => selected.len(),
        }
    }

    /// Drops the first selected lines; returns the position after them.
    fn drop_first(&mut self, n_lines: usize) -> Position {
        let selected = match std::mem::replace(&mut self.selection, Selection::All) {
            Selection::All => {
                (0..self.chunk.n_lines()).filter_map(|n| u32::try_from(n).ok()).collect()
            }
            Selection::Lines(selected) => selected,
        };
        let last = n_lines.checked_sub(1).and_then(|at| selected.get(at)).copied().unwrap_or(0);
        self.selection = Selection::Lines(selected.into_iter().skip(n_lines).collect());
        place_after(&self.chunk, last as usize)
    }
}

/// The position after a line of a chunk.
fn place_after(chunk: &Chunk, index: usize) -> Position {
    chunk.lines().nth(index).map_or_else(
        || chunk.end(),
        |line| Position {
            generation: Arc::clone(&chunk.start().generation),
            offset: line.end_offset,
            check: line.check,
        },
    )
}

/// A copy of one line as a chunk.
fn line_of(chunk: &Chunk, index: usize) -> Chunk {
    let ends = chunk.line_ends();
    let from = index.checked_sub(1).and_then(|before| ends.get(before));
    let from = from.map_or(0, |end| end.raw as usize);
    let to = ends.get(index).map_or(from, |end| end.raw as usize);
    let start = match index.checked_sub(1) {
        Some(before) => place_after(chunk, before),
        None => chunk.start().clone(),
    };
    let is_last = index + 1 == ends.len();
    let ends = Ends {
        continues: chunk.ends().continues && index == 0,
        partial: chunk.ends().partial && is_last,
    };
    chunk.part(from, to, start, ends)
}

/// The maximum size of a page, in bytes of log.
const PAGE_BYTES: usize = 1 << 20;

/// How many bytes are searched for a page; with a rare filter it is shorter than requested, and
/// says how far it reaches.
const BUDGET_BYTES: u64 = 64 << 20;

const FIRST_WINDOW_BYTES: u64 = 64 * 1024;
const MAX_WINDOW_BYTES: u64 = 4 << 20;
const BLOCK_BYTES: usize = 256 * 1024;
