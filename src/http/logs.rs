//! `GET /logs/<source>`: one URL for a log, every kind of client.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rocket::http::Status;
use rocket::{State, get};
use tokio::time::Instant;

use crate::catalog::pattern::SourcePattern;
use crate::cursor::Cursor;
use crate::follower::{EndReason, Follower, StreamSpec};
use crate::http::access::CatalogView;
use crate::http::app_state::AppState;
use crate::http::log_request::LogRequest;
use crate::http::log_response::LogResponse;
use crate::http::negotiate::{self, Representation};
use crate::http::older;
use crate::http::origin;
use crate::http::page::ViewerPage;
use crate::http::problem::Problem;
use crate::http::query::{self, LogQuery, Tail};
use crate::http::socket_upgrade::SocketUpgrade;
use crate::http::viewer::Viewer;
use crate::source::{DEFAULT_TAIL, Source, Start};
use crate::viewer_log::ViewerLog;
use crate::websocket::session_config::SourceWatchMaker;
use crate::websocket::{Session, SessionConfig};
use crate::wire::text::TextOptions;
use crate::wire::{Encoder, Format};

/// Follows one log, or several by a glob.
#[get("/logs/<_..>")]
pub async fn logs(request: LogRequest, app: &State<AppState>) -> Result<LogResponse, Problem> {
    answer(request, app).await
}

async fn answer(request: LogRequest, app: &AppState) -> Result<LogResponse, Problem> {
    let name = request.name.clone().ok_or_else(|| Problem::unknown_source("…", &[]))?;
    refuse_lost_upgrade(&request)?;
    let query =
        query::parse(request.query.as_deref(), request.last_event_id.as_deref(), &app.zone)?;
    if request.wants_websocket && !request.is_head {
        return upgrade(&request, &name, query, app).await;
    }
    let representation = match query.format {
        Some(format) => Representation::Stream(format),
        None => negotiate::accepted(&request.accept).ok_or_else(|| {
            let detail = format!("none of the types asked for is offered: {}", negotiate::OFFERED);
            Problem::new(Status::NotAcceptable, detail)
        })?,
    };
    let resolved = ResolvedSources::find(&name, &request.access)?;
    let format = match representation {
        Representation::Viewer => return Ok(LogResponse::ViewerPage(ViewerPage::at_log(&name))),
        Representation::Stream(format) => format,
    };
    if query.before.is_some() {
        return resolved.older(query, format, &request, app).await;
    }
    let is_resume = query.from.is_some();
    let options = TextOptions { timestamps: query.timestamps, is_plain: query.is_plain };
    let spec = resolved.spec(query, Some(format), app, &request.access)?;
    if request.is_head {
        return Ok(LogResponse::Stream { format, name, viewer: None, is_long: false });
    }
    let is_finite = !spec.follow;
    let admission = app.admission.admit(&request.client, request.access.holder())?;
    let peer = request.client.peer;
    let opening = Follower::open(spec, Arc::clone(&app.zone));
    let opened = app.departures.unless_left(peer, opening).await.ok_or_else(Problem::has_left)?;
    let mut follower = opened.map_err(|error| Problem::of_opening(&error))?;
    if format == Format::Sse && is_resume && is_finite {
        let looking = app.departures.unless_left(peer, follower.has_nothing());
        if looking.await.ok_or_else(Problem::has_left)? {
            return Ok(LogResponse::NothingMore);
        }
    }
    let is_long = is_finite && follower.progress().1 > LONG_BACKLOG_BYTES;
    let zone = Arc::clone(&app.zone);
    let encoder = Encoder::new(format, &name, resolved.pattern.is_some(), options, zone);
    let client = request.client;
    let viewer =
        Viewer::new(follower, encoder, app.clone(), admission, format, name.clone(), client);
    Ok(LogResponse::Stream { format, name, viewer: Some(Box::new(viewer)), is_long })
}

/// Answers a WebSocket handshake.
async fn upgrade(
    request: &LogRequest,
    name: &str,
    query: LogQuery,
    app: &AppState,
) -> Result<LogResponse, Problem> {
    let accepted = request.handshake.accept()?;
    origin::check(request.origin.as_deref(), &request.visited, &app.network)?;
    let resolved = ResolvedSources::find(name, &request.access)?;
    if query.before.is_some() {
        let what = "is for plain HTTP; here the command `older` asks for it";
        return Err(Problem::parameter("before", what));
    }
    let spec = resolved.spec(query, None, app, &request.access)?;
    let config = resolved.session_config(name, &spec, app, &request.access);
    let admission = app.admission.admit(&request.client, request.access.holder())?;
    let StreamSpec { sources, filter, permissions, .. } = spec;
    let opening = Follower::open(config.spec(sources, filter.clone(), &[]), Arc::clone(&app.zone));
    let opened = app.departures.unless_left(request.client.peer, opening).await;
    let opened = opened.ok_or_else(Problem::has_left)?;
    let follower = opened.map_err(|error| Problem::of_opening(&error))?;
    let viewer_log = ViewerLog::new(
        "websocket",
        name.to_owned(),
        request.client.to_string(),
        Arc::clone(&app.metrics),
    );
    let session = Session::new(config, permissions, follower, filter, viewer_log);
    Ok(LogResponse::SocketUpgrade(Box::new(SocketUpgrade::new(accepted, session, admission))))
}

