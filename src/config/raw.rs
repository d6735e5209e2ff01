//! The `tailcast` table as it is written, before its values are checked.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

/// The keys of the `tailcast` table, in the order in which they are explained.
pub(super) const TAILCAST_KEYS: &[&str] = &[
    "heartbeat",
    "max_viewers",
    "linger",
    "stall_limit",
    "hosts",
    "insecure",
    "authentication",
    "users_file",
    "tokens_file",
    "session_lifetime",
    "trusted_proxies",
    "forwarded",
    "origins",
    "frame_ancestors",
    "max_viewers_per_address",
    "max_viewers_per_user",
    "max_connections_per_second",
    "max_connections_per_address",
    "header_login",
    "rule",
    "redact",
    "source",
];

/// The word for a span without end.
pub(super) const NO_SPAN: &str = "none";

/// The part of a merged configuration that is Tailcast's; Rocket reads its own keys beside it.
#[derive(Debug, Deserialize)]
pub(super) struct RawLayers {
    /// The `tailcast` table.
    pub(super) tailcast: RawConfig,
}

/// The `tailcast` table. The defaults are a layer of their own, hence no key is optional that has
/// one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    /// A span.
    pub(super) heartbeat: String,
    /// A count.
    pub(super) max_viewers: usize,
    /// A span.
    pub(super) linger: String,
    /// A span, or [`NO_SPAN`].
    pub(super) stall_limit: String,
    /// Host names; a variable may hold them as one text with commas.
    #[serde(deserialize_with = "list_or_text")]
    pub(super) hosts: Vec<String>,
    /// `true` or `false`; a variable may hold `1` or `0`.
    #[serde(deserialize_with = "rocket::figment::util::bool_from_str_or_int")]
    pub(super) insecure: bool,
    /// `auto` or `required`.
    pub(super) authentication: String,
    /// A path.
    pub(super) users_file: String,
    /// A path.
    pub(super) tokens_file: String,
    /// A span.
    pub(super) session_lifetime: String,
    /// Addresses and networks.
    #[serde(deserialize_with = "list_or_text")]
    pub(super) trusted_proxies: Vec<String>,
    /// `x-forwarded` or `forwarded`.
    pub(super) forwarded: String,
    /// Origins.
    #[serde(deserialize_with = "list_or_text")]
    pub(super) origins: Vec<String>,
    /// Origins, or words of the policy in quotes.
    #[serde(deserialize_with = "list_or_text")]
    pub(super) frame_ancestors: Vec<String>,
    /// A count.
    pub(super) max_viewers_per_address: usize,
    /// A count.
    pub(super) max_viewers_per_user: usize,
    /// A count.
    pub(super) max_connections_per_second: u32,
    /// A count.
    pub(super) max_connections_per_address: usize,
    /// The proxy that authenticates users.
    pub(super) header_login: Option<RawHeaderLogin>,
    /// Who may read what.
    #[serde(default)]
    pub(super) rule: Vec<RawRule>,
    /// What is masked.
    #[serde(default)]
    pub(super) redact: Vec<RawRedact>,
    /// The logs.
    #[serde(default)]
    pub(super) source: Vec<RawSource>,
}

/// One `[[source]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    /// Its name in URLs.
    pub(super) name: String,
    /// Files, directories and globs.
    pub(super) paths: Vec<String>,
    /// Where its rotated files go.
    pub(super) olddir: Option<PathBuf>,
}

/// `[header_login]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHeaderLogin {
    /// A header's name.
    #[serde(default = "default_user_header")]
    pub(super) user: String,
    /// A header's name.
    #[serde(default = "default_groups_header")]
    pub(super) groups: String,
    /// Addresses and networks.
    pub(super) from: Vec<String>,
}

fn default_user_header() -> String {
    "Remote-User".to_owned()
}

fn default_groups_header() -> String {
    "Remote-Groups".to_owned()
}

/// One `[[rule]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    /// Names, or `*`.
    #[serde(default)]
    pub(super) users: Vec<String>,
    /// Names.
    #[serde(default)]
    pub(super) groups: Vec<String>,
    /// Names.
    #[serde(default)]
    pub(super) tokens: Vec<String>,
    /// Globs of source names.
    #[serde(default)]
    pub(super) sources: Vec<String>,
    /// Whether `/metrics` may be read.
    #[serde(default)]
    pub(super) metrics: bool,
}

/// One `[[redact]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRedact {
    /// A glob of source names; without it every source.
    pub(super) sources: Option<String>,
    /// A regular expression.
    pub(super) pattern: String,
}

fn list_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(ListVisitor)
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.split(',').map(|part| part.trim().to_owned()).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}
