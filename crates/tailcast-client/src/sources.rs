//! Sources: what a server has to follow.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::connect::{ConnectError, connect};
use crate::opening::Settings;
use crate::request::{self, HttpError};
use crate::target::Target;

/// The list of a server's sources.
#[derive(Clone, Debug, Deserialize)]
pub struct SourceList {
    /// The sources, in the order of the server.
    pub sources: Vec<SourceStatus>,
    /// The response as received.
    #[serde(skip)]
    pub json: String,
}

/// The status of a source.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name in a URL, after `/logs/`.
    pub name: String,
    /// The size of its newest file in bytes.
    #[serde(default)]
    pub size: u64,
    /// When that was last written to, in RFC 3339.
    #[serde(default)]
    pub modified: Option<String>,
    /// Its current number of viewers.
    #[serde(default)]
    pub viewers: u64,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] crate::target::UrlError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no valid response.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The response is not a list of sources.
    #[error("the answer is no list of sources ({0}): is this a Tailcast server?")]
    Json(#[from] serde_json::Error),
    /// The task has panicked.
    #[error("the list could not be asked for: {0}")]
    Failed(String),
}

impl ListError {
    /// There is a response, but the list may be at another path: proxies answer an unknown path in
    /// various ways (HAProxy: 503).
    fn is_elsewhere(&self) -> bool {
        match self {
            Self::Http(HttpError::Refused(refusal)) => !matches!(
                refusal.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
            ),
            Self::Json(_) => true,
            Self::Url(_) | Self::Connect(_) | Self::Http(_) | Self::Failed(_) => false,
        }
    }
}

/// The list at the first of these URLs that has one.
pub(crate) async fn list(
    settings: Arc<Settings>,
    targets: Vec<Target>,
) -> Result<SourceList, ListError> {
    let mut first_error = None;
    for target in targets {
        match list_at(Arc::clone(&settings), target).await {
            Err(error) if error.is_elsewhere() => first_error = first_error.or(Some(error)),
            answer => return answer,
        }
    }
    Err(first_error.unwrap_or_else(|| ListError::Failed("there is nowhere to ask".to_owned())))
}

async fn list_at(settings: Arc<Settings>, target: Target) -> Result<SourceList, ListError> {
    let mut task = tokio::task::JoinSet::new();
    // As in `opening`: from the bottom of a stack, and from the heap.
    task.spawn(Box::pin(ask(settings, target)));
    match task.join_next().await {
        Some(Ok(list)) => list,
        Some(Err(error)) => Err(ListError::Failed(error.to_string())),
        None => Err(ListError::Failed("it was given up".to_owned())),
    }
}

async fn ask(settings: Arc<Settings>, target: Target) -> Result<SourceList, ListError> {
    let socket = connect(&target, &settings.tls).await?;
    let headers = &settings.headers;
    let answer = request::get(socket, &target, "", "application/json", headers, LIMIT).await?;
    let body = tokio::time::timeout(LIMIT, request::read(answer.response.into_body(), MAX_BYTES));
    let body = body.await.map_err(|_elapsed| HttpError::Silent(LIMIT))??;
    let mut list: SourceList = serde_json::from_slice(&body)?;
    list.json = String::from_utf8_lossy(&body).into_owned();
    drop(answer.driver);
    Ok(list)
}

const LIMIT: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 256 << 20;
