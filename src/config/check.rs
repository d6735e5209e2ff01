//! The second stage: from what was written to checked types.

use std::ops::RangeInclusive;
use std::time::Duration;

use rocket::Config as RocketConfig;
use rocket::figment::value::Value;

use tailcast_core::time_expr::parse_span;

use super::error::{ConfigError, TAILCAST_TABLE};
use super::expectation::describe;
use super::layers::Layers;
use super::providers::{FORCED, unknown_variables};
use super::raw::{NO_SPAN, RawConfig, RawLayers, TAILCAST_KEYS};
use super::{Config, Origin, Overrides, Setting, access, network, redact, sources};

/// The key of the sources below the profile.
pub(super) const SOURCE_KEY: &str = "tailcast.source";

/// Checks every value. What depends on several of them is the caller's.
pub(super) fn checked(layers: &Layers, overrides: &Overrides) -> Result<Config, ConfigError> {
    let RawLayers { tailcast: raw } = layers.extract()?;
    let forced = layers.forced()?;
    let rocket: RocketConfig = forced.extract()?;
    refuse(rocket.workers == 0, layers, &[RocketConfig::WORKERS])?;
    refuse(rocket.max_blocking == 0, layers, &[RocketConfig::MAX_BLOCKING])?;
    refuse(raw.max_viewers == 0, layers, &[TAILCAST_TABLE, "max_viewers"])?;
    Ok(Config {
        heartbeat: span(layers, "heartbeat", &raw.heartbeat, HEARTBEAT)?,
        linger: span(layers, "linger", &raw.linger, LINGER)?,
        stall_limit: stall_limit(layers, &raw)?,
        max_viewers: raw.max_viewers,
        hosts: hosts(layers, &raw)?,
        access: access::checked(layers, &raw, &rocket)?,
        network: network::checked(layers, &raw)?,
        redactions: redact::checked(layers, &raw.redact)?,
        insecure: raw.insecure,
        sources: sources::checked(layers, &raw.source, &overrides.paths)?,
        address: rocket.address,
        port: rocket.port,
        is_tls: rocket.tls_enabled(),
        workers: rocket.workers,
        max_blocking: rocket.max_blocking,
        settings: settings(layers, overrides),
        warnings: warnings(layers, &rocket),
        file: layers.file.clone(),
        overrides: overrides.clone(),
        figment: forced.figment,
    })
}

fn refuse(is_wrong: bool, layers: &Layers, path: &[&str]) -> Result<(), ConfigError> {
    if is_wrong { Err(layers.wrong(path)) } else { Ok(()) }
}

pub(super) fn span(
    layers: &Layers,
    key: &str,
    text: &str,
    range: RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    // The text and the expectation show what is wrong.
    let span = parse_span(text).ok().filter(|span| range.contains(span));
    span.ok_or_else(|| layers.wrong(&[TAILCAST_TABLE, key]))
}

fn stall_limit(layers: &Layers, raw: &RawConfig) -> Result<Option<Duration>, ConfigError> {
    let said = Some(raw.stall_limit.as_str()).filter(|text| *text != NO_SPAN);
    said.map(|text| span(layers, "stall_limit", text, STALL_LIMIT)).transpose()
}

fn hosts(layers: &Layers, raw: &RawConfig) -> Result<Vec<String>, ConfigError> {
    let is_host = |host: &str| {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._[]:".contains(char);
        let has_port = host.contains("]:") || !host.starts_with('[') && host.contains(':');
        !host.is_empty() && !has_port && host.chars().all(is_plain)
    };
    match raw.hosts.iter().position(|host| !is_host(host)) {
        None => Ok(raw.hosts.iter().map(|host| host.to_ascii_lowercase()).collect()),
        Some(index) => {
            let index = index.to_string();
            let path = [TAILCAST_TABLE, "hosts", &index];
            // A single item of a comma-separated variable cannot be located.
            let known = if layers.value(&path).is_some() { &path[..] } else { &path[..2] };
            Err(layers.wrong(known))
        }
    }
}

/// Every effective value, for the explanation. Sources of the command line need none.
fn settings(layers: &Layers, overrides: &Overrides) -> Vec<Setting> {
    let rocket = ROCKET_KEYS.iter().map(|key| vec![*key]);
    let tailcast = TAILCAST_KEYS.iter().map(|key| vec![TAILCAST_TABLE, *key]);
    let said = rocket.chain(tailcast).filter_map(|path| {
        let value = layers.value(&path)?;
        let setting = |value| Setting { key: path.join("."), value, origin: layers.origin(&path) };
        let is_list_of_tables = LISTS_OF_TABLES.iter().any(|list| path.ends_with(&[list]));
        match value.as_array().filter(|_| is_list_of_tables) {
            Some(_) if path.ends_with(&["source"]) && !overrides.paths.is_empty() => None,
            Some(list) => Some(setting(format!("{} named", list.len()))),
            None => Some(setting(describe(value))),
        }
    });
    said.collect()
}

fn warnings(layers: &Layers, rocket: &RocketConfig) -> Vec<String> {
    let mut warnings = unknown_variables();
    for path in FORCED {
        for origin in said_below(layers, path) {
            warnings.push(format!("{origin} has no effect: Tailcast decides it itself"));
        }
    }
    let tls = layers.origin(&[RocketConfig::TLS]);
    if tls.is_said() && !rocket.tls_enabled() {
        warnings.push(format!(
            "{tls} has no effect: `certs` and `key` are both needed, so this server speaks plain HTTP"
        ));
    }
    warnings
}

/// The origin of the value at `path`, or of each value of the table there.
fn said_below(layers: &Layers, path: &[&str]) -> Vec<Origin> {
    let keys = layers.value(path).and_then(Value::as_dict).map(|table| table.keys());
    let origins: Vec<Origin> = match keys {
        Some(keys) => keys
            .map(|key| {
                layers.origin(&path.iter().copied().chain([key.as_str()]).collect::<Vec<_>>())
            })
            .collect(),
        None => vec![layers.origin(path)],
    };
    origins.into_iter().filter(Origin::is_said).collect()
}

/// Identified by index.
const LISTS_OF_TABLES: &[&str] = &["source", "rule", "redact"];

/// The keys of Rocket's that people change, in the order in which they are explained.
const ROCKET_KEYS: &[&str] = &[
    RocketConfig::ADDRESS,
    RocketConfig::PORT,
    RocketConfig::WORKERS,
    RocketConfig::MAX_BLOCKING,
    RocketConfig::KEEP_ALIVE,
];

const HEARTBEAT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
const LINGER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10);
const STALL_LIMIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::MAX;
