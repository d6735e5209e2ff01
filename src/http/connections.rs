//! Connections: which there are, which of them speak, and since when they are silent. Rocket
//! shows a connection only with its requests, and closes none that is idle; the listener reports each
//! one as it is accepted.

mod pending;
mod proxied_requests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::NetworkConfig;
use crate::http::admission::ConnectionRate;
use crate::http::connections::pending::{Limits, NetworkKind, Pending, PendingKey};
use crate::http::connections::proxied_requests::ProxiedRequests;
use crate::http::host;
use crate::listener::accepted::AcceptedConnections;
use crate::listener::accepting::{AcceptPlan, Reception};
use crate::listener::descriptors::TcpConnection;
use crate::listener::sockets::SocketProbe;

pub use crate::http::connections::proxied_requests::ProxiedRequestGuard;

/// The connections of this server.
#[derive(Debug)]
pub struct Connections {
    all: Mutex<All>,
    network: Arc<NetworkConfig>,
    rate: ConnectionRate,
    proxied_requests: Arc<ProxiedRequests>,
    is_tls: bool,
}

#[derive(Debug, Default)]
struct All {
    activities: HashMap<SocketAddr, Activity>,
    /// By descriptor: a reused number means that the connection before it has ended.
    held: HashMap<i32, TcpConnection>,
    n_held: HashMap<IpAddr, usize>,
    pending: Pending,
    counts_bytes: bool,
    /// When each address was last checked for connections that are gone.
    counted: Option<Instant>,
}

#[derive(Debug)]
struct Activity {
    /// `None` if the connection was not seen when it was accepted.
    connection: Option<TcpConnection>,
    last: Instant,
    has_sent_request: bool,
    n_streams: usize,
    excess: Option<Excess>,
    pending: Option<PendingKey>,
}

/// Why the requests of a connection are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Its address connects too fast.
    Rate,
    /// Its address has too many.
    Number,
}

/// A stream is under way: its connection is not silent, however quiet the log.
#[derive(Debug)]
#[must_use = "the connection counts as silent once its guard is dropped"]
pub struct StreamGuard {
    connections: Arc<Connections>,
    peer: SocketAddr,
    /// None where it is not known.
    inode: Option<u64>,
}

impl Connections {
    /// With the limits of `network`. Over TLS a connection needs longer to send its first request.
    #[must_use]
    pub fn new(network: Arc<NetworkConfig>, is_tls: bool) -> Arc<Self> {
        let rate = ConnectionRate::new(network.max_connections_per_second);
        let proxied_requests = ProxiedRequests::new(network.max_connections_per_address);
        Arc::new(Connections { all: Mutex::default(), network, rate, proxied_requests, is_tls })
    }

    /// Counts a request of a client behind a listed proxy; `None` if it has as many in progress as
    /// it may have connections.
    #[must_use]
    pub fn admit_proxied(&self, client: IpAddr) -> Option<ProxiedRequestGuard> {
        self.proxied_requests.take(client)
    }

    /// Records a request; returns why it has to be refused, if so.
    pub fn note_request(&self, peer: SocketAddr) -> Option<Excess> {
        let now = Instant::now();
        let mut all = self.lock();
        if all.activities.len() >= MAX_CONNECTIONS {
            all.activities
                .retain(|_, activity| activity.n_streams > 0 || now - activity.last < LOOK_SLACK);
        }
        if !all.activities.contains_key(&peer) {
            // It was not seen when it was accepted.
            let excess = self.limited(peer).and_then(|address| self.excess(&all, address));
            all.activities.insert(peer, Activity { excess, ..Activity::new(None, now) });
        }
        let activity = all.activities.get_mut(&peer)?;
        activity.last = now;
        activity.has_sent_request = true;
        let (excess, pending) = (activity.excess, activity.pending.take());
        if let Some(key) = pending {
            all.pending.remove(key);
        }
        excess
    }

    /// Records a stream.
    pub fn stream(self: &Arc<Self>, peer: SocketAddr) -> StreamGuard {
        let now = Instant::now();
        let mut all = self.lock();
        let activity = all.activities.entry(peer).or_insert_with(|| Activity::new(None, now));
        activity.n_streams += 1;
        StreamGuard { connections: Arc::clone(self), peer, inode: activity.inode() }
    }

