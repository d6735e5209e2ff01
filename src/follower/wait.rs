//! Waiting: the futures that tell when a track can go on, and with what. Each owns what it needs,
//! so that it can be dropped at any time and nothing goes on behind it but the read of one block.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::chunk::Position;
use crate::cursor::Cursor;
use crate::disk::{Allowance, Call, CallLost, DiskAccess, Lane};
use crate::feed::FeedGuard;
use crate::filter::Filter;
use crate::follower::opening::Opening;
use crate::follower::output::Shared;
use crate::history::{ReadError, Rest, SourceReader, StreamItem};
use crate::source::{Older, OpenError, Opened, Source, Start};

/// Resolves when a track can go on.
pub type PendingRead = BoxFuture<'static, Ready>;

/// A track that can go on.
#[derive(Debug)]
pub struct Ready {
    /// Its number.
    pub track: usize,
    /// With what.
    pub cause: ReadResult,
}

/// What a track goes on with.
pub enum ReadResult {
    /// Its source was opened, or not.
    Opening(Opening),
    /// Something has become visible at the live end.
    Changed(watch::Receiver<u64>),
    /// A step was read.
    Read(Box<dyn SourceReader>, Result<StreamItem, ReadError>),
    /// The rest without end was looked at.
    Rest(Box<dyn SourceReader>, Rest),
    /// The history was opened anew.
    Reopened(Result<Opened, OpenError>),
    /// A read has panicked.
    Lost,
}

/// The live end has changed.
#[must_use]
pub fn changed(track: usize, mut changes: watch::Receiver<u64>) -> PendingRead {
    async move {
        if changes.changed().await.is_err() {
            // The feed is gone; looking at it tells so.
            sleep(PAUSE).await;
        }
        Ready { track, cause: ReadResult::Changed(changes) }
    }
    .boxed()
}

/// The next step, after a pause. Without one the read begins now, and so goes on while what was
/// read before is being sent: one block ahead, no more.
pub fn step(
    track: usize,
    mut history: Box<dyn SourceReader>,
    limit: Option<Position>,
    disk: Arc<DiskAccess>,
    pause: Duration,
) -> PendingRead {
    let read = move || {
        let step = history.step(limit.as_ref());
        (history, step)
    };
    if pause.is_zero() {
        let reading = disk.call(Lane::Read, read);
        return async move { step_of(track, reading).await }.boxed();
    }
    async move {
        sleep(pause).await;
        step_of(track, disk.call(Lane::Read, read)).await
    }
    .boxed()
}

/// What a read has brought, once the others had their turn: what is read may have to be filtered for
/// long without anything that passes, and blocks are read faster than that.
async fn step_of(track: usize, reading: Call<FinishedRead>) -> Ready {
    let read = reading.await;
    yield_now().await;
    Ready { track, cause: cause_of_step(read) }
}

/// The next step, once the live end has changed (or after a while: it may have ended).
#[must_use]
pub fn step_after_change(
    track: usize,
    history: Box<dyn SourceReader>,
    limit: Option<Position>,
    disk: Arc<DiskAccess>,
    mut changes: watch::Receiver<u64>,
) -> PendingRead {
    async move {
        // Both a time-out and the end of the feed mean: look again.
        if timeout(PAUSE, changes.changed()).await.is_err() {
            tracing::trace!("nothing has changed at the live end");
        }
        step(track, history, limit, disk, Duration::ZERO).await
    }
    .boxed()
}

/// The next step, behind what cannot be read if it never will be.
#[must_use]
pub fn give_up(
    track: usize,
    mut history: Box<dyn SourceReader>,
    limit: Option<Position>,
    disk: Arc<DiskAccess>,
) -> PendingRead {
    async move {
        sleep(PAUSE).await;
        let read = move || {
            let step = history.give_up().and_then(|_has_left| history.step(limit.as_ref()));
            (history, step)
        };
        Ready { track, cause: cause_of_step(disk.call(Lane::Read, read).await) }
    }
    .boxed()
}

/// The rest of the last line.
#[must_use]
pub fn rest(
    track: usize,
    mut history: Box<dyn SourceReader>,
    disk: Arc<DiskAccess>,
) -> PendingRead {
    async move {
        let look = move || {
            let rest = history.take_rest(QUIET);
            (history, rest)
        };
        let cause = match disk.call(Lane::Read, look).await {
            Ok((history, rest)) => ReadResult::Rest(history, rest),
            Err(CallLost) => ReadResult::Lost,
        };
        Ready { track, cause }
    }
    .boxed()
}

