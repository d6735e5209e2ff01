//! Socket upgrade: the handshake of a WebSocket (RFC 6455, section 4.2), and the hand-over of
//! Rocket's connection to its session.

use std::io;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rocket::data::{IoHandler, IoStream};
use rocket::http::{Header, Status};
use rocket::response::Response;
use tailcast_core::protocol::SUBPROTOCOL;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::http::admission::AdmissionGuard;
use crate::http::problem::{Problem, printable};
use crate::websocket::Session;

/// The handshake headers of a client.
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    /// `Sec-WebSocket-Key`.
    pub key: Option<String>,
    /// `Sec-WebSocket-Version`.
    pub version: Option<String>,
    /// All `Sec-WebSocket-Protocol`, joined.
    pub protocols: String,
}

/// A handshake that was accepted.
#[derive(Clone, Debug)]
pub struct AcceptedHandshake {
    /// `Sec-WebSocket-Accept`.
    accept: String,
    /// The client named our protocol. If it named none, we speak it without naming it: a browser
    /// refuses a protocol that it has not requested.
    names_protocol: bool,
}

impl Handshake {
    /// Checks all but the origin.
    pub fn accept(&self) -> Result<AcceptedHandshake, Problem> {
        let version = self.version.as_deref().unwrap_or("none");
        if version != VERSION {
            let shown = printable(version);
            let detail = format!("the WebSocket version is {shown}, expected {VERSION}");
            return Err(Problem::new(Status::UpgradeRequired, detail));
        }
        let key = self.key.as_deref().unwrap_or_default();
        if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != NONCE_BYTES {
            let detail = "`Sec-WebSocket-Key` is not 16 bytes in base64";
            return Err(Problem::new(Status::BadRequest, detail));
        }
        let mut protocols =
            self.protocols.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names_none = self.protocols.trim().is_empty();
        let names_protocol = protocols.any(|name| name == SUBPROTOCOL);
        if !names_none && !names_protocol {
            let shown = printable(&self.protocols);
            let detail =
                format!("none of the subprotocols `{shown}` is spoken, expected {SUBPROTOCOL}");
            return Err(Problem::new(Status::BadRequest, detail));
        }
        Ok(AcceptedHandshake { accept: derive_accept_key(key.as_bytes()), names_protocol })
    }
}

/// An accepted handshake with the session that takes over its connection.
#[derive(Debug)]
pub struct SocketUpgrade {
    accepted: AcceptedHandshake,
    session: Session,
    admission: AdmissionGuard,
}

impl SocketUpgrade {
    /// A session for a client whose handshake was accepted.
    pub fn new(accepted: AcceptedHandshake, session: Session, admission: AdmissionGuard) -> Self {
        SocketUpgrade { accepted, session, admission }
    }

    /// The `101 Switching Protocols` response.
    pub fn into_response<'r>(self) -> Response<'r> {
        let SocketUpgrade { accepted, session, admission } = self;
        let mut response = Response::new();
        response.set_status(Status::SwitchingProtocols);
        response.set_header(Header::new("Sec-WebSocket-Accept", accepted.accept));
        if accepted.names_protocol {
            response.set_header(Header::new("Sec-WebSocket-Protocol", SUBPROTOCOL));
        }
        response
            .add_upgrade("websocket", Handler { session: Some(session), _admission: admission });
        response
    }
}

/// Owns everything that is held for the client. Rocket drops it with the connection.
struct Handler {
    /// `None` once it has been given the connection.
    session: Option<Session>,
    _admission: AdmissionGuard,
}

impl Drop for Handler {
    /// Rocket hides which version of HTTP was spoken, so all that can be done about an upgrade over
    /// HTTP/1.0 is to log it.
    fn drop(&mut self) {
        if self.session.is_some() {
            tracing::warn!(
                "a WebSocket handshake was accepted and brought no connection: the client has \
                 left, or a proxy speaks HTTP/1.0 with us (nginx needs `proxy_http_version 1.1`)"
            );
        }
    }
}

#[rocket::async_trait]
impl IoHandler for Handler {
    async fn io(mut self: Pin<Box<Self>>, io: IoStream) -> io::Result<()> {
        if let Some(session) = self.session.take() {
            session.run(io).await;
        }
        Ok(())
    }
}

const VERSION: &str = "13";
const NONCE_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::Handshake;

    fn handshake(protocols: &str) -> Handshake {
        Handshake {
            key: Some("dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
            version: Some("13".to_owned()),
            protocols: protocols.to_owned(),
        }
    }

    #[test]
    fn the_key_is_answered_as_in_the_rfc() {
        let accepted = handshake("other, tailcast.v1").accept().unwrap();
        assert_eq!(accepted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(accepted.names_protocol);
        assert!(!handshake("").accept().unwrap().names_protocol);
    }

    #[test]
    fn what_is_not_spoken_is_refused() {
        assert!(handshake("chat").accept().is_err());
        assert!(Handshake { version: Some("8".into()), ..handshake("") }.accept().is_err());
        assert!(Handshake { key: Some("short".into()), ..handshake("") }.accept().is_err());
    }
}
