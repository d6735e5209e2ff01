//! [`Proxy`]: stands between a client and a server, encrypted towards the client if it is to be,
//! and does to their connections what networks do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A proxy; its connections end with the value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    n_accepted: Arc<AtomicUsize>,
    _runtime: Runtime,
}

/// What it does.
#[derive(Clone, Copy, Debug)]
struct Orders {
    upstream: SocketAddr,
    mode: Mode,
    /// Connections that were made before the last cut end.
    n_cuts: usize,
}

/// What it does to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Pass,
    /// Takes nothing and gives nothing, and says nothing of it.
    BlackHole,
    /// Passes on some bytes, then some more.
    Trickle,
}

/// A certificate for `localhost` and 127.0.0.1, made for the test.
#[derive(Debug)]
pub struct Identity {
    /// What a client has to trust, in PEM.
    pub pem: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    pub fn new() -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Identity { pem: cert.pem(), config: Arc::new(config) }
    }
}

impl Proxy {
    /// Stands before a server, without encryption.
    pub fn before(upstream: SocketAddr) -> Self {
        Self::start(upstream, None)
    }

    /// Stands before a server, with encryption towards the client.
    pub fn encrypting(upstream: SocketAddr, identity: &Identity) -> Self {
        Self::start(upstream, Some(TlsAcceptor::from(Arc::clone(&identity.config))))
    }

    fn start(upstream: SocketAddr, acceptor: Option<TlsAcceptor>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (orders, told) = watch::channel(Orders { upstream, mode: Mode::Pass, n_cuts: 0 });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let n_accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&n_accepted);
        runtime.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let (told, acceptor) = (told.clone(), acceptor.clone());
                connections.spawn(serve(socket, acceptor, told));
            }
        });
        Proxy { address, orders, n_accepted, _runtime: runtime }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has taken.
    pub fn n_accepted(&self) -> usize {
        self.n_accepted.load(Ordering::Relaxed)
    }

    /// Later connections go to another server.
    pub fn point_to(&self, upstream: SocketAddr) {
        self.orders.send_modify(|orders| orders.upstream = upstream);
    }

    /// Does something else to what passes, of all connections.
    pub fn set(&self, mode: Mode) {
        self.orders.send_modify(|orders| orders.mode = mode);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.n_cuts += 1);
    }
}

async fn serve(socket: TcpStream, acceptor: Option<TlsAcceptor>, told: watch::Receiver<Orders>) {
    let orders = *told.borrow();
    let Ok(upstream) = TcpStream::connect(orders.upstream).await else { return };
    let mut changes = told.clone();
    let is_cut = async move {
        // The sender lives as long as the runtime that we run on.
        changes.wait_for(|now| now.n_cuts != orders.n_cuts).await.map(drop)
    };
    let work = async {
        match acceptor {
            None => both_ways(socket, upstream, told).await,
            Some(acceptor) => {
                if let Ok(socket) = acceptor.accept(socket).await {
                    both_ways(socket, upstream, told).await;
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = is_cut => {}
    }
}

async fn both_ways<S>(socket: S, upstream: TcpStream, told: watch::Receiver<Orders>)
where
    S: AsyncRead + AsyncWrite,
{
    let (client_in, client_out) = tokio::io::split(socket);
    let (server_in, server_out) = upstream.into_split();
    tokio::select! {
        () = pass(client_in, server_out, told.clone()) => {}
        () = pass(server_in, client_out, told) => {}
    }
}

/// Passes bytes on until one of the ends has gone.
async fn pass<R, W>(mut from: R, mut to: W, mut told: watch::Receiver<Orders>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(orders) = told.wait_for(|now| now.mode != Mode::BlackHole).await.map(|now| *now)
        else {
            return;
        };
        let most = if orders.mode == Mode::Trickle { TRICKLE } else { buffer.len() };
        let read = tokio::select! {
            read = from.read(&mut buffer[..most]) => read,
            _ = told.changed() => continue,
        };
        let Ok(n_bytes @ 1..) = read else { return };
        // What has come before the hole opened falls into it as well.
        let _open = told.wait_for(|now| now.mode != Mode::BlackHole).await.map(drop);
        if to.write_all(&buffer[..n_bytes]).await.is_err() || to.flush().await.is_err() {
            return;
        }
        if orders.mode == Mode::Trickle {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

const TRICKLE: usize = 701;
