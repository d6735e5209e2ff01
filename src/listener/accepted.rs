//! Accepted: the connections that the process holds, found among its own descriptors. Rocket sets no
//! time for a request's head and closes no connection that is silent, and it takes no connection
//! from outside; but a socket can be shut down through another descriptor of it, and Rocket then
//! sees that its client has left.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::listener::descriptors::{Connection, Descriptors, inode_in};

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
            let Some(inode) = target.to_str().and_then(inode_in) else { continue };
            let socket = match self.sockets.get(&inode) {
                Some(known) => *known,
                // Another descriptor of it that somebody had for a moment, or closed meanwhile.
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
                let mut all = Accepted::new(Arc::clone(&descriptors));
                gone.extend(all.gone(&peers).unwrap());
                // What was learned stays true when the other descriptors are closed.
                gone.extend(all.gone(&peers).unwrap());
            }
            is_done.store(true, Ordering::Relaxed);
            assert_eq!(gone, []);
        });
        drop(accepted);
        assert_eq!(Accepted::new(descriptors).gone(&peers).unwrap(), peers);
    }
}
