//! What the benches share: numbered lines, the processes of a run, and what is read off them.
//!
//! Every part of a run that could disturb another is a process of its own: the server, the floor it
//! is compared with, the writer, and the viewers. A bench starts itself again for its own parts
//! ([`role`]), and every child ends with its [`child::Child`], by its own process id.
#![allow(dead_code, reason = "each bench uses a part")]

pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod child;
pub(crate) mod churn;
pub(crate) mod client;
pub(crate) mod floor;
pub(crate) mod http;
pub(crate) mod line;
pub(crate) mod poll;
pub(crate) mod role;
pub(crate) mod server;
pub(crate) mod table;
pub(crate) mod usage;
pub(crate) mod viewer;
pub(crate) mod writer;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

/// The `main` of a bench: a child's role, or the bench with its arguments.
///
/// `cargo bench` says `--bench`; without it (`cargo test --all-targets` starts benches, too)
/// nothing is measured.
pub(crate) fn run<A: Parser>(bench: impl FnOnce(A) -> anyhow::Result<()>) -> ExitCode {
    let mut words: Vec<String> = std::env::args().collect();
    let done = if words.get(1).is_some_and(|word| word == role::AS_CHILD) {
        role::play(words.get(2).map_or("", String::as_str))
    } else if words.iter().any(|word| word == "--bench") {
        words.retain(|word| word != "--bench");
        if cfg!(debug_assertions) {
            eprintln!("this is a debug build: its figures say nothing");
        }
        raise_descriptor_limit().and_then(|()| bench(A::parse_from(words)))
    } else {
        println!("not started by `cargo bench` (no --bench): nothing is measured");
        Ok(())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A new empty folder of the build's, on the disk the build is on; gone when dropped.
pub(crate) fn folder() -> anyhow::Result<tempfile::TempDir> {
    let parent = env!("CARGO_TARGET_TMPDIR");
    std::fs::create_dir_all(parent)?;
    tempfile::tempdir_in(parent).with_context(|| format!("cannot make a folder in {parent}"))
}

/// Children inherit the limit.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of descriptors")
}

/// Refuses what the limit of descriptors does not allow, before anything is started.
pub(crate) fn need_descriptors(wanted: usize) -> anyhow::Result<()> {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    anyhow::ensure!(
        limit > wanted as u64 + 256,
        "{wanted} viewers need more than the {limit} descriptors a process may have here; \
         `ulimit -Hn` tells the limit"
    );
    Ok(())
}
