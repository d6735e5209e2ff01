//! Session: one client's stream and commands, from its first record to its last. It holds the
//! `select!` over the connection, the lines, the command that is being carried out and the clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::chunk::Place;
use crate::filter::Filter;
use crate::follower::wait;
use crate::follower::{Delivery, EndReason, Follower, Rights};
use crate::ledger::Ledger;
use crate::source::{Older, OpenError, Source, SourceName, Start};
use crate::websocket::closing::{Closing, Meaning, meaning};
use crate::websocket::command::{self, Command, Received, Rule, Seek};
use crate::websocket::line::{Line, Turn};
use crate::websocket::outbox::{Item, Outbox};
use crate::websocket::terms::{Terms, cursor_of};
use crate::wire::record;
use crate::wire::websocket::{self as messages, Batch};

/// One client's connection.
#[derive(Debug)]
pub struct Session {
    terms: Terms,
    rights: Option<Rights>,
    follower: Follower,
    filter: Filter,
    ledger: Ledger,
    outbox: Outbox,
    /// How far each track was handed over.
    sent: Vec<Place>,
    /// Commands that wait for their turn.
    commands: VecDeque<Received>,
    work: Option<Work>,
    /// The stream has ended; close when all is sent.
    ending: Option<Closing>,
    /// Sources that the client has left.
    left: Vec<SourceName>,
    next_beat: Instant,
}

/// A command that is being carried out.
enum Work {
    /// The stream is opened anew: until then no line is handed over.
    Barrier {
        re: String,
        names_sources: bool,
        filter: Box<Filter>,
        left: Vec<SourceName>,
        opening: BoxFuture<'static, Result<Follower, OpenError>>,
    },
    /// A page of older lines is being read.
    Page { re: String, source: SourceName, reading: BoxFuture<'static, Result<Older, OpenError>> },
}

/// What carrying a command out has brought.
enum Outcome {
    Opened {
        re: String,
        names_sources: bool,
        filter: Box<Filter>,
        left: Vec<SourceName>,
        opened: Box<Result<Follower, OpenError>>,
    },
    Read {
        re: String,
        source: SourceName,
        page: Box<Result<Older, OpenError>>,
    },
}

impl Session {
    /// A session that begins with what `follower` brings.
    #[must_use]
    pub fn new(mut terms: Terms, follower: Follower, filter: Filter, ledger: Ledger) -> Self {
        let sent = follower.places().cloned().collect();
        let next_beat = Instant::now() + terms.heartbeat;
        Session {
            rights: terms.rights.take(),
            terms,
            follower,
            filter,
            ledger,
            outbox: Outbox::default(),
            sent,
            commands: VecDeque::new(),
            work: None,
            ending: None,
            left: Vec::new(),
            next_beat,
        }
    }

    /// Runs until one side ends it.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, io: S) {
        let mut line = Line::new(io).await;
        self.ledger.open();
        self.put_start();
        if let Some(closing) = self.converse(&mut line).await {
            self.ledger.end(closing.reason);
            close(line, &closing).await;
        }
    }

