//! Pattern: a regular expression whose search can be interrupted in the middle of a line. The regex
//! library always runs to the line's end, and where line and pattern are large that takes a minute.
//! In that case an equivalent automaton is stepped through the line byte by byte, with checks on
//! the way.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;

/// A compiled pattern; copies share it.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    steps: Arc<Steps>,
}

/// The automaton; built on first use.
#[derive(Debug, Default)]
struct Steps {
    automaton: OnceLock<Option<DFA>>,
    /// Its cache. A search that finds it in use makes another.
    cache: Mutex<Option<Cache>>,
}

impl Pattern {
    /// Compiles a pattern with smart case: one without an upper-case letter (escapes such as `\S` do
    /// not count) matches any case. Matching takes linear time, whatever the pattern.
    pub fn compile(pattern: &str) -> Result<Self, PatternError> {
        Ok(Pattern { regex: compile(pattern)?, steps: Arc::default() })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it matches in `line`; `None` if `may_continue` interrupted it, which is given how
    /// many of the line's bytes were looked at.
    pub fn is_match(
        &self,
        line: &[u8],
        may_continue: &mut dyn FnMut(usize) -> bool,
    ) -> Option<bool> {
        if line.len() < SHORT_LINE_BYTES {
            return Some(self.regex.is_match(line));
        }
        let automaton = self.steps.automaton.get_or_init(|| automaton(self.regex.as_str()));
        let Some(automaton) = automaton else { return Some(self.regex.is_match(line)) };
        let n_states = automaton.get_nfa().states().len();
        if n_states.saturating_mul(line.len()) <= CHEAP {
            return Some(self.regex.is_match(line));
        }
        let kept = self.steps.cache.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut cache = kept.unwrap_or_else(|| automaton.create_cache());
        let found = step_through(automaton, &mut cache, line, may_continue);
        *self.steps.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache);
        match found {
            SearchResult::Decided(is_match) => Some(is_match),
            SearchResult::Left => None,
            SearchResult::Undecidable => Some(self.regex.is_match(line)),
        }
    }
}

enum SearchResult {
    Decided(bool),
    Left,
    /// A Unicode word boundary beside a byte that is not ASCII.
    Undecidable,
}

fn step_through(
    automaton: &DFA,
    cache: &mut Cache,
    line: &[u8],
    may_continue: &mut dyn FnMut(usize) -> bool,
) -> SearchResult {
    let Ok(mut state) = automaton.start_state_forward(cache, &Input::new(line)) else {
        return SearchResult::Undecidable;
    };
    for (n_bytes, byte) in line.iter().enumerate() {
        if n_bytes.is_multiple_of(STEPS) && !may_continue(n_bytes) {
            return SearchResult::Left;
        }
        let Ok(next) = automaton.next_state(cache, state, *byte) else {
            return SearchResult::Undecidable;
        };
        state = next;
        if state.is_match() {
            return SearchResult::Decided(true);
        } else if state.is_dead() {
            return SearchResult::Decided(false);
        } else if state.is_quit() {
            return SearchResult::Undecidable;
        }
    }
    match automaton.next_eoi_state(cache, state) {
        Ok(end) => SearchResult::Decided(end.is_match()),
        Err(_cache_is_full) => SearchResult::Undecidable,
    }
}

/// Of what [`compile`] has compiled. None if it cannot be made.
fn automaton(pattern: &str) -> Option<DFA> {
    let syntax = syntax::Config::new().utf8(false).case_insensitive(!has_upper_case(pattern));
    let nfa = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(COMPILED_BYTES))
        .which_captures(WhichCaptures::None);
    // As much as it needs at least, where that is more.
    let lazy = Config::new()
        .cache_capacity(COMPILED_BYTES)
        .skip_cache_capacity_check(true)
        .unicode_word_boundary(true);
    let built = DFA::builder().configure(lazy).syntax(syntax).thompson(nfa).build(pattern);
    built
        .inspect_err(|error| tracing::debug!(%error, "a pattern cannot be left within a line"))
        .ok()
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

fn compile(pattern: &str) -> Result<Regex, PatternError> {
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

/// A shorter line is matched in milliseconds by whatever pattern is not too large.
const SHORT_LINE_BYTES: usize = 1024;

/// States times bytes: about 0.1 s at worst (release build; 5 ns each, some 40 on a busy machine).
const CHEAP: usize = 10_000_000;

/// So many bytes between two questions; each costs 0.1 ms at worst.
const STEPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Pattern, PatternError, SearchResult, compile, has_upper_case, step_through};

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

    #[test]
    fn what_is_stepped_through_is_what_the_library_finds() {
        let long = |text: &str| [b"x".repeat(20_000).as_slice(), text.as_bytes()].concat();
        let ends = ["", "abc", " warn ", "WARN\n", "\u{e9}", "5", "\u{ff}9", "ab"];
        let patterns = [
            "abc$",
            "^x+$",
            r"\bwarn\b",
            "(?i)warn",
            r"\d\s*$",
            "(?-u:\\xff)",
            "[^x]b?$",
            "y|z",
            "",
        ];
        for pattern in patterns {
            let pattern = Pattern::compile(pattern).unwrap();
            let automaton = super::automaton(pattern.as_str()).unwrap();
            for end in ends {
                let line = long(end);
                let mut cache = automaton.create_cache();
                let stepped = step_through(&automaton, &mut cache, &line, &mut |_| true);
                if let SearchResult::Decided(is_match) = stepped {
                    let expected = pattern.regex.is_match(&line);
                    assert_eq!(is_match, expected, "{} {end:?}", pattern.as_str());
                } else {
                    assert!(pattern.as_str().contains("\\b") && !end.is_ascii(), "{end:?}");
                }
            }
        }
    }

    #[test]
    fn a_hard_line_is_left_when_it_is_asked_for() {
        let pattern = Pattern::compile("(?-u:[a-m].{900}[5-9])").unwrap();
        let line = b"amz".repeat(80_000);
        let mut looked = 0;
        let left = pattern.is_match(&line, &mut |n_bytes| {
            looked = n_bytes;
            n_bytes < 2000
        });
        assert_eq!(left, None);
        assert!((2000..2100).contains(&looked), "{looked}");
        assert_eq!(pattern.is_match(&line[..1000], &mut |_| false), Some(false), "too short");
    }
}
