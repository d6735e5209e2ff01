//! Commands: how a session executes its client's commands. A slow command is a future beside the
//! stream that delays the commands after it, and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::cursor::Cursor;
use crate::filter::Filter;
use crate::follower::{Follower, wait};
use crate::source::{DEFAULT_TAIL, OpenError, Source, SourceName, Start};
use crate::websocket::closing::Closing;
use crate::websocket::command::{self, Command, Received, Rule, Seek};
use crate::websocket::farewell::Parting;
use crate::websocket::session::Session;
use crate::websocket::session_config::cursor_of;
use crate::wire::websocket as messages;

/// A command that is being executed.
pub(super) type Work = BoxFuture<'static, CommandOutcome>;

/// The result of a command.
pub(super) enum CommandOutcome {
    /// The stream was reopened, or stays as it was.
    Opened(Box<Reopened>),
    /// Only an answer.
    Answer(Bytes),
}

/// A stream that was reopened.
pub(super) struct Reopened {
    re: String,
    /// The answer names the sources.
    names_sources: bool,
    filter: Filter,
    left: Vec<SourceName>,
    opened: Result<Follower, OpenError>,
}

/// Waits for the current command; for ever if there is none. Cancel-safe.
pub(super) async fn progress(work: Option<&mut Work>) -> CommandOutcome {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

impl Session {
    /// Queues a command; returns how to close the connection if there are too many.
    pub(super) fn take_command(&mut self, text: &str) -> Option<Parting> {
        if self.ending.is_some() {
            return None;
        }
        if self.commands.len() >= MAX_COMMANDS {
            let words = format!("more than {MAX_COMMANDS} commands wait to be answered");
            return Some(Parting::Close(Closing::new(CloseCode::Policy, words, "limit")));
        }
        self.commands.push_back(command::parse(text, &self.config.zone));
        None
    }

    /// Begins the next commands.
    pub(super) fn begin_commands(&mut self) {
        while self.work.is_none()
            && self.outbox.n_ahead() < MAX_ANSWERS
            && let Some(Received { re, command }) = self.commands.pop_front()
        {
            self.note_passed();
            let begun = command.and_then(|command| self.begin(&re, command));
            if let Err(reason) = begun {
                self.outbox.put_ahead(messages::error(&re, &reason));
            }
        }
    }

    /// Applies the result of a command.
    pub(super) fn finish(&mut self, outcome: CommandOutcome) {
        self.work = None;
        let message = match outcome {
            CommandOutcome::Answer(message) => message,
            CommandOutcome::Opened(reopened) => self.pass_barrier(*reopened),
        };
        self.outbox.put_ahead(message);
    }

    fn pass_barrier(&mut self, reopened: Reopened) -> Bytes {
        let Reopened { re, names_sources, filter, left, opened } = reopened;
        self.outbox.is_at_barrier = false;
        match opened {
            Ok(follower) => {
                // Filtered by the old rule; those that match the new one are read again.
                self.outbox.drop_lines();
                (self.follower, self.filter, self.left) = (follower, filter, left);
                self.sent = self.positions();
                let names: Vec<_> = self.follower.names().map(SourceName::as_str).collect();
                messages::done(&re, &self.sent, names_sources.then_some(names.as_slice()))
            }
            Err(error) => messages::error(&re, &error.to_string()),
        }
    }

    fn begin(&mut self, re: &str, command: Command) -> Result<(), String> {
        match command {
            Command::Pause => self.pause(re, true),
            Command::Resume => self.pause(re, false),
            Command::Filter(Rule { grep, exclude, level }) => {
                let filter = Filter { grep, exclude, level, ..self.filter.clone() };
                self.reopen(re, false, self.starts_at_sent(), filter, self.left.clone());
            }
            Command::Seek(seek) => self.seek(re, seek)?,
            Command::Older { before, n_lines, source } => {
                self.older(re, &before, n_lines, source.as_deref())?;
            }
            Command::Follow { source } => self.follow(re, &source)?,
            Command::Unfollow { source } => self.unfollow(re, &source)?,
        }
        Ok(())
    }

    fn pause(&mut self, re: &str, is_paused: bool) {
        self.outbox.is_paused = is_paused;
        self.outbox.put_ahead(messages::done(re, &self.sent, None));
    }

    fn seek(&mut self, re: &str, seek: Seek) -> Result<(), String> {
        let mut filter = Filter { since: None, ..self.filter.clone() };
        let sources = self.follower.sources().map(Arc::clone);
        let starts = match seek {
            Seek::From(cursors) => {
                let start_of = |source: Arc<dyn Source>| match cursor_of(&cursors, source.name()) {
                    Some(cursor) => Ok((source, Start::After(cursor))),
                    None => Err(format!("`from` has no place of {}", source.name())),
                };
                sources.map(start_of).collect::<Result<Vec<_>, _>>()?
            }
            Seek::Past { tail, since } => {
                filter.since = since;
                let start = Start::of_past(tail, since);
                sources.map(|source| (source, start.clone())).collect()
            }
        };
        self.reopen(re, false, starts, filter, self.left.clone());
        Ok(())
    }

    fn follow(&mut self, re: &str, name: &str) -> Result<(), String> {
        let source = (self.config.lookup)(name)?;
        if self.follower.names().any(|known| known == source.name()) {
            return Err(format!("`{name}` is followed already"));
        }
        let mut starts = self.starts_at_sent();
        let left = self.left.iter().filter(|left| *left != source.name()).cloned().collect();
        starts.push((source, Start::Tail(DEFAULT_TAIL)));
        self.reopen(re, true, starts, self.filter.clone(), left);
        Ok(())
    }

    fn unfollow(&mut self, re: &str, name: &str) -> Result<(), String> {
        let mut starts = self.starts_at_sent();
        let n_sources = starts.len();
        starts.retain(|(source, _)| source.name().as_str() != name);
        if starts.len() == n_sources {
            return Err(not_followed(name));
        }
        let left = self.left.iter().cloned().chain([SourceName::from(name)]).collect();
        self.reopen(re, true, starts, self.filter.clone(), left);
        Ok(())
    }

    fn older(
        &mut self,
        re: &str,
        before: &[Cursor],
        n_lines: usize,
        source: Option<&str>,
    ) -> Result<(), String> {
        let mut sources = self.follower.sources();
        let source = match source {
            Some(name) => sources
                .find(|source| source.name().as_str() == name)
                .ok_or_else(|| not_followed(name))?,
            None if sources.len() == 1 => sources.next().ok_or("nothing is followed")?,
            None => return Err("`source` is missing: several are followed".to_owned()),
        };
        let cursor = cursor_of(before, source.name())
            .ok_or_else(|| format!("`before` has no place of {}", source.name()))?;
        let (name, zone) = (source.name().clone(), Arc::clone(&self.config.zone));
        let (source, filter) = (Arc::clone(source), self.filter.clone());
        let allowance = Arc::clone(&self.config.allowance);
        let reading = wait::older(source, cursor, filter, n_lines, allowance);
        let re = re.to_owned();
        let page = async move {
            CommandOutcome::Answer(match reading.await {
                Ok(page) => messages::page(&re, name.as_str(), page, &zone),
                Err(error) => messages::error(&re, &format!("`before` {error}")),
            })
        };
        self.work = Some(page.boxed());
        Ok(())
    }

    /// All sources, with the client's position in each.
    fn starts_at_sent(&self) -> Vec<(Arc<dyn Source>, Start)> {
        let starts = self.handed_over().into_iter().map(Start::At);
        self.follower.sources().cloned().zip(starts).collect()
    }

    /// Reopens the stream; until then no line is sent.
    fn reopen(
        &mut self,
        re: &str,
        names_sources: bool,
        starts: Vec<(Arc<dyn Source>, Start)>,
        filter: Filter,
        left: Vec<SourceName>,
    ) {
        let spec = self.config.spec(starts, filter.clone(), &left);
        let (re, zone) = (re.to_owned(), Arc::clone(&self.config.zone));
        let opening = async move {
            let opened = Follower::open(spec, zone).await;
            CommandOutcome::Opened(Box::new(Reopened { re, names_sources, filter, left, opened }))
        };
        self.work = Some(opening.boxed());
        self.outbox.is_at_barrier = true;
    }
}

fn not_followed(name: &str) -> String {
    format!("{} is not followed", serde_json::Value::from(name))
}

/// How many commands may be queued.
const MAX_COMMANDS: usize = 64;

/// How many answers may be queued.
const MAX_ANSWERS: usize = 4;
