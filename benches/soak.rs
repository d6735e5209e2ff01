//! Soak: held viewers while many others come and go in every way, and the log is rotated. At the end
//! nothing is left over, and every held viewer has every line.
//!
//! `cargo bench --bench soak -- --help`
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench prints figures, and one that is wrong about itself fails loudly"
)]

mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::{Parser, ValueEnum as _};

use support::child::Child;
use support::churn::{self, Churned};
use support::client::{self, Client};
use support::http::metrics;
use support::role::Role;
use support::server::Server;
use support::table::{Table, grouped};
use support::usage::Usage;
use support::viewer::Kind;
use support::writer::{self, Written};

/// Holds viewers while others come and go, and looks for what is left over.
#[derive(Debug, Parser)]
struct Args {
    /// Viewers that stay.
    #[arg(long, default_value_t = 3000)]
    held: usize,
    /// Connections that come and go.
    #[arg(long, default_value_t = 1_000_000)]
    connections: u64,
    /// How many come a second, at most.
    #[arg(long, default_value_t = 1000)]
    per_second: u64,
    /// Lines written a second.
    #[arg(long, default_value_t = 20)]
    rate: u64,
    /// Seconds between two rotations.
    #[arg(long, default_value_t = 5)]
    rotate: u64,
    /// 200 held viewers and 20,000 connections, within a minute.
    #[arg(long)]
    small: bool,
}

fn main() -> ExitCode {
    support::run(|mut args: Args| {
        if args.small {
            (args.held, args.connections) = (200, 20_000);
        }
        bench(&args)
    })
}

fn bench(args: &Args) -> anyhow::Result<()> {
    support::need_descriptors(args.held + 4096)?;
    ensure!(args.connections >= 2 * SETTLED, "expected at least {} connections", 2 * SETTLED);
    let folder = support::folder()?;
    let log = folder.path().join("app.log");
    writer::fill(&log, 0..FIRST)?;
    let server =
        Server::tailcast(&log, &[("TAILCAST_HEARTBEAT", "2s"), ("TAILCAST_LINGER", "1s")])?;
    let start = at_rest(&server)?;
    println!("at the start: {start}");
    let held = hold(args, &server)?;
    println!("{} held:      {}\n", args.held, server.usage()?);
    let mut writer = Child::start(&Role::Write(writer::Plan {
        log: log.clone(),
        first: FIRST,
        rate: args.rate,
        n_lines: u64::MAX,
        rotate_every: Some(Duration::from_secs(args.rotate)),
    }))?;
    let mut faults = Vec::new();
    let settled = churn(args, &server, &mut faults)?;
    faults.extend(check_memory("with all connections gone", settled, &server).err());
    writer.dismiss();
    let written: Written = writer.hear()?;
    let n_lines = grouped(written.end - FIRST);
    println!("\n{n_lines} lines written, {} rotations", written.n_rotations);
    faults.extend(check_held(held, written).err());
    match left_over(&server, start) {
        Ok(end) => {
            println!("at the end:   {end}");
            faults.extend(check_memory("with all viewers gone", settled, &server).err());
        }
        Err(error) => faults.push(error),
    }
    for fault in &faults {
        eprintln!("fault: {fault:#}");
    }
    ensure!(faults.is_empty(), "{} faults, see above", faults.len());
    println!("nothing is left over, and no line was lost or doubled");
    Ok(())
}

/// What the server has once nothing changes any more: it begins to watch after the port is open.
fn at_rest(server: &Server) -> anyhow::Result<Usage> {
    metrics(server.address)?;
    let mut before = server.usage()?;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(500));
        let now = server.usage()?;
        if (now.n_fds, now.n_watches) == (before.n_fds, before.n_watches) {
            return Ok(now);
        }
        before = now;
    }
    bail!("the server does not come to rest: {before}")
}

fn hold(args: &Args, server: &Server) -> anyhow::Result<Client> {
    let kinds = Kind::value_variants().iter();
    let paths = kinds.map(|kind| kind.path("app.log", "tail=0")).collect();
    let seconds = args.connections / 100 + 600;
    Client::start(client::Plan {
        address: server.address,
        paths,
        n_viewers: args.held,
        first: FIRST,
        end: None,
        is_finite: false,
        max: Duration::from_secs(seconds),
    })
}

