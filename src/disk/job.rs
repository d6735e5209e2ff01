//! Job: a piece of blocking work, and the word that nobody wants its answer any more. The work finds
//! that word on the thread that it runs on: it lies many calls below whoever began it, and most of
//! what is between them has nothing to do with it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::disk::allowance::{Allowance, AllowanceSpent};

thread_local! {
    /// Of the job that this thread is at.
    static TERMS: RefCell<Option<JobContext>> = const { RefCell::new(None) };
}

/// A piece of blocking work.
pub(super) struct Job {
    work: Box<dyn FnOnce() -> Option<Deliver> + Send>,
    context: JobContext,
}

/// For how long a job may go on.
#[derive(Clone, Debug)]
pub(super) struct JobContext {
    /// Nobody wants the answer any more.
    pub(super) is_abandoned: Arc<AtomicBool>,
    /// What it may spend, where it can be made expensive by whoever asks.
    pub(super) allowance: Option<Arc<Allowance>>,
}

/// Hands the answer to whoever waits for it; does not block.
pub(super) type Deliver = Box<dyn FnOnce() + Send>;

impl Job {
    /// `work`, whose answer is for `tell`.
    pub(super) fn new<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
        tell: oneshot::Sender<T>,
        context: JobContext,
    ) -> Self {
        let work = move || -> Option<Deliver> {
            let answer = work();
            if tell.is_closed() {
                // The answer ends here: to close its files may take as long as to read them.
                return None;
            }
            Some(Box::new(move || drop(tell.send(answer))))
        };
        Job { work: Box::new(work), context }
    }

    /// Does the work; the answer is delivered by who calls. A panic ends the work, and nothing else;
    /// the hook for panics has told of it.
    pub(super) fn run(self) -> Option<Deliver> {
        let Job { work, context } = self;
        if context.is_abandoned.load(Ordering::Acquire) {
            return None;
        }
        TERMS.set(Some(context));
        let deliver = catch_unwind(AssertUnwindSafe(work)).unwrap_or_default();
        TERMS.set(None);
        deliver
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("terms", &self.context).finish_non_exhaustive()
    }
}

/// Whether nobody wants the answer of the blocking call any more that runs on this thread.
#[must_use]
pub fn is_abandoned() -> bool {
    TERMS.with_borrow(|context| {
        context.as_ref().is_some_and(|context| context.is_abandoned.load(Ordering::Acquire))
    })
}

/// An error once [`is_abandoned`]: to be asked between two blocks of whatever may take long.
pub fn stop_if_abandoned() -> io::Result<()> {
    match is_abandoned() {
        true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "nobody waits for it")),
        false => Ok(()),
    }
}

/// Takes time off what the blocking call may spend that runs on this thread; an error once that was
/// more than it may.
pub fn spend(spent: Duration) -> Result<(), AllowanceSpent> {
    let allowance = TERMS.with_borrow(|context| context.as_ref()?.allowance.clone());
    match allowance {
        Some(allowance) if !allowance.spend(spent, Instant::now()) => Err(AllowanceSpent),
        Some(_) | None => Ok(()),
    }
}
