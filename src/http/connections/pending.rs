//! Pending: the connections that have not sent a whole request yet. Each ties up some 20 KiB, and up to
//! 408 KiB (hyper's buffer) while its head grows. Honest ones send their head with the first packets,
//! however many connect at once; so what is bounded is how many of one network are silent, how much those
//! have sent without coming to an end, and how many there are in all.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::listener::accepting::AcceptPlan;
use crate::listener::descriptors::TcpConnection;
use crate::listener::socket_diag::Intake;
use crate::listener::sockets::SocketProbe;

/// Connections without a request.
#[derive(Debug, Default)]
pub(super) struct Pending {
    groups: HashMap<IpAddr, Group>,
    /// When to check which connection; one queue for each of [`LOOKS`].
    looks: [VecDeque<(Instant, PendingKey)>; LOOKS.len()],
    next_serial: u64,
    /// Networks that may be over their limits.
    to_relieve: Vec<IpAddr>,
    /// Networks that recently had many silent connections closed.
    caught: HashMap<IpAddr, ClosedCount>,
}

/// One connection in [`Pending`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingKey {
    network: IpAddr,
    serial: u64,
}

/// The limits of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections in all.
    pub(super) max: usize,
    /// Those older than [`GRACE`].
    pub(super) max_old: usize,
    /// What the heads over [`SMALL_HEAD_BYTES`] have together, in bytes.
    pub(super) max_large_bytes: u64,
    /// How long a connection has for its request while there are too many in all; no other is
    /// accepted until then. A sixth of it for a network that was caught before.
    pub(super) patience: Duration,
}

/// Whether an address belongs to clients or to a listed proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkKind {
    /// A client network, or this host.
    Network,
    /// A listed proxy, whose connections serve many clients.
    ListedProxy,
}

/// The pending connections of one network.
#[derive(Debug)]
struct Group {
    limits: Limits,
    /// By serial number, which is the order in which they came.
    waiting: BTreeMap<u64, PendingConnection>,
    n_old: usize,
    large_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct PendingConnection {
    connection: TcpConnection,
    /// How many bytes of its head were read, if over [`SMALL_HEAD_BYTES`]; else 0.
    large_bytes: u64,
    /// When we are known to have read everything it had sent; since then the client is what we wait
    /// for.
    read_since: Option<Instant>,
    is_old: bool,
}

#[derive(Clone, Copy, Debug)]
struct ClosedCount {
    n_closed: u32,
    last: Instant,
}

impl Pending {
    /// Records an accepted connection.
    pub(super) fn push(
        &mut self,
        network: IpAddr,
        limits: Limits,
        connection: TcpConnection,
    ) -> PendingKey {
        let key = PendingKey { network, serial: self.next_serial };
        self.next_serial += 1;
        let empty = || Group { limits, waiting: BTreeMap::new(), n_old: 0, large_bytes: 0 };
        let group = self.groups.entry(network).or_insert_with(empty);
        let waiting =
            PendingConnection { connection, large_bytes: 0, read_since: None, is_old: false };
        group.waiting.insert(key.serial, waiting);
        if group.waiting.len() > limits.max {
            self.note_full(network);
        }
        if let (Some(queue), Some(delay)) = (self.looks.first_mut(), LOOKS.first()) {
            queue.push_back((connection.since + *delay, key));
        }
        key
    }

    /// Removes a connection that has sent its request or is gone.
    pub(super) fn remove(&mut self, key: PendingKey) {
        let Some(group) = self.groups.get_mut(&key.network) else { return };
        group.remove(key.serial);
        if group.waiting.is_empty() {
            self.groups.remove(&key.network);
        }
    }

    /// Checks the connections that are due, and closes those over the limits.
    pub(super) fn look(&mut self, now: Instant, sockets: &dyn SocketProbe) -> AcceptPlan {
        let mut n_left = MAX_LOOKED_AT;
        for stage in 0..LOOKS.len() {
            while n_left > 0
                && let Some(key) = self.take_due(stage, now)
            {
                n_left -= usize::from(self.look_at(key, stage, now, sockets));
            }
        }
        self.relieve_for_next(now, sockets)
    }

    /// Closes connections over the limits; the plan says whether another may be accepted, and when
    /// to check next.
    pub(super) fn relieve_for_next(
        &mut self,
        now: Instant,
        sockets: &dyn SocketProbe,
    ) -> AcceptPlan {
        let mut plan = self.relieve(now, sockets);
        plan.next_look = if plan.is_full {
            Some(now + PAUSE)
        } else {
            let due = self.looks.iter().filter_map(|queue| queue.front()).map(|(due, _)| *due);
            let again = (!self.to_relieve.is_empty()).then_some(now + RETRY);
            due.chain(again).min().map(|due| due.max(now + PAUSE))
        };
        plan
    }

