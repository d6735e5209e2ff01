//! Outbox: what waits to be sent, in two lanes. Answers, pings and heartbeats go ahead of every
//! batch of lines that was not sent yet.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::chunk::Position;
use crate::wire::websocket::LineBatch;

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    ahead: VecDeque<UrgentMessage>,
    lines: VecDeque<QueuedItem>,
    /// The client has paused the stream.
    pub is_paused: bool,
    /// No line is sent until a command has been executed.
    pub is_at_barrier: bool,
    /// A heartbeat waits.
    has_heartbeat: bool,
}

/// A message that goes ahead of lines.
#[derive(Debug)]
enum UrgentMessage {
    /// A ping frame.
    Ping,
    /// A message.
    Message(Bytes),
    /// A heartbeat record.
    Heartbeat(Bytes),
}

/// An item that keeps the order of the log.
#[derive(Debug)]
pub enum QueuedItem {
    /// Lines.
    Lines(LineBatch),
    /// One record, with the positions of the viewer after it.
    Record(Bytes, Vec<Position>),
}

/// The next frame to send.
#[derive(Debug)]
pub enum OutgoingFrame {
    /// A ping frame with this payload.
    Ping(Bytes),
    /// A message.
    Message(Bytes),
    /// A message, with the positions of the viewer after it.
    Moving(Bytes, Vec<Position>),
}

impl Outbox {
    /// Queues an answer ahead of all lines.
    pub fn put_ahead(&mut self, answer: Bytes) {
        self.ahead.push_back(UrgentMessage::Message(answer));
    }

    /// Queues a ping and a heartbeat record ahead of all lines, unless the last ones are still
    /// queued.
    pub fn put_heartbeat(&mut self, record: Bytes) {
        if !self.has_heartbeat {
            self.has_heartbeat = true;
            self.ahead.extend([UrgentMessage::Ping, UrgentMessage::Heartbeat(record)]);
        }
    }

    /// Puts something after the lines that wait.
    pub fn put(&mut self, item: QueuedItem) {
        match item {
            // Nothing would be handed over for it, and no more lines be asked for while it waits.
            QueuedItem::Lines(batch) if batch.is_done() => {}
            QueuedItem::Lines(_) | QueuedItem::Record(_, _) => self.lines.push_back(item),
        }
    }

    /// Whether there is room for lines, and they would be handed over.
    #[must_use]
    pub fn wants_lines(&self) -> bool {
        self.has_no_lines() && !self.is_held()
    }

    /// Whether all lines have been sent.
    #[must_use]
    pub fn has_no_lines(&self) -> bool {
        self.lines.is_empty()
    }

    fn is_held(&self) -> bool {
        self.is_paused || self.is_at_barrier
    }

    /// Whether nothing can be sent now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ahead.is_empty() && (self.is_held() || self.lines.is_empty())
    }

    /// How many messages are queued ahead of lines.
    #[must_use]
    pub fn n_ahead(&self) -> usize {
        self.ahead.len()
    }

    /// Drops all queued lines.
    pub fn drop_lines(&mut self) {
        self.lines.clear();
    }

    /// Takes the next frame to send; lines only if there is room for them.
    pub fn next_out(&mut self, has_room: bool) -> Option<OutgoingFrame> {
        match self.ahead.pop_front() {
            Some(UrgentMessage::Ping) => return Some(OutgoingFrame::Ping(Bytes::new())),
            Some(UrgentMessage::Message(message)) => return Some(OutgoingFrame::Message(message)),
            Some(UrgentMessage::Heartbeat(record)) => {
                self.has_heartbeat = false;
                return Some(OutgoingFrame::Message(record));
            }
            None if self.is_held() || !has_room => return None,
            None => {}
        }
        while let Some(item) = self.lines.front_mut() {
            match item {
                QueuedItem::Lines(batch) => {
                    let message = batch.next_message();
                    let positions = batch.positions().to_vec();
                    if batch.is_done() {
                        self.lines.pop_front();
                    }
                    if let Some(message) = message {
                        return Some(OutgoingFrame::Moving(message, positions));
                    }
                }
                QueuedItem::Record(_, _) => {
                    let Some(QueuedItem::Record(record, positions)) = self.lines.pop_front() else {
                        break;
                    };
                    return Some(OutgoingFrame::Moving(record, positions));
                }
            }
        }
        None
    }
}
