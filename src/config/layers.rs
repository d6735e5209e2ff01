//! The layers, from the defaults up to the command line, and the origin of each value.

use std::path::PathBuf;

use rocket::Config as RocketConfig;
use rocket::figment::error::{Kind, OneOf};
use rocket::figment::value::Value;
use rocket::figment::{Error, Figment, Profile};
use serde::de::DeserializeOwned;

use super::Overrides;
use super::error::ConfigError;
use super::expectation::{describe, expectation};
use super::file::ConfigFile;
use super::origin::Origin;
use super::providers::{BuiltIn, Forced, RocketVariables, TailcastVariables};
use super::raw::RawLayers;

/// All settings, merged.
#[derive(Debug)]
pub(super) struct Layers {
    /// The layers that people wrote, over the defaults; nothing forced upon them yet.
    pub(super) figment: Figment,
    /// The file, if there is one.
    pub(super) file: Option<PathBuf>,
    /// The merged values, each tagged with the layer that it is from.
    tree: Value,
}

impl Layers {
    /// Reads the file and the environment and merges all layers. Every key is known afterwards,
    /// in all profiles of the file.
    pub(super) fn gather(overrides: &Overrides) -> Result<Self, ConfigError> {
        let profile = Profile::from_env_or("ROCKET_PROFILE", RocketConfig::DEFAULT_PROFILE);
        let mut figment = Figment::from(RocketConfig::default()).merge(BuiltIn);
        let file = ConfigFile::read(overrides.config_file.as_deref())?;
        if let Some(file) = &file {
            file.check_keys(&profile)?;
            figment = figment.merge(file);
            for other in file.profiles() {
                let view = Self::new(figment.clone().select(other.clone()), None)?;
                view.extract::<RawLayers>()?;
            }
        }
        let figment = figment
            .merge(RocketVariables)
            .merge(TailcastVariables)
            .merge(overrides)
            .select(profile);
        Self::new(figment, file.map(|file| file.path().to_owned()))
    }

    fn new(figment: Figment, file: Option<PathBuf>) -> Result<Self, ConfigError> {
        // The empty path is the root.
        let tree = figment.find_value("").map_err(|error| ConfigError::Syntax {
            file: "configuration".to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Self { figment, file, tree })
    }

    /// The same layers under what Tailcast asks of Rocket, whatever was said.
    pub(super) fn forced(&self) -> Result<Self, ConfigError> {
        Self::new(self.figment.clone().merge(Forced), self.file.clone())
    }

    /// Extracts the merged values as a `T`, or names the one that is wrong.
    pub(super) fn extract<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.figment.extract().map_err(|error| self.explained(error))
    }

    /// The origin of the value at `path`.
    pub(super) fn origin<S: AsRef<str>>(&self, path: &[S]) -> Origin {
        let Some(tag) = self.value(path).map(Value::tag) else { return Origin::BuiltIn };
        let profile = tag.profile().unwrap_or_else(|| self.figment.profile().clone());
        Origin::new(self.figment.get_metadata(tag), &profile, path)
    }

    /// The value at `path`; a number is an index in a list.
    pub(super) fn value<S: AsRef<str>>(&self, path: &[S]) -> Option<&Value> {
        path.iter().map(AsRef::as_ref).try_fold(&self.tree, |value, part| match value.as_array() {
            Some(list) => list.get(part.parse::<usize>().ok()?),
            None => value.as_dict()?.get(part),
        })
    }

    /// The error for a value at `path` that is not what its key asks for.
    pub(super) fn wrong(&self, path: &[&str]) -> ConfigError {
        self.wrong_unless(path, expectation(path).unwrap_or("another value"))
    }

    /// The error for a value at `path` that would have to be what is `expected`.
    pub(super) fn wrong_unless(&self, path: &[&str], expected: &str) -> ConfigError {
        ConfigError::WrongValue {
            origin: self.origin(path),
            found: self.value(path).map_or_else(|| "nothing".to_owned(), describe),
            expected: expected.to_owned(),
        }
    }

    /// A figment error in our words.
    fn explained(&self, error: Error) -> ConfigError {
        let profile = error.profile.as_ref().unwrap_or(self.figment.profile());
        let mut path: Vec<&str> = error.path.iter().map(String::as_str).collect();
        let origin = |path: &[&str]| Origin::new(error.metadata.as_ref(), profile, path);
        let general = match &error.kind {
            Kind::UnknownField(key, known) => {
                let profile = profile.as_str().as_str();
                return ConfigError::unknown_key(origin(&path), key, known, profile);
            }
            Kind::MissingField(key) => {
                path.push(key);
                let expected = expectation(&path).unwrap_or("a value").to_owned();
                return ConfigError::MissingKey { origin: origin(&path), expected };
            }
            Kind::InvalidType(_, expected)
            | Kind::InvalidValue(_, expected)
            | Kind::InvalidLength(_, expected) => expected.clone(),
            Kind::UnsupportedKey(_, expected) => expected.clone().into_owned(),
            Kind::UnknownVariant(_, known) => OneOf(known).to_string(),
            Kind::Message(_)
            | Kind::DuplicateField(_)
            | Kind::ISizeOutOfRange(_)
            | Kind::USizeOutOfRange(_)
            | Kind::Unsupported(_) => error.kind.to_string(),
        };
        ConfigError::WrongValue {
            origin: origin(&path),
            found: self.value(&path).map_or_else(|| "nothing".to_owned(), describe),
            expected: expectation(&path).map_or(general, str::to_owned),
        }
    }
}
