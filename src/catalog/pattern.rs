//! Globs in place of a source's name.

use crate::glob::{Glob, GlobError};

/// A glob in place of a source's name in a request.
#[derive(Debug, Clone)]
pub struct SourcePattern(Glob);

/// Why a text with glob characters is not a valid pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{glob:?} is not a glob: {reason}")]
pub struct SourcePatternError {
    /// The text, or its beginning.
    pub glob: String,
    /// What is wrong with it.
    pub reason: GlobError,
}

impl SourcePattern {
    /// Parses a pattern; `None` for a text without glob characters, which is a plain name.
    pub fn parse(text: &str) -> Result<Option<Self>, SourcePatternError> {
        if !has_glob_characters(text) {
            return Ok(None);
        }
        let wrong = |reason| SourcePatternError { glob: beginning_of(text), reason };
        Glob::compile(text).map(|glob| Some(Self(glob))).map_err(wrong)
    }

    /// Whether it matches the name of a source.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// The beginning of a text, enough to recognise it in a response.
fn beginning_of(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Whether a text has glob characters.
pub(super) fn has_glob_characters(text: &str) -> bool {
    text.contains(GLOB_CHARACTERS)
}

pub(super) const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '{'];
const SHOWN_CHARACTERS: usize = 64;

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
        assert_eq!(long.reason, GlobError::TooLong { length: 2000 });
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