    /// Streams and answers; returns how to close, or nothing if the client has left.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        line: &mut Line<S>,
    ) -> Option<Closing> {
        loop {
            if self.outbox.is_empty() && line.is_idle() && self.ending.is_some() {
                return self.ending.take();
            }
            self.begin_commands();
            let is_open = self.ending.is_none();
            let can_take = is_open && line.has_room() && self.outbox.wants_lines();
            let due = self.next_due(line);
            tokio::select! {
                biased;
                () = changed_rights(self.rights.as_mut()), if is_open => self.end_if_revoked(),
                turn = std::future::poll_fn(|cx| line.poll_turn(cx, &mut self.outbox)) => {
                    match self.take_turn(turn) {
                        Heard::Fine => {}
                        Heard::Gone => return None,
                        Heard::Close(closing) => return Some(closing),
                    }
                }
                () = self.terms.cancel.cancelled(), if is_open => self.end(EndReason::Shutdown),
                outcome = progress(&mut self.work), if is_open => self.finish(outcome),
                () = sleep_until(due) => {
                    if let Some(closing) = self.look_at_clock(line) {
                        return Some(closing);
                    }
                }
                delivery = self.follower.next(), if can_take => self.gather(delivery),
            }
        }
    }

    fn put_start(&mut self) {
        let mut out = Vec::new();
        record::write_start(&self.terms.asked, self.terms.is_glob, &self.follower, &mut out);
        self.outbox.put(Item::Record(out.into(), self.sent.clone()));
    }

    /// Takes over a delivery, and what is there besides: the further a reader is behind, the more.
    fn gather(&mut self, first: Option<Delivery>) {
        let mut next = first;
        let mut batch = Batch::new(self.sent.clone());
        while let Some(delivery) = next {
            self.ledger.count(&delivery);
            match delivery {
                Delivery::Lines { track, chunk, selection } => {
                    for (number, place) in self.follower.places().enumerate() {
                        // A source that has joined begins where its first lines do.
                        batch.know(number, if number == track { chunk.start() } else { place });
                    }
                    let name = self.follower.names().nth(track).map_or("", SourceName::as_str);
                    batch.push(track, name, chunk, &selection, &self.terms.zone);
                }
                Delivery::Event { track, kind } => {
                    let mut out = Vec::new();
                    let name = self.follower.names().nth(track).map_or("", SourceName::as_str);
                    record::write_event(name, self.follower.places().nth(track), kind, &mut out);
                    self.outbox.put(Item::Lines(batch));
                    self.outbox.put(Item::Record(out.into(), self.places()));
                    return;
                }
                // Never asked for: the session's own clock beats.
                Delivery::Heartbeat => {}
                Delivery::End(reason) => {
                    self.outbox.put(Item::Lines(batch));
                    let places = self.places();
                    let last = self.end_record(reason, &places);
                    self.outbox.put(Item::Record(last, places));
                    self.ending = Some(Closing::of_end(reason));
                    return;
                }
            }
            if batch.n_bytes() >= BATCH_BYTES {
                break;
            }
            next = self.follower.next().now_or_never().flatten();
        }
        self.outbox.put(Item::Lines(batch));
    }

    /// How far was taken from the log.
    fn places(&self) -> Vec<Place> {
        self.follower.places().cloned().collect()
    }

    /// Lines that do not pass were passed over since the last one was handed over.
    fn note_passed(&mut self) {
        if self.outbox.has_no_lines() {
            self.sent = self.places();
        }
    }

    /// How far was handed over; where sources begin that have joined since.
    fn handed_over(&self) -> Vec<Place> {
        let n_known = self.sent.len();
        self.sent.iter().chain(self.follower.places().skip(n_known)).cloned().collect()
    }

    /// The stream ends: nothing but its last record is sent, then it is closed.
    fn end(&mut self, reason: EndReason) {
        self.outbox.drop_lines();
        self.outbox.is_paused = false;
        self.outbox.is_at_barrier = false;
        self.work = None;
        self.commands.clear();
        let last = self.end_record(reason, &self.sent);
        self.outbox.put_ahead(last);
        self.ending = Some(Closing::of_end(reason));
    }

    /// Ends the stream if one of its sources may not be read any more.
    fn end_if_revoked(&mut self) {
        let follower = &self.follower;
        let may_read = self.rights.as_ref().is_none_or(|rights| rights.cover(follower));
        if !may_read {
            self.end(EndReason::Revoked);
        }
    }

    fn end_record(&self, reason: EndReason, places: &[Place]) -> bytes::Bytes {
        let mut out = Vec::new();
        record::write_end(&self.terms.asked, reason, places.iter(), &mut out);
        out.into()
    }

    fn take_turn(&mut self, turn: Turn) -> Heard {
        match turn {
            Turn::Said(Message::Text(text)) => return self.take_command(text.as_str()),
            Turn::Said(Message::Ping(_) | Message::Pong(_)) | Turn::Idle => {}
            Turn::Said(Message::Close(_)) | Turn::Closed => return Heard::Gone,
            Turn::Said(Message::Binary(_) | Message::Frame(_)) => {
                let words = "commands are text messages; this one was binary";
                return Heard::Close(Closing::new(CloseCode::Unsupported, words, "client"));
            }
            Turn::Sent(n_bytes, places) => {
                self.ledger.count_bytes(n_bytes);
                if let Some(places) = places {
                    self.sent = places;
                }
            }
            Turn::Broken(error) => match meaning(&error) {
                Meaning::Gone => return Heard::Gone,
                Meaning::Broken(closing) => return Heard::Close(closing),
            },
        }
        Heard::Fine
    }

    fn take_command(&mut self, text: &str) -> Heard {
        if self.ending.is_some() {
            return Heard::Fine;
        }
        if self.commands.len() >= MAX_COMMANDS {
            let words = format!("more than {MAX_COMMANDS} commands wait to be answered");
            return Heard::Close(Closing::new(CloseCode::Policy, words, "limit"));
        }
        self.commands.push_back(command::parse(text, &self.terms.zone));
        Heard::Fine
    }

    /// Begins the next commands; one that takes time holds up those after it.
    fn begin_commands(&mut self) {
        while self.work.is_none()
            && self.outbox.n_ahead() < MAX_ANSWERS
            && let Some(Received { re, command }) = self.commands.pop_front()
        {
            match command {
                Ok(command) => self.begin(re, command),
                Err(reason) => self.answer(messages::error(&re, &reason)),
            }
        }
    }

    fn begin(&mut self, re: String, command: Command) {
        self.note_passed();
        let begun = match command {
            Command::Pause => {
                self.outbox.is_paused = true;
                self.answer(messages::done(&re, &self.sent, None));
                Ok(())
            }
            Command::Resume => {
                self.outbox.is_paused = false;
                self.answer(messages::done(&re, &self.sent, None));
                Ok(())
            }
            Command::Filter(rule) => {
                let Rule { grep, exclude, level } = rule;
                let filter = Filter { grep, exclude, level, ..self.filter.clone() };
                let starts = self.starts_at_sent();
                self.open(&re, false, starts, filter, self.left.clone());
                Ok(())
            }
            Command::Seek(seek) => self.seek(&re, seek),
            Command::Older { before, n_lines, source } => {
                self.older(&re, &before, n_lines, source.as_deref())
            }
            Command::Follow { source } => self.follow(&re, &source),
            Command::Unfollow { source } => self.unfollow(&re, &source),
        };
        if let Err(reason) = begun {
            self.answer(messages::error(&re, &reason));
        }
    }

    fn answer(&mut self, message: bytes::Bytes) {
        self.outbox.put_ahead(message);
    }

    fn seek(&mut self, re: &str, seek: Seek) -> Result<(), String> {
        let mut filter = self.filter.clone();
        filter.since = None;
        let starts = match seek {
            Seek::From(cursors) => {
                let start_of = |source: &Arc<dyn Source>| match cursor_of(&cursors, source.name()) {
                    Some(cursor) => Ok((Arc::clone(source), Start::After(cursor))),
                    None => Err(format!("`from` has no place of {}", source.name())),
                };
                self.follower.sources().map(start_of).collect::<Result<Vec<_>, _>>()?
            }
            Seek::Past { tail, since } => {
                filter.since = since;
                let start = match (tail, since) {
                    (Some(n_lines), _) => Start::Tail(n_lines),
                    (None, Some(_)) => Start::Since,
                    (None, None) => Start::Oldest,
                };
                self.follower.sources().map(|source| (Arc::clone(source), start.clone())).collect()
            }
        };
        self.open(re, false, starts, filter, self.left.clone());
        Ok(())
    }

    fn follow(&mut self, re: &str, name: &str) -> Result<(), String> {
        let source = (self.terms.lookup)(name)?;
        if self.follower.names().any(|known| known == source.name()) {
            return Err(format!("`{name}` is followed already"));
        }
        let mut starts = self.starts_at_sent();
        let left = self.left.iter().filter(|left| *left != source.name()).cloned().collect();
        starts.push((source, Start::Tail(DEFAULT_TAIL)));
        self.open(re, true, starts, self.filter.clone(), left);
        Ok(())
    }

    fn unfollow(&mut self, re: &str, name: &str) -> Result<(), String> {
        let mut starts = self.starts_at_sent();
        let n_sources = starts.len();
        starts.retain(|(source, _)| source.name().as_str() != name);
        if starts.len() == n_sources {
            return Err(format!("{} is not followed", serde_json::Value::from(name)));
        }
        let left = self.left.iter().cloned().chain([SourceName::from(name)]).collect();
        self.open(re, true, starts, self.filter.clone(), left);
        Ok(())
    }

    /// All sources, where the client is in each.
    fn starts_at_sent(&self) -> Vec<(Arc<dyn Source>, Start)> {
        let places = self.handed_over();
        let starts = places.into_iter().map(Start::At);
        self.follower.sources().cloned().zip(starts).collect()
    }

    fn open(
        &mut self,
        re: &str,
        names_sources: bool,
        starts: Vec<(Arc<dyn Source>, Start)>,
        filter: Filter,
        left: Vec<SourceName>,
    ) {
        let wish = self.terms.wish(starts, filter.clone(), &left);
        let opening = Follower::open(wish, Arc::clone(&self.terms.zone)).boxed();
        let (re, filter) = (re.to_owned(), Box::new(filter));
        self.work = Some(Work::Barrier { re, names_sources, filter, left, opening });
        self.outbox.is_at_barrier = true;
    }

    fn older(
        &mut self,
        re: &str,
        before: &[crate::cursor::Cursor],
        n_lines: usize,
        source: Option<&str>,
    ) -> Result<(), String> {
        let mut sources = self.follower.sources();
        let source = match source {
            Some(name) => sources
                .find(|source| source.name().as_str() == name)
                .ok_or_else(|| format!("{} is not followed", serde_json::Value::from(name)))?,
            None if sources.len() == 1 => sources.next().ok_or("nothing is followed")?,
            None => return Err("`source` is missing: several are followed".to_owned()),
        };
        let cursor = cursor_of(before, source.name())
            .ok_or_else(|| format!("`before` has no place of {}", source.name()))?;
        let name = source.name().clone();
        let reading = wait::older(Arc::clone(source), cursor, self.filter.clone(), n_lines).boxed();
        self.work = Some(Work::Page { re: re.to_owned(), source: name, reading });
        Ok(())
    }

    fn finish(&mut self, outcome: Outcome) {
        self.work = None;
        match outcome {
            Outcome::Read { re, source, page } => {
                let message = match *page {
                    Ok(page) => messages::page(&re, source.as_str(), page, &self.terms.zone),
                    Err(error) => messages::error(&re, &format!("`before` {error}")),
                };
                self.answer(message);
            }
            Outcome::Opened { re, names_sources, filter, left, opened } => {
                self.outbox.is_at_barrier = false;
                match *opened {
                    Ok(follower) => {
                        // Under the old rule; they come again as far as they pass the new one.
                        self.outbox.drop_lines();
                        (self.follower, self.filter, self.left) = (follower, *filter, left);
                        self.sent = self.places();
                        let names: Vec<_> = self.follower.names().map(SourceName::as_str).collect();
                        let shown = names_sources.then_some(names.as_slice());
                        let message = messages::done(&re, &self.sent, shown);
                        self.answer(message);
                    }
                    Err(error) => self.answer(messages::error(&re, &error.to_string())),
                }
            }
        }
    }

    fn next_due<S: AsyncRead + AsyncWrite + Unpin>(&self, line: &Line<S>) -> Instant {
        let due = self.next_beat.min(line.heard() + 2 * self.terms.heartbeat);
        match self.terms.stall_limit {
            Some(limit) if !line.is_idle() => due.min(line.moved() + limit),
            Some(_) | None => due,
        }
    }

    fn look_at_clock<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        line: &Line<S>,
    ) -> Option<Closing> {
        let now = Instant::now();
        if now >= line.heard() + 2 * self.terms.heartbeat {
            return Some(Closing::silent());
        }
        let is_stalled = |limit: Duration| !line.is_idle() && now >= line.moved() + limit;
        if self.terms.stall_limit.is_some_and(is_stalled) {
            return Some(Closing::of_end(EndReason::Limit));
        }
        if now >= self.next_beat && self.ending.is_none() {
            self.end_if_revoked();
        }
        if now >= self.next_beat {
            self.next_beat = now + self.terms.heartbeat;
            self.note_passed();
            let mut out = Vec::new();
            let places = self.handed_over();
            record::write_heartbeat(&self.terms.asked, &self.follower, places.iter(), &mut out);
            self.outbox.put_beat(out.into());
        }
        None
    }
}

