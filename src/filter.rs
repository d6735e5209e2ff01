//! Filter: which lines a viewer wants, by their text (`grep`, `exclude`), their severity
//! (`level`) and when they were written (`since`, `until`).
//!
//! A line without a level or time takes that of the line before it, so that a stack trace stays with its
//! error; before any, it passes. What was stated last is the viewer's [`Inherited`].

mod pattern;

use crate::chunk::{Chunk, LineRef};
use crate::line::LineMetadata;
use crate::line::Zone;
use crate::line::level::Level;
use crate::line::split::trim_line_end;

pub use crate::filter::pattern::{Pattern, PatternError};

/// See [`Pattern::compile`].
pub fn compile(pattern: &str) -> Result<Pattern, PatternError> {
    Pattern::compile(pattern)
}

/// The conditions for a line to pass. The default passes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The line has to match.
    pub grep: Option<Pattern>,
    /// The line must not match.
    pub exclude: Option<Pattern>,
    /// The line's level has to be this or above.
    pub level: Option<Level>,
    /// The line's time has to be this or after, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// The line's time has to be before this, in nanoseconds since 1970.
    pub until: Option<i64>,
}

/// The last level and time so far, for lines without their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inherited {
    level: Option<Level>,
    time: Option<i64>,
    /// Whether the line that continues in the next piece has passed.
    piece_passed: Option<bool>,
}

/// The lines of a chunk that pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every line.
    All,
    /// These, by [`LineRef::index`], ascending. May be empty.
    Lines(Vec<u32>),
}

impl Selection {
    /// Whether no line passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::All => false,
            Self::Lines(lines) => lines.is_empty(),
        }
    }

    /// Whether the line of this index is among them.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Lines(lines) => {
                u32::try_from(index).is_ok_and(|index| lines.binary_search(&index).is_ok())
            }
        }
    }
}

impl Filter {
    /// Whether every line passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grep.is_none() && self.exclude.is_none() && !self.uses_metadata()
    }

    /// Whether the result for a line can depend on the lines before it.
    #[must_use]
    pub fn uses_metadata(&self) -> bool {
        self.level.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// The lines of `chunk` that pass. Updates `inherited` from them.
    pub fn select(&self, chunk: &Chunk, inherited: &mut Inherited, zone: &Zone) -> Selection {
        if self.is_empty() {
            return Selection::All;
        }
        let mut sifting = ChunkFilter::new(*inherited);
        // Without an interruption it runs to the end.
        let _done: FilterProgress = self.sift(chunk, zone, &mut sifting, |_| true);
        *inherited = sifting.inherited;
        sifting.selection(chunk)
    }

    /// Continues with a chunk. `may_continue` is called before each line, and within one whose length
    /// and pattern make it slow; an interrupted line is started again.
    pub fn sift(
        &self,
        chunk: &Chunk,
        zone: &Zone,
        sifting: &mut ChunkFilter,
        mut may_continue: impl FnMut(At) -> bool,
    ) -> FilterProgress {
        let metadata: &[LineMetadata] =
            if self.uses_metadata() { chunk.metadata(zone) } else { &[] };
        let inherited_metadata = |index: usize| metadata.get(index).copied().unwrap_or_default();
        let mut n_bytes = 0;
        for line in chunk.lines().skip(sifting.n_lines) {
            if !may_continue(At::Line { n_bytes, n_line_bytes: line.text.len() }) {
                return FilterProgress::Before;
            }
            let mut within = |n_more| may_continue(At::Within { n_bytes: n_bytes + n_more });
            let mut inherited = sifting.inherited;
            let passes =
                self.passes(&line, inherited_metadata(line.index), &mut inherited, &mut within);
            let Some(passes) = passes else { return FilterProgress::Within };
            n_bytes += line.text.len();
            sifting.n_lines += 1;
            sifting.inherited = inherited;
            if passes {
                sifting.passed.push(u32::try_from(line.index).unwrap_or(u32::MAX));
            }
        }
        FilterProgress::All
    }

    /// Whether `line` passes, being the next one after those that made `inherited`; `None` if it
    /// was interrupted.
    fn passes(
        &self,
        line: &LineRef<'_>,
        metadata: LineMetadata,
        inherited: &mut Inherited,
        may_continue: &mut dyn FnMut(usize) -> bool,
    ) -> Option<bool> {
        let earlier_piece = if line.continues { inherited.piece_passed } else { None };
        inherited.take_over(metadata);
        let passes = match earlier_piece {
            Some(passed) => passed,
            None => self.text_passes(line.text, may_continue)? && self.metadata_passes(inherited),
        };
        inherited.piece_passed = line.partial.then_some(passes);
        Some(passes)
    }

    /// Whether a line with this text can pass; `None` if `may_continue` interrupted it.
    pub fn text_passes(
        &self,
        line: &[u8],
        may_continue: &mut dyn FnMut(usize) -> bool,
    ) -> Option<bool> {
        let line = trim_line_end(line);
        if let Some(required) = &self.grep
            && !required.is_match(line, may_continue)?
        {
            return Some(false);
        }
        match &self.exclude {
            Some(excluded) => Some(!excluded.is_match(line, may_continue)?),
            None => Some(true),
        }
    }

    /// Whether a line with this own or inherited metadata passes.
    #[must_use]
    pub fn metadata_passes(&self, inherited_metadata: &Inherited) -> bool {
        let is_at_least =
            |required: Level| inherited_metadata.level.is_none_or(|level| level >= required);
        self.level.is_none_or(is_at_least)
            && self
                .since
                .is_none_or(|since| inherited_metadata.time.is_none_or(|time| time >= since))
            && self
                .until
                .is_none_or(|until| inherited_metadata.time.is_none_or(|time| time < until))
    }
}

