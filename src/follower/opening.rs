//! Opening: how a track comes to its source. An opening is a future like all that a track waits for,
//! so that it can be dropped and taken up again at any time, many go on side by side, and one that
//! waits for a silent disk holds up none of the others.

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

/// What an opening has come to.
pub enum Opening {
    /// The source is open, with a part in its live end where it is followed.
    Opened(Option<FeedGuard>, Box<Opened>),
    /// It cannot be opened.
    Failed(OpenError),
    /// Its storage takes long; go on without it, this tells more.
    Late(PendingRead),
    /// Its storage has been silent for so long that it counts as unreadable until this tells more.
    Stalled(OpenError, PendingRead),
}

/// What is to be opened, and how.
#[derive(Debug)]
pub struct OpenRequest {
    /// The number of the track.
    pub track: usize,
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
        let track = plan.track;
        let permit = Arc::clone(&plan.shared.openings).acquire_owned().await;
        let opening = if plan.follow { follow(plan).await } else { read(plan).await };
        drop(permit);
        Ready { track, cause: ReadResult::Opening(opening) }
    }
    .boxed()
}

/// Opens a source that is not followed.
async fn read(plan: OpenRequest) -> Opening {
    let OpenRequest { track: _, source, start, shared, follow: _ } = plan;
    let opening = wait::open(Arc::clone(&source), start, &shared, None);
    match wait::unless_stalled(source, opening).await {
        Ok(opened) => Opening::Opened(None, Box::new(opened)),
        Err(error) => Opening::Failed(error),
    }
}

/// Takes part in the live end first, then looks at the history: what is written in between is in
/// both, not in neither.
async fn follow(plan: OpenRequest) -> Opening {
    let OpenRequest { track, source, start, shared, follow: _ } = plan;
    let guard = Arc::clone(&source).subscribe();
    // Where the live end is late the history is opened without it: it tells what is wrong, or the two
    // ends meet later.
    let end = timeout(LIVE_PATIENCE, wait::live_end(&guard)).await.ok().flatten();
    let is_silent = end.is_none();
    let own = Arc::clone(&source);
    let mut opening = async move { wait::open(own, start, &shared, end).await }.boxed();
    if !is_silent {
        // One that has long to read, to find the last lines that pass, is waited for.
        return unless_stalled(track, source.name().clone(), guard, opening).await;
    }
    match timeout(LATE, &mut opening).await {
        Ok(opened) => done(guard, opened),
        Err(_late) => {
            let rest = unless_stalled(track, source.name().clone(), guard, opening);
            Opening::Late(later(track, rest))
        }
    }
}

/// Waits for an opening until the live end tells that the storage has stalled. The opening goes on:
/// another one would only be another that waits.
async fn unless_stalled(
    track: usize,
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
    Opening::Stalled(OpenError::Unreadable { name, source }, later(track, rest))
}

fn done(guard: FeedGuard, opened: Result<Opened, OpenError>) -> Opening {
    match opened {
        Ok(opened) => Opening::Opened(Some(guard), Box::new(opened)),
        Err(error) => Opening::Failed(error),
    }
}

fn later(track: usize, rest: impl Future<Output = Opening> + Send + 'static) -> PendingRead {
    async move { Ready { track, cause: ReadResult::Opening(rest.await) } }.boxed()
}

/// The place in a source that was not opened yet: before all that it has. A stream that is resumed
/// from here begins at the source's first line.
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

/// How long to wait before a source that could not be opened is tried again, after so many failures.
#[must_use]
pub fn pause_after(n_failures: u32) -> Duration {
    wait::PAUSE.saturating_mul(1 << n_failures.saturating_sub(1).min(4))
}

/// So many sources of one viewer are opened at once.
pub const MAX_OPENINGS: usize = 16;

/// A live end that has not opened after this time is not waited for.
const LIVE_PATIENCE: Duration = Duration::from_millis(500);

/// After this time more a source is late.
const LATE: Duration = Duration::from_secs(1);
