//! Catching up: how fast one viewer gets a whole file, beside nginx serving the same file as it is;
//! and how long the first of the last ten lines takes, in a small file and in a huge one.
//!
//! `cargo bench --bench catchup -- --help`
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
use std::io::{Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;

use support::client::{self, Client};
use support::http::time_to_first_line;
use support::line::LINE_BYTES;
use support::role::Program;
use support::server::Server;
use support::table::{Table, grouped};
use support::viewer::Kind;
use support::writer;

/// Measures how fast one viewer catches up with a file, beside nginx.
#[derive(Debug, Parser)]
struct Args {
    /// The file's size in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// How often each is run, in turn.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Formats.
    #[arg(long = "format", value_delimiter = ',', default_values = ["text", "ndjson"])]
    formats: Vec<Kind>,
    /// A small file, once: to see that it works.
    #[arg(long)]
    quick: bool,
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
    println!(
        "a file of {} bytes, {} lines; one viewer checks each\n",
        grouped(size),
        grouped(n_lines)
    );
    let nginx = find_nginx();
    if nginx.is_none() {
        eprintln!(
            "nginx is missing (Debian: `apt-get install nginx-light`): nothing to compare with"
        );
    }
    let table = Table::begin(&["server", "MB/s", "seconds", "CPU s", "RSS MiB", "× nginx"]);
    for _ in 0..runs {
        let beside = match &nginx {
            None => None,
            Some(program) => {
                let server = start_nginx(program, folder.path())?;
                let speed = measure(&table, "nginx", &server, "/app.log", size, n_lines, None)?;
                Some(speed)
            }
        };
        for kind in &args.formats {
            let server = Server::tailcast(&log, &[])?;
            let path = kind.path("app.log", "tail=all&follow=false");
            measure(&table, kind.as_str(), &server, &path, size, n_lines, beside)?;
        }
    }
    drop(folder);
    first_lines()
}

/// Has one viewer read it all; the log's MB/s.
fn measure(
    table: &Table,
    name: &str,
    server: &Server,
    path: &str,
    size: u64,
    n_lines: u64,
    beside: Option<f64>,
) -> anyhow::Result<f64> {
    let before = server.usage()?;
    let mut viewer = Client::start(client::Plan {
        address: server.address,
        paths: vec![path.to_owned()],
        n_viewers: 1,
        first: 0,
        end: Some(n_lines),
        is_finite: true,
        max: Duration::from_secs(300),
    })?;
    let report = viewer.done()?;
    let after = server.usage()?;
    report.ensure_complete()?;
    let speed = size as f64 / 1e6 / report.seconds_from_start;
    table.row(&[
        name.to_owned(),
        format!("{speed:.0}"),
        format!("{:.2}", report.seconds_from_start),
        format!("{:.2}", after.cpu_s - before.cpu_s),
        format!("{:.1}", after.rss_kib as f64 / 1024.0),
        beside.map_or("-".to_owned(), |beside| format!("{:.2}", speed / beside)),
    ]);
    Ok(speed)
}

/// The time to the first of the last ten lines must not grow with the file.
fn first_lines() -> anyhow::Result<()> {
    println!("\nfrom the connect to the first of the last ten lines, {N_TRIES} tries each\n");
    let table = Table::begin(&["file", "median ms", "90th ms", "max ms"]);
    for (name, hole) in [("10 KB", None), ("10 GB", Some(10_000_000_000))] {
        let folder = support::folder()?;
        let log = folder.path().join("app.log");
        writer::fill(&log, 0..if hole.is_some() { 10_000 } else { 85 })?;
        if let Some(hole) = hole {
            // Nothing is stored for what lies between the first lines and the last.
            let mut file = File::options().write(true).open(&log)?;
            file.set_len(hole)?;
            file.seek(SeekFrom::End(0))?;
            std::io::Write::write_all(&mut file, b"\n")?;
            writer::fill(&log, 10_000..20_000)?;
        }
        let server = Server::tailcast(&log, &[])?;
        let path = Kind::Text.path("app.log", "tail=10&follow=false");
        let tries = (0..N_TRIES).map(|_| time_to_first_line(server.address, &path));
        let mut times = tries.collect::<anyhow::Result<Vec<_>>>()?;
        times.sort();
        let at = |number: usize| format!("{:.2}", times[number].as_secs_f64() * 1e3);
        table.row(&[name.to_owned(), at(N_TRIES / 2), at(N_TRIES * 9 / 10), at(N_TRIES - 1)]);
    }
    Ok(())
}

fn find_nginx() -> Option<PathBuf> {
    let folders = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    folders.split(':').map(|folder| Path::new(folder).join("nginx")).find(|path| path.is_file())
}

/// One process of nginx, with the settings that serve a file fastest.
fn start_nginx(program: &Path, folder: &Path) -> anyhow::Result<Server> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = folder.join("nginx.conf");
    std::fs::write(&config, nginx_config(address, folder))?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is not UTF-8");
    let (folder, config) = (text(folder)?, text(&config)?);
    let arguments = ["-p", &folder, "-e", "stderr", "-c", &config].map(str::to_owned).to_vec();
    let program = Program { path: text(program)?, arguments, ..Program::default() };
    Server::other(program, address)
}

fn nginx_config(address: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    let scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr warn;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n{scratch}\
         \x20 default_type text/plain;\n\
         \x20 server {{ listen {address}; root {folder}; }}\n}}\n"
    )
}

const N_TRIES: usize = 31;
