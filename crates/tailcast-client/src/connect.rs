//! Connect: one socket to a server, plain or encrypted, for a WebSocket or for HTTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::target::Target;
use crate::tls::{Tls, TrustError};

/// A connection to a server.
#[derive(Debug)]
pub enum Socket {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name does not resolve, or the connection is refused.
    #[error("cannot connect to {address}: {error}")]
    Tcp {
        /// Host and port.
        address: String,
        /// The system's error.
        error: io::Error,
    },
    /// The server's certificate is not trusted.
    #[error(
        "{address} shows a certificate that is not trusted: {error}; --ca FILE names the authority that is"
    )]
    Untrusted {
        /// Host and port.
        address: String,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// The TLS handshake failed.
    #[error("no TLS connection to {address}: {error}")]
    Tls {
        /// Host and port.
        address: String,
        /// What went wrong.
        error: io::Error,
    },
    /// The host is not a valid certificate name.
    #[error("`{0}` is no name that a certificate can be of")]
    Name(String),
    /// No trusted authority is available.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It took too long.
    #[error("{address} does not answer within {}", Seconds(*.limit))]
    Silent {
        /// Host and port.
        address: String,
        /// The time limit.
        limit: Duration,
    },
}

impl ConnectError {
    /// Whether a retry cannot help: the error is local, or is the certificate.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Untrusted { .. } | Self::Name(_) | Self::Trust(_) => true,
            Self::Tcp { .. } | Self::Tls { .. } | Self::Silent { .. } => false,
        }
    }
}

/// Connects, with TLS if the URL requires it.
///
/// With TLS in it this is a large future, and its polls go deep (a whole handshake with its
/// signatures). Run it in a task of its own, boxed, where stacks are small.
pub async fn connect(target: &Target, tls: &Tls) -> Result<Socket, ConnectError> {
    let address = || format!("{}:{}", target.host(), target.port());
    match timeout(CONNECT_LIMIT, connect_unhurried(target, tls)).await {
        Ok(connected) => connected,
        Err(_elapsed) => Err(ConnectError::Silent { address: address(), limit: CONNECT_LIMIT }),
    }
}

async fn connect_unhurried(target: &Target, tls: &Tls) -> Result<Socket, ConnectError> {
    let address = format!("{}:{}", target.host(), target.port());
    let tcp = |error| ConnectError::Tcp { address: address.clone(), error };
    let socket = TcpStream::connect((target.host(), target.port())).await.map_err(tcp)?;
    // A pong must not wait for another packet.
    socket.set_nodelay(true).map_err(tcp)?;
    if !target.is_tls() {
        return Ok(Socket::Plain(socket));
    }
    let name = ServerName::try_from(target.host().to_owned())
        .map_err(|_invalid| ConnectError::Name(target.host().to_owned()))?;
    let connector = tls.connector().await?;
    match connector.connect(name, socket).await {
        Ok(socket) => Ok(Socket::Tls(Box::new(socket))),
        Err(error) => Err(tls_error(address, error)),
    }
}

fn tls_error(address: String, error: io::Error) -> ConnectError {
    let about = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
    match about {
        Some(error @ rustls::Error::InvalidCertificate(_)) => {
            ConnectError::Untrusted { address, error }
        }
        Some(_) | None => ConnectError::Tls { address, error },
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Tls(socket) => Pin::new(socket.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(socket) => Pin::new(socket.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls(socket) => Pin::new(socket.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(socket) => Pin::new(socket.as_mut()).poll_shutdown(context),
        }
    }
}

/// A time in words: `4.2 s`.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
