//! Source: one log that may be read. This is what the rest of the program knows of it: a name, a
//! history that is read forward from a place, and a live end. It deliberately does not know what
//! stands behind: files are the first kind (`file`).

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

    /// Takes part in the live end, which is started where nobody does yet.
    fn subscribe(self: Arc<Self>) -> FeedGuard;

    /// Where its blocking calls run.
    fn disk(&self) -> &Arc<DiskAccess>;

    /// How many guards of the live end are held.
    fn viewers(&self) -> usize;

    /// Opens the history at `start`. `filter` says which lines [`Start::Tail`] counts, `end` where
    /// the history ends for this reader (none: where the last line written so far ends). Blocking.
    fn open(
        &self,
        start: &Start,
        filter: &Filter,
        end: Option<&Position>,
    ) -> Result<Opened, OpenError>;

    /// The last `n_lines` lines before a place that pass `filter`, from old to young; fewer where
    /// they are rare, or long. Blocking.
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
    /// Before the first line that may be as young as the filter's `since`.
    Since,
    /// After the line that a cursor names.
    After(Cursor),
    /// At a place this process has come to.
    At(Position),
}

impl Start {
    /// Where a stream begins that asks for its last lines (none: for all), of those since a time.
    #[must_use]
    pub fn of_past(tail: Option<u64>, since: Option<i64>) -> Self {
        match (tail, since) {
            (Some(n_lines), _) => Self::Tail(n_lines),
            (None, Some(_)) => Self::Since,
            (None, None) => Self::Oldest,
        }
    }
}

/// A history, opened.
#[derive(Debug)]
pub struct Opened {
    /// Reads on from the start.
    pub history: Box<dyn SourceReader>,
    /// What is gone between the start asked for and the one found.
    pub gap: Option<Gap>,
    /// Lines just before the start, for a filter that has to know what they told.
    pub before: Vec<u8>,
    /// Where what was written so far ends, an unterminated line included.
    pub end: Position,
}

/// A hole between a place that was asked for and the first one that is left.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The place asked for.
    pub before: Position,
    /// How many bytes are known to be gone.
    pub bytes: u64,
    /// What took them.
    pub reason: GapReason,
}

/// A page of lines before a place.
#[derive(Debug)]
pub struct Older {
    /// Chunks in order, and those of their lines that are on the page.
    pub lines: Vec<(Arc<Chunk>, Selection)>,
    /// The place before the first line; before it is to be looked for the next page.
    pub start: Position,
    /// Nothing lies before `start`.
    pub begin: bool,
}

/// What a list of sources tells of one.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The source's segments: the active one first, then from young to old. None where it has no
    /// file yet.
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
    /// To find the place took more time than its asker has.
    #[error("{0} is not looked through to the end: {spent}", spent = AllowanceSpent)]
    TooExpensive(SourceName),
    /// The source exists and may not be read, or could not be.
    #[error("{name} cannot be read: {source}")]
    Unreadable {
        /// The source.
        name: SourceName,
        /// What the system said.
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

    /// What kept a blocking call from opening `name`.
    #[must_use]
    pub fn of(name: SourceName, source: io::Error) -> Self {
        match AllowanceSpent::is_cause_of(&source) {
            true => Self::TooExpensive(name),
            false => Self::Unreadable { name, source },
        }
    }

    /// Whether the system refused for want of a permission.
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

/// As many lines of the past are shown to who does not say how many.
pub const DEFAULT_TAIL: u64 = 10;

/// A page of older lines has at most this many.
pub const MAX_OLDER_LINES: usize = 1000;
