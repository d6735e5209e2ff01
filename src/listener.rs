//! Listener: what Rocket does not set on its sockets. Rocket takes no listener from outside; ours is
//! found among the process's own descriptors and duplicated. Accepted sockets inherit its options,
//! and can be shut down in the same way.

pub mod accepted;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{
    PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_getfd, pidfd_open,
    setrlimit,
};
use socket2::Socket;

/// After this time without an acknowledgement the kernel gives a connection up. Without it a write
/// to a client that has fallen silent succeeds for about 15 minutes.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Sets [`SILENCE_LIMIT`] on the listener at `address`.
pub fn limit_silence(address: SocketAddr) -> io::Result<()> {
    let listener = find_listener(address)?;
    listener.set_tcp_user_timeout(Some(SILENCE_LIMIT))
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
