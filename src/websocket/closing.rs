//! Closing: the code and reason of a close frame (RFC 6455, section 7.4), and the mapping of errors
//! to them.

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::follower::EndReason;

/// How we close a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The code.
    pub code: CloseCode,
    /// A reason for people; at most 123 bytes.
    pub words: String,
    /// The reason in metrics; one of [`crate::metrics::CLOSE_REASONS`].
    pub reason: &'static str,
}

impl Closing {
    /// Closes with `code`.
    #[must_use]
    pub fn new(code: CloseCode, words: impl Into<String>, reason: &'static str) -> Self {
        let mut words = words.into();
        while words.len() > MAX_WORDS_BYTES {
            words.pop();
        }
        Closing { code, words, reason }
    }

    /// After a stream's end.
    #[must_use]
    pub fn of_end(reason: EndReason) -> Self {
        let (code, words) = match reason {
            EndReason::Eof => (CloseCode::Normal, "all was sent"),
            EndReason::Until => (CloseCode::Normal, "the time asked for has come"),
            EndReason::Shutdown => (CloseCode::Away, "the server stops"),
            EndReason::Revoked => (CloseCode::Policy, "this may not be read any more"),
            EndReason::Limit => (CloseCode::Policy, "a limit of the server was met"),
            EndReason::Error => (CloseCode::Error, "the log could not be read to its end"),
        };
        Closing::new(code, words, reason.as_str())
    }

    /// After two heartbeats without a message from the client.
    #[must_use]
    pub fn silent() -> Self {
        Closing::new(CloseCode::Away, "nothing was heard for two heartbeats", "silent")
    }

    /// The close frame.
    #[must_use]
    pub fn frame(&self) -> CloseFrame {
        CloseFrame { code: self.code, reason: self.words.as_str().into() }
    }
}

/// What an error of the connection means.
#[derive(Debug)]
pub enum Meaning {
    /// The client has left, one way or another.
    Gone,
    /// The client broke the protocol; the close frame says how.
    Broken(Closing),
}

/// The meaning of a connection error.
#[must_use]
pub fn meaning(error: &Error) -> Meaning {
    let broken = |code, words: String| Meaning::Broken(Closing::new(code, words, "client"));
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Tls(_) => {
            Meaning::Gone
        }
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => Meaning::Gone,
        Error::Protocol(protocol) => broken(CloseCode::Protocol, protocol.to_string()),
        Error::Utf8(_) => broken(CloseCode::Invalid, "a text message is not UTF-8".to_owned()),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => broken(
            CloseCode::Size,
            format!("a message has {size} bytes, expected at most {max_size}"),
        ),
        Error::Capacity(CapacityError::TooManyHeaders) | Error::AttackAttempt => {
            broken(CloseCode::Policy, error.to_string())
        }
        // These occur on a client's side or in a handshake only.
        Error::WriteBufferFull(_) | Error::Url(_) | Error::Http(_) | Error::HttpFormat(_) => {
            Meaning::Broken(Closing::new(CloseCode::Error, error.to_string(), "error"))
        }
    }
}

/// The maximum size of a close reason.
const MAX_WORDS_BYTES: usize = 123;
