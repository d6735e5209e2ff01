//! Who may read what, as it was configured: the files of users and tokens, authentication by a
//! proxy's header, and the rules. Only shapes are checked here; the files are read by `auth`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use rocket::Config as RocketConfig;

use super::Overrides;
use super::check::span;
use super::error::{ConfigError, TAILCAST_TABLE};
use super::layers::Layers;
use super::network;
use super::origin::Origin;
use super::raw::{RawConfig, RawHeaderLogin, RawLayers, RawRule};
use super::sources::current_folder;
use crate::glob::Glob;

/// Users, tokens and rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// Authentication is required. Without it, it is required as soon as a way to authenticate is
    /// configured.
    pub is_required: bool,
    /// Users and their password hashes, one a line; absolute.
    pub users_file: PathBuf,
    /// Tokens' hashes, one a line; absolute.
    pub tokens_file: PathBuf,
    /// How long a login in a browser holds.
    pub session_lifetime: Duration,
    /// Authentication by a header of a proxy.
    pub header_login: Option<HeaderLogin>,
    /// Clients may use a certificate.
    pub has_certificates: bool,
    /// Who may read what; without any, every authenticated user may read everything.
    pub rules: Vec<RuleSpec>,
    /// The files that were read for this, to be watched for changes.
    pub config_file: Option<PathBuf>,
    /// The file of users or tokens was configured explicitly.
    is_file_said: bool,
}

/// A proxy that authenticates, and names the user in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderLogin {
    /// The header with the user's name.
    pub user: String,
    /// The header with the user's groups, separated by commas.
    pub groups: String,
    /// The trusted addresses.
    pub from: Vec<IpNet>,
}

/// Grants access to sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSpec {
    /// Users by name; `*` is every one.
    pub users: Vec<String>,
    /// Groups by name.
    pub groups: Vec<String>,
    /// Tokens by name.
    pub tokens: Vec<String>,
    /// Globs of source names.
    pub sources: Vec<String>,
    /// They may read `/metrics`.
    pub metrics: bool,
}

impl AccessConfig {
    /// Reads only this part, with `overrides`; no source has to be configured.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let layers = Layers::gather(overrides)?;
        let RawLayers { tailcast: raw } = layers.extract()?;
        checked(&layers, &raw, &layers.forced()?.extract()?)
    }

    /// Whether requests need authentication, according to the files now.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        let has_file = || self.users_file.is_file() || self.tokens_file.is_file();
        self.is_required
            || self.is_file_said
            || self.has_certificates
            || self.header_login.is_some()
            || has_file()
    }
}

/// Checks the access settings.
pub(super) fn checked(
    layers: &Layers,
    raw: &RawConfig,
    rocket: &RocketConfig,
) -> Result<AccessConfig, ConfigError> {
    let is_required = match raw.authentication.as_str() {
        "auto" => false,
        "required" => true,
        _other => return Err(layers.wrong(&[TAILCAST_TABLE, "authentication"])),
    };
    let is_said = |key: &str| layers.origin(&[TAILCAST_TABLE, key]).is_said();
    Ok(AccessConfig {
        is_required,
        users_file: file(layers, "users_file", &raw.users_file)?,
        tokens_file: file(layers, "tokens_file", &raw.tokens_file)?,
        session_lifetime: span(layers, "session_lifetime", &raw.session_lifetime, LIFETIME)?,
        header_login: raw.header_login.as_ref().map(|raw| header_login(layers, raw)).transpose()?,
        has_certificates: rocket.mtls_enabled(),
        rules: rules(layers, &raw.rule)?,
        config_file: layers.file.clone(),
        is_file_said: is_said("users_file") || is_said("tokens_file"),
    })
}

/// A path: relative to the folder of the file that sets it, or of the configuration file for a
/// default.
fn file(layers: &Layers, key: &str, path: &str) -> Result<PathBuf, ConfigError> {
    let path_of_key = [TAILCAST_TABLE, key];
    if path.is_empty() {
        return Err(layers.wrong(&path_of_key));
    }
    let folder = |file: &Path| file.parent().map_or(PathBuf::new(), Path::to_owned);
    let base = match layers.origin(&path_of_key) {
        Origin::File { file, .. } => folder(&file),
        Origin::BuiltIn => layers.file.as_deref().map_or(PathBuf::new(), folder),
        Origin::Variable { .. } | Origin::Flag(_) => PathBuf::new(),
    };
    Ok(current_folder()?.join(base).join(path))
}

fn header_login(layers: &Layers, raw: &RawHeaderLogin) -> Result<HeaderLogin, ConfigError> {
    let key = |key| [TAILCAST_TABLE, "header_login", key];
    for (name, header) in [("user", &raw.user), ("groups", &raw.groups)] {
        if !is_header_name(header) {
            return Err(layers.wrong(&key(name)));
        }
    }
    if raw.from.is_empty() {
        return Err(layers.wrong(&key("from")));
    }
    let from = network::networks(layers, &key("from"), &raw.from)?;
    Ok(HeaderLogin { user: raw.user.clone(), groups: raw.groups.clone(), from })
}

fn is_header_name(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    !name.is_empty() && name.chars().all(is_plain)
}

fn rules(layers: &Layers, raw: &[RawRule]) -> Result<Vec<RuleSpec>, ConfigError> {
    raw.iter().enumerate().map(|(index, rule)| checked_rule(layers, index, rule)).collect()
}

fn checked_rule(layers: &Layers, index: usize, rule: &RawRule) -> Result<RuleSpec, ConfigError> {
    let index = index.to_string();
    let key = [TAILCAST_TABLE, "rule", index.as_str()];
    if rule.users.is_empty() && rule.groups.is_empty() && rule.tokens.is_empty() {
        return Err(layers.wrong(&key));
    }
    if rule.sources.is_empty() && !rule.metrics {
        return Err(layers.wrong(&key));
    }
    for (at, glob) in rule.sources.iter().enumerate() {
        let at = at.to_string();
        let key = [TAILCAST_TABLE, "rule", &index, "sources", &at];
        if glob.is_empty() {
            return Err(layers.wrong(&key));
        }
        if let Err(error) = Glob::compile(glob) {
            let expected = format!("a glob of source names, such as `\"nginx/*\"` ({error})");
            return Err(layers.wrong_unless(&key, &expected));
        }
    }
    let RawRule { users, groups, tokens, sources, metrics } = rule.clone();
    Ok(RuleSpec { users, groups, tokens, sources, metrics })
}

const LIFETIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);
