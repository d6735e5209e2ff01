//! Usage: what a process has and has spent, as `/proc` tells it.

use std::fmt;
use std::fs;

use anyhow::Context as _;

/// What one process has, and has spent so far. The processes measured here have no children.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of CPU, in user and kernel.
    pub(crate) cpu_s: f64,
    /// Resident memory.
    pub(crate) rss_kib: u64,
    /// Resident memory, shared pages by their share.
    pub(crate) pss_kib: u64,
    /// Threads.
    pub(crate) n_threads: u64,
    /// Open descriptors.
    pub(crate) n_fds: usize,
    /// inotify watches, of all instances together.
    pub(crate) n_watches: usize,
}

impl Usage {
    /// What `pid` has now.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let (cpu_s, n_threads) = cpu_and_threads(pid)?;
        let (rss_kib, pss_kib) = memory(pid)?;
        let (n_fds, n_watches) = descriptors(pid)?;
        Ok(Usage { cpu_s, rss_kib, pss_kib, n_threads, n_fds, n_watches })
    }
}

fn read(pid: u32, what: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{what}");
    fs::read_to_string(&path).with_context(|| format!("{path} (has the process ended?)"))
}

/// See `proc_pid_stat(5)`: the name in parentheses may hold anything, what is after it is numbered
/// from 3.
fn cpu_and_threads(pid: u32) -> anyhow::Result<(f64, u64)> {
    let stat = read(pid, "stat")?;
    let (_, after) = stat.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok());
    let ticks = field(14).zip(field(15)).map(|(user, system)| user + system);
    let ticks = ticks.context("no times in stat")?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok((ticks as f64 / per_second as f64, field(20).context("no threads in stat")?))
}

fn memory(pid: u32) -> anyhow::Result<(u64, u64)> {
    let rollup = read(pid, "smaps_rollup")?;
    let kib_of = |key: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Ok((kib_of("Rss:").context("no Rss")?, kib_of("Pss:").context("no Pss")?))
}

fn descriptors(pid: u32) -> anyhow::Result<(usize, usize)> {
    let (mut n_fds, mut n_watches) = (0, 0);
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        n_fds += 1;
        // A descriptor may be closed while we look.
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if target.to_string_lossy().contains("inotify") {
            let name = entry.file_name();
            let info = read(pid, &format!("fdinfo/{}", name.to_string_lossy()));
            let info = info.unwrap_or_default();
            n_watches += info.lines().filter(|line| line.starts_with("inotify wd:")).count();
        }
    }
    Ok((n_fds, n_watches))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RSS {} KiB, {} descriptors, {} inotify watches, {} threads, {:.1} CPU s",
            self.rss_kib, self.n_fds, self.n_watches, self.n_threads, self.cpu_s
        )
    }
}
