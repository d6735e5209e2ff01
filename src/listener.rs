//! Listener: what Rocket does not set on its sockets. Rocket takes no listener from outside; ours is
//! found among the process's own descriptors and duplicated. Accepted sockets inherit its options,
//! and can be shut down in the same way.
//!
//! `accepting` sees each connection as Rocket accepts it; `accepted` finds all of them again. `descriptors`
//! finds a socket by its number, `socket_diag` what has come on it and whether it is answered, and
//! `sockets` puts these together. `silence` separates clients that are gone from those that merely do
//! not read, `lag` shows how late the workers are.

pub mod accepted;
pub mod accepting;
pub mod descriptors;
pub mod lag;
pub mod silence;
pub mod socket_diag;
pub mod sockets;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::process::{
    PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_getfd, pidfd_open,
    setrlimit,
};
use socket2::Socket;

/// Has the kernel give a connection up when nothing was acknowledged for
/// [`silence::SILENCE_LIMIT`], also one whose client merely has stopped reading: the kernel takes a closed
/// window for silence, however well it is answered for. For where nobody can look closer
/// ([`silence::Silence`]). Without either a write to a client that is gone succeeds for about 15 minutes.
pub fn limit_silence(address: SocketAddr) -> io::Result<()> {
    let listener = find_listener(address)?;
    listener.set_tcp_user_timeout(Some(silence::SILENCE_LIMIT))
}

/// Lets more connections wait in the kernel than Rocket does (1,024), so that a flood does not crowd
/// others out in the moment that it takes to notice it: a connection that finds the queue full is tried
/// again by its client only a second later. And lets less of each wait, as requests are short: the kernel
/// would keep megabytes, and what waits is read even when a connection has been shut down. Nor does the
/// kernel take more than a little of what the window of the client does not let it send yet.
pub fn prepare_for_floods(address: SocketAddr) -> io::Result<()> {
    let listener = find_listener(address)?;
    listener.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    listener.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    listener.listen(BACKLOG)
}

fn find_listener(address: SocketAddr) -> io::Result<Socket> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // The descriptor that lists the folder is closed again by now.
        let Ok(copy) = pidfd_getfd(&own, number, PidfdGetfdFlags::empty()) else { continue };
        if let Some(socket) = listener_at(copy, address) {
            return Ok(socket);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the listener is not among the descriptors"))
}

fn listener_at(descriptor: OwnedFd, address: SocketAddr) -> Option<Socket> {
    let socket = Socket::from(descriptor);
    let is_ours = socket.is_listener().unwrap_or(false)
        && socket.local_addr().ok().and_then(|local| local.as_socket()) == Some(address);
    is_ours.then_some(socket)
}

/// Raises the number of descriptors that the process may have as far as it may; returns it.
pub fn raise_descriptor_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum)
}

/// The kernel takes no more than `net.core.somaxconn`, 4,096 by default.
const BACKLOG: i32 = 4096;
/// The kernel takes twice as much, for its own bookkeeping.
const RECEIVE_BUFFER_BYTES: usize = 8 * 1024;
/// What is sent and not acknowledged is not among it: a fast and distant client has all of its window.
const UNSENT_BYTES: u32 = 16 * 1024;
