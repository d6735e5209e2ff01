//! Opening: one try to open a stream: a connection with a WebSocket, or where that does not get
//! through, another connection with NDJSON.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use crate::connect::{ConnectError, Seconds, connect};
use crate::options::Options;
use crate::request::{HttpError, Refusal, refusal};
use crate::target::Target;
use crate::tls::Tls;
use crate::transport::{Transport, TransportKind, ndjson, patience, websocket};

/// What all connections of a client share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) headers: HeaderMap,
    pub(crate) tls: Tls,
    pub(crate) heartbeat: Duration,
    pub(crate) ends_with_server: bool,
}

/// One try.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) settings: Arc<Settings>,
    pub(crate) target: Target,
    /// As it is sent.
    pub(crate) query: String,
    pub(crate) heartbeat: Duration,
    /// What to request first.
    pub(crate) first: TransportKind,
}

/// A stream that is open.
#[derive(Debug)]
pub(crate) struct OpenStream {
    pub(crate) transport: Transport,
    /// Why it is not a WebSocket, if one was requested.
    pub(crate) refused: Option<NoWebSocket>,
}

/// Why a connection was made but no WebSocket.
#[derive(Debug)]
pub(crate) struct NoWebSocket {
    pub(crate) why: String,
    /// It was refused explicitly, and not just temporarily.
    pub(crate) is_lasting: bool,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamOpenError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the connection cannot be made: {0}")]
    Failed(String),
}

impl Settings {
    pub(crate) fn new(options: Options) -> Self {
        let Options { headers, trust, heartbeat, ends_with_server } = options;
        Settings { headers, tls: Tls::new(trust), heartbeat, ends_with_server }
    }
}

impl StreamOpenError {
    /// The server's error response, if that is the cause.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Http(HttpError::Refused(refusal)) => Some(refusal),
            Self::Http(
                HttpError::Broken(_)
                | HttpError::Request(_)
                | HttpError::Silent(_)
                | HttpError::Body(_),
            )
            | Self::Connect(_)
            | Self::Failed(_) => None,
        }
    }

    /// Whether a first try with this error is final: the error is not temporary.
    pub(crate) fn is_final_at_first(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_final(),
            Self::Http(_) | Self::Failed(_) => self
                .refusal()
                .is_some_and(|refusal| FINAL_AT_FIRST.contains(&refusal.status.as_u16())),
        }
    }

    /// Whether it is final even if earlier connections have worked.
    pub(crate) fn is_final_ever(&self) -> bool {
        self.refusal().is_some_and(|refusal| FINAL_EVER.contains(&refusal.status.as_u16()))
    }
}

/// Opens a stream in a task of its own, with its future on the heap.
///
/// A TLS handshake makes for a large future, and its polls go deep: through the handshake's state
/// machine into the signatures. Awaited where it is needed, the future becomes a part of its
/// caller's, and of its caller's caller's, and is polled at the end of all their stacks; on a small
/// stack, or below a deep caller, that overflows (snapview/tokio-tungstenite#356). A task has no
/// stack of its own, so spawning alone would not help: what does is that a task's poll begins right
/// at the worker's loop, where the stack is empty, and that the future, which is boxed first, is
/// moved around as a pointer and never lies on a stack as a whole. `tests/it/client_stack.rs` has
/// the figures.
pub(crate) fn opening(attempt: Attempt) -> JoinSet<Result<OpenStream, StreamOpenError>> {
    let mut task = JoinSet::new();
    task.spawn(Box::pin(open(attempt)));
    task
}

/// Its result. Cancel-safe.
pub(crate) async fn opened(
    task: &mut JoinSet<Result<OpenStream, StreamOpenError>>,
) -> Result<OpenStream, StreamOpenError> {
    match task.join_next().await {
        Some(Ok(opened)) => opened,
        Some(Err(error)) => Err(StreamOpenError::Failed(error.to_string())),
        None => Err(StreamOpenError::Failed("it was given up".to_owned())),
    }
}

async fn open(attempt: Attempt) -> Result<OpenStream, StreamOpenError> {
    let refused = match attempt.first {
        TransportKind::Ndjson => None,
        TransportKind::WebSocket => match open_websocket(&attempt).await? {
            Ok(transport) => return Ok(OpenStream { transport, refused: None }),
            Err(refused) => Some(refused),
        },
    };
    // Whatever prevented the WebSocket: plain HTTP shows the reason, or gets through.
    let socket = connect(&attempt.target, &attempt.settings.tls).await?;
    let query = format!("{}&format=ndjson", attempt.query);
    let headers = &attempt.settings.headers;
    let (heartbeat, limit) = (attempt.heartbeat, attempt.answer_limit());
    let transport =
        ndjson::open(socket, &attempt.target, &query, headers, heartbeat, limit).await?;
    Ok(OpenStream { transport, refused })
}

/// A WebSocket, or why there was none over a working connection.
async fn open_websocket(attempt: &Attempt) -> Result<Result<Transport, NoWebSocket>, ConnectError> {
    let socket = connect(&attempt.target, &attempt.settings.tls).await?;
    let Attempt { settings, target, query, heartbeat, first: _ } = attempt;
    let opening = websocket::open(socket, target, query, &settings.headers, *heartbeat);
    let limit = attempt.answer_limit();
    Ok(match timeout(limit, opening).await {
        Ok(Ok(transport)) => Ok(transport),
        Ok(Err(error)) => Err(NoWebSocket::of(error)),
        Err(_elapsed) => {
            let why = format!("there was no answer within {}", Seconds(limit));
            Err(NoWebSocket { why, is_lasting: false })
        }
    })
}

impl Attempt {
    fn answer_limit(&self) -> Duration {
        patience(self.heartbeat).clamp(SHORTEST_ANSWER_LIMIT, LONGEST_ANSWER_LIMIT)
    }
}

impl NoWebSocket {
    fn of(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(answer) => {
                // Only what has come with the head is there, and in chunks it is not yet text.
                let is_plain = !answer.headers().contains_key(http::header::TRANSFER_ENCODING);
                let body = answer.body().as_deref().filter(|_| is_plain).unwrap_or_default();
                let refusal = refusal(answer.status(), answer.headers(), body);
                let is_lasting = !refusal.status.is_server_error();
                NoWebSocket { why: refusal.to_string(), is_lasting }
            }
            error @ (tungstenite::Error::Protocol(_)
            | tungstenite::Error::Capacity(_)
            | tungstenite::Error::Utf8(_)
            | tungstenite::Error::HttpFormat(_)) => {
                NoWebSocket { why: error.to_string(), is_lasting: true }
            }
            error @ (tungstenite::Error::Io(_)
            | tungstenite::Error::ConnectionClosed
            | tungstenite::Error::AlreadyClosed
            | tungstenite::Error::Tls(_)
            | tungstenite::Error::WriteBufferFull(_)
            | tungstenite::Error::AttackAttempt
            | tungstenite::Error::Url(_)) => {
                NoWebSocket { why: error.to_string(), is_lasting: false }
            }
        }
    }
}

const FINAL_AT_FIRST: [u16; 4] = [400, 401, 403, 404];
const FINAL_EVER: [u16; 2] = [401, 403];

const SHORTEST_ANSWER_LIMIT: Duration = Duration::from_secs(5);
const LONGEST_ANSWER_LIMIT: Duration = Duration::from_secs(30);