    /// Closes connections of the networks that were marked as over their limits.
    fn relieve(&mut self, now: Instant, sockets: &dyn SocketProbe) -> AcceptPlan {
        let mut plan = AcceptPlan::default();
        for network in std::mem::take(&mut self.to_relieve) {
            let is_caught = self.is_caught(network, now);
            let Some(group) = self.groups.get_mut(&network) else { continue };
            let patience = group.limits.patience / if is_caught { 6 } else { 1 };
            let n_before = plan.overdue.len();
            group.close_large(&mut plan.overdue);
            group.close_old(now, sockets, &mut plan.overdue);
            group.close_most(now, patience, sockets, &mut plan.overdue);
            let n_closed = plan.overdue.len() - n_before;
            if group.waiting.len() > group.limits.max {
                plan.is_full = true;
                self.to_relieve.push(network);
            } else if group.n_old > group.limits.max_old {
                self.to_relieve.push(network);
            }
            self.note_caught(network, n_closed, now);
        }
        plan
    }

    fn take_due(&mut self, stage: usize, now: Instant) -> Option<PendingKey> {
        let queue = self.looks.get_mut(stage)?;
        queue.front().filter(|(due, _)| *due <= now)?;
        queue.pop_front().map(|(_, key)| key)
    }

    /// Checks one connection; returns whether it still existed.
    fn look_at(
        &mut self,
        key: PendingKey,
        stage: usize,
        now: Instant,
        sockets: &dyn SocketProbe,
    ) -> bool {
        let Some(group) = self.groups.get_mut(&key.network) else { return false };
        let Some(waiting) = group.waiting.get_mut(&key.serial) else { return false };
        let Some(intake) = sockets.intake(&waiting.connection) else {
            self.remove(key);
            return true;
        };
        waiting.note(intake, now);
        let n_read = n_read(intake);
        let large_bytes = if n_read > SMALL_HEAD_BYTES { n_read } else { 0 };
        group.large_bytes = (group.large_bytes + large_bytes).saturating_sub(waiting.large_bytes);
        waiting.large_bytes = large_bytes;
        let is_old = now.saturating_duration_since(waiting.connection.since) >= GRACE;
        group.n_old += usize::from(is_old && !waiting.is_old);
        waiting.is_old |= is_old;
        let limits = group.limits;
        if group.n_old > limits.max_old || group.large_bytes > limits.max_large_bytes {
            self.note_full(key.network);
        }
        let next = (stage + 1).min(LOOKS.len() - 1);
        if let (Some(queue), Some(delay)) = (self.looks.get_mut(next), LOOKS.get(next)) {
            queue.push_back((now + *delay, key));
        }
        true
    }

    fn note_full(&mut self, network: IpAddr) {
        if !self.to_relieve.contains(&network) {
            self.to_relieve.push(network);
        }
    }

    fn is_caught(&self, network: IpAddr, now: Instant) -> bool {
        self.caught.get(&network).is_some_and(|caught| {
            caught.n_closed >= MANY_CLOSED
                && now.saturating_duration_since(caught.last) < REMEMBERED
        })
    }

    fn note_caught(&mut self, network: IpAddr, n_closed: usize, now: Instant) {
        if n_closed == 0 {
            return;
        }
        let is_fresh =
            |caught: &ClosedCount| now.saturating_duration_since(caught.last) < REMEMBERED;
        if self.caught.len() >= MAX_CAUGHT {
            self.caught.retain(|_, caught| is_fresh(caught));
        }
        let known = self.caught.get(&network).copied().filter(is_fresh);
        if known.is_some() || self.caught.len() < MAX_CAUGHT {
            let n_closed = u32::try_from(n_closed).unwrap_or(u32::MAX);
            let n_closed = known.map_or(0, |caught| caught.n_closed).saturating_add(n_closed);
            self.caught.insert(network, ClosedCount { n_closed, last: now });
        }
    }
}

impl Group {
    fn remove(&mut self, serial: u64) -> Option<TcpConnection> {
        let waiting = self.waiting.remove(&serial)?;
        self.n_old -= usize::from(waiting.is_old);
        self.large_bytes = self.large_bytes.saturating_sub(waiting.large_bytes);
        Some(waiting.connection)
    }

    /// Closes the oldest connections with large heads until the rest are within the limit together.
    fn close_large(&mut self, overdue: &mut Vec<TcpConnection>) {
        if self.large_bytes <= self.limits.max_large_bytes {
            return;
        }
        let large = self.waiting.iter().filter(|(_, waiting)| waiting.large_bytes > 0);
        let large: Vec<u64> = large.map(|(serial, _)| *serial).collect();
        for serial in large {
            if self.large_bytes <= self.limits.max_large_bytes {
                break;
            }
            overdue.extend(self.remove(serial));
        }
    }

