//! `Rocket.toml`: found where Rocket would find it, read once, every key of every profile known.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rocket::Config as RocketConfig;
use rocket::figment::providers::{Env, Format, Toml};
use rocket::figment::value::{Dict, Map, Value};
use rocket::figment::{Error, Metadata, Profile, Provider};

use super::error::{ConfigError, TAILCAST_TABLE, similar_name};
use super::expectation::describe;
use super::origin::{Origin, shown};
use super::raw::TAILCAST_KEYS;

/// A configuration file that was read.
#[derive(Debug, Clone)]
pub(super) struct ConfigFile {
    path: PathBuf,
    profiles: Map<Profile, Dict>,
}

impl ConfigFile {
    /// Reads the file that was named on the command line or by `ROCKET_CONFIG`, else the
    /// `Rocket.toml` of the current folder or one above it. Only an unnamed one may be absent.
    pub(super) fn read(named: Option<&Path>) -> Result<Option<Self>, ConfigError> {
        if let Some(path) = named {
            return Self::parse(path.to_owned(), "named by `--config`").map(Some);
        }
        if let Some(name) = Env::var("ROCKET_CONFIG").filter(|name| !name.is_empty()) {
            let path = find(Path::new(&name)).unwrap_or_else(|| PathBuf::from(name));
            return Self::parse(path, "named by `ROCKET_CONFIG`").map(Some);
        }
        find(Path::new("Rocket.toml")).map(|path| Self::parse(path, "found")).transpose()
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The profiles that have a table.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.keys()
    }

    fn parse(path: PathBuf, how: &str) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(&path).map_err(|source| ConfigError::Read {
            file: format!("{} ({how})", shown(&path)),
            source,
        })?;
        let tables: Dict = Toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            file: shown(&path),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        let mut profiles = Map::new();
        for (name, table) in tables {
            let table = as_profile(&path, &name, table)?;
            profiles.insert(Profile::new(&name), table);
        }
        Ok(Self { path, profiles })
    }

    /// Refuses a key that neither Rocket nor Tailcast reads, in any profile, and a profile that
    /// looks misspelt: its whole table would be ignored silently. The keys inside the `tailcast`
    /// tables are checked where these are parsed.
    pub(super) fn check_keys(&self, selected: &Profile) -> Result<(), ConfigError> {
        let known: Vec<&str> =
            [TAILCAST_TABLE].into_iter().chain(RocketConfig::PARAMETERS.iter().copied()).collect();
        let usual = ["default", "global", "debug", "release", selected.as_str().as_str()];
        for (profile, table) in &self.profiles {
            let name = profile.as_str().as_str();
            if !usual.contains(&name)
                && let Some(similar) = similar_name(name, &usual)
            {
                let origin = file_key(&self.path, name);
                let hint = format!("did you mean the profile `{similar}`?");
                return Err(ConfigError::UnknownKey { origin, hint });
            }
            if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
                let origin = file_key(&self.path, &format!("{name}.{key}"));
                return Err(ConfigError::unknown_key(origin, key, &known, name));
            }
        }
        Ok(())
    }
}

impl Provider for ConfigFile {
    fn metadata(&self) -> Metadata {
        Metadata::from("TOML file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(self.profiles.clone())
    }
}

/// Top-level entries of the file must be profiles: tables that are not named like a setting.
fn as_profile(path: &Path, name: &str, value: Value) -> Result<Dict, ConfigError> {
    let origin = file_key(path, name);
    let below = |table: &str| format!("it belongs below a profile: `[{table}]`");
    if name == TAILCAST_TABLE {
        return Err(ConfigError::UnknownKey { origin, hint: below("default.tailcast") });
    }
    if TAILCAST_KEYS.contains(&name) {
        let hint = match name {
            "source" => "it belongs below a profile: `[[default.tailcast.source]]`".to_owned(),
            _other => below("default.tailcast"),
        };
        return Err(ConfigError::UnknownKey { origin, hint });
    }
    if RocketConfig::PARAMETERS.contains(&name) {
        return Err(ConfigError::UnknownKey { origin, hint: below("default") });
    }
    let found = describe(&value);
    value.into_dict().ok_or_else(|| ConfigError::WrongValue {
        origin,
        found,
        expected: "a profile, such as the table `[default]`".to_owned(),
    })
}

fn file_key(path: &Path, key: &str) -> Origin {
    Origin::File { file: path.to_owned(), key: key.to_owned() }
}

/// Looks for a file as Rocket does: here, then in each folder above.
fn find(name: &Path) -> Option<PathBuf> {
    let here: io::Result<PathBuf> = env::current_dir();
    let here = here.unwrap_or_default();
    here.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file())
}
