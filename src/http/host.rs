//! Host: where a request really came from, and which address of ours its client really used. What
//! proxies say about it is believed from the listed ones only. This is the only place that reads
//! forwarded headers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use rocket::request::Request;

use crate::config::{ForwardedBy, NetworkConfig};

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The peer address of the connection.
    pub peer: Option<SocketAddr>,
    /// The client's address, as far as it is known: the peer's, or what a listed proxy reported.
    pub address: Option<IpAddr>,
    /// The peer is a listed proxy.
    pub is_behind_proxy: bool,
    /// The address is a proxy's own and stands for many clients.
    is_shared: bool,
}

/// The scheme and host that the client used, through whichever proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visited {
    /// It was encrypted on its way to the outermost proxy that says so, or to us.
    pub is_secure: bool,
    /// Host and port, in lower case, as in the URL; empty if the request does not say.
    pub host: String,
}

impl ClientAddress {
    /// Where `request` came from.
    #[must_use]
    pub fn of(request: &Request<'_>, network: &NetworkConfig) -> Self {
        let peer = request.remote();
        let own = peer.map(|peer| peer.ip().to_canonical());
        let is_listed =
            |address: IpAddr| network.trusted_proxies.iter().any(|net| holds(net, address));
        if !own.is_some_and(is_listed) {
            return ClientAddress { peer, address: own, is_behind_proxy: false, is_shared: false };
        }
        let mut address = own;
        for hop in hops(request, network.forwarded).into_iter().rev() {
            // Entries before an unparsable one cannot be attributed to a known proxy.
            let Some(hop) = hop else { break };
            address = Some(hop);
            if !is_listed(hop) {
                break;
            }
        }
        let is_shared = address.is_some_and(is_listed);
        ClientAddress { peer, address, is_behind_proxy: true, is_shared }
    }

    /// The address that limits count by; `None` where it stands for many clients, or for this host.
    /// Of IPv6 the network: a client with one address has all of it.
    #[must_use]
    pub fn limited_address(&self) -> Option<IpAddr> {
        let address = self.address.filter(|address| !self.is_shared && !address.is_loopback())?;
        Some(network_of(address))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_behind_proxy, self.address, self.peer) {
            (true, Some(address), _) => address.fmt(f),
            (false, _, Some(peer)) => peer.fmt(f),
            (true, None, _) | (false, _, None) => f.write_str("unknown"),
        }
    }
}

impl Visited {
    /// The scheme and host that the client of `request` used.
    #[must_use]
    pub fn of(request: &Request<'_>, network: &NetworkConfig) -> Self {
        let own = || request.headers().get_one("host").unwrap_or_default().to_owned();
        let is_secure = request.rocket().config().tls_enabled();
        if !ClientAddress::of(request, network).is_behind_proxy {
            return Visited { is_secure, host: own().to_ascii_lowercase() };
        }
        let (proto, host) = match network.forwarded {
            ForwardedBy::XForwarded => {
                (last(request, "x-forwarded-proto"), last(request, "x-forwarded-host"))
            }
            ForwardedBy::Forwarded => {
                let elements = elements(request);
                let last = |key| elements.iter().rev().find_map(|element| parameter(element, key));
                (last("proto"), last("host"))
            }
        };
        Visited {
            is_secure: proto.map_or(is_secure, |proto| proto.eq_ignore_ascii_case("https")),
            host: host.unwrap_or_else(own).to_ascii_lowercase(),
        }
    }

    /// Whether a page of `origin` (as browsers send it) is one of ours: the same scheme does not
    /// matter, as not every proxy reports it; host and port do.
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let Some((scheme, host)) = origin.split_once("://") else { return false };
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _other => return false,
        };
        let plain = |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_owned();
        !self.host.is_empty() && plain(host) == plain(&self.host)
    }
}

/// Whether a page of this origin may read from us with a browser's credentials: one of ours, or of
/// a listed site. The one rule for sockets, cross-origin reads and forms.
#[must_use]
pub fn is_allowed_origin(origin: &str, visited: &Visited, network: &NetworkConfig) -> bool {
    visited.is_origin(origin) || is_listed_origin(origin, network)
}

