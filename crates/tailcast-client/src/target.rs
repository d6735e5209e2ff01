//! Target: a parsed URL: where to connect, and what to request.

use http::Uri;
use http::uri::Scheme;
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

/// A validated URL of a server: where to connect, and what to request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    host: String,
    port: u16,
    /// As in the `Host` header.
    authority: String,
    /// As it is sent.
    path: String,
    /// Names and values of the query, decoded.
    pairs: Vec<(String, String)>,
}

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is not a URL.
    #[error(
        "`{url}` is no URL ({reason}): expected one such as http://127.0.0.1:8000/logs/app.log"
    )]
    Malformed {
        /// What was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// Its scheme is not supported.
    #[error("`{url}` begins with `{scheme}:`, expected http, https, ws or wss")]
    Scheme {
        /// What was given.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// It carries a name and a password.
    #[error(
        "a URL with a name or password in it ends up in histories and logs: leave them out, and \
         give `--header 'Authorization: …'`, `--token-file` or TAILCAST_TOKEN"
    )]
    Credentials,
    /// It names a server but no log.
    #[error(
        "`{url}` names no log: expected …/logs/NAME, such as {example}; `tailcast ls` lists them"
    )]
    NoLog {
        /// What was given.
        url: String,
        /// What may have been meant.
        example: String,
    },
    /// A part of the query is not UTF-8.
    #[error("`{url}` has a query that is not UTF-8")]
    Query {
        /// What was given.
        url: String,
    },
}

impl Target {
    /// The URL of a log: it has `/logs/` and a name in its path.
    pub fn log(url: &str) -> Result<Self, UrlError> {
        let target = Self::parse(url)?;
        let name = target.path.split_once(LOGS).map_or("", |(_, name)| name);
        if name.is_empty() {
            let path = target.path.trim_start_matches('/').trim_end_matches("logs/");
            let path = if path.is_empty() { "app.log" } else { path };
            let example = format!("{}{LOGS}{path}", target.origin());
            return Err(UrlError::NoLog { url: url.to_owned(), example });
        }
        Ok(target)
    }

    /// The URL of a server, or of a log or page on it: where its list of sources may be.
    pub fn lists(url: &str) -> Result<Vec<Self>, UrlError> {
        Self::parse(url).map(|target| target.to_lists())
    }

    /// The URL of a server's front page, below the path prefix of a proxy.
    pub fn front(url: &str) -> Result<Self, UrlError> {
        let target = Self::parse(url)?;
        let path = target.path.trim_end_matches('/').to_owned();
        Ok(Target { path, pairs: Vec::new(), ..target })
    }

    /// Where the server's list of sources may be, the likeliest first: the path prefix of a proxy
    /// may end in `/logs`, too.
    #[must_use]
    pub fn to_lists(&self) -> Vec<Self> {
        let whole = self.path.trim_end_matches('/');
        let whole = whole.strip_suffix("/api/sources").unwrap_or(whole);
        let ends = whole.match_indices("/logs").map(|(at, _)| whole.split_at(at));
        let bases = ends.filter(|(_, rest)| *rest == "/logs" || rest.starts_with(LOGS));
        let mut bases: Vec<&str> = bases.map(|(base, _)| base).collect();
        if bases.is_empty() || whole.ends_with("/logs") {
            bases.push(whole);
        }
        let list = |base: &str| Target {
            path: format!("{base}/api/sources"),
            pairs: Vec::new(),
            ..self.clone()
        };
        bases.into_iter().take(MAX_LISTS).map(list).collect()
    }

