//! Job: a piece of blocking work, and the flag that nobody waits for its result any longer. The work
//! finds that flag on the thread that it runs on: it lies many calls below the one that began it, and most
//! of what is between them has nothing to do with it.

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
    /// The context of the job that this thread runs.
    static TERMS: RefCell<Option<JobContext>> = const { RefCell::new(None) };
}

/// A piece of blocking work.
pub(super) struct Job {
    work: Box<dyn FnOnce() -> Option<Deliver> + Send>,
    context: JobContext,
}

/// When a job has to stop.
#[derive(Clone, Debug)]
pub(super) struct JobContext {
    /// The result is no longer awaited.
    pub(super) is_abandoned: Arc<AtomicBool>,
    /// The allowance, if a client controls the cost.
    pub(super) allowance: Option<Arc<Allowance>>,
}

/// Sends the result to its waiter; does not block.
pub(super) type Deliver = Box<dyn FnOnce() + Send>;

impl Job {
    /// A job that runs `work` and passes its result to `tell`.
    pub(super) fn new<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
        tell: oneshot::Sender<T>,
        context: JobContext,
    ) -> Self {
        let work = move || -> Option<Deliver> {
            let answer = work();
            if tell.is_closed() {
                // The result is dropped here: closing its files may take as long as reading them.
                return None;
            }
            Some(Box::new(move || drop(tell.send(answer))))
        };
        Job { work: Box::new(work), context }
    }

    /// Does the work; the caller delivers the result. A panic ends only this work; the panic hook
    /// has logged it.
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

/// Whether the blocking call on this thread was abandoned.
#[must_use]
pub fn is_abandoned() -> bool {
    TERMS.with_borrow(|context| {
        context.as_ref().is_some_and(|context| context.is_abandoned.load(Ordering::Acquire))
    })
}

/// An error once [`is_abandoned`]: to be checked between two blocks of long work.
pub fn stop_if_abandoned() -> io::Result<()> {
    match is_abandoned() {
        true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "nobody waits for it")),
        false => Ok(()),
    }
}

/// Charges time to the allowance of the blocking call on this thread; an error once it is exceeded.
pub fn spend(spent: Duration) -> Result<(), AllowanceSpent> {
    let allowance = TERMS.with_borrow(|context| context.as_ref()?.allowance.clone());
    match allowance {
        Some(allowance) if !allowance.spend(spent, Instant::now()) => Err(AllowanceSpent),
        Some(_) | None => Ok(()),
    }
}
