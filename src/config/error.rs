//! What is wrong with a configuration, in sentences that say where it is and what to do.

use std::io;
use std::net::IpAddr;

use rocket::Config as RocketConfig;

use super::origin::Origin;
use super::raw::TAILCAST_KEYS;

/// What is wrong with the configuration. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was named, or found, cannot be read.
    #[error("{file}: cannot read the configuration: {source}")]
    Read {
        /// The file, and what named it.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// The file is not TOML; the problem has the line.
    #[error("{file}: {problem}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's message, with line and column.
        problem: String,
    },
    /// An unknown key.
    #[error("{origin} is unknown; {hint}")]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key that was probably meant, where it belongs, or what there is.
        hint: String,
    },
    /// A value that is not of the kind or in the range that its key asks for.
    #[error("{origin}: found {found}, expected {expected}")]
    WrongValue {
        /// Where it stands.
        origin: Origin,
        /// The value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A key that must be there.
    #[error("{origin} is missing; expected {expected}")]
    MissingKey {
        /// Where it should stand.
        origin: Origin,
        /// What would be right.
        expected: String,
    },
    /// Other hosts could read the logs.
    #[error(
        "refused to bind to {address} ({origin}): there is no authentication, so whoever reaches \
         that address could read the logs. Add a user with `tailcast user add`, or bind to \
         127.0.0.1 and put a reverse proxy in front, or accept it with `--insecure` (`insecure = true` in the file, TAILCAST_INSECURE=true)"
    )]
    Exposed {
        /// Where the address was said.
        origin: Origin,
        /// The address.
        address: IpAddr,
    },
    /// Nothing to serve.
    #[error(
        "no log to serve. Name some in one of three ways:\n  \
         tailcast /var/log/nginx          files, directories or globs on the command line\n  \
         [[default.tailcast.source]]      with `name` and `paths`, in Rocket.toml\n  \
         tailcast serve --demo            a made-up log, for a first look"
    )]
    NoSource,
}

impl ConfigError {
    /// The exit code for the process: 2, as for any other mistake in how it was called.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        2
    }

    /// An unknown `key` of a place where `known` keys are; `profile` is named in the hint.
    pub(super) fn unknown_key(origin: Origin, key: &str, known: &[&str], profile: &str) -> Self {
        let hint = if known.contains(&TAILCAST_TABLE) && TAILCAST_KEYS.contains(&key) {
            format!("it belongs in `[{profile}.{TAILCAST_TABLE}]`")
        } else if !known.contains(&TAILCAST_TABLE) && RocketConfig::PARAMETERS.contains(&key) {
            format!("it belongs in `[{profile}]`")
        } else if let Some(similar) = similar_name(key, known) {
            format!("did you mean `{similar}`?")
        } else {
            format!("expected one of `{}`", known.join("`, `"))
        };
        Self::UnknownKey { origin, hint }
    }
}

/// The name of Tailcast's table within a profile.
pub(super) const TAILCAST_TABLE: &str = "tailcast";

/// The one of `known` that was probably meant by `name`.
pub(super) fn similar_name<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let similarity = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), candidate);
    let scored = known.iter().map(|candidate| (similarity(candidate), *candidate));
    scored
        .filter(|(score, _)| *score >= LIKE_ENOUGH)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// From this similarity (0 to 1) on, an unknown name counts as misspelt.
const LIKE_ENOUGH: f64 = 0.85;
