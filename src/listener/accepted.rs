//! Accepted: the connections that the process holds, found among its own descriptors. Rocket has no
//! timeout for a request's head, closes no silent connection, and cannot be given connections; but
//! a socket can be shut down through a duplicate of its descriptor, and Rocket then sees a
//! disconnected client.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::listener::descriptors::{Descriptors, TcpConnection, inode_in};

/// The connections to one of our ports, as of the last scan.
#[derive(Debug)]
pub struct AcceptedConnections {
    descriptors: Arc<Descriptors>,
    /// By inode. `None`: an unrelated socket, not to be examined again.
    sockets: HashMap<u64, Option<TcpConnection>>,
}

impl AcceptedConnections {
    /// Nothing has been scanned yet.
    #[must_use]
    pub fn new(descriptors: Arc<Descriptors>) -> Self {
        AcceptedConnections { descriptors, sockets: HashMap::new() }
    }

    /// Scans the descriptors. Blocking; a known socket costs one call.
    pub fn look(&mut self) -> io::Result<()> {
        let mut seen = HashMap::with_capacity(self.sockets.len());
        for entry in std::fs::read_dir("/proc/self/fd")? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // A descriptor that was closed meanwhile is ignored.
            let Ok(target) = std::fs::read_link(entry.path()) else { continue };
            let Some(inode) = target.to_str().and_then(inode_in) else { continue };
            let socket = match self.sockets.get(&inode) {
                Some(known) => *known,
                // A short-lived duplicate of it, or closed meanwhile.
                None if self.descriptors.inode(number) != Some(inode) => continue,
                None => {
                    let found = self.descriptors.connection(number, Instant::now());
                    found.filter(|it| it.inode == inode)
                }
            };
            seen.insert(inode, socket);
        }
        self.sockets = seen;
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &TcpConnection> {
        self.sockets.values().flatten()
    }

    /// Whether it existed at the last scan.
    #[must_use]
    pub fn holds(&self, connection: &TcpConnection) -> bool {
        self.sockets.contains_key(&connection.inode)
    }

    /// Those of `peers` whose connections are closed. Blocking; a known one costs two calls.
    pub fn gone(&mut self, peers: &[SocketAddr]) -> io::Result<Vec<SocketAddr>> {
        let missing = self.not_held(peers);
        if missing.is_empty() {
            return Ok(missing);
        }
        // Or not scanned yet; or another connection from the same port.
        self.look()?;
        Ok(self.not_held(&missing))
    }

    fn not_held(&self, peers: &[SocketAddr]) -> Vec<SocketAddr> {
        let known: HashMap<SocketAddr, &TcpConnection> =
            self.iter().map(|connection| (connection.peer, connection)).collect();
        let is_held =
            |peer: &SocketAddr| known.get(peer).is_some_and(|it| self.descriptors.is_open(it));
        peers.iter().copied().filter(|peer| !is_held(peer)).collect()
    }

    /// Shuts it down: its owner reads EOF, and closes it.
    pub fn shut_down(&self, connection: &TcpConnection) -> io::Result<()> {
        self.descriptors.shut_down(connection)
    }

    /// Aborts one whose peer is gone.
    pub fn give_up(&self, connection: &TcpConnection) -> io::Result<()> {
        self.descriptors.give_up(connection)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed fixture is a failed test")]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn what_is_looked_at_meanwhile_is_not_taken_for_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let descriptors = Arc::new(Descriptors::new(address.port()).unwrap());
        let clients: Vec<TcpStream> =
            (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
        let accepted: Vec<TcpStream> =
            clients.iter().map(|_| listener.accept().unwrap().0).collect();
        let peers: Vec<SocketAddr> = clients.iter().map(|it| it.local_addr().unwrap()).collect();
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    for socket in &accepted {
                        let found = descriptors.connection(socket.as_raw_fd(), Instant::now());
                        assert!(found.is_some());
                    }
                }
            });
            let mut gone = Vec::new();
            for _ in 0..500 {
                let mut all = AcceptedConnections::new(Arc::clone(&descriptors));
                gone.extend(all.gone(&peers).unwrap());
                // The result stays valid when the duplicates are closed.
                gone.extend(all.gone(&peers).unwrap());
            }
            is_done.store(true, Ordering::Relaxed);
            assert_eq!(gone, []);
        });
        drop(accepted);
        assert_eq!(AcceptedConnections::new(descriptors).gone(&peers).unwrap(), peers);
    }
}
