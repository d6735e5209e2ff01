//! Outlet: whether a client takes what it is given. Rocket's server takes up to 400 KiB of an answer into
//! a queue of its own, also where the client has stopped reading, and does not say how much is in there.
//! But while the kernel has room for the connection, that queue has been written out.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::http::connections::Connections;
use crate::listener::descriptors::{Descriptors, TcpConnection};

/// The way to one client.
#[derive(Debug)]
pub struct Outlet {
    connections: Arc<Connections>,
    descriptors: Arc<OnceLock<Arc<Descriptors>>>,
    peer: Option<SocketAddr>,
    connection: Option<TcpConnection>,
}

impl Outlet {
    /// The way to `peer`. Without one, or where connections cannot be looked at, there is always room.
    #[must_use]
    pub fn new(
        connections: Arc<Connections>,
        descriptors: Arc<OnceLock<Arc<Descriptors>>>,
        peer: Option<SocketAddr>,
    ) -> Self {
        Outlet { connections, descriptors, peer, connection: None }
    }

    /// Waits until what was given has left for the kernel, and it would take more; returns for how long
    /// that was. Cancel-safe.
    pub async fn room(&mut self) -> Duration {
        // What was given is written when this waits.
        yield_now().await;
        if self.has_room() {
            return Duration::ZERO;
        }
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        while !self.has_room() {
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
        begun.elapsed()
    }

    fn has_room(&mut self) -> bool {
        let (Some(descriptors), Some(peer)) = (self.descriptors.get(), self.peer) else {
            return true;
        };
        // One that was missed when it was accepted becomes known a little later.
        self.connection = self.connection.or_else(|| self.connections.of(peer));
        self.connection.is_none_or(|connection| descriptors.has_room(&connection))
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// As late may be noticed that a client reads again.
const LAST_PAUSE: Duration = Duration::from_millis(128);
