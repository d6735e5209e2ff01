//! History: what was written to a source, read forward from a place. The live end (`feed`) and
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

    /// How many bytes a step reads, about; as many as are best for speed where nobody says.
    fn set_block_bytes(&mut self, n_bytes: usize);

    /// How far was read.
    fn place(&self) -> Position;

    /// A position as this reader will come to it: the content may be read from another segment by now.
    fn as_read(&self, place: Position) -> Position {
        place
    }

    /// Leaves what could not be read and never will be: it is told as a gap, and what comes next
    /// follows. False where it may still be read one day, or nothing comes next.
    fn give_up(&mut self) -> Result<bool, ReadError>;

    /// The unterminated rest of the last line as a piece, if there is one and nothing has been
    /// added to it for `quiet`.
    fn take_rest(&mut self, quiet: Duration) -> Rest;

    /// How the source stands behind this reader.
    fn progress(&self) -> SourceStat;
}

/// What reading on has brought.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// Lines.
    Chunk(Arc<Chunk>),
    /// Something that happened between two lines.
    Event(Event),
    /// Nothing more for now.
    AtEnd {
        /// Look again after this time, even if nobody calls.
        look_again: Option<Duration>,
    },
}

/// What happened between two lines of a source.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was.
    pub kind: EventKind,
    /// The place before it.
    pub start: Position,
    /// The place after it.
    pub end: Position,
}

/// What can happen between two lines of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Bytes that are gone for good.
    Gap {
        /// How many, as far as known.
        bytes: u64,
        /// What took them.
        reason: GapReason,
    },
    /// The source goes on in another segment.
    Rotated(RotatedHow),
}

/// What took the bytes of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The file was truncated before they were read.
    Truncated,
    /// Their file was rotated out of the history.
    RotatedAway,
    /// Their file was deleted.
    Deleted,
    /// They were packed, and cannot be unpacked.
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
    /// The old file is not there any more.
    Replaced,
}

impl RotatedHow {
    /// The way's name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renamed => "renamed",
            Self::Truncated => "truncated",
            Self::Replaced => "replaced",
        }
    }
}

/// The rest of a last line that has no end.
#[derive(Clone, Debug)]
pub enum Rest {
    /// There is none.
    None,
    /// There is one, and it may still grow: ask again after this time.
    Growing(Duration),
    /// It has been quiet for long enough.
    Piece(Arc<Chunk>),
}

/// How a source stands, as heartbeats tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceStat {
    /// Bytes in the active segment.
    pub size: u64,
    /// When it was last written to.
    pub modified: Option<SystemTime>,
}

/// Why a history could not be read on. What was read before stays read.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct ReadError {
    /// What was tried.
    pub what: String,
    /// What the system said.
    pub source: io::Error,
}

/// For `map_err`: keeps what was tried beside what the system said.
pub fn while_trying<T: fmt::Display>(what: T) -> impl FnOnce(io::Error) -> ReadError {
    move |source| ReadError { what: what.to_string(), source }
}
