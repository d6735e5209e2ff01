//! Connection: the socket of a session. One poll drives both directions, and neither waits for the
//! other: incoming messages are read while an outgoing one is stuck.
//!
//! What is written to a socket cannot be taken back, and kernels and proxies buffer megabytes. So
//! lines in flight are counted by receipts: a ping follows every [`RECEIPT_BYTES`] of them, and its
//! pong says that they have been read. An answer is never behind more than [`MAX_AHEAD_BYTES`] of
//! lines, wherever these wait.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::chunk::Position;
use crate::websocket::outbox::{Outbox, OutgoingFrame};
use crate::wire::websocket::MESSAGE_BYTES;

/// A WebSocket connection whose handshake is done.
#[derive(Debug)]
pub struct Connection<S> {
    socket: WebSocketStream<S>,
    /// Whether something was written that may not be flushed.
    is_dirty: bool,
    receipts: Receipts,
    /// When the client was last heard.
    last_received: Instant,
    /// When the socket last accepted data, or had none to accept.
    last_progress: Instant,
}

/// An event of a connection.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The client sent a message.
    Said(Message),
    /// A message was sent: its bytes, and the positions of the viewer.
    Sent(usize, Option<Vec<Position>>),
    /// Everything was flushed.
    Idle,
    /// The client closed.
    Closed,
    /// The connection is broken.
    Broken(Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// The server's end; the client's messages may have `max_bytes`.
    pub async fn new(io: S, max_bytes: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(max_bytes))
            .max_frame_size(Some(max_bytes));
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let now = Instant::now();
        let receipts = Receipts::default();
        Connection { socket, is_dirty: false, receipts, last_received: now, last_progress: now }
    }

    /// Waits for an event; sends what is in the outbox meanwhile. Cancel-safe.
    pub fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &mut Outbox,
    ) -> Poll<ConnectionEvent> {
        match Pin::new(&mut self.socket).poll_next(cx) {
            Poll::Ready(Some(Ok(message))) => {
                self.last_received = Instant::now();
                // A ping has queued its pong.
                self.is_dirty = true;
                if let Message::Pong(payload) = &message {
                    self.receipts.take(payload);
                }
                return Poll::Ready(ConnectionEvent::Said(message));
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(ConnectionEvent::Broken(error)),
            Poll::Ready(None) => return Poll::Ready(ConnectionEvent::Closed),
            Poll::Pending => {}
        }
        if let Err(error) = ready!(Pin::new(&mut self.socket).poll_ready(cx)) {
            return Poll::Ready(ConnectionEvent::Broken(error));
        }
        let due = self.receipts.due().map(OutgoingFrame::Ping);
        if let Some(next) = due.or_else(|| outbox.next_out(self.has_room())) {
            self.is_dirty = true;
            self.last_progress = Instant::now();
            let (message, n_bytes, positions) = match next {
                OutgoingFrame::Ping(payload) => (Message::Ping(payload), 0, None),
                OutgoingFrame::Message(bytes) => text(bytes, None),
                OutgoingFrame::Moving(bytes, positions) => {
                    self.receipts.sent += bytes.len() as u64;
                    text(bytes, Some(positions))
                }
            };
            let sent = Pin::new(&mut self.socket).start_send(message);
            return Poll::Ready(sent.map_or_else(ConnectionEvent::Broken, |()| {
                ConnectionEvent::Sent(n_bytes, positions)
            }));
        }
        if !self.is_dirty {
            return Poll::Pending;
        }
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        (self.is_dirty, self.last_progress) = (false, Instant::now());
        Poll::Ready(flushed.map_or_else(ConnectionEvent::Broken, |()| ConnectionEvent::Idle))
    }

    /// Whether the client has read enough to be sent more lines.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let n_ahead = self.receipts.sent - self.receipts.read;
        n_ahead == 0 || n_ahead + MESSAGE_BYTES as u64 <= MAX_AHEAD_BYTES
    }

    /// Whether the client has shown that it reads.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.receipts.read >= MAX_AHEAD_BYTES
    }

    /// Whether nothing waits to be flushed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.is_dirty
    }

    /// When the client was last heard.
    #[must_use]
    pub fn last_received(&self) -> Instant {
        self.last_received
    }

    /// Restarts the measurement of the client's silence.
    pub fn excuse(&mut self) {
        let now = Instant::now();
        (self.last_received, self.last_progress) = (now, now);
    }

    /// When the client last accepted data, or had none to accept.
    #[must_use]
    pub fn last_progress(&self) -> Instant {
        self.last_progress
    }

    /// The socket, to be closed.
    pub fn into_socket(self) -> WebSocketStream<S> {
        self.socket
    }
}

/// How much of the lines sent has been read.
#[derive(Debug, Default)]
struct Receipts {
    /// Bytes of lines sent.
    sent: u64,
    /// Bytes known to have been read.
    read: u64,
    /// The bytes that the last ping asks about.
    pinged_at: u64,
}

impl Receipts {
    /// The ping that is to be sent now.
    fn due(&mut self) -> Option<Bytes> {
        (self.sent - self.pinged_at >= RECEIPT_BYTES).then(|| {
            self.pinged_at = self.sent;
            Bytes::copy_from_slice(&self.sent.to_be_bytes())
        })
    }

    /// Handles a pong; an unsolicited one only shows that the client is alive.
    fn take(&mut self, payload: &[u8]) {
        if let Ok(payload) = payload.try_into() {
            let read = u64::from_be_bytes(payload);
            if read <= self.pinged_at {
                self.read = self.read.max(read);
            }
        }
    }
}

fn text(bytes: Bytes, positions: Option<Vec<Position>>) -> (Message, usize, Option<Vec<Position>>) {
    let n_bytes = bytes.len();
    (Message::Text(utf8(bytes)), n_bytes, positions)
}

/// As shared text. What we write is UTF-8; if it were not, it is repaired rather than lost.
fn utf8(bytes: Bytes) -> Utf8Bytes {
    Utf8Bytes::try_from(bytes.clone())
        .unwrap_or_else(|_not_text| Utf8Bytes::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A message of a client may have this many bytes.
pub const MAX_RECEIVED_BYTES: usize = 64 * 1024;

/// The limit of lines in flight: sent, and not known to have been read.
pub const MAX_AHEAD_BYTES: u64 = 256 * 1024;

/// After this many bytes of lines a ping asks for a receipt.
pub const RECEIPT_BYTES: u64 = 64 * 1024;

/// Clients send little.
const READ_BUFFER_BYTES: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::utf8;

    #[test]
    fn a_message_that_is_not_text_is_mended_rather_than_lost() {
        assert_eq!(utf8(Bytes::from_static(b"plain")).as_str(), "plain");
        assert_eq!(utf8(Bytes::from_static(b"a\xffb")).as_str(), "a\u{fffd}b");
    }
}
