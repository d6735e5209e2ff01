//! Delivery: what a viewer receives, and why its stream ends.

use std::sync::Arc;

use crate::chunk::Chunk;
use crate::filter::Selection;
use crate::history::EventKind;

/// The next item for a viewer.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The lines of a chunk that pass the filter, at least one.
    Lines {
        /// The index of the source among [`crate::follower::Follower::names`].
        source_index: usize,
        /// The chunk.
        chunk: Arc<Chunk>,
        /// Its lines that pass.
        selection: Selection,
    },
    /// Something happened between two lines.
    Event {
        /// In which source.
        source_index: usize,
        /// What.
        kind: EventKind,
    },
    /// A source was opened after the stream had begun; its position is known now. No output.
    Joined {
        /// Which.
        source_index: usize,
    },
    /// A source cannot be read. One that is followed is retried, and joins when it can be read.
    Unreadable {
        /// Which.
        source_index: usize,
        /// Why.
        reason: Arc<str>,
    },
    /// Nothing was delivered for a heartbeat interval.
    Heartbeat,
    /// The last delivery.
    End(EndReason),
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Everything that existed was sent.
    Eof,
    /// The clock has passed `until`.
    Until,
    /// The server stops.
    Shutdown,
    /// The viewer's permission was revoked.
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
