//! Transport: an open stream, whatever it came by. A task reads the connection into a bounded
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
    /// Sending (or dropping) it has a WebSocket closed with a word.
    close: oneshot::Sender<()>,
    /// The tasks of the connection; they end with the value.
    tasks: JoinSet<()>,
}

/// What a stream came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportKind {
    WebSocket,
    Ndjson,
}

/// What comes from a connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message, or whole lines of NDJSON.
    Text(Utf8Bytes),
    /// The last thing that comes.
    Lost(Lost),
}

/// Why a connection that was there is not there any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
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

    /// What comes next: events, or the end of the connection. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Event>, Lost> {
        match self.incoming.recv().await {
            Some(Incoming::Text(text)) => Ok(match self.kind {
                TransportKind::WebSocket => parse_message(text)?.into_iter().collect(),
                TransportKind::Ndjson => parse_lines(&text)?,
            }),
            Some(Incoming::Lost(lost)) => Err(lost),
            None => Err(Lost::Cut),
        }
    }

    /// Says goodbye, and waits a moment for it to be gone.
    pub(crate) async fn close(mut self) {
        // Nobody may be there any more to be told.
        let is_closing = self.close.send(()).is_ok();
        self.incoming.close();
        if is_closing && self.kind == TransportKind::WebSocket {
            let all_ended = async { while self.tasks.join_next().await.is_some() {} };
            // What has not gone by then does not go.
            let _in_time: bool = timeout(GOODBYE, all_ended).await.is_ok();
        }
    }
}

/// After so many heartbeats without a word a connection is dead.
pub(crate) fn patience(heartbeat: Duration) -> Duration {
    heartbeat.mul_f64(2.5)
}

/// Messages that were read and not yet taken. A message has at most 512 KiB, so this, and not the
/// reader's pace, bounds what is held.
const QUEUE: usize = 3;

const GOODBYE: Duration = Duration::from_millis(500);
