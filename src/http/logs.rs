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
use crate::http::answer::Answer;
use crate::http::app_state::AppState;
use crate::http::log_request::LogRequest;
use crate::http::negotiate::{self, Representation};
use crate::http::older;
use crate::http::origin;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::query::{self, Query, Tail};
use crate::http::socket::Socket;
use crate::http::viewer::Viewer;
use crate::source::{DEFAULT_TAIL, Source, Start};
use crate::viewer_log::ViewerLog;
use crate::websocket::session_config::SourceWatchMaker;
use crate::websocket::{Session, SessionConfig};
use crate::wire::text::TextOptions;
use crate::wire::{Encoder, Format};

/// Follows one log, or several by a glob.
#[get("/logs/<_..>")]
pub async fn logs(asked: LogRequest, site: &State<AppState>) -> Result<Answer, Problem> {
    answer(asked, site).await
}

async fn answer(asked: LogRequest, site: &AppState) -> Result<Answer, Problem> {
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
    let wanted = ResolvedSources::find(&name, &asked.access)?;
    let format = match representation {
        Representation::Viewer => return Ok(Answer::Page(Page::at_log(&name))),
        Representation::Stream(format) => format,
    };
    if query.before.is_some() {
        return wanted.older(query, format, &asked, site).await;
    }
    let is_resume = query.from.is_some();
    let options = TextOptions { timestamps: query.timestamps, is_plain: query.is_plain };
    let spec = wanted.spec(query, Some(format), site, &asked.access)?;
    if asked.is_head {
        return Ok(Answer::Stream { format, name, viewer: None, is_long: false });
    }
    let is_finite = !spec.follow;
    let place = site.admission.admit(&asked.client, asked.access.holder())?;
    let peer = asked.client.peer;
    let opening = Follower::open(spec, Arc::clone(&site.zone));
    let opened = site.departures.unless_left(peer, opening).await.ok_or_else(Problem::has_left)?;
    let mut follower = opened.map_err(|error| Problem::of_opening(&error))?;
    if format == Format::Sse && is_resume && is_finite {
        let looking = site.departures.unless_left(peer, follower.has_nothing());
        if looking.await.ok_or_else(Problem::has_left)? {
            return Ok(Answer::NothingMore);
        }
    }
    let is_long = is_finite && follower.progress().1 > LONG_BACKLOG_BYTES;
    let zone = Arc::clone(&site.zone);
    let encoder = Encoder::new(format, &name, wanted.pattern.is_some(), options, zone);
    let client = asked.client;
    let viewer = Viewer::new(follower, encoder, site.clone(), place, format, name.clone(), client);
    Ok(Answer::Stream { format, name, viewer: Some(Box::new(viewer)), is_long })
}

/// Makes a WebSocket of the connection.
async fn upgrade(
    asked: &LogRequest,
    name: &str,
    query: Query,
    site: &AppState,
) -> Result<Answer, Problem> {
    let accepted = asked.handshake.accept()?;
    origin::check(asked.origin.as_deref(), &asked.visited, &site.network)?;
    let wanted = ResolvedSources::find(name, &asked.access)?;
    if query.before.is_some() {
        let what = "is for plain HTTP; here the command `older` asks for it";
        return Err(Problem::parameter("before", what));
    }
    let spec = wanted.spec(query, None, site, &asked.access)?;
    let config = wanted.session_config(name, &spec, site, &asked.access);
    let place = site.admission.admit(&asked.client, asked.access.holder())?;
    let StreamSpec { sources, filter, permissions, .. } = spec;
    let opening = Follower::open(config.spec(sources, filter.clone(), &[]), Arc::clone(&site.zone));
    let opened = site.departures.unless_left(asked.client.peer, opening).await;
    let opened = opened.ok_or_else(Problem::has_left)?;
    let follower = opened.map_err(|error| Problem::of_opening(&error))?;
    let viewer_log = ViewerLog::new(
        "websocket",
        name.to_owned(),
        asked.client.to_string(),
        Arc::clone(&site.metrics),
    );
    let session = Session::new(config, permissions, follower, filter, viewer_log);
    Ok(Answer::Socket(Box::new(Socket::new(accepted, session, place))))
}

/// A proxy that passes the key on and not the upgrade is a common mistake; it deserves its cure.
fn refuse_lost_upgrade(asked: &LogRequest) -> Result<(), Problem> {
    if asked.handshake.key.is_some() && !asked.wants_websocket {
        return Err(Problem::new(Status::UpgradeRequired, LOST_UPGRADE));
    }
    Ok(())
}

/// A source and where to begin in it.
type Beginning = (Arc<dyn Source>, Start);

/// The sources that a name stands for.
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
    fn spec(
        &self,
        query: Query,
        format: Option<Format>,
        site: &AppState,
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
            // What was written just before takes a moment to be read.
            until: until.filter(|_| follow).map(|left| Instant::now() + left + UNTIL_SLACK),
            done,
            heartbeat: query.heartbeat.unwrap_or(site.heartbeat),
            source_watch: self.pattern.clone().map(|pattern| access.source_watch(pattern)),
            permissions: Some(access.permissions()),
            allowance: Arc::default(),
            cancel: site.closing.clone(),
        })
    }

    /// A page of the lines before a place.
    async fn older(
        &self,
        query: Query,
        format: Format,
        asked: &LogRequest,
        site: &AppState,
    ) -> Result<Answer, Problem> {
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
        // A page may take as much as a stream: who asks for it counts as a viewer.
        let _place = site.admission.admit(&asked.client, asked.access.holder())?;
        let reading =
            older::page_before(source, *before, query.filter, n_lines, format, options, site);
        let reading = site.closing.run_until_cancelled(reading);
        match site.departures.unless_left(asked.client.peer, reading).await {
            Some(Some(body)) => Ok(Answer::Older(format, body?)),
            Some(None) => Err(Problem::new(Status::ServiceUnavailable, "the server is closing")),
            None => Err(Problem::has_left()),
        }
    }

    /// What a WebSocket keeps through all its commands.
    fn session_config(
        &self,
        asked: &str,
        spec: &StreamSpec,
        site: &AppState,
        access: &CatalogView,
    ) -> SessionConfig {
        let (pattern, own) = (self.pattern.clone(), access.clone());
        let source_watch: Option<SourceWatchMaker> = pattern.map(|pattern| -> SourceWatchMaker {
            Box::new(move || own.source_watch(pattern.clone()))
        });
        let own = access.clone();
        SessionConfig {
            asked: asked.to_owned(),
            is_glob: self.pattern.is_some(),
            follow: spec.follow,
            until: spec.until,
            done: spec.done,
            heartbeat: spec.heartbeat,
            stall_limit: site.stall_limit,
            zone: Arc::clone(&site.zone),
            allowance: Arc::clone(&spec.allowance),
            cancel: site.closing.clone(),
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

/// The one source of this name; the error is a sentence for its client.
fn one(name: &str, access: &CatalogView) -> Result<Arc<dyn Source>, String> {
    let wanted =
        ResolvedSources::find(name, access).map_err(|problem| problem.detail().to_owned())?;
    match (wanted.sources.into_iter().next(), wanted.pattern) {
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

/// From here on a download is long.
const LONG_BACKLOG_BYTES: u64 = 1 << 20;
