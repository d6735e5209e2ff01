//! Writer: appends numbered lines to a file at an even rate, and rotates it if told to.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::child;
use super::line::{LINE_BYTES, LineMaker};

/// What to write.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The file, appended to.
    pub(crate) log: PathBuf,
    /// The first line's number.
    pub(crate) first: u64,
    /// Lines a second.
    pub(crate) rate: u64,
    /// How many lines, unless told to end before.
    pub(crate) n_lines: u64,
    /// Rotates so often: by a rename and by copying and truncating, in turn.
    pub(crate) rotate_every: Option<Duration>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    /// The number after the last line's.
    pub(crate) end: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// How late a write ever was.
    pub(crate) late_max_ms: f64,
    /// How often the file was rotated.
    pub(crate) n_rotations: u64,
}

/// Up to this rate each line is one `write(2)`; above it a write carries several.
const WRITES_A_SECOND: u64 = 10_000;

/// Rotated files that are kept.
const KEPT: u32 = 3;

/// Writes, and says what it has [`Written`].
pub(crate) fn write(plan: &Plan) -> anyhow::Result<()> {
    let is_dismissed = child::dismissal();
    let lines_a_write = plan.rate.div_ceil(WRITES_A_SECOND).max(1);
    let mut file = open(&plan.log)?;
    let (mut maker, mut buffer) = (LineMaker::default(), Vec::new());
    let (begun, mut late_max) = (Instant::now(), Duration::ZERO);
    let (mut n_written, mut n_rotations) = (0, 0);
    while n_written < plan.n_lines && !is_dismissed.load(Ordering::Relaxed) {
        let due = begun + Duration::from_secs(n_written) / u32::try_from(plan.rate)?.max(1);
        match due.checked_duration_since(Instant::now()) {
            Some(early) => std::thread::sleep(early),
            None => late_max = late_max.max(due.elapsed()),
        }
        buffer.clear();
        let n_lines = lines_a_write.min(plan.n_lines - n_written);
        (n_written..n_written + n_lines).for_each(|at| maker.push(plan.first + at, &mut buffer));
        file.write_all(&buffer).context("cannot write the log")?;
        n_written += n_lines;
        let n_due =
            plan.rotate_every.map_or(0, |every| begun.elapsed().as_nanos() / every.as_nanos());
        if n_due > n_rotations {
            rotate(&plan.log, &mut file, n_rotations % 2 == 1)?;
            n_rotations += 1;
        }
    }
    child::say(&Written {
        end: plan.first + n_written,
        seconds: begun.elapsed().as_secs_f64(),
        late_max_ms: late_max.as_secs_f64() * 1e3,
        n_rotations: u64::try_from(n_rotations)?,
    })
}

/// Fills a new file with lines, unpaced; returns its size.
pub(crate) fn fill(log: &Path, numbers: std::ops::Range<u64>) -> anyhow::Result<u64> {
    let mut file = open(log)?;
    let (mut maker, mut buffer) = (LineMaker::default(), Vec::with_capacity(1 << 20));
    for number in numbers {
        maker.push(number, &mut buffer);
        if buffer.len() > (1 << 20) - LINE_BYTES {
            file.write_all(&buffer)?;
            buffer.clear();
        }
    }
    file.write_all(&buffer)?;
    Ok(file.metadata()?.len())
}

fn open(log: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().append(true).create(true).open(log);
    opened.with_context(|| format!("cannot open {}", log.display()))
}

/// As logrotate does it. Nobody writes meanwhile, so nothing is lost between copy and truncation.
fn rotate(log: &Path, file: &mut File, by_copy: bool) -> anyhow::Result<()> {
    let numbered = |number: u32| {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..KEPT).rev().filter(|number| numbered(*number).exists()) {
        fs::rename(numbered(number), numbered(number + 1))?;
    }
    if by_copy {
        fs::copy(log, numbered(1))?;
        file.set_len(0)?;
    } else {
        fs::rename(log, numbered(1))?;
        *file = open(log)?;
    }
    Ok(())
}
