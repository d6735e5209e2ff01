//! `GET /logs/<source>`: one URL for a log, every kind of client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use jiff::Timestamp;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::stream::{ByteStream, TextStream};
use rocket::response::{self, Responder, Response};
use rocket::{State, get};
use tokio::time::Instant;

use crate::catalog::pattern::SourcePattern;
use crate::cursor::{Cursor, hash32};
use crate::follower::{EndReason, Follower, Wish};
use crate::http::access::Access;
use crate::http::asked::Asked;
use crate::http::negotiate::{self, Representation};
use crate::http::older;
use crate::http::origin;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::query::{self, Query, Tail};
use crate::http::site::Site;
use crate::http::socket::Socket;
use crate::http::viewer::Viewer;
use crate::ledger::Ledger;
use crate::source::{Source, Start};
use crate::websocket::terms::RosterMaker;
use crate::websocket::{Session, Terms};
use crate::wire::text::TextOptions;
use crate::wire::{Encoder, Format};

/// What a log's URL is answered with.
#[derive(Debug)]
pub enum Answer {
    /// The page for people.
    Page(Page),
    /// A stream; without a viewer only its head is wanted.
    Stream {
        /// How it is written.
        format: Format,
        /// What was asked for.
        name: String,
        /// Who gets it.
        viewer: Option<Box<Viewer>>,
        /// There is much to catch up with.
        is_long: bool,
    },
    /// A resume with nothing more to come.
    NothingMore,
    /// A WebSocket.
    Socket(Box<Socket>),
    /// A page of the past.
    Older(Format, Bytes),
}

/// Follows one log, or several by a glob.
#[get("/logs/<_..>")]
pub async fn logs(asked: Asked, site: &State<Site>) -> Result<Answer, Problem> {
    answer(asked, site).await
}

async fn answer(asked: Asked, site: &Site) -> Result<Answer, Problem> {
    let Some(name) = asked.name.clone() else {
        return Err(Problem::unknown_source(asked.name.as_deref().unwrap_or("…"), &[]));
    };
    refuse_lost_upgrade(&asked)?;
    let query = query::parse(asked.query.as_deref(), asked.last_event_id.as_deref(), &site.zone)?;
    if asked.wants_websocket && !asked.is_head {
        return upgrade(&asked, &name, query, site).await;
    }
    let representation = match query.format {
        Some(format) => Representation::Stream(format),
        None => negotiate::accepted(&asked.accept).ok_or_else(|| {
            let detail = format!("none of the types asked for is offered: {}", negotiate::OFFERED);
            Problem::new(Status::NotAcceptable, detail)
        })?,
    };
    let wanted = Wanted::find(&name, &asked.access)?;
    let format = match representation {
        Representation::Viewer => return Ok(Answer::Page(Page::at_log(&name))),
        Representation::Stream(format) => format,
    };
    if query.before.is_some() {
        return wanted.older(query, format, site).await;
    }
    let is_resume = query.from.is_some();
    let options = TextOptions { timestamps: query.timestamps, is_plain: query.is_plain };
    let wish = wanted.wish(query, Some(format), site, &asked.access)?;
    if asked.is_head {
        return Ok(Answer::Stream { format, name, viewer: None, is_long: false });
    }
    let is_finite = !wish.follow;
    let place = site.admission.admit(&asked.client, asked.access.holder())?;
    let opened = Follower::open(wish, Arc::clone(&site.zone)).await;
    let mut follower = opened.map_err(|error| Problem::of_opening(&error))?;
    if format == Format::Sse && is_resume && is_finite && follower.has_nothing().await {
        return Ok(Answer::NothingMore);
    }
    let is_long = follower.progress().1 > LONG_BACKLOG_BYTES;
    let zone = Arc::clone(&site.zone);
    let encoder = Encoder::new(format, &name, wanted.pattern.is_some(), options, zone);
    let client = asked.client;
    let viewer = Viewer::new(follower, encoder, site.clone(), place, format, name.clone(), client);
    Ok(Answer::Stream { format, name, viewer: Some(Box::new(viewer)), is_long })
}