/// A proxy that forwards the key but not the upgrade is a common mistake, so the answer says how to
/// fix it.
fn refuse_lost_upgrade(request: &LogRequest) -> Result<(), Problem> {
    if request.handshake.key.is_some() && !request.wants_websocket {
        return Err(Problem::new(Status::UpgradeRequired, LOST_UPGRADE));
    }
    Ok(())
}

/// A source and where to begin in it.
type Beginning = (Arc<dyn Source>, Start);

/// The sources that a requested name resolves to.
struct ResolvedSources {
    sources: Vec<Arc<dyn Source>>,
    pattern: Option<SourcePattern>,
}

impl ResolvedSources {
    fn find(name: &str, access: &CatalogView) -> Result<Self, Problem> {
        if let Some(source) = access.get(name) {
            return Ok(ResolvedSources { sources: vec![source], pattern: None });
        }
        let pattern = SourcePattern::parse(name)
            .map_err(|error| Problem::new(Status::BadRequest, error.to_string()))?;
        if let Some(pattern) = pattern {
            let sources = access.matching(&pattern);
            if !sources.is_empty() {
                return Ok(ResolvedSources { sources, pattern: Some(pattern) });
            }
        }
        if let Some(skipped) = access.skipped().iter().find(|skipped| skipped.name == name) {
            let status = match skipped.reason.is_permission() {
                true => Status::Forbidden,
                false => Status::NotFound,
            };
            let detail = format!("`{name}` is left out: {}", skipped.reason);
            return Err(Problem::new(status, detail));
        }
        Err(Problem::unknown_source(name, &access.suggest(name)))
    }

    /// `format`: `None` for a WebSocket.
    fn spec(
        &self,
        query: LogQuery,
        format: Option<Format>,
        app: &AppState,
        access: &CatalogView,
    ) -> Result<StreamSpec, Problem> {
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
        let tail = match tail {
            Tail::Lines(n_lines) => Some(n_lines),
            Tail::All => None,
        };
        let start = Start::of_past(tail, query.filter.since);
        Ok(StreamSpec {
            sources: self.starts(query.from.as_deref(), &start)?,
            filter: query.filter,
            follow,
            // Lines written just before take a moment to be read.
            until: until.filter(|_| follow).map(|left| Instant::now() + left + UNTIL_SLACK),
            done,
            heartbeat: query.heartbeat.unwrap_or(app.heartbeat),
            source_watch: self.pattern.clone().map(|pattern| access.source_watch(pattern)),
            permissions: Some(access.permissions()),
            allowance: Arc::default(),
            cancel: app.closing.clone(),
        })
    }

    /// A page of the lines before a position.
    async fn older(
        &self,
        query: LogQuery,
        format: Format,
        request: &LogRequest,
        app: &AppState,
    ) -> Result<LogResponse, Problem> {
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
        // A page may cost as much as a stream, so its request counts as a viewer.
        let _admission = app.admission.admit(&request.client, request.access.holder())?;
        let reading =
            older::page_before(source, *before, query.filter, n_lines, format, options, app);
        let reading = app.closing.run_until_cancelled(reading);
        match app.departures.unless_left(request.client.peer, reading).await {
            Some(Some(body)) => Ok(LogResponse::Older(format, body?)),
            Some(None) => Err(Problem::new(Status::ServiceUnavailable, "the server is closing")),
            None => Err(Problem::has_left()),
        }
    }

    /// The settings that a WebSocket session keeps across its commands.
    fn session_config(
        &self,
        requested: &str,
        spec: &StreamSpec,
        app: &AppState,
        access: &CatalogView,
    ) -> SessionConfig {
        let (pattern, own) = (self.pattern.clone(), access.clone());
        let source_watch: Option<SourceWatchMaker> = pattern.map(|pattern| -> SourceWatchMaker {
            Box::new(move || own.source_watch(pattern.clone()))
        });
        let own = access.clone();
        SessionConfig {
            requested: requested.to_owned(),
            is_glob: self.pattern.is_some(),
            follow: spec.follow,
            until: spec.until,
            done: spec.done,
            heartbeat: spec.heartbeat,
            stall_limit: app.stall_limit,
            zone: Arc::clone(&app.zone),
            allowance: Arc::clone(&spec.allowance),
            cancel: app.closing.clone(),
            source_watch,
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
            let own = left.iter().position(|cursor| cursor.is_of(source.name().as_str()));
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

/// The source of this name; the error is a sentence for the client.
fn one(name: &str, access: &CatalogView) -> Result<Arc<dyn Source>, String> {
    let resolved =
        ResolvedSources::find(name, access).map_err(|problem| problem.detail().to_owned())?;
    match (resolved.sources.into_iter().next(), resolved.pattern) {
        (Some(source), None) => Ok(source),
        (Some(_) | None, Some(_)) => {
            Err(format!("`{name}` is a pattern, expected a source's name"))
        }
        (None, None) => Err(format!("no source is named `{name}`")),
    }
}

const LOST_UPGRADE: &str = "this is a WebSocket handshake whose `Upgrade` header was lost on the \
    way; a proxy in front has to pass it on, nginx with `proxy_http_version 1.1; proxy_set_header \
    Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; proxy_set_header Host \
    $http_host;`";

const UNTIL_SLACK: Duration = Duration::from_millis(200);

/// From this size on a download is large.
const LONG_BACKLOG_BYTES: u64 = 1 << 20;
