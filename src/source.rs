//! Source: one log that may be read. This is all that the rest of the program knows of it: a name,
//! a history that is read forward from a position, and a live end. It deliberately hides the
//! implementation: files are the first kind (`file`).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::chunk::{Chunk, Position};
use crate::cursor::Cursor;
use crate::disk::{AllowanceSpent, DiskAccess};
use crate::feed::FeedGuard;
use crate::filter::{Filter, Selection};
use crate::history::{GapReason, SourceReader};

/// The name of a source: it follows from the configuration alone and never changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// The name as it stands in URLs (before percent-encoding), records and lists.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SourceName {
    fn from(name: &str) -> Self {
        SourceName(Arc::from(name))
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One log, with its two ends.
pub trait Source: Send + Sync + fmt::Debug {
    /// The source's name.
    fn name(&self) -> &SourceName;

    /// Joins the live end, and starts it if it has no guard yet.
    fn subscribe(self: Arc<Self>) -> FeedGuard;

    /// Where its blocking calls run.
    fn disk(&self) -> &Arc<DiskAccess>;

    /// The number of guards of the live end.
    fn viewers(&self) -> usize;

    /// Opens the history at `start`. `filter` says which lines [`Start::Tail`] counts, `end` where
    /// the history ends for this reader (`None`: after the last complete line). Blocking.
    fn open(
        &self,
        start: &Start,
        filter: &Filter,
        end: Option<&Position>,
    ) -> Result<Opened, OpenError>;

    /// The last `n_lines` lines before a position that pass `filter`, from old to young; fewer if
    /// they are rare or long. Blocking.
    fn older(&self, before: &Cursor, filter: &Filter, n_lines: usize) -> Result<Older, OpenError>;

    /// Size, age and segments as they are now. Blocking.
    fn status(&self) -> Status;
}

/// Where in a history to begin.
#[derive(Clone, Debug)]
pub enum Start {
    /// The oldest byte that is left.
    Oldest,
    /// Before the last `n` lines that pass the filter.
    Tail(u64),
    /// Before the first line that may be as recent as the filter's `since`.
    Since,
    /// After the line that a cursor names.
    After(Cursor),
    /// At a position in this process.
    At(Position),
}

impl Start {
    /// Where a stream begins that requests its last lines (`None`: all), optionally since a time.
    #[must_use]
    pub fn of_past(tail: Option<u64>, since: Option<i64>) -> Self {
        match (tail, since) {
            (Some(n_lines), _) => Self::Tail(n_lines),
            (None, Some(_)) => Self::Since,
            (None, None) => Self::Oldest,
        }
    }
}

/// An open history.
#[derive(Debug)]
pub struct Opened {
    /// Reads on from the start.
    pub history: Box<dyn SourceReader>,
    /// The gap between the requested start and the one found.
    pub gap: Option<Gap>,
    /// Lines just before the start, for a filter that inherits metadata from them.
    pub before: Vec<u8>,
    /// The end of what was written so far, including an unterminated line.
    pub end: Position,
}

/// A gap between the requested position and the first one that still exists.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The requested position.
    pub before: Position,
    /// How many bytes are known to be gone.
    pub bytes: u64,
    /// Why they are missing.
    pub reason: GapReason,
}

/// A page of lines before a position.
#[derive(Debug)]
pub struct Older {
    /// Chunks in order, and those of their lines that are on the page.
    pub lines: Vec<(Arc<Chunk>, Selection)>,
    /// The position before the first line, where the next page ends.
    pub start: Position,
    /// Nothing lies before `start`.
    pub begin: bool,
}

/// The status of a source, as lists show it.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The source's segments: the active one first, then from young to old. Empty if it has no file
    /// yet.
    pub segments: Vec<SegmentStatus>,
}

/// One physical file of a source's history.
#[derive(Clone, Debug)]
pub struct SegmentStatus {
    /// Its file name.
    pub file: String,
    /// Bytes on disk.
    pub size: u64,
    /// When it was last written to.
    pub modified: Option<SystemTime>,
}

/// Why a history could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The cursor was made for another source.
    #[error("is a cursor of another source than {0}")]
    OtherSource(SourceName),
    /// Finding the position has exceeded the viewer's allowance.
    #[error("{0} is not looked through to the end: {spent}", spent = AllowanceSpent)]
    TooExpensive(SourceName),
    /// The source exists and may not be read, or could not be.
    #[error("{name} cannot be read: {source}")]
    Unreadable {
        /// The source.
        name: SourceName,
        /// The system's error.
        source: io::Error,
    },
}

impl OpenError {
    /// Why, without the source's name.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::OtherSource(_) | Self::TooExpensive(_) => self.to_string(),
            Self::Unreadable { name: _, source } => source.to_string(),
        }
    }

    /// The error for a blocking call that failed to open `name`.
    #[must_use]
    pub fn of(name: SourceName, source: io::Error) -> Self {
        match AllowanceSpent::is_cause_of(&source) {
            true => Self::TooExpensive(name),
            false => Self::Unreadable { name, source },
        }
    }

    /// Whether a permission is missing.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::OtherSource(_) | Self::TooExpensive(_) => false,
            Self::Unreadable { name: _, source } => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
        }
    }
}

/// How many past lines are sent by default.
pub const DEFAULT_TAIL: u64 = 10;

/// A page of older lines has at most this many.
pub const MAX_OLDER_LINES: usize = 1000;
