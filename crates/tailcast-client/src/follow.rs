//! Follow: follows one log across connections: connecting, reading, losing the connection, waiting,
//! and resuming after the last line received.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::backoff::Backoff;
use crate::event::{EndReason, Event, FallenBack, Missed, Reconnecting, Resumed};
use crate::fallback::Fallback;
use crate::opening::{Attempt, OpenStream, Settings, StreamOpenError, opened, opening};
use crate::options::{LONGEST_HEARTBEAT, SHORTEST_HEARTBEAT};
use crate::query::Query;
use crate::sources;
use crate::stream_position::StreamPosition;
use crate::target::Target;
use crate::transport::{ConnectionLost, Transport};

/// One log, followed.
#[derive(Debug)]
pub struct Follow {
    settings: Arc<Settings>,
    target: Target,
    query: Query,
    heartbeat: Duration,
    state: FollowState,
    /// Events to return next, in this order.
    ready: VecDeque<Event>,
    /// The position after the last returned event.
    position: StreamPosition,
    backoff: Backoff,
    /// When the last stream was lost.
    lost: Option<Instant>,
    has_begun: bool,
    /// The stream that is open has begun.
    has_started: bool,
    /// The stream is back, but it is not yet known what was missed.
    resuming: Option<Resuming>,
    fallback: Fallback,
    /// The position was refused, and has to be checked.
    is_stale: bool,
}

#[derive(Debug)]
enum FollowState {
    Waiting(Instant),
    Opening(JoinSet<Result<OpenStream, StreamOpenError>>),
    Open(Transport),
    /// Checking which sources still exist.
    Mending(JoinSet<Option<Vec<String>>>),
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Resuming {
    after: Duration,
    is_whole: bool,
    /// If nothing was received by then, nothing was missed.
    deadline: Instant,
}

/// Why a log cannot be followed, or not any longer.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The server, or a proxy in front of it, refuses.
    #[error("{0}")]
    Refused(String),
    /// The connection cannot be made, and a retry cannot help.
    #[error("{0}")]
    Unreachable(String),
    /// The connection was lost, and is not to be retried.
    #[error("{0}")]
    Lost(String),
}

impl Follow {
    pub(crate) fn new(settings: Arc<Settings>, target: Target, query: &Query) -> Self {
        let mut query = query.over(target.pairs());
        let requested =
            query.heartbeat_text().and_then(|text| tailcast_core::time_expr::parse_span(text).ok());
        let heartbeat = requested.unwrap_or(settings.heartbeat);
        if query.heartbeat_text().is_none() {
            query = query.heartbeat(heartbeat);
        }
        Follow {
            settings,
            target,
            query,
            heartbeat: heartbeat.clamp(SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT),
            state: FollowState::Waiting(Instant::now()),
            ready: VecDeque::new(),
            position: StreamPosition::default(),
            backoff: Backoff::default(),
            lost: None,
            has_begun: false,
            has_started: false,
            resuming: None,
            fallback: Fallback::default(),
            is_stale: false,
        }
    }

