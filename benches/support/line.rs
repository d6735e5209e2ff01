//! Line: 120 bytes that tell their number and when they were written.
//!
//! ```text
//! 2026-11-21T10:00:00.123456Z INFO seq=0000000000001234 at=000001795254000123456789 GET /items/42 200 5120 bytes 3 ms…
//! ```
//!
//! The digits come in eights, so that a client can read ten million lines a second.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memmem;

/// The length of a line, its newline included.
pub(crate) const LINE_BYTES: usize = 120;

/// Makes lines.
#[derive(Debug, Default)]
pub(crate) struct LineMaker {
    second: u64,
    /// The second as ISO 8601, without what is below it.
    shown: String,
}

/// What a line tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its number.
    pub(crate) number: u64,
    /// When it was written, in nanoseconds since 1970 by the system's clock.
    pub(crate) written_ns: u64,
}

impl LineMaker {
    /// Appends the line `number`, written now.
    pub(crate) fn push(&mut self, number: u64, out: &mut Vec<u8>) {
        let now = now_ns();
        let second = now / 1_000_000_000;
        if self.second != second {
            self.second = second;
            let seconds = i64::try_from(second).unwrap_or(i64::MAX);
            let shown = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string();
            shown.trim_end_matches('Z').clone_into(&mut self.shown);
        }
        let (shown, below) = (&self.shown, now % 1_000_000_000 / 1000);
        let from = out.len();
        let written =
            write!(out, "{shown}.{below:06}Z INFO seq={number:016} at={now:024} GET /items/");
        debug_assert!(written.is_ok(), "memory takes all");
        let n_missing = LINE_BYTES - 1 - (out.len() - from);
        out.extend(FILLER.iter().cycle().take(n_missing));
        out.push(b'\n');
    }
}

impl Mark {
    /// Finds the mark in a line. `expected_at` is where the last line had it, and is kept.
    #[inline]
    pub(crate) fn find(line: &[u8], expected_at: &mut usize) -> Option<Self> {
        if let Some(mark) = line.get(*expected_at..).and_then(Self::read) {
            return Some(mark);
        }
        let at = memmem::find(line, b"seq=")?;
        *expected_at = at;
        Self::read(line.get(at..)?)
    }

    #[inline]
    fn read(text: &[u8]) -> Option<Self> {
        let text: &[u8; 48] = text.first_chunk()?;
        let (head, rest) = text.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<16>()?;
        let (middle, at) = rest.split_first_chunk::<4>()?;
        if head != b"seq=" || middle != b" at=" {
            return None;
        }
        Some(Mark { number: digits(number)?, written_ns: digits(at)? })
    }
}

/// Reads digits, as many eights as there are.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    text.chunks_exact(8).try_fold(0_u64, |value, eight| {
        let eight = eight_digits(eight.try_into().ok()?)?;
        value.checked_mul(100_000_000)?.checked_add(eight)
    })
}

/// Eight digits at once: pairs, then fours, then all, within one word.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(text) ^ 0x3030_3030_3030_3030;
    let is_above_nine = word.wrapping_add(0x7676_7676_7676_7676) | word;
    if is_above_nine & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (word * 10 + (word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// Nanoseconds since 1970, by the clock that all processes share.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

const FILLER: &[u8] = b"42 200 5120 bytes in 3 ms for 10.0.0.7 ";
