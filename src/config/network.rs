//! Trusted proxies and allowed origins, and the limits of each address and user.

use std::net::IpAddr;

use ipnet::IpNet;

use super::error::{ConfigError, TAILCAST_TABLE};
use super::layers::Layers;
use super::raw::RawConfig;

/// Listed proxies, allowed origins, and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The addresses whose forwarded headers are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Which headers carry the origin of a request.
    pub forwarded: ForwardedBy,
    /// Sites of other origins that may read from a browser, as `scheme://host[:port]`.
    pub origins: Vec<String>,
    /// Sites that may show the pages in a frame, as in `frame-ancestors`.
    pub frame_ancestors: Vec<String>,
    /// The greatest number of viewers of one address at a time.
    pub max_viewers_per_address: usize,
    /// The greatest number of viewers of one user or token at a time.
    pub max_viewers_per_user: usize,
    /// New connections of one address in a second.
    pub max_connections_per_second: u32,
    /// Connections of one address at a time; of a client behind a listed proxy, its requests.
    pub max_connections_per_address: usize,
}

/// The headers in which proxies report the origin of a request. Only one kind is read: a proxy that
/// does not know the other would forward it as its client wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Checks all of it.
pub(super) fn checked(layers: &Layers, raw: &RawConfig) -> Result<NetworkConfig, ConfigError> {
    let key = |key| [TAILCAST_TABLE, key];
    for (name, limit) in [
        ("max_viewers_per_address", raw.max_viewers_per_address),
        ("max_viewers_per_user", raw.max_viewers_per_user),
        ("max_connections_per_second", raw.max_connections_per_second as usize),
        ("max_connections_per_address", raw.max_connections_per_address),
    ] {
        if limit == 0 {
            return Err(layers.wrong(&key(name)));
        }
    }
    let forwarded = match raw.forwarded.as_str() {
        "x-forwarded" => ForwardedBy::XForwarded,
        "forwarded" => ForwardedBy::Forwarded,
        _other => return Err(layers.wrong(&key("forwarded"))),
    };
    for (name, list, is_right) in [
        ("origins", &raw.origins, is_origin as fn(&str) -> bool),
        ("frame_ancestors", &raw.frame_ancestors, is_ancestor),
    ] {
        if let Some(index) = list.iter().position(|item| !is_right(item)) {
            return Err(wrong_item(layers, &key(name), index));
        }
    }
    Ok(NetworkConfig {
        trusted_proxies: networks(layers, &key("trusted_proxies"), &raw.trusted_proxies)?,
        forwarded,
        origins: raw.origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
        frame_ancestors: raw.frame_ancestors.clone(),
        max_viewers_per_address: raw.max_viewers_per_address,
        max_viewers_per_user: raw.max_viewers_per_user,
        max_connections_per_second: raw.max_connections_per_second,
        max_connections_per_address: raw.max_connections_per_address,
    })
}

/// Addresses and networks: `127.0.0.1`, `10.0.0.0/8`, `::1`.
pub(super) fn networks(
    layers: &Layers,
    path: &[&str],
    texts: &[String],
) -> Result<Vec<IpNet>, ConfigError> {
    let parsed = texts
        .iter()
        .enumerate()
        .map(|(index, text)| network(text).ok_or_else(|| wrong_item(layers, path, index)));
    parsed.collect()
}

fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_no_address) => text.parse::<IpNet>().ok().map(|network| network.trunc()),
    }
}

/// The error for an item of a list; a single item of a comma-separated variable cannot be located.
fn wrong_item(layers: &Layers, path: &[&str], index: usize) -> ConfigError {
    let index = index.to_string();
    let item = [path, &[index.as_str()]].concat();
    layers.wrong(if layers.value(&item).is_some() { &item } else { path })
}

/// `scheme://host[:port]`, as a browser sends it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._[]:".contains(char);
        !host.is_empty() && host.chars().all(is_plain)
    })
}

/// Whether a value is valid in `frame-ancestors`.
fn is_ancestor(text: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._[]:/*'".contains(char);
    !text.is_empty() && text.chars().all(is_plain)
}
