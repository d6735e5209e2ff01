//! Child: a process of ours, and what it says in lines of JSON. It ends with this value.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{self, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::role::{AS_CHILD, Role};

/// A running child.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    /// What it reads; it is to end when this is closed.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts this program again, in a role.
    pub(crate) fn start(role: &Role) -> anyhow::Result<Self> {
        Self::start_with(role, Stdio::inherit()).map(|(child, _)| child)
    }

    /// The same, with its standard error in our hands.
    pub(crate) fn start_with(
        role: &Role,
        errors: Stdio,
    ) -> anyhow::Result<(Self, Option<ChildStderr>)> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([AS_CHILD, &serde_json::to_string(role)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context("cannot start a child")?;
        let errors = process.stderr.take();
        let input = process.stdin.take();
        let output = process.stdout.take().context("the child has no output")?;
        Ok((Child { process, input, output: BufReader::new(output) }, errors))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Reads the next thing it says.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("a child has failed; it said: {line}"))
    }

    /// Says something to it.
    pub(crate) fn tell(&mut self, words: &impl Serialize) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the child's input is closed")?;
        // One write, so that the child reads all of it at once.
        let line = serde_json::to_string(words)? + "\n";
        input.write_all(line.as_bytes()).context("the child has gone")
    }

    /// Tells it to end.
    pub(crate) fn dismiss(&mut self) {
        self.input = None;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let ended = self.process.kill().and_then(|()| self.process.wait());
        if let Err(error) = ended {
            eprintln!("child {}: {error}", self.process.id());
        }
    }
}

/// In a child: says something to the bench.
pub(crate) fn say(words: &impl Serialize) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(words)?)?;
    Ok(output.flush()?)
}

/// In a child: becomes true when the bench tells it to end.
pub(crate) fn dismissal() -> Arc<AtomicBool> {
    let is_dismissed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_dismissed);
    std::thread::spawn(move || {
        // Whatever ends the input, there is nobody any more who would say something.
        let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        told.store(true, Ordering::Relaxed);
        read
    });
    is_dismissed
}