    /// The next event; `None` after [`Event::End`] or an error. Cancel-safe: nothing is lost when
    /// it is dropped half-way and called again.
    pub async fn next(&mut self) -> Result<Option<Event>, FollowError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.position.advance(&event);
                return Ok(Some(event));
            }
            match &mut self.state {
                FollowState::Ended => return Ok(None),
                FollowState::Waiting(until) => {
                    sleep_until(*until).await;
                    self.state = match std::mem::take(&mut self.is_stale) {
                        true => FollowState::Mending(self.looking()),
                        false => FollowState::Opening(opening(self.attempt())),
                    };
                }
                FollowState::Opening(task) => match opened(task).await {
                    Ok(opened) => self.take_over(opened),
                    Err(error) => self.fail(&error)?,
                },
                FollowState::Open(transport) => {
                    let came = match self.resuming {
                        None => transport.next().await,
                        Some(resuming) => tokio::select! {
                            came = transport.next() => came,
                            () = sleep_until(resuming.deadline) => Ok(Vec::new()),
                        },
                    };
                    self.take(came)?;
                }
                FollowState::Mending(task) => {
                    let names = task.join_next().await;
                    self.mend(names.and_then(Result::ok).flatten());
                }
            }
        }
    }

    /// The cursor after the last returned event, for [`Query::from`].
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        self.position.cursor()
    }

    /// What is followed.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Ends it, and tells the server.
    pub async fn close(mut self) {
        if let FollowState::Open(transport) = std::mem::replace(&mut self.state, FollowState::Ended)
        {
            transport.close().await;
        }
    }

    fn attempt(&self) -> Attempt {
        let query = match (self.position.cursor(), self.has_begun) {
            (Some(cursor), _) => self.query.resumed(&cursor),
            (None, true) => self.query.without_past(),
            (None, false) => self.query.clone(),
        };
        Attempt {
            settings: Arc::clone(&self.settings),
            target: self.target.clone(),
            query: query.encoded(),
            heartbeat: self.heartbeat,
            first: self.fallback.first(),
        }
    }

    /// Requests the list of sources.
    fn looking(&self) -> JoinSet<Option<Vec<String>>> {
        let mut task = JoinSet::new();
        let (settings, target) = (Arc::clone(&self.settings), self.target.clone());
        task.spawn(Box::pin(async move {
            let list = sources::list(settings, target.to_lists()).await.ok()?;
            Some(list.sources.into_iter().map(|source| source.name).collect())
        }));
        task
    }

    /// Continues without the sources that have vanished.
    fn mend(&mut self, names: Option<Vec<String>>) {
        if let Some(names) = names {
            self.position.retain(&names);
        }
        self.state = FollowState::Opening(opening(self.attempt()));
    }

    fn take_over(&mut self, opened: OpenStream) {
        let OpenStream { transport, refused } = opened;
        if let Some(why) = self.fallback.note_opened(transport.kind(), refused) {
            self.ready.push_back(Event::FallenBack(FallenBack { why }));
        }
        self.has_started = false;
        self.state = FollowState::Open(transport);
    }

    /// Handles events from the connection.
    fn take(&mut self, came: Result<Vec<Event>, ConnectionLost>) -> Result<(), FollowError> {
        match came {
            Ok(events) => {
                if events.is_empty() {
                    self.tell_resumed(None);
                }
                for event in events {
                    self.take_event(event)?;
                }
                Ok(())
            }
            Err(lost) => {
                if matches!(lost, ConnectionLost::Silence(_)) && !self.has_started {
                    self.fallback.note_mute(lost.to_string());
                }
                self.lose(lost.to_string())
            }
        }
    }

    fn take_event(&mut self, event: Event) -> Result<(), FollowError> {
        match &event {
            Event::Start(start) => {
                self.begin(start.is_resumable);
                // Returned, so that the position is known; a resumed one is reported by `Resumed`.
                self.ready.push_back(event);
                return Ok(());
            }
            Event::End(end) => {
                self.tell_resumed(None);
                if end.reason == EndReason::Shutdown && !self.settings.ends_with_server {
                    self.position.advance(&event);
                    return self.lose(ConnectionLost::Shutdown.to_string());
                }
                self.state = FollowState::Ended;
            }
            Event::Lines(_) | Event::Gap(_) | Event::Rotated(_) | Event::Heartbeat(_) => {
                // The stream has sent more than its start: the trouble is over.
                self.backoff.reset();
                self.tell_resumed(Some(&event));
            }
            Event::Reconnecting(_) | Event::Resumed(_) | Event::FallenBack(_) => {}
        }
        self.ready.push_back(event);
        Ok(())
    }

    fn begin(&mut self, is_resumable: bool) {
        let is_whole = is_resumable && (self.position.cursor().is_some() || !self.has_begun);
        if let Some(lost) = self.lost.take() {
            let now = Instant::now();
            self.resuming =
                Some(Resuming { after: now - lost, is_whole, deadline: now + RESUMED_AFTER });
        }
        (self.has_begun, self.has_started) = (true, true);
    }

    /// Reports that the stream is back, once it is known what was missed.
    fn tell_resumed(&mut self, first: Option<&Event>) {
        let Some(resuming) = self.resuming.take() else { return };
        let missed = match (first, resuming.is_whole) {
            (_, false) => Missed::Unknown,
            (Some(Event::Gap(_)), true) => Missed::Gap,
            (Some(_) | None, true) => Missed::Nothing,
        };
        self.ready.push_back(Event::Resumed(Resumed { after: resuming.after, missed }));
    }

    /// A try has failed.
    fn fail(&mut self, error: &StreamOpenError) -> Result<(), FollowError> {
        let is_final =
            if self.has_begun { error.is_final_ever() } else { error.is_final_at_first() };
        if is_final {
            self.state = FollowState::Ended;
            let why = error.to_string();
            return Err(match error.refusal() {
                Some(_) => FollowError::Refused(why),
                None => FollowError::Unreachable(why),
            });
        }
        let refusal = error.refusal();
        // One cursor whose source is gone makes the whole set invalid.
        self.is_stale = self.position.n_sources() > 1
            && refusal.is_some_and(|refusal| refusal.status == http::StatusCode::BAD_REQUEST);
        self.wait(error.to_string(), refusal.and_then(|refusal| refusal.retry_after));
        Ok(())
    }

    /// The connection is lost.
    fn lose(&mut self, why: String) -> Result<(), FollowError> {
        if self.settings.ends_with_server && self.has_begun {
            self.state = FollowState::Ended;
            return Err(FollowError::Lost(why));
        }
        self.tell_resumed(None);
        if self.has_begun {
            self.lost.get_or_insert_with(Instant::now);
        }
        self.wait(why, None);
        Ok(())
    }

    fn wait(&mut self, why: String, at_least: Option<Duration>) {
        let delay = self.backoff.next().max(at_least.unwrap_or_default());
        let (n_tries, was_connected) = (self.backoff.n_tries(), self.has_begun);
        self.ready.push_back(Event::Reconnecting(Reconnecting {
            why,
            n_tries,
            delay,
            was_connected,
        }));
        self.state = FollowState::Waiting(Instant::now() + delay);
    }
}

/// The server sends what was missed first: if nothing has come by then, nothing was missed.
const RESUMED_AFTER: Duration = Duration::from_secs(1);
