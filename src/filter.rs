//! Filter: which lines a viewer wants, by what they say (`grep`, `exclude`), how grave they are
//! (`level`) and when they were written (`since`, `until`).
//!
//! A line that tells no level or time takes that of the line before it, so that a stack trace stays
//! with its error; before any, it passes. What was told last is the viewer's [`Inherited`].

use regex::bytes::{Regex, RegexBuilder};

use crate::chunk::{Chunk, LineRef};
use crate::line::Facts;
use crate::line::Zone;
use crate::line::level::Level;
use crate::line::split::trim_line_end;

/// What lets a line pass. The default lets all pass.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The line has to match.
    pub grep: Option<Regex>,
    /// The line must not match.
    pub exclude: Option<Regex>,
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
        self.sift(chunk, zone, &mut sifting, |_, _| true);
        *inherited = sifting.inherited;
        sifting.selection(chunk)
    }

    /// Goes on with a chunk. `goes_on` is asked before each line, with how many bytes were looked
    /// through in this call and how many the line has; returns whether all lines were looked at.
    pub fn sift(
        &self,
        chunk: &Chunk,
        zone: &Zone,
        sifting: &mut Sifting,
        mut goes_on: impl FnMut(usize, usize) -> bool,
    ) -> bool {
        let facts: &[Facts] = if self.looks_at_facts() { chunk.facts(zone) } else { &[] };
        let told = |index: usize| facts.get(index).copied().unwrap_or_default();
        let mut n_bytes = 0;
        for line in chunk.lines().skip(sifting.n_lines) {
            if !goes_on(n_bytes, line.text.len()) {
                return false;
            }
            n_bytes += line.text.len();
            sifting.n_lines += 1;
            if self.passes(&line, told(line.index), &mut sifting.inherited) {
                sifting.passed.push(u32::try_from(line.index).unwrap_or(u32::MAX));
            }
        }
        true
    }

    /// Whether `line` passes, being the next one after those that made `inherited`.
    pub fn passes(&self, line: &LineRef<'_>, facts: Facts, inherited: &mut Inherited) -> bool {
        let earlier_piece = if line.continues { inherited.piece_passed } else { None };
        inherited.take_over(facts);
        let passes = earlier_piece
            .unwrap_or_else(|| self.text_passes(line.text) && self.facts_pass(inherited));
        inherited.piece_passed = line.partial.then_some(passes);
        passes
    }

    /// Whether a line with this text can pass.
    #[must_use]
    pub fn text_passes(&self, line: &[u8]) -> bool {
        let line = trim_line_end(line);
        self.grep.as_ref().is_none_or(|wanted| wanted.is_match(line))
            && !self.exclude.as_ref().is_some_and(|unwanted| unwanted.is_match(line))
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
    pub fn take_over(&mut self, facts: Facts) {
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

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not parse.
    #[error("is not a regular expression: {0}")]
    Syntax(String),
    /// The compiled form is too large.
    #[error("is too large: its compiled form is over {} KiB; expected a simpler pattern", COMPILED_BYTES / 1024)]
    TooLarge,
    /// The text is too long.
    #[error("is {0} bytes long, expected at most {PATTERN_BYTES}")]
    TooLong(usize),
}

/// Compiles a pattern with smart case: one without an upper-case letter (escapes such as `\S` do
/// not count) matches any case. Matching takes linear time, whatever the pattern.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    if pattern.len() > PATTERN_BYTES {
        return Err(PatternError::TooLong(pattern.len()));
    }
    RegexBuilder::new(pattern)
        .case_insensitive(!has_upper_case(pattern))
        .size_limit(COMPILED_BYTES)
        .dfa_size_limit(COMPILED_BYTES)
        .build()
        .map_err(|error| {
            if let regex::Error::CompiledTooBig(_) = error {
                return PatternError::TooLarge;
            }
            // The library draws the pattern over several lines; the last one says what is wrong.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            PatternError::Syntax(reason.trim_start_matches("error: ").to_owned())
        })
}

/// Whether a letter outside of escapes is upper case.
fn has_upper_case(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' {
            let escape = chars.next();
            let takes_more = matches!(escape, Some('p' | 'P' | 'x' | 'u' | 'U'));
            if takes_more && chars.peek() == Some(&'{') {
                chars.by_ref().take_while(|c| *c != '}').for_each(drop);
            } else if matches!(escape, Some('p' | 'P')) {
                chars.next();
            }
        } else if c.is_uppercase() {
            return true;
        }
    }
    false
}

const PATTERN_BYTES: usize = 4096;
const COMPILED_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::{PatternError, compile, has_upper_case};

    #[test]
    fn lower_case_matches_any_case() {
        assert!(compile("error").unwrap().is_match(b"An ERROR"));
        assert!(!compile("Error").unwrap().is_match(b"An ERROR"));
        assert!(compile(r"error\S").unwrap().is_match(b"An ERROR!"));
    }

    #[test]
    fn escapes_do_not_count_as_upper_case() {
        for pattern in [r"\S\W\D", r"\pL", r"\p{Lu}x", r"\x{AB}", r"a\\b", ""] {
            assert!(!has_upper_case(pattern), "{pattern}");
        }
        for pattern in ["A", r"\\A", r"\pLA", r"\p{Lu}É", "[A-Z]"] {
            assert!(has_upper_case(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let syntax = compile("(a").unwrap_err().to_string();
        assert_eq!(syntax, "is not a regular expression: unclosed group");
        assert_eq!(compile(r"\pL{1000}{1000}").unwrap_err(), PatternError::TooLarge);
        assert_eq!(compile(&"a".repeat(5000)).unwrap_err(), PatternError::TooLong(5000));
    }
}
