//! `GET /`, `GET /logs` and `GET /api/sources`: what there is to read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rocket::http::uri::Origin;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::stream::TextStream;
use rocket::response::{self, Responder, Response};
use rocket::{State, get};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::http::access::Access;
use crate::http::admission::AdmissionGuard;
use crate::http::asked::Asked;
use crate::http::negotiate::{self, Representation};
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::site::Site;
use crate::http::statuses::Listed;
use crate::source::{Source, Status as SourceStatus};
use crate::wire::Format;
use crate::wire::record::write_time;

/// The list of sources, for people and programs.
#[derive(Debug)]
pub enum List {
    /// The page.
    Page(Page),
    /// One source a line.
    Text(String),
    /// All that is known.
    Json(Value),
    /// The list, and what becomes of it.
    Changes(Box<Changes>),
}

/// The page; for curl one source a line.
#[get("/")]
pub async fn root(asked: Asked, site: &State<Site>) -> Result<List, Problem> {
    match negotiate::accepted(&asked.accept) {
        Some(Representation::Viewer) => Ok(List::Page(Page::at_root())),
        Some(Representation::Stream(_)) | None => {
            Ok(List::Text(text_list(&asked.access, site).await))
        }
    }
}

/// One source a line with size and age; the page for browsers.
#[get("/logs")]
pub async fn list(asked: Asked, uri: &Origin<'_>, site: &State<Site>) -> Result<List, Problem> {
    match negotiate::accepted(&asked.accept) {
        Some(Representation::Viewer) => Ok(List::Page(Page::at_list(uri.path().as_str()))),
        Some(Representation::Stream(Format::Ndjson)) => {
            Ok(List::Json(json_list(&asked.access, site).await))
        }
        Some(Representation::Stream(_)) | None => {
            Ok(List::Text(text_list(&asked.access, site).await))
        }
    }
}

/// All sources with their segments, and what was left out with the reason.
#[get("/api/sources")]
pub async fn api(asked: Asked, site: &State<Site>) -> Result<List, Problem> {
    if asked.query.as_ref().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::new(Status::BadRequest, "the list of sources takes no parameters"));
    }
    if negotiate::accepted(&asked.accept) != Some(Representation::Stream(Format::Sse)) {
        return Ok(List::Json(json_list(&asked.access, site).await));
    }
    let place = site.admission.admit(&asked.client, asked.access.holder())?;
    Ok(List::Changes(Box::new(Changes::new(Site::clone(site), asked.access, place))))
}

/// How all sources stand now.
async fn statuses(access: &Access, site: &Site) -> Vec<Listed> {
    Arc::clone(&site.statuses).of(access.sources()).await
}

async fn text_list(access: &Access, site: &Site) -> String {
    let all = statuses(access, site).await;
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

async fn json_list(access: &Access, site: &Site) -> Value {
    let statuses = statuses(access, site).await;
    let sources: Vec<Value> = statuses
        .iter()
        .map(|(source, status)| {
            let mut value = brief(source.as_ref(), status);
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
    let left_out = access.left_out();
    let left_out = left_out
        .iter()
        .map(|left_out| json!({"name": left_out.name, "reason": left_out.reason.to_string()}));
    json!({"sources": sources, "left_out": left_out.collect::<Vec<_>>()})
}

/// `{"name","size","modified","viewers"}`.
fn brief(source: &dyn Source, status: &SourceStatus) -> Value {
    let active = status.segments.first();
    json!({
        "name": source.name().as_str(),
        "size": active.map_or(0, |active| active.size),
        "modified": time_value(active.and_then(|active| active.modified)),
        "viewers": source.viewers(),
    })
}

fn time_value(time: Option<SystemTime>) -> Value {
    let mut json = Vec::new();
    write_time(time, &mut json);
    serde_json::from_slice(&json).unwrap_or(Value::Null)
}

/// The list as it changes: `event: sources` once, then `added`, `removed` and at most one
/// `changed` a second a source.
#[derive(Debug)]
pub struct Changes {
    site: Site,
    access: Access,
    /// Grows when rights have changed.
    rights: tokio::sync::watch::Receiver<u64>,
    versions: tokio::sync::watch::Receiver<u64>,
    /// What was told of each source, and when; none before the list.
    known: Option<BTreeMap<String, (Value, Instant)>>,
    last_word: Instant,
    _place: AdmissionGuard,
}

impl Changes {
    fn new(site: Site, access: Access, place: AdmissionGuard) -> Self {
        let (versions, rights) = (access.changes(), site.auth.changes());
        let last_word = Instant::now();
        Changes { site, access, rights, versions, known: None, last_word, _place: place }
    }

    /// The next events; none once the server closes or the asker may not come in any more.
    async fn next(&mut self) -> Option<String> {
        let mut events = String::new();
        while events.is_empty() {
            if !self.access.is_valid() {
                return None;
            }
            if self.known.is_some() {
                let second = tokio::time::sleep(CHANGE_PAUSE);
                tokio::select! {
                    () = self.site.closing.cancelled() => return None,
                    changed = self.versions.changed() => changed.ok()?,
                    changed = self.rights.changed() => changed.ok()?,
                    () = second => {}
                }
            }
            events = self.look().await;
            if events.is_empty() && self.last_word.elapsed() >= self.site.heartbeat {
                events.push_str(": heartbeat\n\n");
            }
        }
        self.last_word = Instant::now();
        Some(events)
    }

    async fn look(&mut self) -> String {
        let statuses = statuses(&self.access, &self.site).await;
        let now = Instant::now();
        let current = statuses.iter().map(|(source, status)| {
            (source.name().as_str().to_owned(), (brief(source.as_ref(), status), now))
        });
        let mut current: BTreeMap<String, (Value, Instant)> = current.collect();
        let mut events = String::new();
        let mut say = |event: &str, value: &Value| {
            events.push_str(&format!("event: {event}\ndata: {value}\n\n"));
        };
        if let Some(known) = self.known.take() {
            for (name, told) in &mut current {
                match known.get(name) {
                    None => say("added", &told.0),
                    Some(before) if before.0 == told.0 => told.1 = before.1,
                    // A look that the catalog asked for came too early for this source.
                    Some(before) if now - before.1 < CHANGE_PAUSE => told.clone_from(before),
                    Some(_) => say("changed", &told.0),
                }
            }
            for name in known.keys().filter(|name| !current.contains_key(*name)) {
                say("removed", &json!({"name": name}));
            }
        } else {
            let list: Vec<_> = current.values().map(|(value, _)| value).collect();
            say("sources", &json!({"sources": list}));
        }
        self.known = Some(current);
        events
    }
}

impl<'r> Responder<'r, 'r> for List {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let (content_type, body) = match self {
            Self::Page(page) => return page.respond_to(request),
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
            yield events;
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

/// A source is told as changed at most once in this time.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);
