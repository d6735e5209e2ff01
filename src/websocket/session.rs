//! Session: one client's stream and commands, from its first record to its last. It holds the
//! `select!` over the connection, the lines, the current command and the clock.

mod commands;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::chunk::Position;
use crate::filter::Filter;
use crate::follower::{Delivery, EndReason, Follower, Permissions, permissions_changed};
use crate::source::SourceName;
use crate::viewer_log::ViewerLog;
use crate::websocket::closing::Closing;
use crate::websocket::command::Received;
use crate::websocket::connection::{Connection, ConnectionEvent, MAX_RECEIVED_BYTES};
use crate::websocket::farewell::{Parting, part, parting_of};
use crate::websocket::outbox::{Outbox, QueuedItem};
use crate::websocket::session::commands::{Work, progress};
use crate::websocket::session_config::SessionConfig;
use crate::wire::record;
use crate::wire::websocket::{self as messages, LineBatch};

/// One client's connection.
pub struct Session {
    config: SessionConfig,
    permissions: Option<Permissions>,
    follower: Follower,
    filter: Filter,
    viewer_log: ViewerLog,
    outbox: Outbox,
    /// How far each source was sent.
    sent: Vec<Position>,
    /// Queued commands.
    commands: VecDeque<Received>,
    /// The current command.
    work: Option<Work>,
    /// The stream has ended; close when all is sent.
    ending: Option<Closing>,
    /// Sources that the client has removed.
    left: Vec<SourceName>,
    /// Lines are gathered, and messages cut, at about this size, encoded.
    batch_bytes: usize,
    next_heartbeat: Instant,
}

impl Session {
    /// A session that starts with `follower`.
    #[must_use]
    pub fn new(
        config: SessionConfig,
        permissions: Option<Permissions>,
        follower: Follower,
        filter: Filter,
        viewer_log: ViewerLog,
    ) -> Self {
        let sent = follower.positions().cloned().collect();
        let next_heartbeat = Instant::now() + config.heartbeat;
        Session {
            config,
            permissions,
            follower,
            filter,
            viewer_log,
            outbox: Outbox::default(),
            sent,
            commands: VecDeque::new(),
            work: None,
            ending: None,
            left: Vec::new(),
            batch_bytes: FIRST_BATCH_BYTES,
            next_heartbeat,
        }
    }

