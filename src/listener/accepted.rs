//! Accepted: the connections that the process holds, found among its own descriptors. Rocket sets no
//! time for a request's head and closes no connection that is silent, and it takes no connection
//! from outside; but a socket can be shut down through another descriptor of it, and Rocket then
//! sees that its client has left.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::listener::descriptors::{Connection, Descriptors};

/// The connections to one port of ours, as they were at the last look.
#[derive(Debug)]
pub struct Accepted {
    descriptors: Arc<Descriptors>,
    /// By inode. None: some other socket, not to be looked at again.
    sockets: HashMap<u64, Option<Connection>>,
}

impl Accepted {
    /// None was looked for yet.
    #[must_use]
    pub fn new(descriptors: Arc<Descriptors>) -> Self {
        Accepted { descriptors, sockets: HashMap::new() }
    }

    /// Looks which there are. Blocking; a socket that is known costs one call.
    pub fn look(&mut self) -> io::Result<()> {
        let mut seen = HashMap::with_capacity(self.sockets.len());
        for entry in std::fs::read_dir("/proc/self/fd")? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // A descriptor that is closed meanwhile is as good as none.
            let Ok(target) = std::fs::read_link(entry.path()) else { continue };
            let Some(inode) = target.to_str().and_then(socket_inode) else { continue };
            let known = self.sockets.get(&inode).copied();
            let found = || self.descriptors.connection(number, Instant::now());
            let found = || found().filter(|it| it.inode == inode);
            seen.insert(inode, known.unwrap_or_else(found));
        }
        self.sockets = seen;
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.sockets.values().flatten()
    }

    /// Whether one was there at the last look.
    #[must_use]
    pub fn holds(&self, connection: &Connection) -> bool {
        self.sockets.contains_key(&connection.inode)
    }

    /// Those of `peers` whose connections are closed. Blocking; who is known costs two calls.
    pub fn gone(&mut self, peers: &[SocketAddr]) -> io::Result<Vec<SocketAddr>> {
        let missing = self.not_held(peers);
        if missing.is_empty() {
            return Ok(missing);
        }
        // Or not known yet; or another connection from the same port.
        self.look()?;
        Ok(self.not_held(&missing))
    }

    fn not_held(&self, peers: &[SocketAddr]) -> Vec<SocketAddr> {
        let known: HashMap<SocketAddr, &Connection> =
            self.iter().map(|connection| (connection.peer, connection)).collect();
        let is_held =
            |peer: &SocketAddr| known.get(peer).is_some_and(|it| self.descriptors.is_open(it));
        peers.iter().copied().filter(|peer| !is_held(peer)).collect()
    }

    /// Shuts one down: its owner reads the end, and closes it.
    pub fn shut_down(&self, connection: &Connection) -> io::Result<()> {
        self.descriptors.shut_down(connection)
    }

    /// Ends one whose peer is gone.
    pub fn give_up(&self, connection: &Connection) -> io::Result<()> {
        self.descriptors.give_up(connection)
    }
}

/// `socket:[4711]`
fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
