//! Session configuration: what a connection was opened with and keeps through all its commands, and how a follower
//! is made of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cursor::Cursor;
use crate::filter::Filter;
use crate::follower::{Allowance, EndReason, SourceWatch, StreamSpec};
use crate::line::Zone;
use crate::source::{Source, SourceName, Start};

/// The settings of a connection.
pub struct SessionConfig {
    /// What was requested: a source's name, or a glob.
    pub requested: String,
    /// It is a glob.
    pub is_glob: bool,
    /// Follow the live end.
    pub follow: bool,
    /// With `follow`: when to end.
    pub until: Option<Instant>,
    /// The reason to give when everything was sent without an error.
    pub done: EndReason,
    /// Between two pings.
    pub heartbeat: Duration,
    /// A client that reads nothing for this long is disconnected.
    pub stall_limit: Option<Duration>,
    /// The zone for times without one.
    pub zone: Arc<Zone>,
    /// The time that filtering may take.
    pub allowance: Arc<Allowance>,
    /// Ends the stream.
    pub cancel: CancellationToken,
    /// Sources that may appear later.
    pub source_watch: Option<SourceWatchMaker>,
    /// Finds a source by its name; the error is a sentence for the client.
    pub lookup: Lookup,
}

/// Makes a source watch.
pub type SourceWatchMaker = Box<dyn Fn() -> SourceWatch + Send + Sync>;

/// Finds a source by its name.
pub type Lookup = Box<dyn Fn(&str) -> Result<Arc<dyn Source>, String> + Send + Sync>;

impl SessionConfig {
    /// What to open. `left`: sources that the client has removed.
    #[must_use]
    pub fn spec(
        &self,
        sources: Vec<(Arc<dyn Source>, Start)>,
        filter: Filter,
        left: &[SourceName],
    ) -> StreamSpec {
        let source_watch = self.source_watch.as_ref().map(|make| {
            let (source_watch, left) = (make(), left.to_vec());
            let SourceWatch { changes, list } = source_watch;
            let is_wanted = move |source: &Arc<dyn Source>| !left.contains(source.name());
            SourceWatch {
                changes,
                list: Box::new(move || list().into_iter().filter(&is_wanted).collect()),
            }
        });
        StreamSpec {
            sources,
            filter,
            follow: self.follow,
            until: self.until,
            done: self.done,
            // The session sends heartbeats by itself.
            heartbeat: NEVER,
            source_watch,
            // The session checks permissions, too, as they apply to commands as well.
            permissions: None,
            allowance: Arc::clone(&self.allowance),
            cancel: self.cancel.clone(),
        }
    }
}

/// The cursor of a source among these; a single one may come from another path to the same file.
#[must_use]
pub fn cursor_of(cursors: &[Cursor], name: &SourceName) -> Option<Cursor> {
    if let [only] = cursors {
        return Some(*only);
    }
    cursors.iter().find(|cursor| cursor.is_of(name.as_str())).copied()
}

impl std::fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionConfig").field("requested", &self.requested).finish_non_exhaustive()
    }
}

const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
