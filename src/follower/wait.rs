//! Waiting: the futures that resolve when a track can continue, and with what. Each owns what it needs,
//! so that it can be dropped at any time and leaves nothing running but the read of one block.

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

/// Resolves when a source stream can continue.
pub type PendingRead = BoxFuture<'static, Ready>;

/// A source stream that can continue.
#[derive(Debug)]
pub struct Ready {
    /// Its index.
    pub source_index: usize,
    /// With what.
    pub result: ReadResult,
}

/// What a source stream continues with.
pub enum ReadResult {
    /// The result of opening its source.
    Opening(Opening),
    /// Something has become visible at the live end.
    Changed(watch::Receiver<u64>),
    /// A block was read.
    Read(Box<dyn SourceReader>, Result<StreamItem, ReadError>),
    /// The unterminated rest was checked.
    Rest(Box<dyn SourceReader>, Rest),
    /// The history was reopened.
    Reopened(Result<Opened, OpenError>),
    /// A read has panicked.
    Lost,
}

/// Waits for a change of the live end.
#[must_use]
pub fn changed(source_index: usize, mut changes: watch::Receiver<u64>) -> PendingRead {
    async move {
        if changes.changed().await.is_err() {
            // The feed is gone, which the next look at it will show.
            sleep(PAUSE).await;
        }
        Ready { source_index, result: ReadResult::Changed(changes) }
    }
    .boxed()
}

/// The next step, after a pause. Without one the read begins now, and so runs while the previous
/// block is being sent: one block ahead, no more.
pub fn step(
    source_index: usize,
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
        return async move { finish_read(source_index, reading).await }.boxed();
    }
    async move {
        sleep(pause).await;
        finish_read(source_index, disk.call(Lane::Read, read)).await
    }
    .boxed()
}

/// The result of a read, after a yield to other tasks: filtering may take long without a match, and
/// blocks are read faster than that.
async fn finish_read(source_index: usize, reading: Call<FinishedRead>) -> Ready {
    let read = reading.await;
    yield_now().await;
    Ready { source_index, result: read_result(read) }
}

/// The next step, once the live end has changed (or after a while: it may have ended).
#[must_use]
pub fn step_after_change(
    source_index: usize,
    history: Box<dyn SourceReader>,
    limit: Option<Position>,
    disk: Arc<DiskAccess>,
    mut changes: watch::Receiver<u64>,
) -> PendingRead {
    async move {
        // Both a timeout and the end of the feed mean: read again.
        if timeout(PAUSE, changes.changed()).await.is_err() {
            tracing::trace!("nothing has changed at the live end");
        }
        step(source_index, history, limit, disk, Duration::ZERO).await
    }
    .boxed()
}

/// The next step, skipping what can never be read.
#[must_use]
pub fn give_up(
    source_index: usize,
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
        Ready { source_index, result: read_result(disk.call(Lane::Read, read).await) }
    }
    .boxed()
}

/// The rest of the last line.
#[must_use]
pub fn rest(
    source_index: usize,
    mut history: Box<dyn SourceReader>,
    disk: Arc<DiskAccess>,
) -> PendingRead {
    async move {
        let look = move || {
            let rest = history.take_rest(QUIET);
            (history, rest)
        };
        let result = match disk.call(Lane::Read, look).await {
            Ok((history, rest)) => ReadResult::Rest(history, rest),
            Err(CallLost) => ReadResult::Lost,
        };
        Ready { source_index, result }
    }
    .boxed()
}

/// Reopens the history at a position, after a pause.
pub fn reopen(
    source_index: usize,
    source: Arc<dyn Source>,
    position: Position,
    shared: Arc<Shared>,
    pause: Duration,
) -> PendingRead {
    async move {
        sleep(pause).await;
        let opened = open(source, Start::At(position), &shared, None).await;
        Ready { source_index, result: ReadResult::Reopened(opened) }
    }
    .boxed()
}

/// The result of a request to a source, or an error if its storage has stalled, as that request may
/// never end. The live end detects the stall; a long read is waited for.
pub async fn unless_stalled<T>(
    source: Arc<dyn Source>,
    request: impl Future<Output = Result<T, OpenError>>,
) -> Result<T, OpenError> {
    let mut request = std::pin::pin!(request);
    if let Ok(answer) = timeout(STALL_PATIENCE, &mut request).await {
        return answer;
    }
    let name = source.name().clone();
    let guard = source.subscribe();
    tokio::select! {
        answer = request => answer,
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

/// A page of the lines before a position; its cost is charged to `allowance`.
pub async fn older(
    source: Arc<dyn Source>,
    before: Cursor,
    filter: Filter,
    n_lines: usize,
    allowance: Arc<Allowance>,
) -> Result<Older, OpenError> {
    let (name, request) = (source.name().clone(), Arc::clone(&source));
    let lane = if filter.is_empty() { Lane::Open } else { Lane::Search };
    let reading = async move {
        let disk = Arc::clone(source.disk());
        let read = move || source.older(&before, &filter, n_lines);
        let reading = disk.call_within(&allowance, lane, read);
        reading.await.unwrap_or_else(|lost| {
            Err(OpenError::Unreadable { name, source: std::io::Error::other(lost) })
        })
    };
    unless_stalled(request, reading).await
}

/// A request that only has to find a position does not queue behind searches.
fn lane_of(start: &Start, filter: &Filter) -> Lane {
    match start {
        Start::Oldest | Start::After(_) | Start::At(_) | Start::Tail(0) => Lane::Open,
        Start::Tail(n_lines) if filter.is_empty() && *n_lines <= SHORT_TAIL => Lane::Open,
        Start::Tail(_) | Start::Since => Lane::Search,
    }
}

/// The end of what the feed has read, as soon as it has opened its source. `None` if that takes
/// long: then opening the history will show why, or the two meet later.
pub async fn live_end(guard: &FeedGuard) -> Option<Position> {
    let mut changes = guard.changes();
    let opened = async { while guard.end().is_none() && changes.changed().await.is_ok() {} };
    if timeout(OPEN_PATIENCE, opened).await.is_err() {
        tracing::debug!("a live end takes long to open");
    }
    guard.end()
}

fn read_result(read: Result<FinishedRead, CallLost>) -> ReadResult {
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

/// A reader, and the result of its read.
type FinishedRead = (Box<dyn SourceReader>, Result<StreamItem, ReadError>);

/// The delay before a failed operation is retried.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A last line without a line end is sent when it was unchanged for this long.
const QUIET: Duration = Duration::from_secs(1);

/// After this time it is checked whether the disk responds at all.
const STALL_PATIENCE: Duration = Duration::from_secs(5);

const OPEN_PATIENCE: Duration = Duration::from_secs(2);

/// Up to this many lines are found without a search.
const SHORT_TAIL: u64 = 10_000;