    /// The connection of a client that has sent a request; `None` if it was not seen.
    #[must_use]
    pub fn of(&self, peer: SocketAddr) -> Option<TcpConnection> {
        self.lock().activities.get(&peer).and_then(|activity| activity.connection)
    }

    /// Whether a connection has been silent for too long: it has sent no whole request, or no
    /// further one for a long time.
    #[must_use]
    pub fn is_overdue(&self, connection: &TcpConnection) -> bool {
        match self
            .lock()
            .activities
            .get(&connection.peer)
            .filter(|activity| activity.has_sent_request)
        {
            None => connection.since.elapsed() > REQUEST_LIMIT,
            Some(activity) => activity.n_streams == 0 && activity.last.elapsed() > SILENCE_LIMIT,
        }
    }

    /// Applies a scan of all connections: removes those that are gone, and adds those that were
    /// missed when they were accepted.
    pub fn reconcile(&self, accepted: &AcceptedConnections) {
        let now = Instant::now();
        let is_new = |since: Instant| now.saturating_duration_since(since) < LOOK_SLACK;
        let mut all = self.lock();
        // A connection accepted after the scan is not part of it.
        let gone = |held: &&TcpConnection| !is_new(held.since) && !accepted.holds(held);
        let gone: Vec<TcpConnection> = all.held.values().filter(gone).copied().collect();
        for connection in &gone {
            self.forget(&mut all, connection);
        }
        for connection in accepted.iter() {
            if all.held.get(&connection.number).is_none_or(|held| held.inode != connection.inode) {
                self.hold(&mut all, *connection);
                self.note_found(&mut all, connection);
            }
        }
        let inodes: std::collections::HashSet<u64> =
            all.held.values().map(|connection| connection.inode).collect();
        all.activities.retain(|_, activity| {
            activity.n_streams > 0
                || is_new(activity.last)
                || activity.inode().is_some_and(|inode| inodes.contains(&inode))
        });
    }

    /// Adds a connection that was missed when it was accepted.
    fn note_found(&self, all: &mut All, connection: &TcpConnection) {
        let activity = Activity::new(Some(*connection), connection.since);
        let activity = all.activities.entry(connection.peer).or_insert(activity);
        activity.connection = Some(*connection);
        if !activity.has_sent_request && activity.pending.is_none() {
            let (network, limits) = self.limits(connection, all.counts_bytes);
            activity.pending = Some(all.pending.push(network, limits, *connection));
        }
    }

    fn limits(&self, connection: &TcpConnection, counts_bytes: bool) -> (IpAddr, Limits) {
        let address = connection.peer.ip();
        let kind =
            if self.is_listed(address) { NetworkKind::ListedProxy } else { NetworkKind::Network };
        (host::network_of(address), Limits::new(kind, counts_bytes, self.is_tls))
    }

