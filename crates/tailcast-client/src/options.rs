//! Options: what all connections of a client have in common.

use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};

use crate::tls::Trust;

/// What all connections of a client have in common.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sent with every request; a token's value is marked as sensitive, so that it is not printed.
    pub(crate) headers: HeaderMap,
    pub(crate) trust: Trust,
    pub(crate) heartbeat: Duration,
    pub(crate) ends_with_server: bool,
}

/// Why a header cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It has no colon.
    #[error("a header is written `Name: value`")]
    NoColon,
    /// Its name has characters that a name cannot have.
    #[error("`{0}` is no header's name")]
    Name(String),
    /// Its value has characters that a value cannot have.
    #[error("the value of `{0}` has a character that no header can have")]
    Value(String),
    /// It is one that the connection itself needs.
    #[error("`{0}` is set by the client itself")]
    Reserved(String),
}

impl Options {
    /// Sends this header (`Name: value`) with every request.
    pub fn header(mut self, header: &str) -> Result<Self, HeaderError> {
        let (name, value) = parse_header(header)?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Authenticates with a token: `Authorization: Bearer TOKEN`. An `Authorization` header that
    /// was set before is kept.
    pub fn token(mut self, token: &str) -> Result<Self, HeaderError> {
        let value: Result<HeaderValue, InvalidHeaderValue> = format!("Bearer {token}").parse();
        let mut value = value.map_err(|_invalid| HeaderError::Value(AUTHORIZATION.to_string()))?;
        value.set_sensitive(true);
        self.headers.entry(AUTHORIZATION).or_insert(value);
        Ok(self)
    }

    /// The headers of each request, and which authorities are trusted: for a program that makes its
    /// own requests.
    #[must_use]
    pub fn into_headers_and_trust(self) -> (HeaderMap, Trust) {
        (self.headers, self.trust)
    }

    /// Whether credentials are sent.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Which authorities to trust, instead of the system's.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// How often a server has to send something (1 s to 5 min, 15 s by default). After two and a
    /// half times as long without data the connection is dropped.
    #[must_use]
    pub fn heartbeat(mut self, span: Duration) -> Self {
        self.heartbeat = span.clamp(SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT);
        self
    }

    /// Ends when the server ends the stream, for whatever reason, and does not reconnect.
    #[must_use]
    pub fn end_with_server(mut self) -> Self {
        self.ends_with_server = true;
        self
    }
}

impl Default for Options {
    /// No headers, the system's authorities, a heartbeat of 15 s, reconnecting for ever.
    fn default() -> Self {
        Options {
            headers: HeaderMap::new(),
            trust: Trust::default(),
            heartbeat: Duration::from_secs(15),
            ends_with_server: false,
        }
    }
}

/// Parses `Name: value`.
pub fn parse_header(header: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let (name, value) = header.split_once(':').ok_or(HeaderError::NoColon)?;
    let name = name.trim();
    let parsed: HeaderName = name.parse().map_err(|_invalid| HeaderError::Name(name.to_owned()))?;
    if RESERVED.contains(&parsed.as_str()) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(HeaderError::Reserved(name.to_owned()));
    }
    let mut value: HeaderValue =
        value.trim().parse().map_err(|_invalid| HeaderError::Value(name.to_owned()))?;
    // It may be a secret, whatever its name.
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Headers that only the connection itself can set.
const RESERVED: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "last-event-id",
    "te",
    "transfer-encoding",
    "upgrade",
];

pub(crate) const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(1);
pub(crate) const LONGEST_HEARTBEAT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::{HeaderError, Options, parse_header};

    #[test]
    fn a_header_is_taken_apart() {
        let (name, value) = parse_header("X-Team: a b").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-team", "a b"));
        assert_eq!(parse_header("nonsense"), Err(HeaderError::NoColon));
        assert_eq!(parse_header("a b: c"), Err(HeaderError::Name("a b".to_owned())));
        assert_eq!(parse_header("a: b\nc: d"), Err(HeaderError::Value("a".to_owned())));
        assert_eq!(parse_header("Upgrade: x"), Err(HeaderError::Reserved("Upgrade".to_owned())));
        assert!(parse_header("Sec-WebSocket-Key: x").is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let options = Options::default().header("X-Key: hidden").unwrap().token("secret").unwrap();
        let printed = format!("{options:?}");
        assert!(!printed.contains("secret") && !printed.contains("hidden"), "{printed}");
    }

    #[test]
    fn a_header_of_ones_own_beats_the_token() {
        let options = Options::default().header("Authorization: Basic eA==").unwrap();
        let options = options.token("secret").unwrap();
        let sent: Vec<_> = options.headers.get_all("authorization").iter().collect();
        assert_eq!(sent, ["Basic eA=="]);
    }
}
