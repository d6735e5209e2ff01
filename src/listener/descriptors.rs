//! Descriptors: connections found by the process's own descriptors. Rocket exposes none of its
//! sockets; but a descriptor can be duplicated by its number, examined, and shut down.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionread};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, RawPid, getpid, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// The descriptors of this process, among them the connections to one port.
#[derive(Debug)]
pub struct Descriptors {
    own: OwnedFd,
    port: u16,
    /// Locked while a duplicate of a descriptor is open: a concurrent scan of all descriptors would
    /// take it for the connection's own, and see it close a moment later.
    copies: Mutex<()>,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpConnection {
    /// Its descriptor.
    pub number: RawPid,
    /// Its socket's inode, unique among open sockets.
    pub inode: u64,
    /// Our address.
    pub ours: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// A moment before it was accepted, or when it was first seen.
    pub since: Instant,
}

impl Descriptors {
    /// For the connections to `port`. An error where the system does not let a process duplicate
    /// its own descriptors (`pidfd_getfd`).
    pub fn new(port: u16) -> io::Result<Self> {
        let own = pidfd_open(getpid(), PidfdFlags::empty())?;
        let number = own.as_raw_fd();
        pidfd_getfd(&own, number, PidfdGetfdFlags::empty())?;
        Ok(Descriptors { own, port, copies: Mutex::default() })
    }

    /// The number of the next descriptor, unless another thread opens or closes one.
    #[must_use]
    pub fn lowest_free(&self) -> Option<RawPid> {
        fcntl_dupfd_cloexec(&self.own, 0).ok().map(|copy| copy.as_raw_fd())
    }

    /// The connection with this number; `None` if it is not a connection, or closed.
    #[must_use]
    pub fn connection(&self, number: RawPid, since: Instant) -> Option<TcpConnection> {
        self.with_copy(number, |socket, inode| {
            // A listener has no peer.
            let peer = socket.peer_addr().ok()?.as_socket()?;
            let ours = socket.local_addr().ok()?.as_socket()?;
            (ours.port() == self.port).then_some(TcpConnection { number, inode, ours, peer, since })
        })
        .flatten()
    }

    /// The inode of the socket with this number; `None` if it is not a socket, or closed.
    #[must_use]
    pub fn inode(&self, number: RawPid) -> Option<u64> {
        let _one_at_a_time = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        socket_inode(number)
    }

    /// Whether it is still open.
    #[must_use]
    pub fn is_open(&self, connection: &TcpConnection) -> bool {
        self.inode(connection.number) == Some(connection.inode)
    }

    /// How many received bytes its owner has not read yet; `None` if it is gone.
    #[must_use]
    pub fn unread(&self, connection: &TcpConnection) -> Option<u64> {
        self.with(connection, |socket| ioctl_fionread(socket).ok()).flatten()
    }

    /// Whether a write would not be buffered for long in the kernel; true also if it is gone or
    /// broken, which its owner finds out by writing.
    #[must_use]
    pub fn has_room(&self, connection: &TcpConnection) -> bool {
        let has_room = |socket: &Socket| {
            let mut polled = [PollFd::new(socket, PollFlags::OUT)];
            poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_or(true, |n| n > 0)
        };
        self.with(connection, has_room).unwrap_or(true)
    }

    /// Shuts it down: its owner reads EOF, and closes it.
    pub fn shut_down(&self, connection: &TcpConnection) -> io::Result<()> {
        self.with(connection, |socket| socket.shutdown(Shutdown::Both)).unwrap_or(Ok(()))
    }

    /// Aborts one whose peer is gone: unsent data is discarded when its owner closes it.
    pub fn give_up(&self, connection: &TcpConnection) -> io::Result<()> {
        let give_up = |socket: &Socket| {
            socket.set_linger(Some(Duration::ZERO))?;
            socket.shutdown(Shutdown::Both)
        };
        self.with(connection, give_up).unwrap_or(Ok(()))
    }

    /// The result of `work` on it; `None` if the number belongs to another file by now.
    fn with<T>(&self, connection: &TcpConnection, work: impl FnOnce(&Socket) -> T) -> Option<T> {
        self.with_copy(connection.number, |socket, inode| {
            (inode == connection.inode).then(|| work(socket))
        })
        .flatten()
    }

    /// The result of `work` on the socket with this number and on its inode. It has to be quick: it
    /// holds a lock.
    fn with_copy<T>(&self, number: RawPid, work: impl FnOnce(&Socket, u64) -> T) -> Option<T> {
        let _one_at_a_time = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        // Only sockets are duplicated: examining a file, or closing a duplicate of it, may wait for
        // its disk.
        let inode = socket_inode(number)?;
        let copy = pidfd_getfd(&self.own, number, PidfdGetfdFlags::empty()).ok()?;
        let socket = Socket::from(copy);
        let is_it = socket.r#type().is_ok() && fstat(&socket).is_ok_and(|it| it.st_ino == inode);
        is_it.then(|| work(&socket, inode))
    }
}

/// Touches no file system but `/proc`.
fn socket_inode(number: RawPid) -> Option<u64> {
    let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    inode_in(target.to_str()?)
}

/// `socket:[4711]`
pub(super) fn inode_in(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
