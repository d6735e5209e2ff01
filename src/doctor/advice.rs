//! Advice: what is wrong, and the line to change for it in each proxy's configuration.

use crate::doctor::proxy::Proxy;
use tailcast_client::Target;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No response, and no known reason.
    Unreachable,
    /// The certificate is not trusted.
    Untrusted,
    /// It is elsewhere.
    Moved {
        /// As the answer says it.
        to: String,
    },
    /// Tailcast does not accept the host name of the request.
    UnknownHost,
    /// The server is not Tailcast.
    SomethingElse,
    /// Authentication is required.
    NotAllowed,
    /// There is no log.
    NoLogs,
    /// The proxy does not forward something as it should.
    ProxyFault(ProxyFault),
}

/// What a proxy does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyFault {
    /// It does not strip its own path prefix.
    Path,
    /// It responds, but its upstream does not.
    ToNobody,
    /// It buffers a stream.
    HoldsBack,
    /// It compresses a stream, and buffers the result.
    Packs,
    /// It forwards each piece of a stream late.
    Delays,
    /// It ends a stream.
    Cuts,
    /// It loses the upgrade to a WebSocket.
    Upgrade,
    /// It sends another host name than the page's.
    Host,
}

/// What to do, a line each; if the proxy is unknown, for each known one.
pub(super) fn advice(fault: &Fault, proxy: &Proxy, front: &Target) -> Vec<String> {
    let general = match fault {
        Fault::Unreachable => "is the address right, and does the proxy run?".to_owned(),
        Fault::Untrusted => "--ca FILE names the authority that it comes from".to_owned(),
        Fault::Moved { to } => format!("measure that address: --url {to}"),
        Fault::UnknownHost => {
            format!("tell Tailcast the name: `hosts = [\"{}\"]` in Rocket.toml", front.host())
        }
        Fault::SomethingElse => "is this the address of Tailcast's front page?".to_owned(),
        Fault::NotAllowed => {
            "say who asks: --header 'Authorization: …', or --token-file FILE".to_owned()
        }
        Fault::NoLogs => "`tailcast check` on the server tells why".to_owned(),
        Fault::ProxyFault(proxy_fault) => return for_proxy(*proxy_fault, proxy, front),
    };
    vec![general]
}

fn for_proxy(proxy_fault: ProxyFault, proxy: &Proxy, front: &Target) -> Vec<String> {
    let path = if front.path().is_empty() { "/ops/logs" } else { front.path() };
    let whole = |folder: &str| format!("a whole configuration is in deploy/{folder}/");
    match proxy {
        Proxy::Nginx => vec![nginx(proxy_fault, path), whole("nginx")],
        Proxy::Caddy => vec![caddy(proxy_fault, path), whole("caddy")],
        Proxy::Haproxy => vec![haproxy(proxy_fault, path), whole("haproxy")],
        Proxy::Apache => vec![apache(proxy_fault, path), whole("apache")],
        Proxy::Other(_) | Proxy::Unseen => vec![
            nginx(proxy_fault, path),
            caddy(proxy_fault, path),
            haproxy(proxy_fault, path),
            apache(proxy_fault, path),
        ],
    }
}

fn nginx(proxy_fault: ProxyFault, path: &str) -> String {
    let line = match proxy_fault {
        ProxyFault::Path => {
            return format!(
                "nginx: `location {path}/ {{ proxy_pass http://127.0.0.1:8000/; }}`; the slash at the \
                 end of both takes the path off"
            );
        }
        ProxyFault::ToNobody => "does Tailcast run, at the address in `proxy_pass`?",
        ProxyFault::HoldsBack | ProxyFault::Packs => {
            "`proxy_buffering off;` in the location, and no `proxy_ignore_headers \
             X-Accel-Buffering;`"
        }
        ProxyFault::Delays => "`tcp_nodelay on;` in the location",
        ProxyFault::Cuts => "`proxy_read_timeout 1h;` and `send_timeout 1h;` in the location",
        ProxyFault::Upgrade => {
            "`proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header \
             Connection \"upgrade\"; proxy_set_header Host $http_host;` in the location"
        }
        ProxyFault::Host => "`proxy_set_header Host $http_host;` in the location",
    };
    format!("nginx: {line}")
}

