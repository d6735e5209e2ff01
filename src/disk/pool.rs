//! Pool: the threads for one kind of work on one device. There are never more than its limit, and
//! one more is made only while all are at work. An idle one waits a moment for more, and the last one to
//! stop is the first to continue, so that those that are not needed end.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::disk::job::Job;
use crate::disk::turns::Turns;

/// The threads for one kind of work on one device.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<PoolState>,
    max_threads: usize,
    max_of_caller: usize,
}

#[derive(Debug, Default)]
struct PoolState {
    waiting: Turns<Job>,
    next_number: u64,
    /// How many jobs of each caller run; never 0.
    running: HashMap<u64, usize>,
    n_threads: usize,
    /// Threads that wait for work.
    idle: Vec<Arc<IdleThread>>,
}

/// Where an idle thread waits for its next job.
#[derive(Debug, Default)]
struct IdleThread {
    given: Mutex<Option<AssignedJob>>,
    changed: Condvar,
}

/// A job, and its caller.
type AssignedJob = (u64, Job);

/// What a thread does after a job.
enum WorkerStep {
    Job(AssignedJob),
    Idle(Arc<IdleThread>),
}

/// Which thread runs a job.
enum AssignedThread {
    Idle(Arc<IdleThread>),
    New,
}

impl Pool {
    pub(super) fn new(max_threads: usize, max_of_caller: usize) -> Arc<Self> {
        Arc::new(Pool { state: Mutex::default(), max_threads, max_of_caller })
    }

    /// Starts a job, or queues it; returns its number.
    pub(super) fn begin(self: &Arc<Self>, caller: u64, job: Job) -> u64 {
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        let doer = match state.idle.is_empty() && state.n_threads >= self.max_threads {
            true => None,
            false if !state.may_run(caller, self.max_of_caller) => None,
            false => Some(state.idle.pop().map_or(AssignedThread::New, AssignedThread::Idle)),
        };
        let Some(doer) = doer else {
            state.waiting.push(caller, number, job);
            return number;
        };
        state.note_begun(caller);
        state.n_threads += usize::from(matches!(doer, AssignedThread::New));
        drop(state);
        match doer {
            AssignedThread::Idle(idle_thread) => idle_thread.give((caller, job)),
            AssignedThread::New => self.start_thread((caller, job)),
        }
        number
    }

    /// Removes a job that has not begun from the queue.
    pub(super) fn take_back(&self, caller: u64, number: u64) -> Option<Job> {
        self.lock().waiting.remove(caller, number)
    }

    /// Whether it has no thread.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().n_threads == 0
    }

    /// How many threads it has.
    #[cfg(test)]
    pub(super) fn n_threads(&self) -> usize {
        self.lock().n_threads
    }

    /// A thread that runs a job, then queued ones. Not a task of the runtime: one that waits for a
    /// silent disk cannot be cancelled, and must not block anything but its own device.
    fn start_thread(self: &Arc<Self>, first: AssignedJob) {
        let (own, caller) = (Arc::clone(self), first.0);
        let started = thread::Builder::new().name("disk".to_owned()).spawn(move || own.work(first));
        if let Err(error) = started {
            // The job was dropped, which its waiter sees.
            tracing::error!(%error, "no thread can be started for a blocking call");
            let mut state = self.lock();
            state.n_threads -= 1;
            state.note_ended(caller);
        }
    }

    fn work(&self, first: AssignedJob) {
        let mut given = Some(first);
        while let Some((caller, job)) = given {
            let deliver = job.run();
            let next = self.next_after(caller);
            // Only now: a caller with the result that makes another call should find this thread
            // free.
            if let Some(deliver) = deliver {
                deliver();
            }
            given = match next {
                WorkerStep::Job(next) => Some(next),
                WorkerStep::Idle(idle_thread) => self.wait(&idle_thread),
            };
        }
    }

    /// What a thread does after a job of `caller`.
    fn next_after(&self, caller: u64) -> WorkerStep {
        let mut state = self.lock();
        state.note_ended(caller);
        if let Some(next) = state.next(self.max_of_caller) {
            return WorkerStep::Job(next);
        }
        let idle_thread = Arc::new(IdleThread::default());
        state.idle.push(Arc::clone(&idle_thread));
        WorkerStep::Idle(idle_thread)
    }

    /// Waits for a job; `None`: the thread ends.
    fn wait(&self, idle_thread: &Arc<IdleThread>) -> Option<AssignedJob> {
        if let Some(given) = idle_thread.wait() {
            return Some(given);
        }
        let mut state = self.lock();
        let own = state.idle.iter().position(|idle| Arc::ptr_eq(idle, idle_thread));
        if let Some(own) = own {
            state.idle.remove(own);
            state.n_threads -= 1;
            return None;
        }
        drop(state);
        // It was given a job at the last moment.
        idle_thread.wait_for_ever()
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolState {
    fn may_run(&self, caller: u64, max_of_caller: usize) -> bool {
        self.running.get(&caller).is_none_or(|n_running| *n_running < max_of_caller)
    }

    fn note_begun(&mut self, caller: u64) {
        *self.running.entry(caller).or_insert(0) += 1;
    }

    fn note_ended(&mut self, caller: u64) {
        if let Some(n_running) = self.running.get_mut(&caller) {
            *n_running -= 1;
            if *n_running == 0 {
                self.running.remove(&caller);
            }
        }
    }

    fn next(&mut self, max_of_caller: usize) -> Option<AssignedJob> {
        let running = &self.running;
        let may = |caller| running.get(&caller).is_none_or(|n_running| *n_running < max_of_caller);
        let next = self.waiting.next(may)?;
        self.note_begun(next.0);
        Some(next)
    }
}

impl IdleThread {
    fn give(&self, given: AssignedJob) {
        *self.lock() = Some(given);
        self.changed.notify_one();
    }

    /// A job that is given in time.
    fn wait(&self) -> Option<AssignedJob> {
        let waited = self.changed.wait_timeout_while(self.lock(), KEPT_IDLE, |it| it.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }

    fn wait_for_ever(&self) -> Option<AssignedJob> {
        let waited = self.changed.wait_while(self.lock(), |it| it.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<AssignedJob>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an idle thread waits for a job. Each one keeps some memory.
const KEPT_IDLE: Duration = Duration::from_secs(2);
