//! NDJSON: the stream over plain HTTP, where no WebSocket gets through.

use std::time::Duration;

use bytes::BytesMut;
use http::header::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::Incoming as Body;
use tailcast_core::protocol::NDJSON;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::connect::Socket;
use crate::request::{self, HttpError};
use crate::target::Target;
use crate::transport::{ConnectionLost, Incoming, QUEUE, Transport, TransportKind, patience};

/// Requests the stream over a fresh connection.
pub(crate) async fn open(
    socket: Socket,
    target: &Target,
    query: &str,
    headers: &HeaderMap,
    heartbeat: Duration,
    limit: Duration,
) -> Result<Transport, HttpError> {
    let answer = request::get(socket, target, query, NDJSON, headers, limit).await?;
    let kind = answer.response.headers().get("content-type");
    if kind.is_none_or(|kind| !kind.as_bytes().starts_with(NDJSON.as_bytes())) {
        let kind = kind.map_or_else(|| "of no type".to_owned(), |kind| format!("of type {kind:?}"));
        let what = format!("it is {kind}, expected {NDJSON}: is this a log of a Tailcast server?");
        return Err(HttpError::Body(what));
    }
    let (queue, incoming) = mpsc::channel(QUEUE);
    let (close, _closing) = oneshot::channel();
    let mut tasks = answer.driver;
    tasks.spawn(read(answer.response.into_body(), queue, patience(heartbeat)));
    Ok(Transport { kind: TransportKind::Ndjson, incoming, close, tasks })
}

/// Reads whole lines into the queue. While the queue is full nothing is read.
async fn read(mut body: Body, queue: mpsc::Sender<Incoming>, patience: Duration) {
    let mut pending = BytesMut::new();
    loop {
        let incoming = match timeout(patience, body.frame()).await {
            Err(_elapsed) => Incoming::Lost(ConnectionLost::Silence(patience)),
            Ok(None) => Incoming::Lost(ConnectionLost::Cut),
            Ok(Some(Err(error))) => Incoming::Lost(ConnectionLost::Broken(error.to_string())),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Err(_trailers) => continue,
                Ok(bytes) => {
                    pending.extend_from_slice(&bytes);
                    match take_lines(&mut pending) {
                        None => continue,
                        Some(incoming) => incoming,
                    }
                }
            },
        };
        let is_last = matches!(incoming, Incoming::Lost(_));
        if queue.send(incoming).await.is_err() || is_last {
            return;
        }
    }
}

/// The whole lines at the start of the received bytes, if there are any.
fn take_lines(pending: &mut BytesMut) -> Option<Incoming> {
    let Some(last_end) = memchr::memrchr(b'\n', pending) else {
        let is_endless = pending.len() > MAX_LINE;
        return is_endless.then(|| {
            Incoming::Lost(ConnectionLost::Protocol("a record without an end".to_owned()))
        });
    };
    let lines = pending.split_to(last_end + 1).freeze();
    Some(match Utf8Bytes::try_from(lines) {
        Ok(text) => Incoming::Text(text),
        Err(error) => {
            Incoming::Lost(ConnectionLost::Protocol(format!("a record that is no text: {error}")))
        }
    })
}

/// A piece of a line has at most 256 KiB, and escapes make that up to six times as long.
const MAX_LINE: usize = 4 << 20;
