//! Floods: many connections of one address that send no whole request, and how long another address
//! waits meanwhile.
//!
//! `cargo bench --bench flood -- --help`
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench prints figures, and one that is wrong about itself fails loudly"
)]

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use socket2::{Domain, Socket, Type};

use support::server::Server;
use support::table::{Table, grouped};
use support::writer;

/// Measures what floods of connections without a request cost, and how long others wait.
#[derive(Debug, Parser)]
struct Args {
    /// Connections of the flood.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// How long it goes on, in seconds.
    #[arg(long, default_value_t = 10)]
    secs: u64,
    /// A small one: to see that it works.
    #[arg(long)]
    quick: bool,
}

/// What each connection of a flood sends.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Nothing,
    /// A head of so many bytes, without its end.
    Head(usize),
    /// One byte a second.
    Drip,
    /// A whole request, at once: to be answered, every one.
    Request,
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    waits: Vec<Duration>,
    most_kib: u64,
    n_refused: usize,
}

fn main() -> ExitCode {
    support::run(bench)
}

fn bench(args: Args) -> anyhow::Result<()> {
    let (n, secs) = if args.quick { (1000, 2) } else { (args.connections, args.secs) };
    println!("{} connections of one address\n", grouped(n as u64));
    let columns =
        ["flood", "RSS + MiB", "others: asked", "failed", "median ms", "max ms", "served"];
    let table = Table::begin(&columns);
    for (name, kind) in [
        ("nothing", Kind::Nothing),
        ("heads of 100 bytes", Kind::Head(100)),
        ("heads of 400 KB", Kind::Head(400_000)),
        ("a byte a second", Kind::Drip),
        ("whole requests", Kind::Request),
    ] {
        let (seen, grown_kib, n_served) = measure(kind, n, Duration::from_secs(secs))?;
        let ms = |wait: Option<&Duration>| {
            format!("{:.1}", wait.copied().unwrap_or_default().as_secs_f64() * 1e3)
        };
        table.row(&[
            name.to_owned(),
            format!("{:.1}", grown_kib as f64 / 1024.0),
            seen.waits.len().to_string(),
            seen.n_refused.to_string(),
            ms(seen.waits.get(seen.waits.len() / 2)),
            ms(seen.waits.last()),
            n_served.map_or_else(String::new, |served| grouped(served as u64)),
        ]);
    }
    Ok(())
}

fn measure(kind: Kind, n: usize, time: Duration) -> anyhow::Result<(Seen, u64, Option<usize>)> {
    let folder = support::folder()?;
    let log = folder.path().join("app.log");
    writer::fill(&log, 0..10)?;
    let server = Server::tailcast(&log, &[])?;
    ask(server.address, HONEST)?;
    let before = server.usage()?.rss_kib;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(kind, n, server.address, time, &is_over));
        let mut seen = Seen::default();
        while !is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            seen.n_refused += usize::from(ask(server.address, HONEST).is_err());
            seen.waits.push(begun.elapsed());
            seen.most_kib = seen.most_kib.max(server.usage()?.rss_kib);
            std::thread::sleep(Duration::from_millis(3));
        }
        seen.waits.sort_unstable();
        let n_served = flood.join().map_err(|_panic| anyhow::anyhow!("the flood has failed"))??;
        let grown = seen.most_kib.saturating_sub(before);
        Ok((seen, grown, matches!(kind, Kind::Request).then_some(n_served)))
    })
}

/// Floods for a while; returns how many connections were answered with 200.
fn flood(
    kind: Kind,
    n: usize,
    address: SocketAddr,
    time: Duration,
    is_over: &AtomicBool,
) -> anyhow::Result<usize> {
    let end = Instant::now() + time;
    let text = match kind {
        Kind::Nothing => String::new(),
        Kind::Head(n_bytes) => {
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(n_bytes))
        }
        Kind::Drip => "G".to_owned(),
        Kind::Request => REQUEST.to_owned(),
    };
    let mut sent: Vec<(TcpStream, usize)> = Vec::new();
    for _ in 0..n {
        let socket = connect(address, FLOODING, true)?;
        sent.push((socket, 0));
        let place = sent.len().saturating_sub(64);
        for (socket, n_sent) in sent.iter_mut().skip(place) {
            send(socket, &text, n_sent);
        }
    }
    let mut dripped = Instant::now();
    while Instant::now() < end {
        for (socket, n_sent) in &mut sent {
            send(socket, &text, n_sent);
        }
        if matches!(kind, Kind::Drip) && dripped.elapsed() >= Duration::from_secs(1) {
            dripped = Instant::now();
            // The server has closed most of them by then.
            sent.retain_mut(|(socket, _)| socket.write(b"E").is_ok());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    is_over.store(true, Ordering::Relaxed);
    let is_served = |socket: &mut TcpStream| {
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).is_ok() && answer.ends_with(b" 200")
    };
    let served = sent.iter_mut().filter(|(_, n_sent)| *n_sent > 0);
    Ok(served.filter_map(|(socket, _)| is_served(socket).then_some(())).count())
}

/// Sends as much as is taken at once.
fn send(socket: &mut TcpStream, text: &str, n_sent: &mut usize) {
    while let Some(rest) = text.as_bytes().get(*n_sent..).filter(|rest| !rest.is_empty()) {
        match socket.write(rest) {
            Ok(n_bytes) => *n_sent += n_bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            // Closed.
            Err(_gone) => *n_sent = text.len(),
        }
    }
}

fn ask(address: SocketAddr, from: [u8; 4]) -> anyhow::Result<()> {
    let mut socket = connect(address, from, false)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(REQUEST.as_bytes())?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer)?;
    anyhow::ensure!(answer.ends_with(b" 200"), "not served");
    Ok(())
}

fn connect(address: SocketAddr, from: [u8; 4], is_nonblocking: bool) -> anyhow::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.set_nonblocking(is_nonblocking)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error.into()),
        Ok(()) | Err(_) => Ok(socket.into()),
    }
}

const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const FLOODING: [u8; 4] = [127, 0, 0, 3];
const HONEST: [u8; 4] = [127, 0, 0, 2];
const EINPROGRESS: i32 = 115;
