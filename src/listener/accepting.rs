//! Accepting: sees every connection at the moment at which Rocket accepts it. Rocket has no hook for
//! that, but it accepts only while its future is polled, and the future is ours to poll. It is made to
//! accept one connection a poll, which has then got the lowest number that was free; and while it is
//! not polled, connections wait in the kernel, where they cost next to nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::coop;
use tokio::time::Sleep;

use crate::listener::descriptors::Connection;
use crate::listener::sockets::{Look, Sockets};

/// Decides about connections.
pub trait Reception: Send + Sync {
    /// One was accepted.
    fn accepted(&self, connection: Connection, sockets: &dyn Look) -> Plan;

    /// Whether this one was accepted before.
    fn knows(&self, connection: &Connection) -> bool;

    /// The time of the last plan has come.
    fn look(&self, now: Instant, sockets: &dyn Look) -> Plan;
}

/// What is to be done about connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// These are to be shut down.
    pub overdue: Vec<Connection>,
    /// None is to be accepted before the next look.
    pub is_full: bool,
    /// When to look next; none: after the next one is accepted.
    pub next_look: Option<Instant>,
}

/// Rocket's future, polled so that connections are seen.
pub struct Accepting<F> {
    inner: F,
    reception: Arc<dyn Reception>,
    sockets: Arc<OnceLock<Sockets>>,
    /// How many operations tokio lets a task do in one poll; none if it does not limit them.
    n_units: Option<u32>,
    /// The polls in a row that have left nothing to the inner future.
    n_starved: u32,
    next_look: Option<Instant>,
    is_full: bool,
    timer: Pin<Box<Sleep>>,
    /// Descriptors that were shut down, and will be free some time.
    closing: BTreeSet<i32>,
}

impl<F: Future + Unpin> Accepting<F> {
    /// Sees connections as soon as `sockets` are known, which they are when the port is open.
    pub async fn new(
        inner: F,
        reception: Arc<dyn Reception>,
        sockets: Arc<OnceLock<Sockets>>,
    ) -> Self {
        // A new poll, of which nothing is used up.
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

    /// Looks if it is time to, and sets the timer.
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

    fn follow(&mut self, plan: Plan, sockets: &Sockets) {
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

    /// The connection that was accepted when `number` was the lowest that was free. Meanwhile another
    /// thread may have taken that, or let go of a lower one: one that we have shut down, or a file; those
    /// are looked through where they are few. What is missed here is found by the look at silent
    /// connections, or by its first request.
    fn fresh(&mut self, sockets: &Sockets, number: i32, since: Instant) -> Option<Connection> {
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
        // Others may have used something up in this poll; if that is so again and again, it is better
        // to accept unseen than not at all.
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
        // Accepting has taken the last operation.
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

/// Uses up to `most` of the operations that are left in this poll; returns how many it were.
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
/// Where another thread has taken the number.
const N_HIGHER: i32 = 2;
/// Where another thread has let go of a lower one.
const N_LOWER: usize = 12;
const MAX_CLOSING: usize = 1024;
/// Four system calls each, and seldom.
const MAX_SEARCHED: i32 = 256;
