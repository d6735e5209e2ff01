//! The origin of a value, described for the person who has to change it.

use std::fmt;
use std::path::{Path, PathBuf};

use rocket::figment::{Metadata, Profile, Source};

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the built-in default.
    BuiltIn,
    /// In a file, under this full key, profile included.
    File {
        /// The file.
        file: PathBuf,
        /// The key, such as `default.tailcast.source[0].name`.
        key: String,
    },
    /// In an environment variable.
    Variable {
        /// The variable's name.
        name: String,
        /// The key within it, where it holds a table; else empty.
        key: String,
    },
    /// On the command line, with this flag or as this argument.
    Flag(String),
}

/// The names under which the layers of variables and flags are known to figment.
pub(super) const TAILCAST_VARIABLES: &str = "TAILCAST_";
pub(super) const ROCKET_VARIABLES: &str = "ROCKET_";
pub(super) const COMMAND_LINE: &str = "command line";

impl Origin {
    /// The origin of the value at `path`, below `profile`, in the layer that `metadata` describes.
    pub(super) fn new<S: AsRef<str>>(
        metadata: Option<&Metadata>,
        profile: &Profile,
        path: &[S],
    ) -> Self {
        let Some(metadata) = metadata else { return Self::BuiltIn };
        if let Some(Source::File(file)) = &metadata.source {
            let key = format!("{profile}.{}", dotted(path));
            return Self::File { file: file.clone(), key };
        }
        match metadata.name.as_ref() {
            // The layer put its variables into the `tailcast` table: the first part is not named.
            TAILCAST_VARIABLES => variable(TAILCAST_VARIABLES, path.get(1..).unwrap_or_default()),
            ROCKET_VARIABLES => variable(ROCKET_VARIABLES, path),
            COMMAND_LINE => {
                Self::Flag(path.last().map_or_else(String::new, |name| {
                    format!("--{}", name.as_ref().replace('_', "-"))
                }))
            }
            _rocket_or_built_in => Self::BuiltIn,
        }
    }

    /// Whether the value was set explicitly.
    #[must_use]
    pub fn is_said(&self) -> bool {
        *self != Self::BuiltIn
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => write!(formatter, "built in"),
            Self::File { file, key } => write!(formatter, "{}: key `{key}`", shown(file)),
            Self::Variable { name, key } if key.is_empty() => {
                write!(formatter, "environment variable `{name}`")
            }
            Self::Variable { name, key } => {
                write!(formatter, "environment variable `{name}`: key `{key}`")
            }
            Self::Flag(flag) if flag.starts_with('-') => write!(formatter, "flag `{flag}`"),
            Self::Flag(argument) => write!(formatter, "argument `{argument}`"),
        }
    }
}

/// `file` as a person would name it: relative to the current folder where that is shorter.
pub(super) fn shown(file: &Path) -> String {
    Source::File(file.to_owned()).to_string()
}

fn variable<S: AsRef<str>>(prefix: &str, path: &[S]) -> Origin {
    let (first, rest) =
        path.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_ref(), rest));
    Origin::Variable { name: format!("{prefix}{}", first.to_uppercase()), key: dotted(rest) }
}

/// A path as TOML users write it, list indices in brackets.
fn dotted<S: AsRef<str>>(path: &[S]) -> String {
    let mut key = String::new();
    for part in path.iter().map(AsRef::as_ref) {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            key.extend(["[", part, "]"]);
        } else if key.is_empty() {
            key.push_str(part);
        } else {
            key.extend([".", part]);
        }
    }
    key
}
