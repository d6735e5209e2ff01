//! Sockets: what can be known of a connection from outside, and done about it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::listener::descriptors::{Connection, Descriptors};
use crate::listener::lag::Lag;
use crate::listener::socket_diag::{Intake, SocketDiag};

/// The connections of a listener, as whoever accepts them sees them. For one thread.
#[derive(Debug)]
pub struct Sockets {
    descriptors: Arc<Descriptors>,
    diag: Option<SocketDiag>,
    lag: Arc<Lag>,
}

/// What can be asked about a connection.
pub trait Look {
    /// Whether [`Intake::received`] is known.
    fn counts_bytes(&self) -> bool;

    /// Whether a connection is still there; costs two system calls.
    fn is_open(&self, connection: &Connection) -> bool;

    /// What has come on a connection; none if it is gone. Costs two system calls.
    fn intake(&self, connection: &Connection) -> Option<Intake>;

    /// How late the workers are, which read from the connections.
    fn lag(&self) -> Duration;
}

impl Sockets {
    /// Those that the listener at `address` accepts, told by `descriptors`.
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

    /// Shuts one down: its owner reads the end, and closes it.
    pub fn shut_down(&self, connection: &Connection) -> io::Result<()> {
        self.descriptors.shut_down(connection)
    }
}

impl Look for Sockets {
    fn counts_bytes(&self) -> bool {
        self.diag.is_some()
    }

    fn is_open(&self, connection: &Connection) -> bool {
        self.descriptors.is_open(connection)
    }

    fn intake(&self, connection: &Connection) -> Option<Intake> {
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