/// Whether the origin is one of a listed site.
#[must_use]
pub fn is_listed_origin(origin: &str, network: &NetworkConfig) -> bool {
    network.origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
}

/// The host of a `Host` header without its port; none if it makes no sense.
#[must_use]
pub fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("0")))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("0")),
        },
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    let is_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    (is_port && !name.is_empty() && name.chars().all(is_plain)).then_some(name)
}

/// The addresses that proxies reported, starting with the client's; `None` for an entry that is not
/// an address.
fn hops(request: &Request<'_>, by: ForwardedBy) -> Vec<Option<IpAddr>> {
    match by {
        ForwardedBy::XForwarded => {
            let values = request.headers().get("x-forwarded-for");
            values.flat_map(|value| value.split(',')).map(address).collect()
        }
        ForwardedBy::Forwarded => {
            let stated = |element: &String| parameter(element, "for").as_deref().and_then(address);
            elements(request).iter().map(stated).collect()
        }
    }
}

fn elements(request: &Request<'_>) -> Vec<String> {
    let values = request.headers().get("forwarded");
    values.flat_map(|value| value.split(',')).map(str::to_owned).collect()
}

fn parameter(element: &str, key: &str) -> Option<String> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case(key).then(|| value.to_owned())
    })
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let unbracketed =
        text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = unbracketed.parse::<IpAddr>().ok();
    let parsed = parsed.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    parsed.map(|address| address.to_canonical())
}

fn last(request: &Request<'_>, header: &str) -> Option<String> {
    let values = request.headers().get(header).flat_map(|value| value.split(','));
    values.map(str::trim).filter(|value| !value.is_empty()).last().map(str::to_owned)
}

/// The key that limits count an address under: the address, or its IPv6 network.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & IPV6_NETWORK).into()),
    }
}

/// Whether the address lies in the network.
#[must_use]
pub fn holds(network: &IpNet, address: IpAddr) -> bool {
    network.contains(&address.to_canonical())
}

const IPV6_NETWORK: u128 = !((1 << 64) - 1);

#[cfg(test)]
mod tests {
    use super::{Visited, address, host_name, parameter};

    #[test]
    fn a_host_header_is_taken_apart_or_refused() {
        for (host, name) in [
            ("localhost", Some("localhost")),
            ("localhost:8000", Some("localhost")),
            ("[::1]:8000", Some("::1")),
            ("[::1]", Some("::1")),
            ("logs.example.org:", None),
            ("a b", None),
            ("user@localhost", None),
            ("localhost/", None),
            ("localhost:99999", None),
            ("[::1", None),
            ("", None),
        ] {
            assert_eq!(host_name(host), name, "{host}");
        }
    }

    #[test]
    fn an_origin_is_ours_by_host_and_port() {
        let visited = |host: &str| Visited { is_secure: false, host: host.to_owned() };
        assert!(visited("logs.example.org").is_origin("https://logs.example.org"));
        assert!(visited("logs.example.org:443").is_origin("https://LOGS.example.org"));
        assert!(visited("127.0.0.1:8000").is_origin("http://127.0.0.1:8000"));
        for origin in [
            "null",
            "",
            "https://logs.example.org.evil",
            "https://evil",
            "https://logs.example.org:8443",
            "https://user@logs.example.org",
            "file://logs.example.org",
        ] {
            assert!(!visited("logs.example.org").is_origin(origin), "{origin}");
        }
        assert!(!visited("").is_origin("https://"));
    }

    #[test]
    fn forwarded_addresses_come_in_several_shapes() {
        for text in ["192.0.2.1", " 192.0.2.1:80", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:1"] {
            assert_eq!(address(text), "192.0.2.1".parse().ok(), "{text}");
        }
        assert_eq!(address("_hidden"), None);
        let element = "proto=https;for=\"[2001:db8::1]:4711\"";
        assert_eq!(
            parameter(element, "for").as_deref().and_then(address),
            "2001:db8::1".parse().ok()
        );
        assert_eq!(parameter(element, "Proto").as_deref(), Some("https"));
    }
}