/// Has them come and go; what the server had once the first had gone.
fn churn(args: &Args, server: &Server, faults: &mut Vec<anyhow::Error>) -> anyhow::Result<Usage> {
    let paths = |query: &str| -> Vec<String> {
        Kind::value_variants().iter().map(|kind| kind.path("app.log", query)).collect()
    };
    let mut guests = Child::start(&Role::Churn(churn::Plan {
        address: server.address,
        endless: paths("tail=3"),
        finite: paths("tail=3&follow=false"),
        n_guests: args.connections,
        per_second: args.per_second,
        report_every: SETTLED,
    }))?;
    let table = Table::begin(&[
        "connections",
        "a second",
        "RSS KiB",
        "descriptors",
        "watches",
        "threads",
        "CPU s",
    ]);
    let mut settled = None;
    let (mut row, row_every) = (0, (args.connections / 20).max(SETTLED));
    loop {
        let churned: Churned = guests.hear()?;
        let usage = server.usage()?;
        let settled = *settled.get_or_insert(usage);
        let is_over = churned.n_gone >= args.connections;
        if churned.n_gone >= row || is_over {
            row = churned.n_gone + row_every;
            table.row(&[
                grouped(churned.n_gone),
                format!("{:.0}", churned.n_gone as f64 / churned.seconds),
                grouped(usage.rss_kib),
                usage.n_fds.to_string(),
                usage.n_watches.to_string(),
                usage.n_threads.to_string(),
                format!("{:.1}", usage.cpu_s),
            ]);
        }
        if is_over {
            faults.extend(check_guests(&churned).err());
            return Ok(settled);
        }
    }
}

fn check_guests(churned: &Churned) -> anyhow::Result<()> {
    if churned.n_not_vanished > 0 {
        let n_reset = grouped(churned.n_not_vanished);
        eprintln!("{n_reset} were to vanish in silence and were reset: that takes CAP_NET_ADMIN");
    }
    if let Some(error) = &churned.first_error {
        bail!("{} connections went wrong; the first: {error}", churned.n_failed);
    }
    let per_second = churned.n_gone as f64 / churned.seconds;
    ensure!(per_second >= 300.0, "only {per_second:.0} connections a second, expected 300");
    Ok(())
}

fn check_held(mut held: Client, written: Written) -> anyhow::Result<()> {
    held.tell_end(written.end)?;
    let report = held.done()?;
    println!(
        "held viewers: {} lines, p50 {:.1} ms, p99 {:.1} ms, max {:.0} ms",
        grouped(report.n_lines),
        report.p50_ms,
        report.p99_ms,
        report.max_ms
    );
    report.ensure_complete()?;
    held.leave()?.ensure_complete()
}

/// Waits until all is as it was at the start.
fn left_over(server: &Server, start: Usage) -> anyhow::Result<Usage> {
    let begun = Instant::now();
    loop {
        let counts = metrics(server.address)?;
        let count = |name: &str| counts.get(name).copied().unwrap_or(f64::NAN);
        let (n_viewers, n_feeds) = (count("tailcast_viewers"), count("tailcast_feeds"));
        let usage = server.usage()?;
        let is_clean = n_viewers == 0.0
            && n_feeds == 0.0
            && usage.n_fds <= start.n_fds
            && usage.n_watches <= start.n_watches;
        if is_clean {
            return Ok(usage);
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "left over after {PATIENCE:?}: {n_viewers} viewers, {n_feeds} feeds; at the start: \
             {start}; now: {usage}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is not used any more is given back within seconds.
fn check_memory(when: &str, settled: Usage, server: &Server) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let now = server.usage()?;
        if now.rss_kib * 10 <= settled.rss_kib * 11 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "{when} the server has {} KiB, more than a tenth over the {} KiB it had after the \
             first {SETTLED} connections",
            now.rss_kib,
            settled.rss_kib
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// After so many connections the server has all the memory it needs.
const SETTLED: u64 = 10_000;
/// Lines that are in the file before anybody looks.
const FIRST: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(45);
