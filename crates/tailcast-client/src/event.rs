//! Event: what a follower of a log receives, one after the other.

use std::time::Duration;

use crate::record::Batch;

/// The next event.
#[derive(Clone, Debug)]
pub enum Event {
    /// The stream has begun, for the first time or again.
    Start(Start),
    /// Lines, at least one.
    Lines(Batch),
    /// Bytes that are gone for good.
    Gap(Gap),
    /// The log continues in another file.
    Rotated(Rotated),
    /// Nothing was written for a while.
    Heartbeat(Heartbeat),
    /// The last event: the server has ended the stream.
    End(End),
    /// The connection is lost or was not made; it is retried.
    Reconnecting(Reconnecting),
    /// The connection is back.
    Resumed(Resumed),
    /// A WebSocket was refused; the log is followed by NDJSON over HTTP instead.
    FallenBack(FallenBack),
}

/// The stream has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The requested name.
    pub source: String,
    /// The cursor before its first line.
    pub cursor: Option<String>,
    /// For a glob: the sources in it.
    pub sources: Option<Vec<String>>,
    /// Whether the stream can be resumed.
    pub is_resumable: bool,
}

/// Bytes that are gone for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where.
    pub source: String,
    /// The cursor after it.
    pub cursor: Option<String>,
    /// How many, as far as is known.
    pub bytes: u64,
    /// `truncated`, `rotated_away` or `deleted`.
    pub reason: String,
    /// The record as received.
    pub json: String,
}

/// A log continues in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Which.
    pub source: String,
    /// The cursor after it.
    pub cursor: Option<String>,
    /// How: `truncated`, for one.
    pub how: String,
    /// The record as received.
    pub json: String,
}

/// Nothing was written for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// How far was read, which may be further than the last line that passed the filters.
    pub cursor: Option<String>,
    /// The log's size in bytes.
    pub size: u64,
    /// When it was last written to, in RFC 3339.
    pub modified: Option<String>,
    /// Bytes of it that were not yet read.
    pub behind: u64,
}

/// The server has ended the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// The cursor to resume from.
    pub cursor: Option<String>,
}

/// Why a server ends a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Everything that existed was sent.
    Eof,
    /// The requested end time has come.
    Until,
    /// The server stops.
    Shutdown,
    /// Something went wrong, or is no longer allowed: `error`, `revoked`, `limit`, or a reason that
    /// this version does not know.
    Failure(String),
}

impl From<String> for EndReason {
    fn from(reason: String) -> Self {
        match reason.as_str() {
            "eof" => Self::Eof,
            "until" => Self::Until,
            "shutdown" => Self::Shutdown,
            _ => Self::Failure(reason),
        }
    }
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Eof => "eof",
            Self::Until => "until",
            Self::Shutdown => "shutdown",
            Self::Failure(reason) => reason,
        })
    }
}

/// The connection is lost or was not made; it is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconnecting {
    /// Why there is no connection, in a few words.
    pub why: String,
    /// How many times it was tried since the last connection.
    pub n_tries: u32,
    /// When the next try starts.
    pub delay: Duration,
    /// Whether there ever was one.
    pub was_connected: bool,
}

/// The connection is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How long there was no connection.
    pub after: Duration,
    /// What was missed meanwhile.
    pub missed: Missed,
}

/// What was missed while there was no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Not a line.
    Nothing,
    /// Lines are gone; the gap is the next event.
    Gap,
    /// Unknown: a stream of so many sources has no cursor, and has restarted at its live end.
    Unknown,
}

/// A WebSocket was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallenBack {
    /// By what, in a few words.
    pub why: String,
}
