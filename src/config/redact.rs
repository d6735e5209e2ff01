//! What is masked in the lines, as it was configured.

use regex::bytes::{Regex, RegexBuilder};

use super::error::{ConfigError, TAILCAST_TABLE};
use super::layers::Layers;
use super::raw::RawRedact;
use crate::glob::Glob;

/// Masks what a pattern matches.
#[derive(Debug, Clone)]
pub struct RedactSpec {
    /// A glob of source names; `None`: all.
    pub sources: Option<String>,
    /// What is masked: its groups, or all of a match where it has none.
    pub pattern: Regex,
}

/// Checks every pattern.
pub(super) fn checked(layers: &Layers, raw: &[RawRedact]) -> Result<Vec<RedactSpec>, ConfigError> {
    let mut specs = Vec::with_capacity(raw.len());
    for (index, redact) in raw.iter().enumerate() {
        let index = index.to_string();
        let key = |key| [TAILCAST_TABLE, "redact", index.as_str(), key];
        if let Some(Err(error)) = redact.sources.as_deref().map(Glob::compile) {
            let expected = format!("a glob of source names, such as `\"nginx/*\"` ({error})");
            return Err(layers.wrong_unless(&key("sources"), &expected));
        }
        if redact.pattern.is_empty() || redact.pattern.len() > MAX_PATTERN_BYTES {
            return Err(layers.wrong(&key("pattern")));
        }
        let compiled = RegexBuilder::new(&redact.pattern).size_limit(MAX_COMPILED_BYTES).build();
        let pattern = compiled.map_err(|error| {
            // The parser marks the position over several lines; the last one says what is wrong.
            let message = error.to_string();
            let problem = message.lines().last().unwrap_or_default().to_owned();
            layers.wrong_unless(&key("pattern"), &format!("a regular expression ({problem})"))
        })?;
        specs.push(RedactSpec { sources: redact.sources.clone(), pattern });
    }
    Ok(specs)
}

const MAX_PATTERN_BYTES: usize = 4096;
const MAX_COMPILED_BYTES: usize = 1 << 20;
