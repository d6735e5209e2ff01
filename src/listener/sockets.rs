//! Sockets: what can be observed and done about a connection without owning it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::listener::descriptors::{Descriptors, TcpConnection};
use crate::listener::lag::Lag;
use crate::listener::socket_diag::{Intake, SocketDiag};

/// The connections of a listener. For use by one thread.
#[derive(Debug)]
pub struct Sockets {
    descriptors: Arc<Descriptors>,
    diag: Option<SocketDiag>,
    lag: Arc<Lag>,
}

/// What can be queried about a connection.
pub trait SocketProbe {
    /// Whether [`Intake::received`] is known.
    fn counts_bytes(&self) -> bool;

    /// Whether a connection is still open; costs two system calls.
    fn is_open(&self, connection: &TcpConnection) -> bool;

    /// What a connection has received; `None` if it is gone. Costs two system calls.
    fn intake(&self, connection: &TcpConnection) -> Option<Intake>;

    /// How late the workers are that read from the connections.
    fn lag(&self) -> Duration;
}

impl Sockets {
    /// The connections of the listener at `address`, found by `descriptors`.
    #[must_use]
    pub fn new(address: SocketAddr, descriptors: Arc<Descriptors>, lag: Arc<Lag>) -> Self {
        let diag = SocketDiag::new(address).inspect_err(|error| {
            tracing::debug!(%error, "the kernel does not say how much comes on a connection");
        });
        Sockets { descriptors, diag: diag.ok(), lag }
    }

    /// The descriptors.
    #[must_use]
    pub fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    /// Shuts it down: its owner reads EOF, and closes it.
    pub fn shut_down(&self, connection: &TcpConnection) -> io::Result<()> {
        self.descriptors.shut_down(connection)
    }
}

impl SocketProbe for Sockets {
    fn counts_bytes(&self) -> bool {
        self.diag.is_some()
    }

    fn is_open(&self, connection: &TcpConnection) -> bool {
        self.descriptors.is_open(connection)
    }

    fn intake(&self, connection: &TcpConnection) -> Option<Intake> {
        if let Some(diag) = &self.diag
            && let Ok(intake) = diag.intake(connection.ours, connection.peer, connection.inode)
        {
            return intake;
        }
        let unread = self.descriptors.unread(connection)?;
        Some(Intake { received: None, unread })
    }

    fn lag(&self) -> Duration {
        self.lag.current()
    }
}
