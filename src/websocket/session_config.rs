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

/// What a connection keeps.
pub struct SessionConfig {
    /// What was asked for: a source's name, or a glob.
    pub requested: String,
    /// It is a glob.
    pub is_glob: bool,
    /// Go on at the live end.
    pub follow: bool,
    /// With `follow`: end when the clock comes here.
    pub until: Option<Instant>,
    /// The reason to give when all was sent without a fault.
    pub done: EndReason,
    /// Between two pings.
    pub heartbeat: Duration,
    /// A client that takes nothing for this long is ended.
    pub stall_limit: Option<Duration>,
    /// For times that tell no zone.
    pub zone: Arc<Zone>,
    /// The time that looking through lines may take.
    pub allowance: Arc<Allowance>,
    /// Ends the stream.
    pub cancel: CancellationToken,
    /// Sources that may appear later.
    pub source_watch: Option<SourceWatchMaker>,
    /// Finds a source by its name; the error is for the client.
    pub lookup: Lookup,
}

/// Makes a roster.
pub type SourceWatchMaker = Box<dyn Fn() -> SourceWatch + Send + Sync>;

/// Finds a source by its name.
pub type Lookup = Box<dyn Fn(&str) -> Result<Arc<dyn Source>, String> + Send + Sync>;

impl SessionConfig {
    /// What to open. `left`: sources that the client does not want any more.
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
            // Heartbeats are the session's own here.
            heartbeat: NEVER,
            source_watch,
            // Rights, too: they hold for commands as well.
            permissions: None,
            allowance: Arc::clone(&self.allowance),
            cancel: self.cancel.clone(),
        }
    }
}

/// Which of these cursors is that of a source; the only one there is may come from another path to
/// the same file.
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