/// Makes a WebSocket of the connection.
async fn upgrade(asked: &Asked, name: &str, query: Query, site: &Site) -> Result<Answer, Problem> {
    let accepted = asked.handshake.accept()?;
    origin::check(asked.origin.as_deref(), &asked.visited, &site.network)?;
    let wanted = Wanted::find(name, &asked.access)?;
    if query.before.is_some() {
        let what = "is for plain HTTP; here the command `older` asks for it";
        return Err(Problem::parameter("before", what));
    }
    let filter = query.filter.clone();
    let wish = wanted.wish(query, None, site, &asked.access)?;
    let terms = wanted.terms(name, &wish, site, &asked.access);
    let place = site.admission.admit(&asked.client, asked.access.holder())?;
    let sources = wish.sources.clone();
    let opening = Follower::open(terms.wish(sources, filter.clone(), &[]), Arc::clone(&site.zone));
    let follower = opening.await.map_err(|error| Problem::of_opening(&error))?;
    let ledger = Ledger::new(
        "websocket",
        name.to_owned(),
        asked.client.to_string(),
        Arc::clone(&site.metrics),
    );
    let session = Session::new(terms, follower, filter, ledger);
    Ok(Answer::Socket(Box::new(Socket::new(accepted, session, place))))
}

/// A proxy that passes the key on and not the upgrade is a common mistake; it deserves its cure.
fn refuse_lost_upgrade(asked: &Asked) -> Result<(), Problem> {
    if asked.handshake.key.is_some() && !asked.wants_websocket {
        return Err(Problem::new(Status::UpgradeRequired, LOST_UPGRADE));
    }
    Ok(())
}

/// A source and where to begin in it.
type Beginning = (Arc<dyn Source>, Start);

/// The sources that a name stands for.
struct Wanted {
    sources: Vec<Arc<dyn Source>>,
    pattern: Option<SourcePattern>,
}

impl Wanted {
    fn find(name: &str, access: &Access) -> Result<Self, Problem> {
        if let Some(source) = access.get(name) {
            return Ok(Wanted { sources: vec![source], pattern: None });
        }
        let pattern = SourcePattern::parse(name)
            .map_err(|error| Problem::new(Status::BadRequest, error.to_string()))?;
        if let Some(pattern) = pattern {
            let sources = access.matching(&pattern);
            if !sources.is_empty() {
                return Ok(Wanted { sources, pattern: Some(pattern) });
            }
        }
        if let Some(left_out) = access.left_out().iter().find(|left_out| left_out.name == name) {
            let status = match left_out.reason.is_permission() {
                true => Status::Forbidden,
                false => Status::NotFound,
            };
            let detail = format!("`{name}` is left out: {}", left_out.reason);
            return Err(Problem::new(status, detail));
        }
        Err(Problem::unknown_source(name, &access.near(name)))
    }

    /// `format`: none for a WebSocket.
    fn wish(
        &self,
        query: Query,
        format: Option<Format>,
        site: &Site,
        access: &Access,
    ) -> Result<Wish, Problem> {
        let is_raw = format == Some(Format::Raw);
        let now = Timestamp::now();
        let until = query.filter.until.map(|until| {
            let left = i128::from(until) - now.as_nanosecond();
            Duration::from_nanos(u64::try_from(left).unwrap_or(0))
        });
        let is_over = until.is_some_and(|left| left.is_zero());
        let follow = query.follow.unwrap_or(!is_raw) && !is_over;
        let done = if query.follow != Some(false) && is_over && !is_raw {
            EndReason::Until
        } else {
            EndReason::Eof
        };
        let tail = query.tail.unwrap_or(match query.filter.since {
            None if !is_raw && query.from.is_none() => Tail::Lines(DEFAULT_TAIL),
            None | Some(_) => Tail::All,
        });
        let start = match (tail, query.filter.since) {
            (Tail::Lines(n_lines), _) => Start::Tail(n_lines),
            (Tail::All, Some(_)) => Start::Since,
            (Tail::All, None) => Start::Oldest,
        };
        Ok(Wish {
            sources: self.starts(query.from.as_deref(), &start)?,
            filter: query.filter,
            follow,
            // What was written just before takes a moment to be read.
            until: until.filter(|_| follow).map(|left| Instant::now() + left + UNTIL_SLACK),
            done,
            heartbeat: query.heartbeat.unwrap_or(site.heartbeat),
            roster: self.pattern.clone().map(|pattern| access.roster(pattern)),
            rights: Some(access.rights()),
            cancel: site.closing.clone(),
        })
    }