/// The progress through a chunk, with the bytes filtered in this call.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// Before a line.
    Line {
        /// In this call.
        n_bytes: usize,
        /// The line's.
        n_line_bytes: usize,
    },
    /// Within a line.
    Within {
        /// In this call.
        n_bytes: usize,
    },
}

/// How much of a chunk was filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterProgress {
    /// All of it.
    All,
    /// The lines before one.
    Before,
    /// The lines before one that was begun.
    Within,
}

/// The state of filtering a chunk.
#[derive(Clone, Debug, Default)]
pub struct ChunkFilter {
    inherited: Inherited,
    passed: Vec<u32>,
    n_lines: usize,
}

impl ChunkFilter {
    /// Nothing of it, after the lines that made `inherited`.
    #[must_use]
    pub fn new(inherited: Inherited) -> Self {
        ChunkFilter { inherited, ..Self::default() }
    }

    /// The inherited metadata so far.
    #[must_use]
    pub fn inherited(&self) -> Inherited {
        self.inherited
    }

    /// The lines of `chunk` that pass, once it is done.
    #[must_use]
    pub fn selection(self, chunk: &Chunk) -> Selection {
        let all = self.passed.len() == chunk.n_lines();
        if all { Selection::All } else { Selection::Lines(self.passed) }
    }
}

impl Inherited {
    /// Updates it from a line's own metadata.
    pub fn take_over(&mut self, metadata: LineMetadata) {
        self.level = metadata.level.or(self.level);
        self.time = metadata.time.map(|time| time.unix_nanos()).or(self.time);
    }

    /// Whether it has everything that `filter` could inherit.
    #[must_use]
    pub fn is_complete_for(&self, filter: &Filter) -> bool {
        let needs_time = filter.since.is_some() || filter.until.is_some();
        (filter.level.is_none() || self.level.is_some()) && (!needs_time || self.time.is_some())
    }

    /// The metadata of these lines, each value from the last line that has it.
    #[must_use]
    pub fn from_lines(lines: &[u8], zone: &Zone) -> Self {
        let mut inherited = Inherited::default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            inherited.take_over(crate::line::metadata(trim_line_end(line), zone));
        }
        inherited
    }
}
