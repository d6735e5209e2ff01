//! Connections: which of them speak, and since when they are silent. Rocket tells of a connection
//! only with its requests, and closes none that has nothing to say.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The connections that have sent a request.
#[derive(Debug, Default)]
pub struct Connections {
    all: Mutex<HashMap<SocketAddr, Talk>>,
}

#[derive(Debug)]
struct Talk {
    last: Instant,
    n_streams: usize,
}

/// A stream is under way: its connection is not silent, however quiet the log.
#[derive(Debug)]
#[must_use = "the connection counts as silent once its guard is dropped"]
pub struct StreamGuard {
    connections: Arc<Connections>,
    peer: SocketAddr,
}

impl Connections {
    /// Notes a request; returns whether it is the connection's first.
    pub fn note_request(&self, peer: SocketAddr) -> bool {
        let now = Instant::now();
        let mut all = self.lock();
        if all.len() >= MAX_CONNECTIONS {
            all.retain(|_, talk| talk.n_streams > 0 || now - talk.last < LOOK_SLACK);
        }
        let is_new = !all.contains_key(&peer);
        all.entry(peer).or_insert(Talk { last: now, n_streams: 0 }).last = now;
        is_new
    }

    /// Notes a stream.
    pub fn stream(self: &Arc<Self>, peer: SocketAddr) -> StreamGuard {
        let now = Instant::now();
        self.lock().entry(peer).or_insert(Talk { last: now, n_streams: 0 }).n_streams += 1;
        StreamGuard { connections: Arc::clone(self), peer }
    }

    /// Whether a connection that was accepted at `accepted` has been silent for too long: it has
    /// sent no whole request, or none for a long while.
    #[must_use]
    pub fn is_overdue(&self, peer: SocketAddr, accepted: Instant) -> bool {
        match self.lock().get(&peer) {
            None => accepted.elapsed() > REQUEST_LIMIT,
            Some(talk) => talk.n_streams == 0 && talk.last.elapsed() > SILENCE_LIMIT,
        }
    }

    /// Forgets those that are gone.
    pub fn retain(&self, is_there: impl Fn(&SocketAddr) -> bool) {
        let now = Instant::now();
        // One that came after the look is not among those that were seen.
        self.lock().retain(|peer, talk| {
            talk.n_streams > 0 || now - talk.last < LOOK_SLACK || is_there(peer)
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Talk>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        if let Some(talk) = self.connections.lock().get_mut(&self.peer) {
            talk.n_streams = talk.n_streams.saturating_sub(1);
            talk.last = Instant::now();
        }
    }
}

/// From the connection to the end of its first request's head.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// From one request to the next. Longer than proxies keep theirs (nginx: 60 s).
pub const SILENCE_LIMIT: Duration = Duration::from_secs(75);

/// More than there can be descriptors for; reached only where nobody looks which are gone.
const MAX_CONNECTIONS: usize = 100_000;

const LOOK_SLACK: Duration = Duration::from_secs(5);
