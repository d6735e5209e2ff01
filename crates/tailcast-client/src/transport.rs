//! Transport: an open stream over WebSocket or NDJSON. A task reads the connection into a bounded
//! queue; with a WebSocket another one writes, so that neither waits for the other.

pub(crate) mod ndjson;
pub(crate) mod websocket;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::connect::Seconds;
use crate::event::Event;
use crate::record::{RecordError, parse_lines, parse_message};

/// An open stream.
#[derive(Debug)]
pub(crate) struct Transport {
    kind: TransportKind,
    incoming: mpsc::Receiver<Incoming>,
    /// Sending on (or dropping) it closes a WebSocket with a close frame.
    close: oneshot::Sender<()>,
    /// The tasks of the connection; they end when this is dropped.
    tasks: JoinSet<()>,
}

/// The kind of connection of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportKind {
    WebSocket,
    Ndjson,
}

/// An item from a connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message, or whole lines of NDJSON.
    Text(Utf8Bytes),
    /// The last item.
    Lost(ConnectionLost),
}

/// Why a connection was lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionLost {
    #[error("nothing came for {}", Seconds(*.0))]
    Silence(Duration),
    #[error("the connection was cut")]
    Cut,
    #[error("the connection was cut: {0}")]
    Broken(String),
    #[error("the server has closed the connection ({code}{}{reason})", if .reason.is_empty() { "" } else { ", " })]
    Closed { code: u16, reason: String },
    #[error("the server has sent what does not belong to the protocol: {0}")]
    Protocol(String),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the server is stopping")]
    Shutdown,
}

impl Transport {
    pub(crate) fn kind(&self) -> TransportKind {
        self.kind
    }

    /// The next events, or the end of the connection. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Event>, ConnectionLost> {
        match self.incoming.recv().await {
            Some(Incoming::Text(text)) => Ok(match self.kind {
                TransportKind::WebSocket => parse_message(text)?.into_iter().collect(),
                TransportKind::Ndjson => parse_lines(&text)?,
            }),
            Some(Incoming::Lost(lost)) => Err(lost),
            None => Err(ConnectionLost::Cut),
        }
    }

    /// Sends a close frame, and waits briefly until it is sent.
    pub(crate) async fn close(mut self) {
        // The writing task may have ended already.
        let is_closing = self.close.send(()).is_ok();
        self.incoming.close();
        if is_closing && self.kind == TransportKind::WebSocket {
            let all_ended = async { while self.tasks.join_next().await.is_some() {} };
            // What was not sent by then is dropped.
            let _in_time: bool = timeout(GOODBYE, all_ended).await.is_ok();
        }
    }
}

/// After this many heartbeats without data a connection is dead.
pub(crate) fn patience(heartbeat: Duration) -> Duration {
    heartbeat.mul_f64(2.5)
}

/// How many messages may be queued. A message has at most 512 KiB, so this bounds the memory,
/// however slow the reader is.
const QUEUE: usize = 3;

const GOODBYE: Duration = Duration::from_millis(500);
