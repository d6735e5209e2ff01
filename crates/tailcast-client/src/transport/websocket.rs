//! WebSocket: the client's side of `tailcast.v1`: the handshake, a task that reads and a task that
//! writes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Version};
use tailcast_core::protocol::SUBPROTOCOL;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::connect::Socket;
use crate::target::Target;
use crate::transport::{ConnectionLost, Incoming, QUEUE, Transport, TransportKind, patience};

type Sender = SplitSink<WebSocketStream<Socket>, Message>;
type Receiver = SplitStream<WebSocketStream<Socket>>;

/// Opens a WebSocket over a fresh connection.
pub(crate) async fn open(
    socket: Socket,
    target: &Target,
    query: &str,
    headers: &HeaderMap,
    heartbeat: Duration,
) -> Result<Transport, Error> {
    let request = request(target, query, headers)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let (stream, _answer) = client_async_with_config(request, socket, Some(config)).await?;
    let (sender, receiver) = stream.split();
    let (queue, incoming) = mpsc::channel(QUEUE);
    let (close, closing) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(read(receiver, queue, patience(heartbeat)));
    tasks.spawn(write(sender, closing, heartbeat / 2));
    Ok(Transport { kind: TransportKind::WebSocket, incoming, close, tasks })
}

fn request(target: &Target, query: &str, headers: &HeaderMap) -> Result<Request<()>, Error> {
    let scheme = if target.is_tls() { "wss" } else { "ws" };
    let uri = format!("{scheme}://{}{}?{query}", target.authority(), target.path());
    let mut request = Request::builder().version(Version::HTTP_11).uri(uri).body(())?;
    let own = request.headers_mut();
    own.insert(header::HOST, target.authority().parse()?);
    own.extend(headers.clone());
    own.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    own.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    own.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    own.insert(header::SEC_WEBSOCKET_KEY, generate_key().parse()?);
    own.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    own.insert(header::USER_AGENT, HeaderValue::from_static(crate::request::USER_AGENT));
    Ok(request)
}

/// Reads messages into the queue. While the queue is full nothing is read, the server's writes
/// wait, and the time without data is not counted.
///
/// The library answers pings while it is read from. While it is not, they go unanswered: what keeps
/// the connection then are the pings that [`write`] sends.
async fn read(mut receiver: Receiver, queue: mpsc::Sender<Incoming>, patience: Duration) {
    loop {
        let incoming = match timeout(patience, receiver.next()).await {
            Err(_elapsed) => Incoming::Lost(ConnectionLost::Silence(patience)),
            Ok(None) => Incoming::Lost(ConnectionLost::Cut),
            Ok(Some(Err(error))) => Incoming::Lost(lost(error)),
            Ok(Some(Ok(message))) => match message {
                Message::Text(text) => Incoming::Text(text),
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Binary(_) => {
                    Incoming::Lost(ConnectionLost::Protocol("a binary message".to_owned()))
                }
                Message::Frame(_) => {
                    Incoming::Lost(ConnectionLost::Protocol("a bare frame".to_owned()))
                }
                Message::Close(None) => {
                    Incoming::Lost(ConnectionLost::Closed { code: 1005, reason: String::new() })
                }
                Message::Close(Some(frame)) => Incoming::Lost(ConnectionLost::Closed {
                    code: frame.code.into(),
                    reason: frame.reason.to_string(),
                }),
            },
        };
        let is_last = matches!(incoming, Incoming::Lost(_));
        if queue.send(incoming).await.is_err() || is_last {
            return;
        }
    }
}

/// Sends a ping twice a heartbeat, so that the server still receives something while we do not
/// read; and the close frame. No pong: it would replace one that the library has queued and the
/// server waits for. A connection that cannot be written to is detected by reading.
async fn write(mut sender: Sender, mut closing: oneshot::Receiver<()>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            _asked_or_dropped = &mut closing => break,
            _ = ticks.tick() => {
                if let Err(error) = sender.send(Message::Ping(Bytes::new())).await {
                    tracing::debug!(%error, "a ping could not be sent");
                    return;
                }
            }
        }
    }
    if let Err(error) = sender.close().await {
        tracing::debug!(%error, "the goodbye could not be sent");
    }
}

/// The meaning of an error for the connection.
fn lost(error: Error) -> ConnectionLost {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => ConnectionLost::Cut,
        Error::Io(error) => ConnectionLost::Broken(error.to_string()),
        Error::Tls(error) => ConnectionLost::Broken(error.to_string()),
        Error::Protocol(error) if is_cut(&error) => ConnectionLost::Cut,
        Error::Protocol(error) => ConnectionLost::Protocol(error.to_string()),
        Error::Capacity(error) => ConnectionLost::Protocol(error.to_string()),
        Error::Utf8(error) => ConnectionLost::Protocol(error),
        Error::WriteBufferFull(_) => {
            ConnectionLost::Broken("nothing can be written to it".to_owned())
        }
        Error::AttackAttempt | Error::Url(_) | Error::Http(_) | Error::HttpFormat(_) => {
            ConnectionLost::Protocol(error.to_string())
        }
    }
}

fn is_cut(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    *error == ProtocolError::ResetWithoutClosingHandshake
}

/// No message of the server exceeds 512 KiB; one of another program may exceed that a little.
const MAX_MESSAGE: usize = 4 << 20;
const READ_BUFFER: usize = 256 * 1024;

/// We write pings, pongs and a close frame.
const MAX_WRITE_BUFFER: usize = 64 * 1024;
