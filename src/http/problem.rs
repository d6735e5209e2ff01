//! Problem: the response to a client that cannot have what it requested. The one place that turns
//! errors into a status and words: `application/problem+json` (RFC 9457) for programs, one plain
//! sentence for people.

use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

use crate::source::{OpenError, SourceName};

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: Status,
    detail: String,
    parameter: Option<String>,
    retry_after: Option<u32>,
    suggestions: Vec<String>,
    needs_credentials: bool,
}

impl Problem {
    /// A problem; `detail` is one sentence without a full stop.
    #[must_use]
    pub fn new(status: Status, detail: impl Into<String>) -> Self {
        let (parameter, retry_after, suggestions, needs_credentials) = Default::default();
        Problem {
            status,
            detail: detail.into(),
            parameter,
            retry_after,
            suggestions,
            needs_credentials,
        }
    }

    /// A 401 that names the accepted ways to authenticate.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Status::Unauthorized, detail);
        problem.needs_credentials = true;
        problem
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// A 400 for a parameter: what is wrong with it, and what was expected.
    #[must_use]
    pub fn parameter(name: &str, what: impl std::fmt::Display) -> Self {
        let mut problem = Self::new(Status::BadRequest, format!("the parameter `{name}` {what}"));
        problem.parameter = Some(name.to_owned());
        problem
    }

    /// A 404 for a name without a source.
    #[must_use]
    pub fn unknown_source(requested: &str, suggestions: &[SourceName]) -> Self {
        let mut detail = format!("no source is named `{}`", printable(requested));
        if let [first, rest @ ..] = suggestions {
            detail.push_str(&format!("; did you mean `{first}`"));
            for name in rest {
                detail.push_str(&format!(" or `{name}`"));
            }
            detail.push('?');
        }
        let mut problem = Self::new(Status::NotFound, detail);
        problem.suggestions = suggestions.iter().map(ToString::to_string).collect();
        problem
    }

    /// The client has disconnected, so this is never read.
    #[must_use]
    pub fn has_left() -> Self {
        Self::new(Status::RequestTimeout, "the client has left before its answer was found")
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A source that could not be opened as requested.
    #[must_use]
    pub fn of_opening(error: &OpenError) -> Self {
        match error {
            OpenError::OtherSource(_) => Self::parameter("from", error),
            OpenError::TooExpensive(_) => Self::new(Status::UnprocessableEntity, error.to_string()),
            OpenError::Unreadable { name: _, source: _ } if error.is_denied() => {
                Self::new(Status::Forbidden, error.to_string())
            }
            OpenError::Unreadable { name: _, source: _ } => {
                Self::new(Status::ServiceUnavailable, error.to_string()).retry_after(5)
            }
        }
    }

    /// The value of `Retry-After` in seconds, if set.
    #[must_use]
    pub fn seconds_to_wait(&self) -> Option<u32> {
        self.retry_after
    }

    fn json(&self) -> String {
        let mut body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.reason_lossy(),
            "status": self.status.code,
            "detail": self.detail,
        });
        if let Some(members) = body.as_object_mut() {
            if let Some(parameter) = &self.parameter {
                members.insert("parameter".to_owned(), parameter.as_str().into());
            }
            if !self.suggestions.is_empty() {
                members.insert("near".to_owned(), self.suggestions.clone().into());
            }
        }
        body.to_string()
    }
}

/// Text from a request, safe to display: truncated, without control characters.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let accept = request.headers().get("accept").collect::<Vec<_>>().join(",");
        let is_person =
            accept.is_empty() || accept.contains("text/") && !accept.contains("event-stream");
        let is_person = is_person || accept.trim() == "*/*";
        let (content_type, body) = match is_person {
            true => (ContentType::Plain, format!("{}\n", self.detail)),
            false => (ContentType::new("application", "problem+json"), self.json()),
        };
        let mut response = Response::build();
        response
            .status(self.status)
            .header(content_type)
            .header(Header::new("Cache-Control", "no-store"))
            .sized_body(body.len(), std::io::Cursor::new(body));
        if let Some(seconds) = self.retry_after {
            response.header(Header::new("Retry-After", seconds.to_string()));
        }
        if self.status == Status::UpgradeRequired {
            response.header(Header::new("Sec-WebSocket-Version", "13"));
        }
        if self.needs_credentials {
            // A script's request must not make the browser open its password dialog.
            if !request.headers().contains("sec-fetch-mode") {
                let basic = "Basic realm=\"tailcast\", charset=\"UTF-8\"";
                response.header_adjoin(Header::new("WWW-Authenticate", basic));
            }
            let bearer = "Bearer realm=\"tailcast\"";
            response.header_adjoin(Header::new("WWW-Authenticate", bearer));
        }
        if self.status == Status::MethodNotAllowed {
            response.header(Header::new("Allow", "GET, HEAD"));
        }
        response.ok()
    }
}

const SHOWN_CHARS: usize = 100;
