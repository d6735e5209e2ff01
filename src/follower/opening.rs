//! Opening: how a source stream opens its source. An opening is a future like all that a source
//! stream waits for, so that it can be dropped and retried at any time, many run side by side, and
//! one that waits for a silent disk does not delay the others.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};

use crate::chunk::Position;
use crate::cursor::{Cursor, GenerationKey, hash32};
use crate::feed::FeedGuard;
use crate::follower::output::Shared;
use crate::follower::wait::{self, PendingRead, ReadResult, Ready};
use crate::source::{OpenError, Opened, Source, SourceName, Start};

/// The result of an opening.
pub enum Opening {
    /// The source is open, with a guard of its live end if it is followed.
    Opened(Option<FeedGuard>, Box<Opened>),
    /// It cannot be opened.
    Failed(OpenError),
    /// Its storage is slow; continue without it, this future has the result.
    Late(PendingRead),
    /// Its storage has been silent for so long that it counts as unreadable until this future has a
    /// result.
    Stalled(OpenError, PendingRead),
}

/// What to open, and how.
#[derive(Debug)]
pub struct OpenRequest {
    /// The index of the source stream.
    pub source_index: usize,
    /// The source.
    pub source: Arc<dyn Source>,
    /// Where to begin.
    pub start: Start,
    /// The filter, whose lines [`Start::Tail`] counts, and what the viewer may spend.
    pub shared: Arc<Shared>,
    /// Take part in the live end.
    pub follow: bool,
}

/// Opens a source after a pause.
#[must_use]
pub fn open(plan: OpenRequest, pause: Duration) -> PendingRead {
    async move {
        sleep(pause).await;
        let source_index = plan.source_index;
        let permit = Arc::clone(&plan.shared.openings).acquire_owned().await;
        let opening = if plan.follow { follow(plan).await } else { read(plan).await };
        drop(permit);
        Ready { source_index, result: ReadResult::Opening(opening) }
    }
    .boxed()
}

/// Opens a source that is not followed.
async fn read(plan: OpenRequest) -> Opening {
    let OpenRequest { source_index: _, source, start, shared, follow: _ } = plan;
    let opening = wait::open(Arc::clone(&source), start, &shared, None);
    match wait::unless_stalled(source, opening).await {
        Ok(opened) => Opening::Opened(None, Box::new(opened)),
        Err(error) => Opening::Failed(error),
    }
}

/// Joins the live end first, then opens the history: what is written in between is in both, not in
/// neither.
async fn follow(plan: OpenRequest) -> Opening {
    let OpenRequest { source_index, source, start, shared, follow: _ } = plan;
    let guard = Arc::clone(&source).subscribe();
    // If the live end is late the history is opened without it: its error shows what is wrong, or
    // the two meet later.
    let end = timeout(LIVE_PATIENCE, wait::live_end(&guard)).await.ok().flatten();
    let is_silent = end.is_none();
    let own = Arc::clone(&source);
    let mut opening = async move { wait::open(own, start, &shared, end).await }.boxed();
    if !is_silent {
        // An opening that reads for long, to find the last matching lines, is waited for.
        return unless_stalled(source_index, source.name().clone(), guard, opening).await;
    }
    match timeout(LATE, &mut opening).await {
        Ok(opened) => done(guard, opened),
        Err(_late) => {
            let rest = unless_stalled(source_index, source.name().clone(), guard, opening);
            Opening::Late(later(source_index, rest))
        }
    }
}

/// Waits for an opening until the live end reports that the storage has stalled. The opening
/// continues: another one would just wait, too.
async fn unless_stalled(
    source_index: usize,
    name: SourceName,
    guard: FeedGuard,
    mut opening: BoxFuture<'static, Result<Opened, OpenError>>,
) -> Opening {
    tokio::select! {
        opened = &mut opening => return done(guard, opened),
        () = guard.stalled() => {}
    }
    let source = io::Error::new(io::ErrorKind::TimedOut, "its disk does not answer");
    let rest = async move { done(guard, opening.await) };
    Opening::Stalled(OpenError::Unreadable { name, source }, later(source_index, rest))
}

fn done(guard: FeedGuard, opened: Result<Opened, OpenError>) -> Opening {
    match opened {
        Ok(opened) => Opening::Opened(Some(guard), Box::new(opened)),
        Err(error) => Opening::Failed(error),
    }
}

fn later(source_index: usize, rest: impl Future<Output = Opening> + Send + 'static) -> PendingRead {
    async move { Ready { source_index, result: ReadResult::Opening(rest.await) } }.boxed()
}

/// The position in a source that was not opened yet: before everything in it. A stream resumed from
/// here begins at the source's first line.
#[must_use]
pub fn before_all(name: &SourceName) -> Position {
    let source = hash32(name.as_str().as_bytes());
    let version = crate::cursor::Version::V2;
    let generation = GenerationKey {
        version,
        source,
        file: 0,
        head_bytes: 0,
        head: 0,
        written: 0,
        redaction: 0,
    };
    Position::gone(&Cursor { generation, offset: 0, check: 0 })
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opened(_, _) => "Opened",
            Self::Failed(_) => "Failed",
            Self::Late(_) => "Late",
            Self::Stalled(_, _) => "Stalled",
        })
    }
}

/// The delay before a failed opening is retried, after so many failures.
#[must_use]
pub fn pause_after(n_failures: u32) -> Duration {
    wait::PAUSE.saturating_mul(1 << n_failures.saturating_sub(1).min(4))
}

/// How many sources of one viewer are opened at once.
pub const MAX_OPENINGS: usize = 16;

/// How long to wait for a live end to open.
const LIVE_PATIENCE: Duration = Duration::from_millis(500);

/// After this further time a source counts as late.
const LATE: Duration = Duration::from_secs(1);
