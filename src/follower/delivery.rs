//! Delivery: what a viewer gets, and why its stream ends.

use std::sync::Arc;

use crate::chunk::Chunk;
use crate::filter::Selection;
use crate::history::EventKind;

/// What a viewer gets next.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The lines of a chunk that pass the filter, at least one.
    Lines {
        /// Whose lines, by its number among [`crate::follower::Follower::names`].
        track: usize,
        /// The chunk.
        chunk: Arc<Chunk>,
        /// Its lines that pass.
        selection: Selection,
    },
    /// Something happened between two lines.
    Event {
        /// In which source.
        track: usize,
        /// What.
        kind: EventKind,
    },
    /// A source was opened after the stream had begun; its place is known now. Says nothing.
    Joined {
        /// Which.
        track: usize,
    },
    /// A source cannot be read. One that is followed is tried again, and joins when it can be.
    Unreadable {
        /// Which.
        track: usize,
        /// Why.
        reason: Arc<str>,
    },
    /// Nothing was to be said for the time of a heartbeat.
    Heartbeat,
    /// The last delivery.
    End(EndReason),
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// All was sent that was there.
    Eof,
    /// The clock has passed `until`.
    Until,
    /// The server stops.
    Shutdown,
    /// The viewer may not read this any more.
    Revoked,
    /// A limit of the server was met.
    Limit,
    /// The source could not be read to its end.
    Error,
}

impl EndReason {
    /// The reason's name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eof => "eof",
            Self::Until => "until",
            Self::Shutdown => "shutdown",
            Self::Revoked => "revoked",
            Self::Limit => "limit",
            Self::Error => "error",
        }
    }
}
