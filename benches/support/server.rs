//! Server: the program that is measured, or one it is measured against.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStderr, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;

use super::child::Child;
use super::floor;
use super::role::{Program, Role};
use super::usage::Usage;

/// A server that is running.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts Tailcast for one log, with settings beside the defaults (`TAILCAST_…`, `ROCKET_…`).
    /// The log's folder gets a configuration file, so that no other is found.
    pub(crate) fn tailcast(log: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let config = log.with_file_name("Rocket.toml");
        std::fs::write(&config, "[default]\n")?;
        let arguments = ["serve", "--port", "0", "--config", text(&config)?, text(log)?];
        let environment: BTreeMap<_, _> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let program = Program {
            path: env!("CARGO_BIN_EXE_tailcast").to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment,
        };
        let (child, errors) = Child::start_with(&Role::Become(program), Stdio::piped())?;
        let (found, address) = channel();
        let errors = errors.context("no standard error")?;
        std::thread::spawn(move || listen(errors, &found));
        let address = first_address(&address)?;
        Ok(Server { address, child })
    }

    /// Starts the floor for one log.
    pub(crate) fn floor(log: &Path, round: Duration) -> anyhow::Result<Self> {
        let mut child = Child::start(&Role::Floor(floor::Plan { log: log.into(), round }))?;
        let address = child.hear()?;
        Ok(Server { address, child })
    }

    /// Starts another program, which is known to listen at `address` soon.
    pub(crate) fn other(program: Program, address: SocketAddr) -> anyhow::Result<Self> {
        let child = Child::start(&Role::Become(program))?;
        for _ in 0..500 {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok(Server { address, child });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("nobody listens on {address}")
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.id())
    }
}

/// Reads what Tailcast says, to the end: the address, and what it finds wrong.
fn listen(errors: ChildStderr, found: &Sender<String>) {
    let mut n_shown = 0;
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        let is_wrong = ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word));
        if (is_wrong || line.starts_with("tailcast: ")) && n_shown < MAX_SHOWN {
            let is_greeting = line.contains(GREETING);
            if found.send(line.clone()).is_err() || !is_greeting {
                n_shown += 1;
                eprintln!("server: {line}");
            }
        }
    }
}

fn first_address(said: &Receiver<String>) -> anyhow::Result<SocketAddr> {
    loop {
        let line = said.recv_timeout(START).context("the server does not start")?;
        if let Some((_, url)) = line.split_once(GREETING) {
            // With or without TLS.
            let (_, address) = url.split_once("://").context("no URL")?;
            return Ok(address.trim_end_matches('/').parse()?);
        }
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

const GREETING: &str = " sources on ";
const START: Duration = Duration::from_secs(20);
const MAX_SHOWN: usize = 20;
