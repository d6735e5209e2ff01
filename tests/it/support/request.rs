//! Request: what a client sends, byte for byte.

use std::net::SocketAddr;

use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request as Handshake;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

use super::Tls;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    receive_buffer: Option<usize>,
    tls: Option<Tls>,
    bound_to: Option<std::net::IpAddr>,
}

impl Request {
    /// Asks for `path`, which is sent as it is.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Asks by any method.
    pub fn new(method: &str, path: &str) -> Self {
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: String::new(),
            receive_buffer: None,
            tls: None,
            bound_to: None,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an `Accept` header.
    pub fn accept(self, types: &str) -> Self {
        self.header("Accept", types)
    }

    /// Asks as `EventSource` does.
    pub fn sse(path: &str) -> Self {
        Self::get(path).accept("text/event-stream")
    }

    /// Asks for records.
    pub fn ndjson(path: &str) -> Self {
        Self::get(path).accept("application/x-ndjson")
    }

    /// Sends the fields of a form, each `name=value`, encoded already.
    pub fn form(path: &str, fields: &[&str]) -> Self {
        let mut request = Self::new("POST", path);
        request.body = fields.join("&");
        let length = request.body.len().to_string();
        request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Content-Length", &length)
    }

    /// How much the kernel may take in for the client (about), so that it is soon full.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Asks over TLS.
    pub fn over(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Asks for the same below this path.
    pub fn below(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// From which address the client connects.
    pub fn bound_to(mut self, address: &str) -> Self {
        self.bound_to = address.parse().ok();
        self
    }

    pub(super) fn own_address(&self) -> Option<std::net::IpAddr> {
        self.bound_to
    }

    pub(super) fn receive_buffer_bytes(&self) -> Option<usize> {
        self.receive_buffer
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The same as a WebSocket handshake.
    pub(super) fn to_handshake(&self, address: SocketAddr) -> Handshake {
        let url = format!("ws://{address}{}", self.path);
        let mut handshake = url.into_client_request().expect("a path");
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().expect("a header's name");
            let value = HeaderValue::from_str(value).expect("a header's value");
            handshake.headers_mut().insert(name, value);
        }
        handshake
    }

    pub(super) fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

impl From<&str> for Request {
    fn from(path: &str) -> Self {
        Self::get(path)
    }
}

impl From<&String> for Request {
    fn from(path: &String) -> Self {
        Self::get(path)
    }
}

impl From<String> for Request {
    fn from(path: String) -> Self {
        Self::get(&path)
    }
}