    /// Closes the oldest connections that have had time to send a request.
    fn close_old(
        &mut self,
        now: Instant,
        sockets: &dyn SocketProbe,
        overdue: &mut Vec<TcpConnection>,
    ) {
        let n_over = self.n_old.saturating_sub(self.limits.max_old);
        self.close_oldest(n_over, now, GRACE, sockets, overdue);
    }

    /// Closes the oldest while there are too many.
    fn close_most(
        &mut self,
        now: Instant,
        patience: Duration,
        sockets: &dyn SocketProbe,
        overdue: &mut Vec<TcpConnection>,
    ) {
        let n_over = self.waiting.len().saturating_sub(self.limits.max);
        self.close_oldest(n_over, now, patience, sockets, overdue);
    }

    fn close_oldest(
        &mut self,
        n: usize,
        now: Instant,
        patience: Duration,
        sockets: &dyn SocketProbe,
        overdue: &mut Vec<TcpConnection>,
    ) {
        if n == 0 {
            return;
        }
        let lag = sockets.lag();
        let is_old = |(_, waiting): &(&u64, &mut PendingConnection)| waiting.age(now) >= patience;
        let oldest = self.waiting.iter_mut().take_while(is_old).take(n + N_EXCUSED);
        let at_fault = oldest.filter_map(|(serial, waiting)| {
            waiting.is_at_fault(now, lag, sockets).then_some(*serial)
        });
        let serials: Vec<u64> = at_fault.take(n).collect();
        overdue.extend(serials.into_iter().filter_map(|serial| self.remove(serial)));
    }
}

impl PendingConnection {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.connection.since)
    }

    /// Whether the client is what we wait for. It is us while nothing that it sent was read, and
    /// for a while after that: what was read may be a request that waits for a worker.
    fn is_at_fault(&mut self, now: Instant, lag: Duration, sockets: &dyn SocketProbe) -> bool {
        let Some(intake) = sockets.intake(&self.connection) else { return true };
        self.note(intake, now);
        let is_unread = intake.unread > 0 && n_read(intake) == 0;
        let excuse = SHORTEST_EXCUSE.max(2 * lag);
        let is_for_long =
            |since: Instant| !is_unread && now.saturating_duration_since(since) >= excuse;
        self.age(now) >= LONGEST_EXCUSE || self.read_since.is_some_and(is_for_long)
    }

    fn note(&mut self, intake: Intake, now: Instant) {
        if self.read_since.is_none() && (intake.unread == 0 || n_read(intake) > 0) {
            self.read_since = Some(now);
        }
    }
}

/// How many bytes were read, as far as is known.
fn n_read(intake: Intake) -> u64 {
    intake.received.map_or(0, |received| received.saturating_sub(intake.unread))
}

impl Limits {
    /// The limits for a network of this kind. Where bytes are not counted, each connection may have
    /// all of hyper's buffer.
    pub(super) fn new(kind: NetworkKind, counts_bytes: bool, is_tls: bool) -> Self {
        let patience = Duration::from_millis(if is_tls { 250 } else { 60 });
        let of_network = Limits {
            max: if counts_bytes { 512 } else { 64 },
            max_old: 32,
            max_large_bytes: 1 << 20,
            patience,
        };
        match kind {
            NetworkKind::Network => of_network,
            NetworkKind::ListedProxy => Limits {
                max: 4 * of_network.max,
                max_old: 8 * of_network.max_old,
                max_large_bytes: 4 * of_network.max_large_bytes,
                patience,
            },
        }
    }
}

/// The intervals between checks of a connection; the last one repeats. What a head grows by between
/// two checks is not counted until the next one.
const LOOKS: [Duration; 9] = [
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
    Duration::from_millis(16),
    Duration::from_millis(30),
    Duration::from_millis(45),
    Duration::from_millis(65),
    Duration::from_millis(85),
    Duration::from_millis(300),
];

/// How long a connection has for its request if its network has more than [`Limits::max_old`]
/// without one.
const GRACE: Duration = Duration::from_millis(250);

/// For how long no connection is closed whose bytes we have not read yet.
const LONGEST_EXCUSE: Duration = Duration::from_secs(10);

/// For how long at least no connection is closed after its bytes were read.
const SHORTEST_EXCUSE: Duration = Duration::from_millis(5);

/// What hyper's first buffer holds; more makes it grow.
const SMALL_HEAD_BYTES: u64 = 8 * 1024;

/// How many excused connections are skipped to find one at fault.
const N_EXCUSED: usize = 16;
/// When to check excused connections again if nothing else triggers a check.
const RETRY: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(1);
const MAX_LOOKED_AT: usize = 128;
const MANY_CLOSED: u32 = 64;
const REMEMBERED: Duration = Duration::from_secs(60);
const MAX_CAUGHT: usize = 10_000;

#[cfg(test)]
mod tests;
