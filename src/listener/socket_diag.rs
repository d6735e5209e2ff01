//! Socket diagnostics: how much a connection has received, and whether sent data is acknowledged,
//! which only the kernel knows while another owner uses the socket. Queried over netlink
//! (`sock_diag(7)`), one connection at a time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// A netlink socket. Not for several threads at once: one could receive the reply for the other.
#[derive(Debug)]
pub struct SocketDiag {
    socket: Socket,
    sequence: AtomicU32,
}

/// What a connection has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    /// All received bytes; `None` where the kernel does not say.
    pub received: Option<u64>,
    /// Bytes that its owner has not read yet.
    pub unread: u64,
}

/// How a connection's other end answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Unanswered window probes.
    pub n_unanswered_probes: u8,
    /// Retransmissions of unacknowledged bytes.
    pub n_retransmits: u8,
    /// Time since the last acknowledgement of any kind.
    pub last_heard: Duration,
}

impl SocketDiag {
    /// Opens it, and tests it on the listener at `address`.
    pub fn new(address: SocketAddr) -> io::Result<Self> {
        let (domain, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_SOCK_DIAG));
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        let diag = SocketDiag { socket, sequence: AtomicU32::new(0) };
        let nobody = if address.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        diag.ask(address, SocketAddr::new(nobody, 0))?;
        Ok(diag)
    }

    /// What the connection between these addresses has received, if it still has this inode.
    pub fn intake(
        &self,
        ours: SocketAddr,
        peer: SocketAddr,
        inode: u64,
    ) -> io::Result<Option<Intake>> {
        let Some(answer) = self.ask_about(ours, peer, inode)? else { return Ok(None) };
        let Some(unread) = u32_at(&answer, UNREAD) else { return Ok(None) };
        let info = attribute(&answer, INET_DIAG_INFO).unwrap_or_default();
        let received = info.get(BYTES_RECEIVED..).and_then(|rest| rest.first_chunk());
        let received = received.map(|bytes| u64::from_ne_bytes(*bytes));
        Ok(Some(Intake { received, unread: unread.into() }))
    }

    /// How the peer of the connection between these addresses answers, if it still has this inode.
    pub fn echo(&self, ours: SocketAddr, peer: SocketAddr, inode: u64) -> io::Result<Option<Echo>> {
        let Some(answer) = self.ask_about(ours, peer, inode)? else { return Ok(None) };
        let info = attribute(&answer, INET_DIAG_INFO).unwrap_or_default();
        let echo = info.get(RETRANSMITS).zip(info.get(PROBES)).zip(u32_at(info, LAST_ACK_RECV));
        Ok(echo.map(|((n_retransmits, n_probes), last_heard)| Echo {
            n_unanswered_probes: *n_probes,
            n_retransmits: *n_retransmits,
            last_heard: Duration::from_millis(last_heard.into()),
        }))
    }

    /// As [`SocketDiag::ask`]; `None` if the connection is gone: the kernel then reports the
    /// listener, or an orphaned socket.
    fn ask_about(
        &self,
        ours: SocketAddr,
        peer: SocketAddr,
        inode: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        let answer = self.ask(ours, peer)?;
        let is_it = u32_at(&answer, INODE).is_some_and(|found| u64::from(found) == inode);
        Ok(is_it.then_some(answer))
    }

    /// Returns the kernel's answer from its `inet_diag_msg` on.
    fn ask(&self, ours: SocketAddr, peer: SocketAddr) -> io::Result<Vec<u8>> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.socket.send(&request(ours, peer, sequence))?;
        let mut buffer = vec![0; MAX_ANSWER];
        loop {
            // The kernel has replied by the time `send` returns.
            let n_bytes = io::Read::read(&mut &self.socket, &mut buffer)?;
            let answer = buffer.get(..n_bytes).unwrap_or_default();
            if u32_at(answer, SEQUENCE) != Some(sequence) {
                continue;
            }
            let kind = answer.get(4..6).and_then(|kind| kind.first_chunk());
            if kind.map(|kind| u16::from_ne_bytes(*kind)) != Some(SOCK_DIAG_BY_FAMILY) {
                let code = u32_at(answer, HEADER_BYTES).unwrap_or_default().cast_signed();
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            buffer.truncate(n_bytes);
            buffer.drain(..HEADER_BYTES.min(n_bytes));
            return Ok(buffer);
        }
    }
}