    /// A page of the lines before a place.
    async fn older(&self, query: Query, format: Format, site: &Site) -> Result<Answer, Problem> {
        let before = query.before.as_deref().unwrap_or_default();
        let ([source], [before], None) = (self.sources.as_slice(), before, &self.pattern) else {
            let what = "is one place of one source; a glob has none";
            return Err(Problem::parameter("before", what));
        };
        let n_lines = match query.tail {
            Some(Tail::Lines(n_lines)) => usize::try_from(n_lines).unwrap_or(usize::MAX),
            Some(Tail::All) | None => usize::try_from(DEFAULT_TAIL).unwrap_or(usize::MAX),
        };
        let options = TextOptions { timestamps: query.timestamps, is_plain: query.is_plain };
        let body =
            older::page_before(source, *before, query.filter, n_lines, format, options, site);
        Ok(Answer::Older(format, body.await?))
    }

    /// What a WebSocket keeps through all its commands.
    fn terms(&self, asked: &str, wish: &Wish, site: &Site, access: &Access) -> Terms {
        let (pattern, own) = (self.pattern.clone(), access.clone());
        let roster: Option<RosterMaker> =
            pattern.map(|pattern| -> RosterMaker { Box::new(move || own.roster(pattern.clone())) });
        let own = access.clone();
        Terms {
            asked: asked.to_owned(),
            is_glob: self.pattern.is_some(),
            follow: wish.follow,
            until: wish.until,
            done: wish.done,
            heartbeat: wish.heartbeat,
            stall_limit: site.stall_limit,
            zone: Arc::clone(&site.zone),
            cancel: site.closing.clone(),
            roster,
            rights: Some(access.rights()),
            lookup: Box::new(move |name| one(name, &own)),
        }
    }

    /// Where to begin in each source. A source that a resumed stream had not yet seen begins at
    /// its first line.
    fn starts(&self, from: Option<&[Cursor]>, start: &Start) -> Result<Vec<Beginning>, Problem> {
        let Some(cursors) = from else {
            return Ok(self
                .sources
                .iter()
                .map(|source| (Arc::clone(source), start.clone()))
                .collect());
        };
        if let ([source], [cursor]) = (self.sources.as_slice(), cursors) {
            return Ok(vec![(Arc::clone(source), Start::After(*cursor))]);
        }
        if self.pattern.is_none() {
            let what = format!("has {} cursors, expected one", cursors.len());
            return Err(Problem::parameter("from", what));
        }
        let mut left: Vec<Cursor> = cursors.to_vec();
        let mut starts = Vec::new();
        for source in &self.sources {
            let hash = hash32(source.name().as_str().as_bytes());
            let own = left.iter().position(|cursor| cursor.generation.source == hash);
            let start = own.map_or(Start::Oldest, |at| Start::After(left.remove(at)));
            starts.push((Arc::clone(source), start));
        }
        if !left.is_empty() {
            return Err(Problem::parameter(
                "from",
                "has a cursor of another source, or two of one",
            ));
        }
        Ok(starts)
    }
}

/// The one source of this name; the error is a sentence for its client.
fn one(name: &str, access: &Access) -> Result<Arc<dyn Source>, String> {
    let wanted = Wanted::find(name, access).map_err(|problem| problem.detail().to_owned())?;
    match (wanted.sources.into_iter().next(), wanted.pattern) {
        (Some(source), None) => Ok(source),
        (Some(_) | None, Some(_)) => {
            Err(format!("`{name}` is a pattern, expected a source's name"))
        }
        (None, None) => Err(format!("no source is named `{name}`")),
    }
}

