//! HTTP: one request over a fresh connection, for NDJSON and the list of sources.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connect::{Seconds, Socket};
use crate::target::Target;

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The error in a sentence, if the server sent one.
    pub detail: String,
    /// When to retry, if the server said so.
    pub retry_after: Option<Duration>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server answers {}", self.status)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// An error response.
    #[error("{0}")]
    Refused(Refusal),
    /// No response, or one that breaks off or is not HTTP.
    #[error("no answer: {0}")]
    Broken(#[from] hyper::Error),
    /// A request that cannot be made of what was given.
    #[error("no request can be made of this: {0}")]
    Request(#[from] http::Error),
    /// It took too long.
    #[error("no answer within {}", Seconds(*.0))]
    Silent(Duration),
    /// A body that cannot be read to its end.
    #[error("the answer cannot be read: {0}")]
    Body(String),
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) response: Response<Incoming>,
    /// The task that drives the connection; ends when this is dropped.
    pub(crate) driver: JoinSet<()>,
}

/// Sends a request over a fresh connection, and waits for the head of a 200 response.
pub(crate) async fn get(
    socket: Socket,
    target: &Target,
    query: &str,
    accept: &'static str,
    headers: &HeaderMap,
    limit: Duration,
) -> Result<HttpResponse, HttpError> {
    let path = target.path();
    let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut request = Request::builder().uri(uri).body(Empty::<Bytes>::new())?;
    let own = request.headers_mut();
    own.insert(header::HOST, target.authority().parse().map_err(http::Error::from)?);
    own.extend(headers.clone());
    own.insert(header::ACCEPT, HeaderValue::from_static(accept));
    own.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let ask = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // The reader of the body gets the error as well, and reports it.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection has broken");
            }
        });
        let response = sender.send_request(request).await?;
        Ok::<_, HttpError>(HttpResponse { response, driver })
    };
    let answer = timeout(limit, ask).await.map_err(|_elapsed| HttpError::Silent(limit))??;
    if answer.response.status() == StatusCode::OK {
        return Ok(answer);
    }
    let (head, body) = answer.response.into_parts();
    let body = timeout(limit, read(body, MAX_PROBLEM)).await;
    // The status matters most; the body is optional.
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    Err(HttpError::Refused(refusal(head.status, &head.headers, &body)))
}

/// Reads a body to its end.
pub(crate) async fn read(body: Incoming, max_bytes: usize) -> Result<Bytes, HttpError> {
    let whole = Limited::new(body, max_bytes).collect().await;
    whole
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| HttpError::Body(error.to_string()))
}

/// The text of an error response: problem+json, or a line of text.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let problem: Option<ProblemDetail> = serde_json::from_slice(body).ok();
    let first_line = || match kind.starts_with("text/plain") {
        true => String::from_utf8_lossy(body).lines().next().unwrap_or_default().to_owned(),
        false => String::new(),
    };
    let mut detail = problem.map_or_else(first_line, |problem| problem.detail);
    if let (true, Some(location)) = (status.is_redirection(), text(header::LOCATION)) {
        detail = format!("it is at {location}");
    }
    if status.is_success() {
        // A 200 response to something else; its text is of no use here.
        detail.clear();
    }
    let detail = detail.chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect();
    let retry_after = text(header::RETRY_AFTER)
        .and_then(|seconds| seconds.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    Refusal { status, detail, retry_after }
}

/// RFC 9457, as far as it is needed.
#[derive(Deserialize)]
struct ProblemDetail {
    detail: String,
}

/// The `User-Agent` header.
pub const USER_AGENT: &str = concat!("tailcast/", env!("CARGO_PKG_VERSION"));

const MAX_PROBLEM: usize = 64 * 1024;
const MAX_DETAIL: usize = 500;
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::{HeaderMap, StatusCode, refusal};

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/problem+json".parse().unwrap());
        let body = br#"{"status":404,"detail":"no source is named `a`; did you mean `b`?"}"#;
        let refused = refusal(StatusCode::NOT_FOUND, &headers, body).to_string();
        assert!(
            refused.contains("404 Not Found: no source is named `a`; did you mean"),
            "{refused}"
        );
        headers.insert("content-type", "text/html".parse().unwrap());
        let refused = refusal(StatusCode::BAD_GATEWAY, &headers, b"<html>\x1b[31m");
        assert_eq!(refused.to_string(), "the server answers 502 Bad Gateway");
        headers.insert("content-type", "text/plain".parse().unwrap());
        let refused = refusal(StatusCode::BAD_GATEWAY, &headers, b"no \x1b[31mway\nmore");
        assert_eq!(refused.detail, "no [31mway");
    }
}
