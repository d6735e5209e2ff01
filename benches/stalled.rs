//! Stalled: what clients hold that ask for a log and never read, and how long others wait meanwhile.
//!
//! `cargo bench --bench stalled -- --help`
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench prints figures, and one that is wrong about itself fails loudly"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;

use support::http;
use support::line::LINE_BYTES;
use support::server::Server;
use support::table::{Table, grouped};
use support::writer;

/// Measures what clients that never read hold in the server, and how long others wait.
#[derive(Debug, Parser)]
struct Args {
    /// Clients that ask and never read.
    #[arg(long, default_value_t = 2000)]
    clients: usize,
    /// The log, in MB: there before they come, or written behind them.
    #[arg(long, default_value_t = 40)]
    megabytes: u64,
    /// What each reads before it stops, in KiB; a WebSocket at most 128, as it answers no ping.
    #[arg(long, default_value_t = 0)]
    read_kib: usize,
    /// The server runs in a memory control group of so many MiB. Needs the right to make one.
    #[arg(long)]
    cgroup_mib: Option<u64>,
    /// A small one: to see that it works.
    #[arg(long)]
    quick: bool,
}

/// What was seen.
struct Seen {
    kib_each: f64,
    waits: Vec<Duration>,
    most_in_group: Option<u64>,
}

fn main() -> ExitCode {
    support::run(bench)
}

fn bench(args: Args) -> anyhow::Result<()> {
    let mut args = args;
    if args.quick {
        (args.clients, args.megabytes) = (200, 4);
    }
    support::need_descriptors(args.clients)?;
    println!("{} clients that stop after {} KiB\n", grouped(args.clients as u64), args.read_kib);
    let columns = ["asks for", "KiB each", "others: median ms", "max ms", "group MiB"];
    let table = Table::begin(&columns);
    for (name, query, is_live) in [
        ("past, text", "tail=all&format=text", false),
        ("past, NDJSON", "tail=all&format=ndjson", false),
        ("past, SSE", "tail=all&format=sse", false),
        ("past, raw", "tail=all&format=raw&follow=false", false),
        ("past, WebSocket", "tail=all", false),
        ("live, text", "tail=0&format=text", true),
        ("live, NDJSON", "tail=0&format=ndjson", true),
        ("live, WebSocket", "tail=0", true),
    ] {
        let seen = measure(&args, query, name.ends_with("WebSocket"), is_live)?;
        let ms = |wait: Option<&Duration>| {
            format!("{:.1}", wait.copied().unwrap_or_default().as_secs_f64() * 1e3)
        };
        table.row(&[
            name.to_owned(),
            format!("{:.0}", seen.kib_each),
            ms(seen.waits.get(seen.waits.len() / 2)),
            ms(seen.waits.last()),
            seen.most_in_group.map_or_else(String::new, |bytes| (bytes >> 20).to_string()),
        ]);
    }
    Ok(())
}

fn measure(args: &Args, query: &str, is_socket: bool, is_live: bool) -> anyhow::Result<Seen> {
    let folder = support::folder()?;
    let log = folder.path().join("app.log");
    let n_lines = args.megabytes * 1_000_000 / LINE_BYTES as u64;
    writer::fill(&log, 0..if is_live { 10 } else { n_lines })?;
    let server = Server::tailcast(&log, &[])?;
    let group = args.cgroup_mib.map(|mib| Group::around(server.pid(), mib)).transpose()?;
    ask(server.address)?;
    let before = server.usage()?.pss_kib;
    let mut held = Vec::with_capacity(args.clients);
    for _ in 0..args.clients {
        held.push(stalled(server.address, query, is_socket, args.read_kib * 1024)?);
    }
    let (mut waits, end) = (Vec::new(), Instant::now() + SETTLE);
    if is_live {
        // Behind all of them, a little at a time.
        let step = (n_lines / 100).max(1);
        for first in (10..n_lines).step_by(usize::try_from(step)?) {
            writer::fill(&log, first..first + step)?;
            waits.push(ask(server.address)?);
        }
    }
    while Instant::now() < end {
        waits.push(ask(server.address)?);
        std::thread::sleep(Duration::from_millis(10));
    }
    waits.sort_unstable();
    let grown = server.usage().context("the server is gone")?.pss_kib.saturating_sub(before);
    let most_in_group = group.as_ref().map(Group::most).transpose()?;
    Ok(Seen { kib_each: grown as f64 / args.clients as f64, waits, most_in_group })
}

/// A client that has been answered, has read a little, and reads no more.
fn stalled(
    address: SocketAddr,
    query: &str,
    is_socket: bool,
    n_bytes: usize,
) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let scheme = if is_socket { http::WEBSOCKET } else { "" };
    socket.write_all(http::request(&format!("{scheme}/logs/app.log?{query}")).as_bytes())?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer)?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 "), "no answer");
    let n_bytes = if is_socket { n_bytes.min(MAX_UNANSWERED) } else { n_bytes };
    let mut buffer = vec![0; n_bytes];
    socket.read_exact(&mut buffer)?;
    Ok(socket)
}

/// How long another client waits for the last lines.
fn ask(address: SocketAddr) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    http::get(address, "/logs/app.log?tail=10&follow=false")?;
    Ok(begun.elapsed())
}

/// A memory control group with one process in it; gone when dropped, after the process.
struct Group {
    path: PathBuf,
    most: PathBuf,
}

impl Group {
    fn around(pid: u32, mib: u64) -> anyhow::Result<Self> {
        let first = Path::new("/sys/fs/cgroup/memory");
        let (root, limit, most) = match first.is_dir() {
            true => (first, "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max", "memory.peak"),
        };
        let path = root.join(format!("tailcast-stalled-{pid}"));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let group = Group { most: path.join(most), path };
        std::fs::write(group.path.join(limit), (mib << 20).to_string())?;
        std::fs::write(group.path.join("cgroup.procs"), pid.to_string())?;
        Ok(group)
    }

    fn most(&self) -> anyhow::Result<u64> {
        Ok(std::fs::read_to_string(&self.most)?.trim().parse()?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let parent = self.path.with_file_name("cgroup.procs");
        let own = self.path.join("cgroup.procs");
        for pid in std::fs::read_to_string(own).unwrap_or_default().lines() {
            if let Err(error) = std::fs::write(&parent, pid) {
                eprintln!("{pid} stays in its control group: {error}");
            }
        }
        if let Err(error) = std::fs::remove_dir(&self.path) {
            eprintln!("{} is left: {error}", self.path.display());
        }
    }
}

const MAX_UNANSWERED: usize = 128 * 1024;
/// Until what was held for a moment is given back.
const SETTLE: Duration = Duration::from_secs(5);