/// The history at a place, after a pause.
pub fn reopen(
    track: usize,
    source: Arc<dyn Source>,
    place: Position,
    shared: Arc<Shared>,
    pause: Duration,
) -> PendingRead {
    async move {
        sleep(pause).await;
        let opened = open(source, Start::At(place), &shared, None).await;
        Ready { track, cause: ReadResult::Reopened(opened) }
    }
    .boxed()
}

/// What was asked of a source, unless its storage does not answer: one that has stalled may never,
/// and who asks is told. The live end tells; what has long to read is waited for.
pub async fn unless_stalled<T>(
    source: Arc<dyn Source>,
    asked: impl Future<Output = Result<T, OpenError>>,
) -> Result<T, OpenError> {
    let mut asked = std::pin::pin!(asked);
    if let Ok(answer) = timeout(STALL_PATIENCE, &mut asked).await {
        return answer;
    }
    let name = source.name().clone();
    let guard = source.subscribe();
    tokio::select! {
        answer = asked => answer,
        () = guard.stalled() => {
            let text = "its disk does not answer";
            let source = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
            Err(OpenError::Unreadable { name, source })
        }
    }
}

/// Opens a source's history.
pub async fn open(
    source: Arc<dyn Source>,
    start: Start,
    shared: &Shared,
    end: Option<Position>,
) -> Result<Opened, OpenError> {
    let (name, disk) = (source.name().clone(), Arc::clone(source.disk()));
    let filter = Arc::clone(&shared.filter);
    let lane = lane_of(&start, &filter);
    let open = move || source.open(&start, &filter, end.as_ref());
    let opening = disk.call_within(&shared.allowance, lane, open);
    opening.await.unwrap_or_else(|lost| {
        Err(OpenError::Unreadable { name, source: std::io::Error::other(lost) })
    })
}

/// A page of the lines before a place; what it takes is taken off `allowance`.
pub async fn older(
    source: Arc<dyn Source>,
    before: Cursor,
    filter: Filter,
    n_lines: usize,
    allowance: Arc<Allowance>,
) -> Result<Older, OpenError> {
    let (name, asked) = (source.name().clone(), Arc::clone(&source));
    let lane = if filter.is_empty() { Lane::Open } else { Lane::Search };
    let reading = async move {
        let disk = Arc::clone(source.disk());
        let read = move || source.older(&before, &filter, n_lines);
        let reading = disk.call_within(&allowance, lane, read);
        reading.await.unwrap_or_else(|lost| {
            Err(OpenError::Unreadable { name, source: std::io::Error::other(lost) })
        })
    };
    unless_stalled(asked, reading).await
}

/// Who only has to find a place does not wait for those who search.
fn lane_of(start: &Start, filter: &Filter) -> Lane {
    match start {
        Start::Oldest | Start::After(_) | Start::At(_) | Start::Tail(0) => Lane::Open,
        Start::Tail(n_lines) if filter.is_empty() && *n_lines <= SHORT_TAIL => Lane::Open,
        Start::Tail(_) | Start::Since => Lane::Search,
    }
}

/// The end of what the feed has read, as soon as it has opened its source. None if that takes
/// long: then opening the history will tell why, or the two ends meet later.
pub async fn live_end(guard: &FeedGuard) -> Option<Position> {
    let mut changes = guard.changes();
    let opened = async { while guard.end().is_none() && changes.changed().await.is_ok() {} };
    if timeout(OPEN_PATIENCE, opened).await.is_err() {
        tracing::debug!("a live end takes long to open");
    }
    guard.end()
}

fn cause_of_step(read: Result<FinishedRead, CallLost>) -> ReadResult {
    match read {
        Ok((history, step)) => ReadResult::Read(history, step),
        Err(CallLost) => ReadResult::Lost,
    }
}

impl fmt::Debug for ReadResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening(_) => "Opening",
            Self::Changed(_) => "Changed",
            Self::Read(_, _) => "Read",
            Self::Rest(_, _) => "Rest",
            Self::Reopened(_) => "Reopened",
            Self::Lost => "Lost",
        })
    }
}

/// A history, and what reading on in it has brought.
type FinishedRead = (Box<dyn SourceReader>, Result<StreamItem, ReadError>);

/// How long to wait before something that failed is tried again.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A last line without end is sent when nothing was added to it for this long.
const QUIET: Duration = Duration::from_secs(1);

/// After this time it is asked whether the disk answers at all.
const STALL_PATIENCE: Duration = Duration::from_secs(5);

const OPEN_PATIENCE: Duration = Duration::from_secs(2);

/// As many lines are found without a search.
const SHORT_TAIL: u64 = 10_000;
