//! Departures: noticing that a client has left while its response is still being prepared. Rocket
//! runs a route to its end whether or not the client waits for it, and polls a stream without
//! checking its connection; but the connection itself is closed at once, and that can be seen from
//! outside.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The clients that are watched for a disconnect.
#[derive(Debug, Default)]
pub struct Departures {
    watched: Mutex<HashMap<SocketAddr, Watched>>,
    /// Wakes the watcher when a client is added. Holds one permit.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Watched {
    n_waiting: usize,
    has_left: CancellationToken,
}

/// A client is watched for as long as this is held.
struct WatchedGuard<'a> {
    departures: &'a Departures,
    peer: SocketAddr,
    has_left: CancellationToken,
}

impl Departures {
    /// The result of `work`; `None` if the client disconnects first. The work is dropped then.
    pub async fn unless_left<T>(
        &self,
        peer: Option<SocketAddr>,
        work: impl Future<Output = T> + Send,
    ) -> Option<T> {
        let mut work = Box::pin(work);
        let Some(peer) = peer else { return Some(work.await) };
        // Fast work is not worth a check of the socket.
        if let Ok(done) = timeout(PATIENCE, &mut work).await {
            return Some(done);
        }
        let guard = self.watch(peer);
        guard.has_left.run_until_cancelled(work).await
    }

    /// Waits until there are clients to watch, and returns them. Cancel-safe.
    pub async fn watched(&self) -> Vec<SocketAddr> {
        loop {
            let peers: Vec<SocketAddr> = self.lock().keys().copied().collect();
            if !peers.is_empty() {
                return peers;
            }
            self.changed.notified().await;
        }
    }

    /// Records that these have disconnected.
    pub fn note(&self, peers: &[SocketAddr]) {
        let watched = self.lock();
        peers.iter().filter_map(|peer| watched.get(peer)).for_each(|it| it.has_left.cancel());
    }

    fn watch(&self, peer: SocketAddr) -> WatchedGuard<'_> {
        let has_left = {
            let mut watched = self.lock();
            let watched = watched.entry(peer).or_default();
            watched.n_waiting += 1;
            watched.has_left.clone()
        };
        self.changed.notify_one();
        WatchedGuard { departures: self, peer, has_left }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WatchedGuard<'_> {
    fn drop(&mut self) {
        let mut all = self.departures.lock();
        if let Some(watched) = all.get_mut(&self.peer) {
            watched.n_waiting -= 1;
            if watched.n_waiting == 0 {
                all.remove(&self.peer);
            }
        }
    }
}

/// A response that takes longer than this is abandoned when its client disconnects.
const PATIENCE: Duration = Duration::from_millis(50);
