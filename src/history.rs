//! History: what was written to a source, read forward from a position. The live end (`feed`) and
//! every viewer that is behind it read through this one interface.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::chunk::{Chunk, Position};

/// Reads a source forward, block by block. All methods block on the source's storage.
pub trait SourceReader: Send + fmt::Debug {
    /// The next step, never beyond the limit: neither in its generation, nor to the file that is
    /// written to before the limit lies there.
    fn step(&mut self, limit: Option<&Position>) -> Result<StreamItem, ReadError>;

    /// Sets about how many bytes a step reads; by default as many as are fastest.
    fn set_block_bytes(&mut self, n_bytes: usize);

    /// How far was read.
    fn place(&self) -> Position;

    /// A position as this reader will come to it: the content may be read from another segment by now.
    fn as_read(&self, place: Position) -> Position {
        place
    }

    /// Skips what could not be read and never will be: it is reported as a gap, and reading
    /// continues after it. False if it may become readable, or nothing follows.
    fn give_up(&mut self) -> Result<bool, ReadError>;

    /// The unterminated rest of the last line as a piece, if there is one and nothing has been
    /// added to it for `quiet`.
    fn take_rest(&mut self, quiet: Duration) -> Rest;

    /// The size and modification time of the source, as of the last read: no call for it waits for a
    /// disk.
    fn progress(&self) -> SourceStat;
}

/// The result of a step.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// Lines.
    Chunk(Arc<Chunk>),
    /// Something that happened between two lines.
    Event(Event),
    /// Nothing more for now.
    AtEnd {
        /// Read again after this time, even without a hint.
        look_again: Option<Duration>,
    },
}

/// An event between two lines of a source.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was.
    pub kind: EventKind,
    /// The position before it.
    pub start: Position,
    /// The position after it.
    pub end: Position,
}

/// What can happen between two lines of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Bytes that are gone for good.
    Gap {
        /// How many, as far as is known.
        bytes: u64,
        /// Why they are missing.
        reason: GapReason,
    },
    /// The source continues in another segment.
    Rotated(RotatedHow),
}

/// Why the bytes of a gap are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The file was truncated before they were read.
    Truncated,
    /// Their file was rotated out of the history.
    RotatedAway,
    /// Their file was deleted.
    Deleted,
    /// They are in an archive that cannot be unpacked.
    Damaged,
    /// They were added to a file after it had been left.
    Late,
}

impl GapReason {
    /// The reason's name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::RotatedAway => "rotated_away",
            Self::Deleted => "deleted",
            Self::Damaged => "damaged",
            Self::Late => "late",
        }
    }
}

/// How a source came to another segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotatedHow {
    /// The old file has another name now.
    Renamed,
    /// The file was emptied (by copytruncate, or in place).
    Truncated,
    /// The old file is gone.
    Replaced,
}

impl RotatedHow {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renamed => "renamed",
            Self::Truncated => "truncated",
            Self::Replaced => "replaced",
        }
    }
}

/// The rest of a last line without a line end.
#[derive(Clone, Debug)]
pub enum Rest {
    /// There is none.
    None,
    /// There is one, and it may still grow: check again after this time.
    Growing(Duration),
    /// It has been quiet for long enough.
    Piece(Arc<Chunk>),
}

/// The size and modification time of a source, as heartbeats report them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceStat {
    /// Bytes in the active segment.
    pub size: u64,
    /// When it was last written to.
    pub modified: Option<SystemTime>,
}

/// Why a read of a history failed. What was read before remains valid.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct ReadError {
    /// The operation.
    pub what: String,
    /// The system's error.
    pub source: io::Error,
}

/// For `map_err`: adds the operation to the system's error.
pub fn while_trying<T: fmt::Display>(what: T) -> impl FnOnce(io::Error) -> ReadError {
    move |source| ReadError { what: what.to_string(), source }
}
