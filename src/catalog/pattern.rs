//! The globs of names and paths: `*`, `?`, `[…]`, `{a,b}` within a folder, `**` across folders.

use globset::{Glob, GlobBuilder, GlobMatcher};

/// A glob that stands where a request may name a source.
#[derive(Debug, Clone)]
pub struct SourcePattern(GlobMatcher);

/// Why a text with glob characters is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than any pattern that is of use.
    #[error("a glob of {length} bytes, at most {MAX_PATTERN_BYTES} are expected")]
    TooLong {
        /// Bytes of the text.
        length: usize,
    },
    /// Its brackets or braces make no sense.
    #[error("{glob:?} is not a glob: {reason}")]
    Malformed {
        /// The text.
        glob: String,
        /// The parser's words.
        reason: String,
    },
}

impl SourcePattern {
    /// Reads a pattern; `None` for a text without glob characters, which is a plain name.
    pub fn parse(text: &str) -> Result<Option<Self>, PatternError> {
        if !has_glob_characters(text) {
            return Ok(None);
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong { length: text.len() });
        }
        let malformed = |error: globset::Error| PatternError::Malformed {
            glob: text.to_owned(),
            reason: error.kind().to_string(),
        };
        Ok(Some(Self(compile(text).map_err(malformed)?.compile_matcher())))
    }

    /// Whether the name of a source fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// Whether a text is meant as a glob.
pub(super) fn has_glob_characters(text: &str) -> bool {
    text.contains(GLOB_CHARACTERS)
}

/// The one meaning that globs have here.
pub(super) fn compile(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).empty_alternates(true).build()
}

pub(super) const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '{'];
const MAX_PATTERN_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("*.log", "app.log", true),
            ("*.log", "nginx/app.log", false),
            ("*/*.log", "nginx/app.log", true),
            ("**/*.log", "app.log", true),
            ("**/*.log", "a/b/c/app.log", true),
            ("**", "a/b", true),
            ("nginx/**", "nginx/a/b", true),
            ("nginx/**", "nginx", false),
            ("app?.log", "app1.log", true),
            ("app?.log", "app/.log", false),
            ("app[12].log", "app2.log", true),
            ("app[!12].log", "app3.log", true),
            ("{access,error}.log", "error.log", true),
            ("{access,error}.log", "other.log", false),
            ("app{,.old}.log", "app.log", true),
            ("app.*", "app.log.x", true),
            ("*pp.log", "app.logs", false),
        ];
        for (pattern, name, expected) in cases {
            let parsed = SourcePattern::parse(pattern).unwrap().unwrap();
            assert_eq!(parsed.matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_plain_name_is_no_pattern_and_a_broken_one_is_refused() {
        assert!(SourcePattern::parse("nginx/access.log").unwrap().is_none());
        let broken = SourcePattern::parse("app[.log").unwrap_err();
        assert!(broken.to_string().starts_with("\"app[.log\" is not a glob: "), "{broken}");
        let long = SourcePattern::parse(&"*".repeat(2000)).unwrap_err();
        assert_eq!(long, PatternError::TooLong { length: 2000 });
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(text in r"[*?\[\]{},!/a-c\\]{0,40}", name in "[a-c/]{0,9}") {
            if let Ok(Some(pattern)) = SourcePattern::parse(&text) {
                let fits = pattern.matches(&name);
                prop_assert_eq!(fits, pattern.clone().matches(&name));
            }
        }
    }
}
