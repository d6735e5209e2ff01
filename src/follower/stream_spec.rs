//! Stream spec: what a viewer wants to see, and the changes that it has to notice meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::disk::Allowance;
use crate::filter::Filter;
use crate::follower::{EndReason, Follower};
use crate::source::{Source, SourceName, Start};

/// What a viewer has requested.
#[derive(Debug)]
pub struct StreamSpec {
    /// The sources, and where to begin in each.
    pub sources: Vec<(Arc<dyn Source>, Start)>,
    /// Which lines.
    pub filter: Filter,
    /// Follow the live end.
    pub follow: bool,
    /// With `follow`: when to end.
    pub until: Option<Instant>,
    /// The reason to give when everything was sent without an error.
    pub done: EndReason,
    /// The heartbeat interval.
    pub heartbeat: Duration,
    /// Sources that may appear later.
    pub source_watch: Option<SourceWatch>,
    /// What the viewer may read, if that can change.
    pub permissions: Option<Permissions>,
    /// The time that filtering may take, in all requests of this viewer.
    pub allowance: Arc<Allowance>,
    /// Ends the stream.
    pub cancel: CancellationToken,
}

/// Whether a viewer may still read its sources.
pub struct Permissions {
    /// Changes when permissions may have changed. They may also expire, so they are checked at each
    /// heartbeat as well.
    pub changes: watch::Receiver<u64>,
    /// Whether the viewer may read a source now.
    pub may_read: Box<dyn Fn(&SourceName) -> bool + Send + Sync>,
}

impl Permissions {
    /// Waits until permissions may have changed; for ever once they cannot. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether every source of a follower may be read now.
    #[must_use]
    pub fn cover(&self, follower: &Follower) -> bool {
        follower.names().all(|source| (self.may_read)(source))
    }
}

/// Reports sources that appear later.
pub struct SourceWatch {
    /// Changes when the list may have changed.
    pub changes: watch::Receiver<u64>,
    /// All sources that match the request now.
    pub list: Box<dyn Fn() -> Vec<Arc<dyn Source>> + Send + Sync>,
}

/// Resolves to true when the list of sources has changed; never if there is no list.
pub(super) async fn changed(source_watch: Option<&mut SourceWatch>) -> bool {
    if let Some(source_watch) = source_watch
        && source_watch.changes.changed().await.is_ok()
    {
        return true;
    }
    std::future::pending().await
}

/// Waits until permissions may have changed; for ever if they cannot.
pub async fn permissions_changed(permissions: Option<&mut Permissions>) {
    match permissions {
        Some(permissions) => permissions.changed().await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for Permissions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permissions").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SourceWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceWatch").field("changes", &self.changes).finish_non_exhaustive()
    }
}
