//! The whole server under load, beside the bare floor: latency, throughput, CPU and memory of the
//! release build with many viewers, every line of every viewer checked.
//!
//! `cargo bench --bench whole -- --help`
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
use std::time::Duration;

use clap::Parser;

use support::child::Child;
use support::client::{self, Client, Report};
use support::role::Role;
use support::server::Server;
use support::table::{Table, grouped};
use support::usage::Usage;
use support::viewer::Kind;
use support::writer::{self, Written};

/// Measures the server with many viewers beside the bare floor.
#[derive(Debug, Parser)]
#[command(after_help = "Without --viewers and --rate: the cases of the goals, a few minutes.")]
struct Args {
    /// Viewers at a time.
    #[arg(long, requires = "rate")]
    viewers: Option<usize>,
    /// Lines written a second.
    #[arg(long, requires = "viewers")]
    rate: Option<u64>,
    /// Seconds to write for.
    #[arg(long, default_value_t = 8)]
    secs: u64,
    /// Formats; the floor always writes the plain lines.
    #[arg(long = "format", value_delimiter = ',', default_value = "text")]
    formats: Vec<Kind>,
    /// How often each case is run, floor and server in turn.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// The floor's least time between two rounds, in milliseconds; by default 0 with one viewer
    /// and 20 with more.
    #[arg(long)]
    round_ms: Option<u64>,
    /// Seconds after the load before memory is read again.
    #[arg(long, default_value_t = 10)]
    rest: u64,
    /// A few small cases that end within half a minute: to see that it works.
    #[arg(long)]
    quick: bool,
    /// Also 10,000 viewers.
    #[arg(long)]
    many: bool,
}

/// One load.
#[derive(Clone, Copy, Debug)]
struct Case {
    n_viewers: usize,
    rate: u64,
    secs: u64,
    rest: Duration,
    round: Duration,
}

/// What one run of a case has shown.
struct Outcome {
    report: Report,
    written: Written,
    before: Usage,
    idle: Usage,
    loaded: Usage,
    rested: Usage,
}

fn main() -> ExitCode {
    support::run(bench)
}

fn bench(args: Args) -> anyhow::Result<()> {
    let cases = cases(&args);
    let most = cases.iter().map(|case| case.n_viewers).max().unwrap_or(0);
    support::need_descriptors(most)?;
    let table = Table::begin(&COLUMNS);
    for case in cases {
        for _ in 0..args.runs {
            let floor = run(case, None)?;
            print(&table, case, "floor", &floor, &floor);
            for kind in &args.formats {
                let outcome = run(case, Some(*kind))?;
                print(&table, case, kind.as_str(), &outcome, &floor);
            }
        }
    }
    println!("\nevery viewer got every line, once and in order");
    Ok(())
}

fn cases(args: &Args) -> Vec<Case> {
    let loads = match (args.viewers, args.rate) {
        (Some(n_viewers), Some(rate)) => vec![(n_viewers, rate)],
        _ if args.quick => vec![(1, 1000), (50, 1000)],
        _ => {
            let mut loads = GOALS.to_vec();
            loads.extend(args.many.then_some((10_000, 100)));
            loads
        }
    };
    let of_load = |(n_viewers, rate): (usize, u64)| Case {
        n_viewers,
        rate,
        secs: if args.quick { args.secs.min(2) } else { args.secs },
        rest: Duration::from_secs(if args.quick { args.rest.min(1) } else { args.rest }),
        round: Duration::from_millis(args.round_ms.unwrap_or(if n_viewers > 1 { 20 } else { 0 })),
    };
    loads.into_iter().map(of_load).collect()
}

/// Runs a case on a new file: against the server with a kind of viewer, or against the floor.
fn run(case: Case, kind: Option<Kind>) -> anyhow::Result<Outcome> {
    let folder = support::folder()?;
    let log = folder.path().join("app.log");
    writer::fill(&log, 0..FIRST)?;
    let server = match kind {
        None => Server::floor(&log, case.round)?,
        Some(_) => Server::tailcast(&log, &[])?,
    };
    let before = server.usage()?;
    let mut viewers = Client::start(client::Plan {
        address: server.address,
        paths: vec![kind.unwrap_or(Kind::Text).path("app.log", "tail=0")],
        n_viewers: case.n_viewers,
        first: FIRST,
        end: None,
        is_finite: false,
        max: Duration::from_secs(case.secs) + case.rest + PATIENCE,
    })?;
    std::thread::sleep(SETTLE);
    let idle = server.usage()?;
    let mut writer = Child::start(&Role::Write(writer::Plan {
        log: log.clone(),
        first: FIRST,
        rate: case.rate,
        n_lines: case.rate * case.secs,
        rotate_every: None,
    }))?;
    let written: Written = writer.hear()?;
    viewers.tell_end(written.end)?;
    let report = viewers.done()?;
    let loaded = server.usage()?;
    report.ensure_complete()?;
    std::thread::sleep(case.rest);
    let rested = server.usage()?;
    viewers.leave()?.ensure_complete()?;
    Ok(Outcome { report, written, before, idle, loaded, rested })
}

fn print(table: &Table, case: Case, server: &str, outcome: &Outcome, floor: &Outcome) {
    let Outcome { report, written, before, idle, loaded, rested } = outcome;
    let cpu_s = |outcome: &Outcome| outcome.loaded.cpu_s - outcome.idle.cpu_s;
    let per_viewer = |usage: &Usage| {
        let more = usage.pss_kib as f64 - before.pss_kib as f64;
        // What a few viewers add is not theirs but the first one's: threads, the feed, the ring.
        let is_theirs = case.n_viewers >= 100;
        if is_theirs { format!("{:.1}", more / case.n_viewers as f64) } else { "-".to_owned() }
    };
    let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    let per_second = |count: u64| count as f64 / report.seconds.max(1e-9);
    table.row(&[
        format!("{} × {}", grouped(case.n_viewers as u64), grouped(case.rate)),
        server.to_owned(),
        format!("{:.3}", per_second(report.n_lines) / 1e6),
        format!("{:.1}", per_second(report.n_bytes) / 1e6),
        format!("{:.2}", report.p50_ms),
        format!("{:.2}", report.p99_ms),
        format!("{:.1}", report.max_ms),
        format!("{:.2}", cpu_s(outcome)),
        format!("{:.2}", cpu_s(outcome) / cpu_s(floor).max(0.01)),
        format!("{:.2}", report.cpu_s),
        mib(before.pss_kib),
        per_viewer(idle),
        mib(loaded.rss_kib),
        per_viewer(rested),
        format!("{:.1}", written.late_max_ms),
    ]);
}

/// Viewers and lines a second of the goals.
const GOALS: [(usize, u64); 5] =
    [(1, 1000), (100, 1000), (1000, 1000), (100, 100_000), (1000, 10_000)];

const COLUMNS: [&str; 15] = [
    "viewers × lines/s",
    "server",
    "M lines/s",
    "MB/s",
    "p50 ms",
    "p99 ms",
    "max ms",
    "CPU s",
    "× floor",
    "client CPU s",
    "base PSS MiB",
    "idle KiB/viewer",
    "loaded RSS MiB",
    "rested KiB/viewer",
    "writer late ms",
];

/// Lines that are in the file before anybody looks.
const FIRST: u64 = 100;
const SETTLE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);
