//! The layers beside the file, each as a figment provider.

use std::num::NonZero;
use std::thread;

use rocket::Config as RocketConfig;
use rocket::figment::providers::Env;
use rocket::figment::value::{Dict, Map, Value};
use rocket::figment::{Error, Metadata, Profile, Provider};

use super::Overrides;
use super::error::{TAILCAST_TABLE, similar_name};
use super::origin::{COMMAND_LINE, ROCKET_VARIABLES, TAILCAST_VARIABLES};
use super::raw::{NO_SPAN, TAILCAST_KEYS};

/// The built-in defaults, over Rocket's own.
#[derive(Debug)]
pub(super) struct BuiltIn;

impl Provider for BuiltIn {
    fn metadata(&self) -> Metadata {
        Metadata::named("built-in defaults")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let cores = thread::available_parallelism().map_or(MIN_WORKERS, NonZero::get);
        let tailcast = dict([
            ("heartbeat", Value::from("15s")),
            ("max_viewers", Value::from(20_000_u32)),
            ("linger", Value::from("3s")),
            ("stall_limit", Value::from(NO_SPAN)),
            ("hosts", Value::from(Vec::<String>::new())),
            ("insecure", Value::from(false)),
            ("authentication", Value::from("auto")),
            ("users_file", Value::from("tailcast-users")),
            ("tokens_file", Value::from("tailcast-tokens")),
            ("session_lifetime", Value::from("12h")),
            ("trusted_proxies", Value::from(Vec::<String>::new())),
            ("forwarded", Value::from("x-forwarded")),
            ("origins", Value::from(Vec::<String>::new())),
            ("frame_ancestors", Value::from(vec!["'self'"])),
            ("max_viewers_per_address", Value::from(200_u32)),
            ("max_viewers_per_user", Value::from(200_u32)),
            ("max_connections_per_second", Value::from(100_u32)),
            ("max_connections_per_address", Value::from(512_u32)),
        ]);
        let profile = dict([
            ("address", Value::from("127.0.0.1")),
            ("port", Value::from(8000_u16)),
            ("workers", Value::from(cores.max(MIN_WORKERS))),
            (TAILCAST_TABLE, Value::from(tailcast)),
        ]);
        Ok(Profile::Default.collect(profile))
    }
}

/// `ROCKET_*`, read as Rocket reads it.
#[derive(Debug)]
pub(super) struct RocketVariables;

impl Provider for RocketVariables {
    fn metadata(&self) -> Metadata {
        Metadata::named(ROCKET_VARIABLES)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Env::prefixed(ROCKET_VARIABLES).ignore(&["PROFILE", "CONFIG"]).global().data()
    }
}

/// `TAILCAST_*`: the keys of the `tailcast` table. An empty variable counts as unset.
#[derive(Debug)]
pub(super) struct TailcastVariables;

impl Provider for TailcastVariables {
    fn metadata(&self) -> Metadata {
        Metadata::named(TAILCAST_VARIABLES)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let said = Env::prefixed(TAILCAST_VARIABLES);
        let known = said
            .iter()
            .filter(|(key, text)| TAILCAST_KEYS.contains(&key.as_str()) && !text.trim().is_empty());
        let table: Dict = known.map(|(key, text)| (key.to_string(), parsed(&text))).collect();
        Ok(Profile::Global.collect(dict([(TAILCAST_TABLE, Value::from(table))])))
    }
}

impl Provider for &Overrides {
    fn metadata(&self) -> Metadata {
        Metadata::named(COMMAND_LINE)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut profile = Dict::new();
        if let Some(address) = self.address {
            profile.insert(RocketConfig::ADDRESS.to_owned(), address.to_string().into());
        }
        if let Some(port) = self.port {
            profile.insert(RocketConfig::PORT.to_owned(), port.into());
        }
        if self.insecure {
            let table = dict([("insecure", Value::from(true))]);
            profile.insert(TAILCAST_TABLE.to_owned(), table.into());
        }
        Ok(Profile::Global.collect(profile))
    }
}

/// What Tailcast decides for Rocket: logging, signals and client addresses are its own, and its
/// shutdown has notified every viewer before Rocket's begins.
#[derive(Debug)]
pub(super) struct Forced;

impl Provider for Forced {
    fn metadata(&self) -> Metadata {
        Metadata::named("Tailcast itself")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let shutdown = dict([
            ("ctrlc", Value::from(false)),
            ("signals", Value::from(Vec::<String>::new())),
            ("grace", Value::from(1_u32)),
            ("mercy", Value::from(1_u32)),
            ("force", Value::from(false)),
        ]);
        Ok(Profile::Global.collect(dict([
            (RocketConfig::LOG_LEVEL, Value::from("off")),
            (RocketConfig::CLI_COLORS, Value::from(false)),
            (RocketConfig::IP_HEADER, Value::from(false)),
            (RocketConfig::IDENT, Value::from("Tailcast")),
            (RocketConfig::SHUTDOWN, Value::from(shutdown)),
        ])))
    }
}

/// The paths of what [`Forced`] decides: other settings there have no effect.
pub(super) const FORCED: &[&[&str]] = &[
    &[RocketConfig::LOG_LEVEL],
    &[RocketConfig::CLI_COLORS],
    &[RocketConfig::IP_HEADER],
    &[RocketConfig::IDENT],
    &[RocketConfig::SHUTDOWN],
];

/// One warning for each `TAILCAST_*` variable that is not read. `TAILCAST_TOKEN` and `*_FILE` are
/// for clients and for secrets.
pub(super) fn unknown_variables() -> Vec<String> {
    let mut warnings = Vec::new();
    for (key, _) in Env::prefixed(TAILCAST_VARIABLES).iter() {
        let name = variable_name(TAILCAST_VARIABLES, key.as_str());
        let is_reserved = name == "TAILCAST_TOKEN" || name.ends_with("_FILE");
        if is_reserved || TAILCAST_KEYS.contains(&key.as_str()) {
            continue;
        }
        let hint = variable_meant_by(key.as_str())
            .map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        warnings.push(format!("environment variable `{name}` is unknown, it has no effect{hint}"));
    }
    warnings.sort();
    warnings
}

fn variable_meant_by(key: &str) -> Option<String> {
    if RocketConfig::PARAMETERS.contains(&key) {
        return Some(variable_name(ROCKET_VARIABLES, key));
    }
    similar_name(key, TAILCAST_KEYS).map(|similar| variable_name(TAILCAST_VARIABLES, similar))
}

fn variable_name(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.to_uppercase())
}

/// A variable's text as figment reads any: a number, a truth value, a list, a table, else itself.
fn parsed(text: &str) -> Value {
    match text.parse() {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

fn dict<const N: usize>(entries: [(&str, Value); N]) -> Dict {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// One stalled worker must not stop the server.
const MIN_WORKERS: usize = 2;
