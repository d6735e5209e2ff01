//! Following: how fast `tailcast follow` gets a whole file from the server into a file or a pipe,
//! plain and over TLS, and with how much memory and CPU.
//!
//! `cargo bench --bench follow -- --help`
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench prints figures, and one that is wrong about itself fails loudly"
)]

mod support;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;

use support::line::LINE_BYTES;
use support::server::Server;
use support::table::{Table, grouped};
use support::usage::Usage;
use support::writer;

/// Measures how fast the command follows a whole file.
#[derive(Debug, Parser)]
struct Args {
    /// The file's size in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// How often each is run, in turn.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// A small file, once: to see that it works.
    #[arg(long)]
    quick: bool,
}

/// One way to follow.
#[derive(Clone, Copy, Debug)]
struct Way {
    name: &'static str,
    is_tls: bool,
    flags: &'static [&'static str],
    /// Printed into a pipe that is read and compared, else into `/dev/null`.
    is_read: bool,
}

fn main() -> ExitCode {
    support::run(bench)
}

fn bench(args: Args) -> anyhow::Result<()> {
    let (mib, runs) = if args.quick { (32, 1) } else { (args.mib, args.runs) };
    let folder = support::folder()?;
    let log = folder.path().join("app.log");
    let n_lines = (mib << 20) / LINE_BYTES as u64;
    let size = writer::fill(&log, 0..n_lines)?;
    println!("a file of {} bytes, {} lines\n", grouped(size), grouped(n_lines));
    let columns = ["follow", "MB/s", "seconds", "CPU s", "peak RSS MiB", "server CPU s"];
    let table = Table::begin(&columns);
    for _ in 0..runs {
        for way in &WAYS {
            measure(&table, way, &log, size)?;
        }
    }
    Ok(())
}

fn measure(table: &Table, way: &Way, log: &Path, size: u64) -> anyhow::Result<()> {
    let identity = Identity::beside(log)?;
    let settings = [("ROCKET_TLS", identity.setting.as_str())];
    let server = Server::tailcast(log, if way.is_tls { &settings } else { &[] })?;
    let scheme = if way.is_tls { "https" } else { "http" };
    let before = server.usage()?;
    let begun = Instant::now();
    let mut follow = Command::new(env!("CARGO_BIN_EXE_tailcast"))
        .args(["follow", "-n", "all", "--ca"])
        .arg(&identity.ca)
        .arg(format!("{scheme}://{}/logs/app.log?follow=false", server.address))
        .args(way.flags)
        .stderr(Stdio::null())
        .stdout(if way.is_read { Stdio::piped() } else { Stdio::null() })
        .spawn()
        .context("cannot start `tailcast follow`")?;
    let printed = follow.stdout.take();
    let file = File::open(log)?;
    let compare = std::thread::spawn(move || printed.map_or(Ok(()), |it| ensure_same(it, file)));
    let (usage, peak_kib) = watch(&mut follow)?;
    let seconds = begun.elapsed().as_secs_f64();
    compare.join().map_err(|_panic| anyhow::anyhow!("the comparison has failed"))??;
    let after = server.usage()?;
    table.row(&[
        way.name.to_owned(),
        format!("{:.0}", size as f64 / 1e6 / seconds),
        format!("{seconds:.2}"),
        format!("{:.2}", usage.cpu_s),
        format!("{:.1}", peak_kib as f64 / 1024.0),
        format!("{:.2}", after.cpu_s - before.cpu_s),
    ]);
    Ok(())
}

/// A certificate for 127.0.0.1, made for the run.
struct Identity {
    ca: PathBuf,
    /// For the server, in the words of its configuration.
    setting: String,
}

impl Identity {
    fn beside(log: &Path) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (ca, key) = (log.with_file_name("ca.pem"), log.with_file_name("key.pem"));
        std::fs::write(&ca, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let setting = format!("{{certs=\"{}\",key=\"{}\"}}", ca.display(), key.display());
        Ok(Identity { ca, setting })
    }
}

/// Waits for the command's end; what it had used just before, and the most memory it ever had.
fn watch(follow: &mut Child) -> anyhow::Result<(Usage, u64)> {
    let (mut usage, mut peak_kib) = (Usage::default(), 0);
    loop {
        // One that has ended has no usage any more.
        if let Ok(now) = Usage::of(follow.id()) {
            peak_kib = peak_kib.max(now.rss_kib);
            usage = now;
        }
        if let Some(status) = follow.try_wait()? {
            anyhow::ensure!(status.success(), "`tailcast follow` ends with {status}");
            return Ok((usage, peak_kib));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is printed has to be the file, byte for byte.
fn ensure_same(printed: impl Read, file: File) -> anyhow::Result<()> {
    let (mut printed, mut file) = (BufReader::new(printed), BufReader::new(file));
    let (mut one, mut other) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n_bytes = printed.read(&mut one)?;
        if n_bytes == 0 {
            anyhow::ensure!(file.read(&mut other)? == 0, "not all of the file was printed");
            return Ok(());
        }
        let (one, other) = (one.get(..n_bytes), other.get_mut(..n_bytes));
        let (one, other) = one.zip(other).context("a read of more than its buffer")?;
        file.read_exact(other).context("more was printed than the file holds")?;
        anyhow::ensure!(one == other, "what is printed is not the file");
    }
}

const WAYS: [Way; 4] = [
    Way { name: "plain, text", is_tls: false, flags: &[], is_read: false },
    Way { name: "plain, text, compared", is_tls: false, flags: &[], is_read: true },
    Way { name: "TLS, text", is_tls: true, flags: &[], is_read: false },
    Way { name: "TLS, --json", is_tls: true, flags: &["--json"], is_read: false },
];