/// `struct nlmsghdr`, `struct inet_diag_req_v2`.
fn request(ours: SocketAddr, peer: SocketAddr, sequence: u32) -> Vec<u8> {
    let family = if ours.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut bytes = Vec::with_capacity(REQUEST_BYTES as usize);
    bytes.extend(REQUEST_BYTES.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0]);
    bytes.extend(ALL_STATES.to_ne_bytes());
    bytes.extend(ours.port().to_be_bytes());
    bytes.extend(peer.port().to_be_bytes());
    for address in [ours.ip(), peer.ip()] {
        match address {
            IpAddr::V4(v4) => {
                bytes.extend(v4.octets());
                bytes.extend([0; 12]);
            }
            IpAddr::V6(v6) => bytes.extend(v6.octets()),
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(NO_COOKIE);
    bytes
}

/// The content of an attribute (`struct rtattr`) behind an `inet_diag_msg`.
fn attribute(answer: &[u8], requested_kind: u16) -> Option<&[u8]> {
    let mut rest = answer.get(MESSAGE_BYTES..)?;
    loop {
        let n_bytes = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        if kind == requested_kind {
            return rest.get(4..n_bytes);
        }
        rest = rest.get(n_bytes.max(4).next_multiple_of(4)..)?;
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

// From `linux/netlink.h`, `linux/sock_diag.h`, `linux/inet_diag.h` and `linux/tcp.h`.
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const ALL_STATES: u32 = u32::MAX;
const NO_COOKIE: [u8; 8] = [0xff; 8];
const REQUEST_BYTES: u32 = 72;
const HEADER_BYTES: usize = 16;
const SEQUENCE: usize = 8;
const MAX_ANSWER: usize = 4096;
/// Of `struct inet_diag_msg`.
const MESSAGE_BYTES: usize = 72;
const UNREAD: usize = 56;
const INODE: usize = 68;
const INET_DIAG_INFO: u16 = 2;
/// Of `struct tcp_info`.
const RETRANSMITS: usize = 2;
const PROBES: usize = 3;
const LAST_ACK_RECV: usize = 56;
const BYTES_RECEIVED: usize = 128;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed fixture is a failed test")]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use rustix::fs::fstat;

    use super::*;

    fn check(listening: &str) {
        let listener = TcpListener::bind(listening).unwrap();
        let address = listener.local_addr().unwrap();
        let diag = SocketDiag::new(address).unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (mut accepted, peer) = listener.accept().unwrap();
        let (ours, inode) = (accepted.local_addr().unwrap(), fstat(&accepted).unwrap().st_ino);
        let intake = || diag.intake(ours, peer, inode).unwrap();
        assert_eq!(intake(), Some(Intake { received: Some(0), unread: 0 }));
        client.write_all(&[b'x'; 1000]).unwrap();
        accepted.read_exact(&mut [0; 300]).unwrap();
        assert_eq!(intake(), Some(Intake { received: Some(1000), unread: 700 }));
        assert_eq!(diag.intake(ours, peer, inode + 1).unwrap(), None, "another one by now");
        drop(accepted);
        assert_eq!(intake(), None);
    }

    #[test]
    fn what_has_come_is_known_without_reading_it() {
        check("127.0.0.1:0");
        check("[::1]:0");
    }

    #[test]
    fn it_cannot_be_asked_about_a_port_without_a_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(SocketDiag::new(address).is_err());
    }
}