    fn parse(url: &str) -> Result<Self, UrlError> {
        let malformed =
            |reason: &str| UrlError::Malformed { url: url.to_owned(), reason: reason.to_owned() };
        let (written, _fragment) = url.trim().split_once('#').unwrap_or((url.trim(), ""));
        let Some((scheme, _)) = written.split_once("://") else {
            return Err(malformed("it does not begin with http:// or https://"));
        };
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => {
                let scheme = scheme.to_owned();
                return Err(UrlError::Scheme { url: url.to_owned(), scheme });
            }
        };
        let encoded = utf8_percent_encode(written, UNWRITABLE).to_string();
        let uri: Uri = encoded
            .parse()
            .map_err(|error: http::uri::InvalidUri| malformed(&error.to_string()))?;
        let authority = uri.authority().ok_or_else(|| malformed("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        if authority.host().is_empty() {
            return Err(malformed("it has no host"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") | None => None,
            Some(_) => Some(authority.port_u16().ok_or_else(|| malformed("its port is none"))?),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let pairs = decode(uri.query().unwrap_or_default())
            .ok_or_else(|| UrlError::Query { url: url.to_owned() })?;
        Ok(Target {
            is_tls,
            host,
            port: port.unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path().to_owned(),
            pairs,
        })
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as they were written.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path as it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Names and values of the URL's query, decoded.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// `http://host:port`, or `https`.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        format!("{scheme}://{}", self.authority)
    }

    /// In short, for people: `host:port/NAME`.
    #[must_use]
    pub fn shown(&self) -> String {
        let name = self.path.split_once(LOGS).map_or(self.path.as_str(), |(_, name)| name);
        format!("{}/{}", self.authority, percent_decode_str(name).decode_utf8_lossy())
    }

    /// Whether the connection can be eavesdropped.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let address: Option<std::net::IpAddr> = self.host.parse().ok();
        let is_here = self.host == "localhost" || address.is_some_and(|ip| ip.is_loopback());
        !self.is_tls && !is_here
    }
}

/// A query as it is sent.
#[must_use]
pub(crate) fn encode(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| {
        format!(
            "{}={}",
            utf8_percent_encode(name, UNRESERVED),
            utf8_percent_encode(value, UNRESERVED)
        )
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn decode(query: &str) -> Option<Vec<(String, String)>> {
    let text = |part: &str| {
        let part = part.replace('+', " ");
        percent_decode_str(&part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((text(name)?, text(value)?))
        })
        .collect()
}

/// A URL is foreign: it does not set the heartbeat.
const MAX_LISTS: usize = 4;

const LOGS: &str = "/logs/";

/// Characters that people write into a URL but that have to be encoded; globs may have braces.
const UNWRITABLE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::{Target, UrlError, encode};

    #[test]
    fn a_url_is_taken_apart() {
        let target =
            Target::log("wss://logs.example/ops/logs/a b/{x,y}*.log?tail=5&grep=a%2Bb+c#t");
        let target = target.unwrap();
        assert!(target.is_tls());
        assert_eq!((target.host(), target.port()), ("logs.example", 443));
        assert_eq!(target.path(), "/ops/logs/a%20b/%7Bx,y%7D*.log");
        let pairs: Vec<(&str, &str)> =
            target.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("tail", "5"), ("grep", "a+b c")]);
        assert_eq!(encode(target.pairs()), "tail=5&grep=a%2Bb%20c");
    }

    #[test]
    fn an_address_of_ipv6_loses_its_brackets_only_where_it_is_connected_to() {
        let target = Target::log("http://[::1]:8000/logs/a").unwrap();
        assert_eq!((target.host(), target.port(), target.authority()), ("::1", 8000, "[::1]:8000"));
        assert!(!target.is_exposed());
    }

    #[test]
    fn what_cannot_be_followed_is_explained() {
        for (url, word) in [
            ("localhost:8000/logs/a", "http://"),
            ("ftp://x/logs/a", "`ftp:`"),
            ("http://me:secret@x/logs/a", "--token-file"),
            ("http://me@x/logs/a", "--token-file"),
            ("http://x:8000/nginx/access.log", "http://x:8000/logs/nginx/access.log"),
            ("http://x:8000/logs/", "/logs/NAME"),
            ("http://x:99999/logs/a", "http://x:99999/logs/a"),
            ("http:///logs/a", "no URL"),
            ("http://x/logs/a?grep=%ff", "UTF-8"),
        ] {
            let error = Target::log(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
        }
        let error = Target::log("http://me:secret@x/logs/a").unwrap_err();
        assert_eq!(error, UrlError::Credentials);
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_list_is_found_from_any_page_of_its_server() {
        for (url, path) in [
            ("http://x", "/api/sources"),
            ("http://x/", "/api/sources"),
            ("http://x/logs", "/api/sources /logs/api/sources"),
            ("http://x/logs/a.log", "/api/sources"),
            ("http://x/ops/logs/a/b?tail=1", "/ops/api/sources"),
            ("http://x/ops/logs/", "/ops/api/sources /ops/logs/api/sources"),
            ("http://x/ops/logs/logs/a", "/ops/api/sources /ops/logs/api/sources"),
            ("http://x/ops/logs2/", "/ops/logs2/api/sources"),
            ("http://x/ops/", "/ops/api/sources"),
            ("http://x/ops/api/sources", "/ops/api/sources"),
        ] {
            let targets = Target::lists(url).unwrap();
            let paths: Vec<_> = targets.iter().map(Target::path).collect();
            assert_eq!(paths.join(" "), path, "{url}");
            assert!(targets.iter().all(|target| target.pairs().is_empty()), "{url}");
        }
    }
}
