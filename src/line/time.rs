//! [`LineTime`]: the moment a line states, with the UTC offset it is shown with.
//!
//! It does not know how lines are written (see `line::stamp` and `line::format`).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;

use crate::line::calendar::{DAY_SECONDS, civil_from_days};
use crate::line::stamp::CivilTime;

/// An instant and the UTC offset to show it with.
///
/// Equality, order and hash are those of the instant alone: `10:00Z` equals `11:00+01:00`.
#[derive(Clone, Copy)]
pub struct LineTime {
    unix_nanos: i64,
    /// Whole minutes, in seconds: the resolution of RFC 3339.
    offset_seconds: i32,
}

impl LineTime {
    /// The instant `unix_nanos` nanoseconds after the epoch, to be shown with `offset_seconds`
    /// east of Greenwich; an offset is rounded down to the minute, and to less than a day.
    #[must_use]
    pub fn new(unix_nanos: i64, offset_seconds: i32) -> LineTime {
        let offset = offset_seconds.clamp(-FURTHEST_OFFSET, FURTHEST_OFFSET);
        LineTime { unix_nanos, offset_seconds: offset - offset % 60 }
    }

    /// A timestamp, shown with an offset; before 1677 and after 2262 the nearest representable one.
    #[must_use]
    pub fn from_timestamp(timestamp: Timestamp, offset_seconds: i32) -> LineTime {
        let nanos = timestamp.as_nanosecond();
        let nearest = if nanos < 0 { i64::MIN } else { i64::MAX };
        LineTime::new(i64::try_from(nanos).unwrap_or(nearest), offset_seconds)
    }

    /// Reads a whole RFC 3339 time (a space may stand for the `T`); `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &[u8]) -> Option<LineTime> {
        let (stamp, rest) = CivilTime::iso(text)?;
        if rest.is_empty() { stamp.zoned_time() } else { None }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_nanos(&self) -> i64 {
        self.unix_nanos
    }

    /// Seconds east of Greenwich, a multiple of 60.
    #[must_use]
    pub const fn offset_seconds(&self) -> i32 {
        self.offset_seconds
    }

    /// Appends the time as RFC 3339: `Z` for no offset, else `±hh:mm`; with 0, 3, 6 or 9 digits
    /// below the second, as needed.
    pub fn write_rfc3339(&self, out: &mut Vec<u8>) {
        let local = self.unix_nanos.div_euclid(SECOND_NANOS) + i64::from(self.offset_seconds);
        let (year, month, day) = civil_from_days(local.div_euclid(DAY_SECONDS));
        let second = small(local.rem_euclid(DAY_SECONDS));
        let [y0, y1] = pair(year / 100);
        let [y2, y3] = pair(year % 100);
        let [m0, m1] = pair(month);
        let [d0, d1] = pair(day);
        let [h0, h1] = pair(second / 3_600);
        let [i0, i1] = pair(second / 60 % 60);
        let [s0, s1] = pair(second % 60);
        out.extend_from_slice(&[
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1,
        ]);
        write_fraction(small(self.unix_nanos.rem_euclid(SECOND_NANOS)), out);
        self.write_offset(out);
    }

    fn write_offset(self, out: &mut Vec<u8>) {
        if self.offset_seconds == 0 {
            out.push(b'Z');
            return;
        }
        let sign = if self.offset_seconds < 0 { b'-' } else { b'+' };
        let minutes = self.offset_seconds.unsigned_abs() / 60;
        let [h0, h1] = pair(minutes / 60);
        let [m0, m1] = pair(minutes % 60);
        out.extend_from_slice(&[sign, h0, h1, b':', m0, m1]);
    }
}

impl From<Timestamp> for LineTime {
    /// The timestamp, shown in UTC.
    fn from(timestamp: Timestamp) -> LineTime {
        LineTime::from_timestamp(timestamp, 0)
    }
}

impl fmt::Display for LineTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(RFC3339_BYTES);
        self.write_rfc3339(&mut text);
        f.pad(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for LineTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for LineTime {
    fn eq(&self, other: &LineTime) -> bool {
        self.unix_nanos == other.unix_nanos
    }
}

impl Eq for LineTime {}

impl PartialOrd for LineTime {
    fn partial_cmp(&self, other: &LineTime) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LineTime {
    fn cmp(&self, other: &LineTime) -> Ordering {
        self.unix_nanos.cmp(&other.unix_nanos)
    }
}

impl Hash for LineTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.unix_nanos.hash(state);
    }
}

fn write_fraction(nanos: u32, out: &mut Vec<u8>) {
    if nanos == 0 {
        return;
    }
    let [milli_0, milli_1, milli_2] = triple(nanos / 1_000_000);
    out.extend_from_slice(&[b'.', milli_0, milli_1, milli_2]);
    if !nanos.is_multiple_of(1_000_000) {
        out.extend_from_slice(&triple(nanos / 1_000 % 1_000));
    }
    if !nanos.is_multiple_of(1_000) {
        out.extend_from_slice(&triple(nanos % 1_000));
    }
}

/// Two digits of a number below 100.
fn pair(number: u32) -> [u8; 2] {
    PAIRS.get(number as usize).copied().unwrap_or(*b"99")
}

/// Three digits of a number below 1000.
fn triple(number: u32) -> [u8; 3] {
    let [tens, ones] = pair(number % 100);
    [pair(number / 100)[1], tens, ones]
}

/// A number that is known to lie below a second's nanoseconds.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Nanoseconds of a second.
pub(crate) const SECOND_NANOS: i64 = 1_000_000_000;
/// 23:59, the most that RFC 3339 can write.
const FURTHEST_OFFSET: i32 = 86_340;
/// The longest form: `2026-11-21T10:00:00.123456789+01:00`.
const RFC3339_BYTES: usize = 35;

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let (mut tens, mut at) = (b'0', 0);
    while tens <= b'9' {
        let mut ones = b'0';
        while ones <= b'9' {
            #[expect(clippy::indexing_slicing, reason = "checked by the compiler: a constant")]
            {
                pairs[at] = [tens, ones];
            }
            at += 1;
            ones += 1;
        }
        tens += 1;
    }
    pairs
};

#[cfg(test)]
mod tests;
