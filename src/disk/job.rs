//! Job: a piece of blocking work, and the word that nobody wants its answer any more. The work finds
//! that word on the thread that it runs on: it lies many calls below whoever began it, and most of
//! what is between them has nothing to do with it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

thread_local! {
    /// Of the job that this thread is at.
    static IS_ABANDONED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// A piece of blocking work.
pub(super) struct Job {
    work: Box<dyn FnOnce() -> Option<Deliver> + Send>,
    is_abandoned: Arc<AtomicBool>,
}

/// Hands the answer to whoever waits for it; does not block.
pub(super) type Deliver = Box<dyn FnOnce() + Send>;

impl Job {
    /// `work`, whose answer is for `tell`.
    pub(super) fn new<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
        tell: oneshot::Sender<T>,
        is_abandoned: Arc<AtomicBool>,
    ) -> Self {
        let work = move || -> Option<Deliver> {
            let answer = work();
            if tell.is_closed() {
                // The answer ends here: to close its files may take as long as to read them.
                return None;
            }
            Some(Box::new(move || drop(tell.send(answer))))
        };
        Job { work: Box::new(work), is_abandoned }
    }

    /// Does the work; the answer is delivered by who calls. A panic ends the work, and nothing else;
    /// the hook for panics has told of it.
    pub(super) fn run(self) -> Option<Deliver> {
        let Job { work, is_abandoned } = self;
        if is_abandoned.load(Ordering::Acquire) {
            return None;
        }
        IS_ABANDONED.set(Some(is_abandoned));
        let deliver = catch_unwind(AssertUnwindSafe(work)).unwrap_or_default();
        IS_ABANDONED.set(None);
        deliver
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("is_abandoned", &self.is_abandoned).finish_non_exhaustive()
    }
}

/// Whether nobody wants the answer of the blocking call any more that runs on this thread.
#[must_use]
pub fn is_abandoned() -> bool {
    IS_ABANDONED.with_borrow(|flag| flag.as_ref().is_some_and(|it| it.load(Ordering::Acquire)))
}

/// An error once [`is_abandoned`]: to be asked between two blocks of whatever may take long.
pub fn stop_if_abandoned() -> io::Result<()> {
    match is_abandoned() {
        true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "nobody waits for it")),
        false => Ok(()),
    }
}