fn caddy(proxy_fault: ProxyFault, path: &str) -> String {
    let line = match proxy_fault {
        ProxyFault::Path => {
            return format!(
                "Caddy: `handle_path {path}/* {{ … }}`, which takes the path off; `handle` does not"
            );
        }
        ProxyFault::ToNobody => "does Tailcast run, at the address in `reverse_proxy`?",
        ProxyFault::HoldsBack | ProxyFault::Delays => "`flush_interval -1` in `reverse_proxy`",
        ProxyFault::Packs => {
            "leave Tailcast out of `encode`, or take Caddy 2.7 or later, which minds `no-transform`"
        }
        ProxyFault::Cuts => "no `write_timeout` or `read_timeout` in `servers` or `transport`",
        ProxyFault::Upgrade => {
            "no `header_up` for `Upgrade` or `Connection`; it passes them on by itself"
        }
        ProxyFault::Host => "no `header_up Host`; it passes the host on by itself",
    };
    format!("Caddy: {line}")
}

fn haproxy(proxy_fault: ProxyFault, path: &str) -> String {
    let line = match proxy_fault {
        ProxyFault::Path => {
            return format!("HAProxy: `http-request replace-path {path}(/.*) \\1` in the backend");
        }
        ProxyFault::ToNobody => "does Tailcast run, at the address in `server`?",
        ProxyFault::HoldsBack | ProxyFault::Packs => {
            "`option http-no-delay` in the frontend, and no `http-response wait-for-body`"
        }
        ProxyFault::Delays => "`option http-no-delay` in the frontend",
        ProxyFault::Cuts => {
            "`timeout client 1h` in the frontend, `timeout server 1h` and `timeout tunnel 1h` in \
             the backend"
        }
        ProxyFault::Upgrade => {
            "no `del-header` for `Upgrade` or `Connection`; it passes them on by itself"
        }
        ProxyFault::Host => "no `set-header Host`; it passes the host on by itself",
    };
    format!("HAProxy: {line}")
}

fn apache(proxy_fault: ProxyFault, path: &str) -> String {
    let line = match proxy_fault {
        ProxyFault::Path => {
            return format!(
                "Apache: `ProxyPass {path}/ http://127.0.0.1:8000/`; the slash at the end of both \
                 takes the path off"
            );
        }
        ProxyFault::ToNobody => "does Tailcast run, at the address in `ProxyPass`?",
        ProxyFault::HoldsBack | ProxyFault::Packs => {
            "`flushpackets=on` at the end of the `ProxyPass` line, and no `SetOutputFilter` for it"
        }
        ProxyFault::Delays => "`flushpackets=on` at the end of the `ProxyPass` line",
        ProxyFault::Cuts => "`timeout=3600` at the end of the `ProxyPass` line, and `Timeout 3600`",
        ProxyFault::Upgrade => {
            "`upgrade=websocket` at the end of the `ProxyPass` line (Apache 2.4.47 or later)"
        }
        ProxyFault::Host => "`ProxyPreserveHost On`",
    };
    format!("Apache: {line}")
}

#[cfg(test)]
mod tests {
    use super::{Fault, Proxy, ProxyFault, Target, advice};

    #[test]
    fn a_known_proxy_gets_its_own_line_and_an_unknown_one_all() {
        let front = Target::front("https://example.org/ops/logs/").unwrap();
        let fault = Fault::ProxyFault(ProxyFault::Path);
        let lines = advice(&fault, &Proxy::Caddy, &front);
        assert!(lines[0].contains("handle_path /ops/logs/*"), "{lines:?}");
        assert_eq!(lines.len(), 2);
        let lines = advice(&fault, &Proxy::Other("x".to_owned()), &front);
        assert_eq!(lines.len(), 4);
    }
}