impl<'r> Responder<'r, 'r> for Answer {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        match self {
            Self::Page(page) => page.respond_to(request),
            Self::Socket(socket) => Ok(socket.into_response()),
            Self::Older(format, body) => {
                let mut response = Response::build();
                response.header(content_type(format));
                for (header, value) in STREAM_HEADERS {
                    response.header(Header::new(header, value));
                }
                response.sized_body(body.len(), std::io::Cursor::new(body)).ok()
            }
            Self::NothingMore => Response::build()
                .status(Status::NoContent)
                .header(Header::new("Cache-Control", "no-store"))
                .ok(),
            Self::Stream { format, name, viewer, is_long } => {
                let mut response = match (format, viewer) {
                    (_, None) => Response::new(),
                    (Format::Raw, Some(viewer)) => raw_stream(viewer).respond_to(request)?,
                    (Format::Text | Format::Ndjson | Format::Sse, Some(viewer)) => {
                        text_stream(viewer).respond_to(request)?
                    }
                };
                response.set_header(content_type(format));
                for (header, value) in STREAM_HEADERS {
                    response.set_header(Header::new(header, value));
                }
                if request.headers().contains("accept-encoding") {
                    response.set_header(Header::new("Content-Encoding", "identity"));
                }
                if format == Format::Raw {
                    response.set_header(Header::new("Content-Disposition", disposition(&name)));
                }
                response.set_max_chunk_size(if is_long { LONG_CHUNK_BYTES } else { CHUNK_BYTES });
                Ok(response)
            }
        }
    }
}

fn text_stream(mut viewer: Box<Viewer>) -> TextStream<impl futures_util::Stream<Item = Text>> {
    TextStream::from(rocket::async_stream::stream! {
        while let Some(bytes) = viewer.next().await {
            yield Text::from(bytes);
        }
    })
}

/// Shared text, as `TextStream` wants it.
struct Text(ByteString);

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        let lossy = |bytes: &Bytes| ByteString::from(String::from_utf8_lossy(bytes).into_owned());
        Text(ByteString::try_from(bytes.clone()).unwrap_or_else(|_not_text| lossy(&bytes)))
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn raw_stream(mut viewer: Box<Viewer>) -> ByteStream<impl futures_util::Stream<Item = Bytes>> {
    ByteStream::from(rocket::async_stream::stream! {
        while let Some(bytes) = viewer.next().await {
            yield bytes;
        }
    })
}

fn content_type(format: Format) -> ContentType {
    match format {
        Format::Text => ContentType::Plain,
        Format::Ndjson => ContentType::new("application", "x-ndjson"),
        Format::Sse => ContentType::EventStream,
        Format::Raw => ContentType::Binary,
    }
}

/// The source's name as a file name: in ASCII for old clients, and as it is (RFC 6266, RFC 8187).
fn disposition(name: &str) -> String {
    let file_name = name.replace('/', "_");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let ascii: String = file_name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in file_name.bytes() {
        if is_plain(char::from(byte)) && byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// What every proxy needs on a stream. To those who could take it packed it is also said to be
/// encoded as it is: nginx, and Caddy before 2.7, pack it in spite of `no-transform`, and Caddy then
/// keeps it.
const STREAM_HEADERS: [(&str, &str); 3] = [
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
];

const LOST_UPGRADE: &str = "this is a WebSocket handshake whose `Upgrade` header was lost on the \
    way; a proxy in front has to pass it on, nginx with `proxy_http_version 1.1; proxy_set_header \
    Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; proxy_set_header Host \
    $http_host;`";

const DEFAULT_TAIL: u64 = 10;
const UNTIL_SLACK: Duration = Duration::from_millis(200);

/// Rocket copies a stream through a buffer of this size, one for each response; larger ones carry
/// more a write, and cost memory.
const CHUNK_BYTES: usize = 16 * 1024;

/// For those that have much to catch up with.
const LONG_CHUNK_BYTES: usize = 128 * 1024;
const LONG_BACKLOG_BYTES: u64 = 1 << 20;