    /// Runs until one side ends it.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, io: S) {
        let mut connection = Connection::new(io, MAX_RECEIVED_BYTES).await;
        self.viewer_log.open();
        self.put_start();
        let parting = self.converse(&mut connection).await;
        if let Parting::Close(closing) = &parting {
            self.viewer_log.end(closing.reason);
        }
        // Nothing is kept for a client that is slow to leave.
        drop(self);
        part(connection, &parting).await;
    }

    /// Streams lines and answers commands; returns how to close.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        connection: &mut Connection<S>,
    ) -> Parting {
        loop {
            if self.outbox.is_empty()
                && connection.is_idle()
                && let Some(closing) = self.ending.take()
            {
                return Parting::Close(closing);
            }
            self.begin_commands();
            let is_open = self.ending.is_none();
            if connection.is_proven() {
                self.batch_bytes = BATCH_BYTES;
            }
            let can_take = is_open && connection.has_room() && self.outbox.wants_lines();
            let due = self.next_due(connection);
            tokio::select! {
                biased;
                () = permissions_changed(self.permissions.as_mut()), if is_open => self.end_if_revoked(),
                event = std::future::poll_fn(|cx| connection.poll_event(cx, &mut self.outbox)) => {
                    if let Some(parting) = self.take_event(event) {
                        return parting;
                    }
                }
                () = self.config.cancel.cancelled(), if is_open => self.end(EndReason::Shutdown),
                outcome = progress(self.work.as_mut()), if is_open => self.finish(outcome),
                () = sleep_until(due) => {
                    if let Some(closing) = self.look_at_clock(connection) {
                        return Parting::Close(closing);
                    }
                }
                delivery = self.follower.next(), if can_take => self.gather(delivery),
            }
        }
    }

    fn put_start(&mut self) {
        let mut out = Vec::new();
        record::write_start(&self.config.requested, self.config.is_glob, &self.follower, &mut out);
        self.outbox.put(QueuedItem::Record(out.into(), self.sent.clone()));
    }

    /// Takes a delivery, and further ones that are ready: more of them the further the client is
    /// behind.
    fn gather(&mut self, first: Option<Delivery>) {
        let mut next = first;
        let mut batch = LineBatch::new(self.sent.clone(), self.batch_bytes);
        while let Some(delivery) = next {
            self.viewer_log.count(&delivery);
            match delivery {
                Delivery::Lines { source_index, chunk, selection } => {
                    let n_known = batch.positions().len();
                    for (number, position) in self.follower.positions().enumerate().skip(n_known) {
                        // A source that has joined begins where its first lines do.
                        batch.join(if number == source_index { chunk.start() } else { position });
                    }
                    let name = self.name_of(source_index);
                    batch.push(source_index, name, chunk, &selection, &self.config.zone);
                }
                Delivery::Event { source_index, kind } => {
                    let mut out = Vec::new();
                    let (name, mut positions) =
                        (self.name_of(source_index), self.follower.positions());
                    record::write_event(name, positions.nth(source_index), kind, &mut out);
                    self.outbox.put(QueuedItem::Lines(batch));
                    self.outbox.put(QueuedItem::Record(out.into(), self.positions()));
                    return;
                }
                Delivery::Joined { source_index } => self.note_joined(source_index, &mut batch),
                Delivery::Unreadable { source_index, reason } => {
                    let mut out = Vec::new();
                    record::write_unreadable(self.name_of(source_index), &reason, &mut out);
                    self.outbox.put(QueuedItem::Lines(batch));
                    self.outbox.put(QueuedItem::Record(out.into(), self.positions()));
                    return;
                }
                // Never requested: the session has its own heartbeat.
                Delivery::Heartbeat => {}
                Delivery::End(reason) => {
                    self.outbox.put(QueuedItem::Lines(batch));
                    let positions = self.positions();
                    let last = self.end_record(reason, &positions);
                    self.outbox.put(QueuedItem::Record(last, positions));
                    self.ending = Some(Closing::of_end(reason));
                    return;
                }
            }
            if batch.n_bytes() >= self.batch_bytes {
                break;
            }
            next = self.follower.next().now_or_never().flatten();
        }
        self.outbox.put(QueuedItem::Lines(batch));
    }

    fn name_of(&self, source_index: usize) -> &str {
        self.follower.names().nth(source_index).map_or("", SourceName::as_str)
    }

    /// A source was opened late: it begins where its first line does. Nothing of it was handed over.
    fn note_joined(&mut self, source_index: usize, batch: &mut LineBatch) {
        for position in self.follower.positions().skip(self.sent.len()) {
            self.sent.push(position.clone());
        }
        for position in self.follower.positions().skip(batch.positions().len()) {
            batch.join(position);
        }
        if let (Some(position), Some(sent)) =
            (self.follower.positions().nth(source_index), self.sent.get_mut(source_index))
        {
            *sent = position.clone();
            batch.begin(source_index, position);
        }
    }

    /// How far was taken from the log.
    fn positions(&self) -> Vec<Position> {
        self.follower.positions().cloned().collect()
    }

    /// Whether filtered-out lines were passed since the last one sent.
    fn note_passed(&mut self) {
        if self.outbox.has_no_lines() {
            self.sent = self.positions();
        }
    }

    /// How far each source was sent, or where it begins if it has joined since.
    fn handed_over(&self) -> Vec<Position> {
        let n_known = self.sent.len();
        self.sent.iter().chain(self.follower.positions().skip(n_known)).cloned().collect()
    }

    /// Ends the stream: only its last record is sent, then it is closed.
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

    /// Ends the stream if the permission for one of its sources was revoked.
    fn end_if_revoked(&mut self) {
        let follower = &self.follower;
        let may_read =
            self.permissions.as_ref().is_none_or(|permissions| permissions.cover(follower));
        if !may_read {
            self.end(EndReason::Revoked);
        }
    }

    fn end_record(&self, reason: EndReason, positions: &[Position]) -> Bytes {
        let mut out = Vec::new();
        record::write_end(&self.config.requested, reason, positions.iter(), &mut out);
        out.into()
    }

    /// Handles a connection event; returns how to close if it ends the session.
    fn take_event(&mut self, event: ConnectionEvent) -> Option<Parting> {
        match event {
            ConnectionEvent::Said(Message::Text(text)) => return self.take_command(text.as_str()),
            ConnectionEvent::Said(Message::Ping(_) | Message::Pong(_)) | ConnectionEvent::Idle => {}
            ConnectionEvent::Said(Message::Close(_)) => return Some(Parting::Answer),
            ConnectionEvent::Closed => return Some(Parting::Gone),
            ConnectionEvent::Said(Message::Binary(_) | Message::Frame(_)) => {
                let words = "commands are text messages; this one was binary";
                let closing = Closing::new(CloseCode::Unsupported, words, "client");
                return Some(Parting::Close(closing));
            }
            ConnectionEvent::Sent(n_bytes, positions) => {
                self.viewer_log.count_bytes(n_bytes);
                if let Some(positions) = positions {
                    self.sent = positions;
                }
            }
            ConnectionEvent::Broken(error) => return Some(parting_of(&error)),
        }
        None
    }

    fn next_due<S: AsyncRead + AsyncWrite + Unpin>(&self, connection: &Connection<S>) -> Instant {
        let due = self.next_heartbeat.min(connection.last_received() + 2 * self.config.heartbeat);
        match self.config.stall_limit {
            Some(limit) if !connection.is_idle() => due.min(connection.last_progress() + limit),
            Some(_) | None => due,
        }
    }

    fn look_at_clock<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        connection: &mut Connection<S>,
    ) -> Option<Closing> {
        let now = Instant::now();
        if now >= self.next_due(connection) + self.config.heartbeat / 2 {
            // The timer is far too late, so this process did not run (stopped, or starved), could
            // not send pings and has not read their answers. The client gets its full time again.
            connection.excuse();
        }
        if now >= connection.last_received() + 2 * self.config.heartbeat {
            return Some(Closing::silent());
        }
        let is_stalled =
            |limit: Duration| !connection.is_idle() && now >= connection.last_progress() + limit;
        if self.config.stall_limit.is_some_and(is_stalled) {
            return Some(Closing::of_end(EndReason::Limit));
        }
        if now >= self.next_heartbeat && self.ending.is_none() {
            self.end_if_revoked();
        }
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + self.config.heartbeat;
            self.note_passed();
            let mut out = Vec::new();
            let positions = self.handed_over();
            record::write_heartbeat(
                &self.config.requested,
                &self.follower,
                positions.iter(),
                &mut out,
            );
            self.outbox.put_heartbeat(out.into());
        }
        None
    }
}

const BATCH_BYTES: usize = messages::MESSAGE_BYTES;

/// For a client that has yet to show that it reads: a message is held until it has left.
const FIRST_BATCH_BYTES: usize = 8 * 1024;

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("config", &self.config).finish_non_exhaustive()
    }
}
