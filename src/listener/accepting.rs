//! Accepting: observes every connection when Rocket accepts it. Rocket has no hook for that, but it
//! accepts only while its future is polled, which we do. We make it accept one connection per poll,
//! which then has the lowest free descriptor number; while it is not polled, connections wait in
//! the kernel, where they cost next to nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::coop;
use tokio::time::Sleep;

use crate::listener::descriptors::TcpConnection;
use crate::listener::sockets::{SocketProbe, Sockets};

/// Decides about connections.
pub trait Reception: Send + Sync {
    /// A connection was accepted.
    fn accepted(&self, connection: TcpConnection, sockets: &dyn SocketProbe) -> AcceptPlan;

    /// Whether this one is known already.
    fn knows(&self, connection: &TcpConnection) -> bool;

    /// The time of the last plan's next check has come.
    fn look(&self, now: Instant, sockets: &dyn SocketProbe) -> AcceptPlan;
}

/// What to do about connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AcceptPlan {
    /// Connections to shut down.
    pub overdue: Vec<TcpConnection>,
    /// Whether to accept no more before the next check.
    pub is_full: bool,
    /// When to check next; `None`: after the next one is accepted.
    pub next_look: Option<Instant>,
}

/// Rocket's future, polled so that connections are observed.
pub struct Accepting<F> {
    inner: F,
    reception: Arc<dyn Reception>,
    sockets: Arc<OnceLock<Sockets>>,
    /// Tokio's budget of operations per poll; `None` if it does not limit them.
    n_units: Option<u32>,
    /// The number of polls in a row that left no budget for the inner future.
    n_starved: u32,
    next_look: Option<Instant>,
    is_full: bool,
    timer: Pin<Box<Sleep>>,
    /// Descriptors that were shut down and will be free soon.
    closing: BTreeSet<i32>,
}

impl<F: Future + Unpin> Accepting<F> {
    /// Observes connections once `sockets` is set, which happens when the port is open.
    pub async fn new(
        inner: F,
        reception: Arc<dyn Reception>,
        sockets: Arc<OnceLock<Sockets>>,
    ) -> Self {
        // A new poll, with its full budget.
        tokio::task::yield_now().await;
        let n_units = std::future::poll_fn(|cx| Poll::Ready(use_up(cx, MAX_UNITS))).await;
        Accepting {
            inner,
            reception,
            sockets,
            n_units: (n_units < MAX_UNITS).then_some(n_units),
            n_starved: 0,
            next_look: None,
            is_full: false,
            timer: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            closing: BTreeSet::new(),
        }
    }

    /// Checks if that is due, and sets the timer.
    fn look(&mut self, sockets: &Sockets, cx: &mut Context<'_>) {
        while let Some(due) = self.next_look {
            if self.timer.deadline().into_std() != due {
                self.timer.as_mut().reset(due.into());
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return;
            }
            self.next_look = None;
            let plan = self.reception.look(Instant::now(), sockets);
            self.follow(plan, sockets);
        }
    }

    fn follow(&mut self, plan: AcceptPlan, sockets: &Sockets) {
        self.is_full = plan.is_full;
        self.next_look = match (self.next_look, plan.next_look) {
            (Some(before), Some(next)) => Some(before.min(next)),
            (before, next) => before.or(next),
        };
        for connection in &plan.overdue {
            tracing::debug!(client = %connection.peer, "closed before its first request");
            if let Err(error) = sockets.shut_down(connection) {
                tracing::debug!(%error, client = %connection.peer, "it was gone already");
            }
            self.closing.insert(connection.number);
        }
        while self.closing.len() > MAX_CLOSING {
            self.closing.pop_last();
        }
    }

    /// The connection that was accepted when `number` was the lowest free descriptor. Meanwhile
    /// another thread may have taken that, or closed a lower one (a connection that was shut down,
    /// or a file); those are searched if they are few. A connection missed here is found by the
    /// scan for silent connections, or by its first request.
    fn fresh(&mut self, sockets: &Sockets, number: i32, since: Instant) -> Option<TcpConnection> {
        let lower = self.closing.range(..number).copied().take(N_LOWER);
        let near = number.saturating_add(1)..number.saturating_add(1 + N_HIGHER);
        let all_lower = 0..number.min(MAX_SEARCHED);
        let likely = std::iter::once(number).chain(lower).chain(near);
        let found = likely.chain(all_lower).find_map(|number| {
            let found = sockets.descriptors().connection(number, since);
            found.filter(|connection| !self.reception.knows(connection))
        });
        if let Some(connection) = &found {
            self.closing.remove(&connection.number);
        }
        found
    }
}

impl<F: Future + Unpin> Future for Accepting<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let known = Arc::clone(&this.sockets);
        let (Some(sockets), Some(n_units)) = (known.get(), this.n_units) else {
            return Pin::new(&mut this.inner).poll(cx);
        };
        this.look(sockets, cx);
        if this.is_full && this.next_look.is_some() {
            return Poll::Pending;
        }
        // Other futures may have used part of the budget; if that happens again and again, it is
        // better to accept unobserved than not at all.
        if this.n_starved < MAX_STARVED {
            use_up(cx, n_units.saturating_sub(1));
        }
        if !coop::has_budget_remaining() {
            this.n_starved += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.n_starved = 0;
        let (since, number) = (Instant::now(), sockets.descriptors().lowest_free());
        let polled = Pin::new(&mut this.inner).poll(cx);
        // Accepting has used the rest of the budget.
        if !coop::has_budget_remaining()
            && let Some(connection) = number.and_then(|number| this.fresh(sockets, number, since))
        {
            let plan = this.reception.accepted(connection, sockets);
            this.follow(plan, sockets);
            // The timer is set at the next poll.
            cx.waker().wake_by_ref();
        }
        polled
    }
}

/// Uses up to `most` of the budget left in this poll; returns how many.
fn use_up(cx: &mut Context<'_>, most: u32) -> u32 {
    let mut n_used = 0;
    while n_used < most && coop::has_budget_remaining() {
        if std::pin::pin!(coop::consume_budget()).poll(cx).is_pending() {
            break;
        }
        n_used += 1;
    }
    n_used
}

impl<F> fmt::Debug for Accepting<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accepting")
    }
}

const MAX_UNITS: u32 = 4096;
const MAX_STARVED: u32 = 4;
/// How many higher numbers to try, if another thread has taken the number.
const N_HIGHER: i32 = 2;
/// How many lower numbers to try, if another thread has closed one.
const N_LOWER: usize = 12;
const MAX_CLOSING: usize = 1024;
/// Four system calls each, but rare.
const MAX_SEARCHED: i32 = 256;
