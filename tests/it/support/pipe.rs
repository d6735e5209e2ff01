//! Pipe: the bytes between a client and what it talks to, plain or over TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{DEADLINE, Request};

/// How a request goes over TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whom it trusts.
    pub config: Arc<ClientConfig>,
    /// The name that the server has to have.
    pub name: String,
}

/// A connection.
#[derive(Debug)]
pub enum Pipe {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Pipe {
    /// Connects as the request wants it; reads wait for `look` at most.
    pub fn open(address: SocketAddr, request: &Request, look: Duration) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(bytes) = request.receive_buffer_bytes() {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(own) = request.own_address() {
            socket.bind(&SocketAddr::new(own, 0).into())?;
        }
        socket.connect(&address.into())?;
        let mut socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        let Some(tls) = request.tls() else {
            socket.set_read_timeout(Some(look))?;
            return Ok(Self::Plain(socket));
        };
        socket.set_read_timeout(Some(DEADLINE))?;
        let name = ServerName::try_from(tls.name.clone()).map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(&tls.config), name);
        let mut client = client.map_err(io::Error::other)?;
        client.complete_io(&mut socket)?;
        socket.set_read_timeout(Some(look))?;
        Ok(Self::Tls(Box::new(StreamOwned::new(client, socket))))
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// The socket below.
    pub fn socket_mut(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
