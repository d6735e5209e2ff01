//! Globs: the one meaning that `*`, `?`, `[…]`, `{a,b}` (within a folder) and `**` (across folders)
//! have, in the configuration, in rules and in requests.
//!
//! SECURITY: a glob comes from any client. Its length, how deep its braces are nested and the size
//! of what it compiles to are bounded, and every refusal is an error: `globset` itself panics on a
//! glob whose regular expression is refused.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use globset::GlobBuilder;
use regex::bytes::{Regex, RegexBuilder};

/// A compiled glob.
#[derive(Debug, Clone)]
pub struct Glob(Regex);

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Longer than any glob that is of use.
    #[error("a glob of {length} bytes, at most {MAX_GLOB_BYTES} are expected")]
    TooLong {
        /// Bytes of the text.
        length: usize,
    },
    /// Braces in braces in braces.
    #[error("braces nested {depth} deep, at most {MAX_DEPTH} are expected")]
    TooDeep {
        /// How deep.
        depth: usize,
    },
    /// Its compiled form is too large.
    #[error("its compiled form is over {} KiB; expected a simpler glob", COMPILED_BYTES / 1024)]
    TooLarge,
    /// Its brackets or braces are invalid, with the parser's message.
    #[error("{0}")]
    Malformed(String),
}

impl Glob {
    /// Compiles a text.
    pub fn compile(text: &str) -> Result<Self, GlobError> {
        if text.len() > MAX_GLOB_BYTES {
            return Err(GlobError::TooLong { length: text.len() });
        }
        let depth = depth_of(text);
        if depth > MAX_DEPTH {
            return Err(GlobError::TooDeep { depth });
        }
        let glob = GlobBuilder::new(text).literal_separator(true).empty_alternates(true).build();
        let glob = glob.map_err(|error| GlobError::Malformed(error.kind().to_string()))?;
        let compiled = RegexBuilder::new(glob.regex())
            .dot_matches_new_line(true)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(COMPILED_BYTES)
            .build();
        compiled.map(Glob).map_err(|error| {
            if let regex::Error::CompiledTooBig(_) = error {
                return GlobError::TooLarge;
            }
            // The library marks the position over several lines; the last one says what is wrong.
            let message = error.to_string();
            GlobError::Malformed(message.lines().last().unwrap_or_default().to_owned())
        })
    }

    /// Whether it matches all of a name or path.
    pub fn is_match(&self, text: impl AsRef<OsStr>) -> bool {
        self.0.is_match(text.as_ref().as_bytes())
    }
}

/// The greatest number of braces that are open at once. A brace in brackets or behind a backslash
/// counts as well: a bound does not have to be exact.
fn depth_of(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' => open += 1,
            b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

const MAX_GLOB_BYTES: usize = 1024;
const MAX_DEPTH: usize = 16;
const COMPILED_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_too_much_is_named() {
        let nested = |depth: usize| format!("{}a{}", "{".repeat(depth), "}".repeat(depth));
        assert!(Glob::compile(&nested(MAX_DEPTH)).unwrap().is_match("a"));
        for depth in [MAX_DEPTH + 1, 250, 500] {
            assert_eq!(Glob::compile(&nested(depth)).unwrap_err(), GlobError::TooDeep { depth });
        }
        let long = Glob::compile(&"a".repeat(1025)).unwrap_err();
        assert_eq!(long.to_string(), "a glob of 1025 bytes, at most 1024 are expected");
    }

    #[test]
    fn bytes_that_are_no_text_fit_as_well() {
        assert!(Glob::compile("a?c*").unwrap().is_match(OsStr::from_bytes(b"a\xffc\n\xfe")));
        assert!(!Glob::compile("a?c").unwrap().is_match("a/c"));
    }

    proptest! {
        #[test]
        fn it_fits_what_globset_says_that_fits(
            text in r"[*?\[\]{},!/a-c\\^-]{0,24}", name in "[a-c/,!-]{0,9}"
        ) {
            let theirs =
                GlobBuilder::new(&text).literal_separator(true).empty_alternates(true).build();
            if let (Ok(ours), Ok(theirs)) = (Glob::compile(&text), theirs) {
                prop_assert_eq!(ours.is_match(&name), theirs.compile_matcher().is_match(&name));
            }
        }
    }
}
