//! `GET /`, `GET /logs` and `GET /api/sources`: the list of sources.

use std::sync::Arc;
use std::time::SystemTime;

use rocket::http::uri::Origin;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::stream::TextStream;
use rocket::response::{self, Responder, Response};
use rocket::{State, get};
use serde_json::{Value, json};

use crate::http::access::CatalogView;
use crate::http::app_state::AppState;
use crate::http::log_request::LogRequest;
use crate::http::log_response::Text;
use crate::http::negotiate::{self, Representation};
use crate::http::page::ViewerPage;
use crate::http::problem::Problem;
use crate::http::source_events::{Brief, Changes, time_value};
use crate::http::statuses::CurrentStatus;
use crate::wire::Format;

/// The list of sources, for people and programs.
#[derive(Debug)]
pub enum List {
    /// The viewer page.
    ViewerPage(ViewerPage),
    /// One source a line.
    Text(String),
    /// All details, as JSON.
    Json(Value),
    /// The list, and then each change to it.
    Changes(Box<Changes>),
}

/// The page; for curl one source a line.
#[get("/")]
pub async fn root(request: LogRequest, app: &State<AppState>) -> Result<List, Problem> {
    match negotiate::accepted(&request.accept) {
        Some(Representation::Viewer) => Ok(List::ViewerPage(ViewerPage::at_root())),
        Some(Representation::Stream(_)) | None => {
            Ok(List::Text(text_list(&request.access, app).await))
        }
    }
}

/// One source a line with size and age; the page for browsers.
#[get("/logs")]
pub async fn list(
    request: LogRequest,
    uri: &Origin<'_>,
    app: &State<AppState>,
) -> Result<List, Problem> {
    match negotiate::accepted(&request.accept) {
        Some(Representation::Viewer) => {
            Ok(List::ViewerPage(ViewerPage::at_list(uri.path().as_str())))
        }
        Some(Representation::Stream(Format::Ndjson)) => {
            Ok(List::Json(json_list(&request.access, app).await))
        }
        Some(Representation::Stream(_)) | None => {
            Ok(List::Text(text_list(&request.access, app).await))
        }
    }
}

/// All sources with their segments, and what was left out with the reason.
#[get("/api/sources")]
pub async fn api(request: LogRequest, app: &State<AppState>) -> Result<List, Problem> {
    if request.query.as_ref().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::new(Status::BadRequest, "the list of sources takes no parameters"));
    }
    if negotiate::accepted(&request.accept) != Some(Representation::Stream(Format::Sse)) {
        return Ok(List::Json(json_list(&request.access, app).await));
    }
    let admission = app.admission.admit(&request.client, request.access.holder())?;
    Ok(List::Changes(Box::new(Changes::new(AppState::clone(app), request.access, admission))))
}

/// The status of all readable sources.
async fn statuses(access: &CatalogView, app: &AppState) -> Vec<CurrentStatus> {
    Arc::clone(&app.statuses).of(access.sources()).await
}

async fn text_list(access: &CatalogView, app: &AppState) -> String {
    let all = statuses(access, app).await;
    let width = all.iter().map(|(source, _)| source.name().as_str().chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for (source, found) in &all {
        let newest = found.segments.first();
        let length = newest.map_or_else(|| "-".to_owned(), |newest| size_text(newest.size));
        let modified = newest.and_then(|newest| newest.modified);
        let age = modified.map_or_else(|| "-".to_owned(), age_text);
        text.push_str(&format!("{:width$}  {length:>9}  {age}\n", source.name().as_str()));
    }
    text
}

async fn json_list(access: &CatalogView, app: &AppState) -> Value {
    let statuses = statuses(access, app).await;
    let sources: Vec<Value> = statuses
        .iter()
        .map(|(source, status)| {
            let mut value = Brief::of(source.as_ref(), status).json(source.name());
            let segments = status.segments.iter().map(|segment| {
                json!({
                    "file": segment.file,
                    "size": segment.size,
                    "modified": time_value(segment.modified),
                })
            });
            if let Some(members) = value.as_object_mut() {
                members.insert("segments".to_owned(), segments.collect());
            }
            value
        })
        .collect();
    let skipped = access.skipped();
    let skipped = skipped
        .iter()
        .map(|skipped| json!({"name": skipped.name, "reason": skipped.reason.to_string()}));
    json!({"sources": sources, "left_out": skipped.collect::<Vec<_>>()})
}

impl<'r> Responder<'r, 'r> for List {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let (content_type, body) = match self {
            Self::ViewerPage(page) => return page.respond_to(request),
            Self::Changes(changes) => return changes_response(changes, request),
            Self::Text(text) => (ContentType::Plain, text),
            Self::Json(value) => (ContentType::JSON, value.to_string()),
        };
        Response::build()
            .header(content_type)
            .header(Header::new("Cache-Control", "no-store"))
            .header(Header::new("X-Content-Type-Options", "nosniff"))
            .sized_body(body.len(), std::io::Cursor::new(body))
            .ok()
    }
}

fn changes_response<'r>(
    mut changes: Box<Changes>,
    request: &'r Request<'_>,
) -> response::Result<'r> {
    let stream = TextStream::from(rocket::async_stream::stream! {
        while let Some(events) = changes.next().await {
            yield Text::from(events);
        }
    });
    let mut response = stream.respond_to(request)?;
    response.set_header(ContentType::EventStream);
    response.set_header(Header::new("Cache-Control", "no-store, no-transform"));
    response.set_header(Header::new("X-Accel-Buffering", "no"));
    response.set_header(Header::new("X-Content-Type-Options", "nosniff"));
    Ok(response)
}

/// `4.2 MB`, in powers of 1000 as `df -H` has it.
fn size_text(bytes: u64) -> String {
    let (mut whole, mut tenth, mut unit) = (bytes, 0, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if whole < 1000 {
            break;
        }
        (tenth, whole, unit) = (whole % 1000 / 100, whole / 1000, next);
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{tenth} {unit}") }
}

/// `4 min ago`.
fn age_text(time: SystemTime) -> String {
    let seconds = time.elapsed().map_or(0, |age| age.as_secs());
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        172_800.. => format!("{} days ago", seconds / 86_400),
    }
}