/// Waits until rights may have changed; for ever where they cannot. Cancel-safe.
async fn changed_rights(rights: Option<&mut Rights>) {
    match rights {
        Some(rights) => rights.changed().await,
        None => std::future::pending().await,
    }
}

/// What is to be done after something was heard.
enum Heard {
    Fine,
    Gone,
    Close(Closing),
}

/// Waits for the command that is being carried out; for ever if there is none. Cancel-safe.
async fn progress(work: &mut Option<Work>) -> Outcome {
    let outcome = match work.as_mut() {
        None => std::future::pending().await,
        Some(Work::Barrier { re, names_sources, filter, left, opening }) => {
            let opened = Box::new(opening.await);
            let (re, filter, left) = (re.clone(), filter.clone(), left.clone());
            Outcome::Opened { re, names_sources: *names_sources, filter, left, opened }
        }
        Some(Work::Page { re, source, reading }) => {
            let page = Box::new(reading.await);
            Outcome::Read { re: re.clone(), source: source.clone(), page }
        }
    };
    *work = None;
    outcome
}

/// Says why, and waits for the client to say so, too; not for long.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(line: Line<S>, closing: &Closing) {
    let mut socket = line.into_socket();
    let goodbye = async {
        socket.close(Some(closing.frame())).await?;
        while let Some(message) = socket.next().await {
            message?;
        }
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    match timeout(CLOSE_PATIENCE, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client did not take its goodbye"),
        Err(_late) => tracing::debug!("a client takes its goodbye too late"),
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Barrier { .. } => "Barrier",
            Self::Page { .. } => "Page",
        })
    }
}

/// Lines are gathered up to about this size, encoded.
const BATCH_BYTES: usize = messages::MESSAGE_BYTES;

/// Commands that may wait for their turn.
const MAX_COMMANDS: usize = 64;

/// Answers that may wait to be handed over.
const MAX_ANSWERS: usize = 4;

/// A source that is followed by command begins like one in a URL.
const DEFAULT_TAIL: u64 = 10;

const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