    fn is_listed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.network.trusted_proxies.iter().any(|net| host::holds(net, address))
    }

    fn hold(&self, all: &mut All, connection: TcpConnection) {
        if let Some(before) = all.held.get(&connection.number).copied() {
            self.forget(all, &before);
        }
        all.held.insert(connection.number, connection);
        if let Some(address) = self.limited(connection.peer) {
            *all.n_held.entry(address).or_default() += 1;
        }
    }

    fn forget(&self, all: &mut All, connection: &TcpConnection) {
        all.held.remove(&connection.number);
        if all
            .activities
            .get(&connection.peer)
            .is_none_or(|activity| activity.inode() == Some(connection.inode))
        {
            let activity = all.activities.remove(&connection.peer);
            if let Some(key) = activity.and_then(|activity| activity.pending) {
                all.pending.remove(key);
            }
        }
        let Some(address) = self.limited(connection.peer) else { return };
        if let Some(n_held) = all.n_held.get_mut(&address) {
            *n_held -= 1;
            if *n_held == 0 {
                all.n_held.remove(&address);
            }
        }
    }

    fn excess(&self, all: &All, address: IpAddr) -> Option<Excess> {
        let n_held = all.n_held.get(&address).copied().unwrap_or_default();
        let is_full = n_held >= self.network.max_connections_per_address;
        let is_too_fast = !self.rate.take(address);
        is_full.then_some(Excess::Number).or(is_too_fast.then_some(Excess::Rate))
    }

    /// Checks which connections of an address at its limit still exist. Most that are gone are
    /// known to be, as their descriptors were reused; the rest is checked now and then.
    fn recount(&self, all: &mut All, address: IpAddr, now: Instant, sockets: &dyn SocketProbe) {
        let n_held = all.n_held.get(&address).copied().unwrap_or_default();
        let is_due = all.counted.is_none_or(|counted| now - counted > COUNT_PAUSE);
        if n_held >= self.network.max_connections_per_address && is_due {
            all.counted = Some(now);
            let own = all.held.values().filter(|held| self.limited(held.peer) == Some(address));
            let gone: Vec<TcpConnection> =
                own.filter(|held| !sockets.is_open(held)).copied().collect();
            for connection in &gone {
                self.forget(all, connection);
            }
        }
    }

    /// The address that the limits count by; `None` for a listed proxy, or this host.
    fn limited(&self, peer: SocketAddr) -> Option<IpAddr> {
        let address = peer.ip().to_canonical();
        let is_limited = !address.is_loopback() && !self.is_listed(address);
        is_limited.then(|| host::network_of(address))
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reception for Connections {
    fn accepted(&self, connection: TcpConnection, sockets: &dyn SocketProbe) -> AcceptPlan {
        let now = Instant::now();
        let mut all = self.lock();
        all.counts_bytes = sockets.counts_bytes();
        // Its first request may have been handled before we saw it accepted.
        let is_early = |activity: &&mut Activity| {
            activity.has_sent_request && activity.last >= connection.since
        };
        if let Some(activity) = all.activities.get_mut(&connection.peer).filter(is_early) {
            activity.connection = Some(connection);
            self.hold(&mut all, connection);
            return AcceptPlan::default();
        }
        if let Some(before) = all.held.get(&connection.number).copied() {
            self.forget(&mut all, &before);
        }
        let address = self.limited(connection.peer);
        if let Some(address) = address {
            self.recount(&mut all, address, now, sockets);
        }
        let excess = address.and_then(|address| self.excess(&all, address));
        self.hold(&mut all, connection);
        let (network, limits) = self.limits(&connection, all.counts_bytes);
        let pending = Some(all.pending.push(network, limits, connection));
        let activity = Activity { excess, pending, ..Activity::new(Some(connection), now) };
        let before = all.activities.insert(connection.peer, activity);
        if let Some(key) = before.and_then(|activity| activity.pending) {
            all.pending.remove(key);
        }
        all.pending.relieve_for_next(now, sockets)
    }

    fn knows(&self, connection: &TcpConnection) -> bool {
        let all = self.lock();
        all.held.get(&connection.number).is_some_and(|held| held.inode == connection.inode)
    }

    fn look(&self, now: Instant, sockets: &dyn SocketProbe) -> AcceptPlan {
        self.lock().pending.look(now, sockets)
    }
}

impl Activity {
    fn new(connection: Option<TcpConnection>, now: Instant) -> Self {
        let (has_sent_request, n_streams, excess, pending) = (false, 0, None, None);
        Activity { connection, last: now, has_sent_request, n_streams, excess, pending }
    }

    fn inode(&self) -> Option<u64> {
        self.connection.map(|connection| connection.inode)
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut all = self.connections.lock();
        let own = |activity: &&mut Activity| self.inode.is_none() || activity.inode() == self.inode;
        if let Some(activity) = all.activities.get_mut(&self.peer).filter(own) {
            activity.n_streams = activity.n_streams.saturating_sub(1);
            activity.last = Instant::now();
        }
    }
}

/// From the connection to the end of its first request's head.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// From one request to the next. Longer than proxies keep theirs (nginx: 60 s).
pub const SILENCE_LIMIT: Duration = Duration::from_secs(75);

/// More than there can be descriptors for; reached only where connections that are gone go
/// unnoticed.
const MAX_CONNECTIONS: usize = 100_000;

const LOOK_SLACK: Duration = Duration::from_secs(5);
const COUNT_PAUSE: Duration = Duration::from_millis(50);
