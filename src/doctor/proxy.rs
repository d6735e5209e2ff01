//! Proxy: which program answers before Tailcast does, as far as that can be seen from outside.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::doctor::probe::Probe;

/// What stands before the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
    /// Another program, by the name it gives itself.
    Other(String),
    /// Nothing, or what does not show itself.
    Unseen,
}

impl Proxy {
    /// From the headers of an answer: programs put their name into `Server` or `Via`.
    pub(super) fn in_headers(headers: &HeaderMap) -> Self {
        let values = ["server", "via"].into_iter().flat_map(|name| headers.get_all(name));
        let said: Vec<String> = values
            .filter_map(|value| value.to_str().ok())
            .filter(|value| !value.eq_ignore_ascii_case(OURSELVES))
            .map(str::to_owned)
            .collect();
        let has = |word: &str| said.iter().any(|name| name.to_ascii_lowercase().contains(word));
        match said.as_slice() {
            [] => Self::Unseen,
            _ if has("nginx") || has("openresty") => Self::Nginx,
            _ if has("caddy") => Self::Caddy,
            _ if has("apache") => Self::Apache,
            _ if has("haproxy") => Self::Haproxy,
            names => Self::Other(names.join(", ")),
        }
    }

    /// From the response to an invalid request, which a proxy does not forward: HAProxy and Apache
    /// show themselves nowhere else.
    pub(super) async fn in_refusal(probe: &Probe) -> Self {
        let Ok(Ok(answer)) = timeout(REFUSAL_LIMIT, refusal(probe)).await else {
            return Self::Unseen;
        };
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let has = |word: &str| text.contains(word);
        match () {
            () if has("server: nginx") || has("server: openresty") => Self::Nginx,
            () if has("server: apache") => Self::Apache,
            // The page that HAProxy has for this, unless it was given another.
            () if has("your browser sent an invalid request.") => Self::Haproxy,
            () => Self::Unseen,
        }
    }
}

async fn refusal(probe: &Probe) -> std::io::Result<Vec<u8>> {
    let mut socket = probe.connect().await.map_err(std::io::Error::other)?;
    let authority = probe.front().authority();
    let request = format!("GET / HTTP/1.1\r\nHost: {authority}\r\nno header\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    socket.flush().await?;
    let mut answer = Vec::new();
    // Not all of them close the connection as TLS wants it.
    if let Err(error) = socket.take(MAX_REFUSAL).read_to_end(&mut answer).await {
        tracing::debug!(%error, "a refusal was cut");
    }
    Ok(answer)
}

impl fmt::Display for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nginx => out.write_str("behind nginx"),
            Self::Caddy => out.write_str("behind Caddy"),
            Self::Haproxy => out.write_str("behind HAProxy"),
            Self::Apache => out.write_str("behind Apache"),
            Self::Other(name) => write!(out, "behind what calls itself {name}"),
            Self::Unseen => out.write_str("no proxy shows itself"),
        }
    }
}

/// What Tailcast calls itself.
const OURSELVES: &str = "Tailcast";
const REFUSAL_LIMIT: Duration = Duration::from_secs(3);
const MAX_REFUSAL: u64 = 8192;

#[cfg(test)]
mod tests {
    use super::{HeaderMap, Proxy};

    #[test]
    fn a_proxy_is_known_by_the_name_it_gives_itself() {
        for (headers, expected) in [
            (&[("server", "nginx/1.22.1")][..], Proxy::Nginx),
            (&[("server", "Caddy"), ("server", "Tailcast")], Proxy::Caddy),
            (&[("via", "1.1 Caddy"), ("server", "Tailcast")], Proxy::Caddy),
            (&[("server", "Apache/2.4.71 (Debian)")], Proxy::Apache),
            (&[("server", "cloudflare")], Proxy::Other("cloudflare".to_owned())),
            (&[("server", "Tailcast")], Proxy::Unseen),
            (&[], Proxy::Unseen),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            assert_eq!(Proxy::in_headers(&map), expected, "{headers:?}");
        }
    }
}
