//! The configuration: the settings in `Rocket.toml`, the environment and on the command line,
//! merged in that order over the built-in defaults, and checked once.
//!
//! It goes through two stages. `RawConfig` has the shape of the `tailcast` table and holds what was
//! written; [`Config`] holds checked types. Every error names the setting to change. This module
//! does not look at log files: whether a path exists is the catalog's.

mod access;
mod check;
mod error;
mod expectation;
mod explanation;
mod file;
mod layers;
mod network;
mod origin;
mod providers;
mod raw;
mod redact;
mod sources;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use rocket::config::TlsConfig;
use rocket::figment::Figment;

use self::layers::Layers;

pub use self::access::{AccessConfig, HeaderLogin, RuleSpec};
pub use self::error::ConfigError;
pub use self::explanation::Explanation;
pub use self::network::{ForwardedBy, NetworkConfig};
pub use self::origin::Origin;
pub use self::redact::RedactSpec;

/// What the command line says about the configuration: the layer above all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--config FILE`: read this file, which must exist, instead of looking for `Rocket.toml`.
    pub config_file: Option<PathBuf>,
    /// `--address ADDR`.
    pub address: Option<IpAddr>,
    /// `--port PORT`.
    pub port: Option<u16>,
    /// `--insecure`; `false` means that nothing was said.
    pub insecure: bool,
    /// Files, directories and globs to serve. Where there is one, the file's sources are not used.
    pub paths: Vec<String>,
}

/// One log or set of logs to serve, as it was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSpec {
    /// The name given in the file; `None` for a path of the command line, named after itself.
    pub name: Option<String>,
    /// Absolute paths of files, directories and globs. Links and `..` are left as they were
    /// written: what they lead to may change while the server runs.
    pub paths: Vec<String>,
    /// Where rotated files are moved to. As for logrotate, a relative one is relative to the
    /// folder of each log.
    pub olddir: Option<PathBuf>,
}

/// One effective value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key below the profile, such as `tailcast.heartbeat`.
    pub key: String,
    /// The value, as it was written.
    pub value: String,
    /// Its origin.
    pub origin: Origin,
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to serve; never empty.
    pub sources: Vec<SourceSpec>,
    /// The heartbeat interval: 1s to 5m.
    pub heartbeat: Duration,
    /// The greatest number of viewers at a time.
    pub max_viewers: usize,
    /// How long a feed outlives its last viewer: at most 10s.
    pub linger: Duration,
    /// How long an HTTP client may read nothing before it is disconnected; `None`: for ever.
    pub stall_limit: Option<Duration>,
    /// The `Host` names that are answered, in lower case; empty: all.
    pub hosts: Vec<String>,
    /// Users, tokens and rules.
    pub access: AccessConfig,
    /// Listed proxies, allowed origins, and limits.
    pub network: NetworkConfig,
    /// What is masked in the lines.
    pub redactions: Vec<RedactSpec>,
    /// Whether to serve without authentication beyond this host.
    pub insecure: bool,
    /// The address to bind to.
    pub address: IpAddr,
    /// The port to bind to; 0 lets the system choose.
    pub port: u16,
    /// Whether it speaks TLS itself.
    pub is_tls: bool,
    /// Worker threads for the runtime; at least 1.
    pub workers: usize,
    /// The greatest number of blocking threads for the runtime; at least 1.
    pub max_blocking: usize,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// The command line's settings, for a reload.
    pub overrides: Overrides,
    /// Every layer, with what Tailcast asks of Rocket on top: ready for `rocket::custom`.
    pub figment: Figment,
    /// Every effective value and its origin, for `tailcast check`.
    pub settings: Vec<Setting>,
    /// Settings without effect, or risky ones: one sentence each, to be reported at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the file and the environment, puts `overrides` on top, and checks everything.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let layers = Layers::gather(overrides)?;
        let mut config = check::checked(&layers, overrides)?;
        config.refuse_exposure(&layers)?;
        Ok(config)
    }

    /// The files that this process itself is configured by: they hold secrets and are no logs. Some
    /// may not exist.
    #[must_use]
    pub fn own_files(&self) -> Vec<PathBuf> {
        let AccessConfig { users_file, tokens_file, config_file, .. } = &self.access;
        let named = [users_file.clone(), tokens_file.clone()];
        let mut own: Vec<PathBuf> = named.into_iter().chain(config_file.clone()).collect();
        if let Ok(tls) = self.figment.extract_inner::<TlsConfig>("tls") {
            own.extend(tls.key().left());
        }
        own
    }

    /// The configuration in words: each value in force, where it was said, what is served, and
    /// the warnings. Ends with a newline.
    #[must_use]
    pub fn explanation(&self) -> Explanation<'_> {
        Explanation(self)
    }

    /// Refuses to start if other hosts could read the logs without authentication and `--insecure`
    /// is not set.
    fn refuse_exposure(&mut self, layers: &Layers) -> Result<(), ConfigError> {
        let address = self.address;
        if address.to_canonical().is_loopback() || has_authentication(self) {
            return Ok(());
        }
        if !self.insecure {
            return Err(ConfigError::Exposed { origin: layers.origin(&["address"]), address });
        }
        self.warnings.push(format!(
            "whoever reaches {address} port {} can read the logs: there is no authentication",
            self.port
        ));
        Ok(())
    }
}

/// Whether requests need authentication.
#[must_use]
pub fn has_authentication(config: &Config) -> bool {
    config.access.requires_auth()
}
