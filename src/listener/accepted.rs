//! Accepted: the connections that the process holds, found among its own descriptors. Rocket sets no
//! time for a request's head and closes no connection that is silent, and it takes no connection
//! from outside; but a socket can be shut down through another descriptor of it, and Rocket then
//! sees that its client has left.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::fs::fstat;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, RawPid, getpid, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// The connections to one port of ours, as they were at the last look.
#[derive(Debug)]
pub struct Accepted {
    own: OwnedFd,
    port: u16,
    /// By inode. None: some other socket, not to be looked at again.
    sockets: HashMap<u64, Option<Connection>>,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its descriptor.
    number: RawPid,
    inode: u64,
    /// The other end.
    pub peer: SocketAddr,
    /// When it was first seen; it was accepted at most one look earlier.
    pub since: Instant,
}

impl Accepted {
    /// The connections to `port`; none was looked for yet.
    pub fn new(port: u16) -> io::Result<Self> {
        let own = pidfd_open(getpid(), PidfdFlags::empty())?;
        Ok(Accepted { own, port, sockets: HashMap::new() })
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
            seen.insert(inode, known.unwrap_or_else(|| self.connection(number, inode)));
        }
        self.sockets = seen;
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.sockets.values().flatten()
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
        let is_held = |peer: &SocketAddr| {
            known.get(peer).is_some_and(|it| self.copy(it.number, it.inode).is_some())
        };
        peers.iter().copied().filter(|peer| !is_held(peer)).collect()
    }

    /// Shuts one down: its owner reads the end, and closes it.
    pub fn shut_down(&self, connection: &Connection) -> io::Result<()> {
        match self.copy(connection.number, connection.inode) {
            Some(socket) => socket.shutdown(Shutdown::Both),
            None => Ok(()),
        }
    }

    fn connection(&self, number: RawPid, inode: u64) -> Option<Connection> {
        let socket = self.copy(number, inode)?;
        let is_listener = socket.is_listener().unwrap_or(false);
        let local = socket.local_addr().ok()?.as_socket()?;
        let peer = socket.peer_addr().ok()?.as_socket()?;
        let is_ours = !is_listener && local.port() == self.port;
        is_ours.then(|| Connection { number, inode, peer, since: Instant::now() })
    }

    /// Another descriptor of a socket; none if the number stands for another one by now.
    fn copy(&self, number: RawPid, inode: u64) -> Option<Socket> {
        let copy = pidfd_getfd(&self.own, number, PidfdGetfdFlags::empty()).ok()?;
        let is_it = fstat(&copy).is_ok_and(|stat| stat.st_ino == inode);
        is_it.then(|| Socket::from(copy))
    }
}

/// `socket:[4711]`
fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
