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

/// What lets a line pass. The default lets all pass.
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

/// What the lines so far have told, for those that tell nothing themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inherited {
    level: Option<Level>,
    time: Option<i64>,
    /// Whether the line that goes on in the next piece has passed.
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
        self.grep.is_none() && self.exclude.is_none() && !self.looks_at_facts()
    }

    /// Whether a line's fate can depend on the lines before it.
    #[must_use]
    pub fn looks_at_facts(&self) -> bool {
        self.level.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// The lines of `chunk` that pass. Takes over into `inherited` what they tell.
    pub fn select(&self, chunk: &Chunk, inherited: &mut Inherited, zone: &Zone) -> Selection {
        if self.is_empty() {
            return Selection::All;
        }
        let mut sifting = Sifting::new(*inherited);
        // Asked to go on, it goes to the end.
        let _done: Sifted = self.sift(chunk, zone, &mut sifting, |_| true);
        *inherited = sifting.inherited;
        sifting.selection(chunk)
    }

    /// Goes on with a chunk. `goes_on` is asked before each line, and within one whose length and pattern
    /// make it long; a line that was left within is begun anew.
    pub fn sift(
        &self,
        chunk: &Chunk,
        zone: &Zone,
        sifting: &mut Sifting,
        mut goes_on: impl FnMut(At) -> bool,
    ) -> Sifted {
        let facts: &[LineMetadata] = if self.looks_at_facts() { chunk.facts(zone) } else { &[] };
        let told = |index: usize| facts.get(index).copied().unwrap_or_default();
        let mut n_bytes = 0;
        for line in chunk.lines().skip(sifting.n_lines) {
            if !goes_on(At::Line { n_bytes, n_line_bytes: line.text.len() }) {
                return Sifted::Before;
            }
            let mut within = |n_more| goes_on(At::Within { n_bytes: n_bytes + n_more });
            let mut inherited = sifting.inherited;
            let passes = self.passes(&line, told(line.index), &mut inherited, &mut within);
            let Some(passes) = passes else { return Sifted::Within };
            n_bytes += line.text.len();
            sifting.n_lines += 1;
            sifting.inherited = inherited;
            if passes {
                sifting.passed.push(u32::try_from(line.index).unwrap_or(u32::MAX));
            }
        }
        Sifted::All
    }

    /// Whether `line` passes, being the next one after those that made `inherited`; none if it was left.
    fn passes(
        &self,
        line: &LineRef<'_>,
        facts: LineMetadata,
        inherited: &mut Inherited,
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Option<bool> {
        let earlier_piece = if line.continues { inherited.piece_passed } else { None };
        inherited.take_over(facts);
        let passes = match earlier_piece {
            Some(passed) => passed,
            None => self.text_passes(line.text, goes_on)? && self.facts_pass(inherited),
        };
        inherited.piece_passed = line.partial.then_some(passes);
        Some(passes)
    }

    /// Whether a line with this text can pass; none if it was left, as `goes_on` said.
    pub fn text_passes(&self, line: &[u8], goes_on: &mut dyn FnMut(usize) -> bool) -> Option<bool> {
        let line = trim_line_end(line);
        if let Some(wanted) = &self.grep
            && !wanted.is_match(line, goes_on)?
        {
            return Some(false);
        }
        match &self.exclude {
            Some(unwanted) => Some(!unwanted.is_match(line, goes_on)?),
            None => Some(true),
        }
    }

    /// Whether a line passes that told, or inherited, this.
    #[must_use]
    pub fn facts_pass(&self, told: &Inherited) -> bool {
        let is_at_least = |wanted: Level| told.level.is_none_or(|level| level >= wanted);
        self.level.is_none_or(is_at_least)
            && self.since.is_none_or(|since| told.time.is_none_or(|time| time >= since))
            && self.until.is_none_or(|until| told.time.is_none_or(|time| time < until))
    }
}

/// Where looking through a chunk is, with the bytes that it has looked through in this call.
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

/// How much of a chunk was looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sifted {
    /// All of it.
    All,
    /// The lines before one.
    Before,
    /// The lines before one that was begun.
    Within,
}

/// How far a chunk has been looked through.
#[derive(Clone, Debug, Default)]
pub struct Sifting {
    inherited: Inherited,
    passed: Vec<u32>,
    n_lines: usize,
}

impl Sifting {
    /// Nothing of it, after the lines that made `inherited`.
    #[must_use]
    pub fn new(inherited: Inherited) -> Self {
        Sifting { inherited, ..Self::default() }
    }

    /// What the lines so far have told.
    #[must_use]
    pub fn inherited(&self) -> Inherited {
        self.inherited
    }

    /// The lines of `chunk` that pass, once it was looked through.
    #[must_use]
    pub fn selection(self, chunk: &Chunk) -> Selection {
        let all = self.passed.len() == chunk.n_lines();
        if all { Selection::All } else { Selection::Lines(self.passed) }
    }
}

impl Inherited {
    /// Notes what a line tells.
    pub fn take_over(&mut self, facts: LineMetadata) {
        self.level = facts.level.or(self.level);
        self.time = facts.time.map(|time| time.unix_nanos()).or(self.time);
    }

    /// Whether nothing is missing that an earlier line could tell to `filter`.
    #[must_use]
    pub fn is_complete_for(&self, filter: &Filter) -> bool {
        let needs_time = filter.since.is_some() || filter.until.is_some();
        (filter.level.is_none() || self.level.is_some()) && (!needs_time || self.time.is_some())
    }

    /// What these lines tell, each fact as the last line that has it tells it.
    #[must_use]
    pub fn from_lines(lines: &[u8], zone: &Zone) -> Self {
        let mut inherited = Inherited::default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            inherited.take_over(crate::line::facts(trim_line_end(line), zone));
        }
        inherited
    }
}
