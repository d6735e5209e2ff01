//! [`facts`]: reads what a line states, from how it begins.
//!
//! Only a bounded head of a line is looked at, whatever its length, and any bytes are taken. The
//! formats have no common trait: their first bytes distinguish them, once, here.

mod ansi;
mod container;
mod field;
mod json;
mod level_word;
mod logfmt;
mod syslog;

use memchr::memchr_iter;

use crate::line::level::Level;
use crate::line::stamp::CivilTime;
use crate::line::time::LineTime;
use crate::line::zone::Zone;

/// The time and level that a line states; `None` where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineMetadata {
    /// When it was written, as the line states.
    pub time: Option<LineTime>,
    /// Its severity, as the line states.
    pub level: Option<Level>,
}

impl LineMetadata {
    fn new(time: Option<LineTime>, level: Option<Level>) -> LineMetadata {
        LineMetadata { time, level }
    }

    /// This metadata, with the time of the wrapping if it has none.
    fn or_time(self, time: Option<LineTime>) -> LineMetadata {
        LineMetadata { time: self.time.or(time), level: self.level }
    }
}

/// Parses the time and the level of a line in any of the known formats: JSON, logfmt, syslog (RFC
/// 3164, RFC 5424, rsyslog's files), access and error logs of web servers, klog, lines led by an
/// ISO 8601 time, and what containers wrap around them. In other lines a level is searched near the
/// start.
///
/// Accepts any bytes, and parses no more than the first 16 KiB. `zone` is that of times without
/// one.
#[must_use]
pub fn metadata(line: &[u8], zone: &Zone) -> LineMetadata {
    nested_metadata(line, zone, 0)
}

/// The metadata of a line within `depth` wrappings.
fn nested_metadata(line: &[u8], zone: &Zone, depth: usize) -> LineMetadata {
    if depth > MAX_DEPTH {
        return LineMetadata::default();
    }
    let line = ansi::without_prefix(line);
    match line.first() {
        Some(b'0'..=b'9') => dated(line, zone, depth),
        Some(b'{') => json::metadata(line, zone, depth),
        Some(b'[') => bracketed(line, zone),
        Some(b'<') => syslog::prioritized(line, zone).unwrap_or_else(|| plain(line, zone)),
        Some(b'A'..=b'Z' | b'a'..=b'z' | b'@' | b'_') => lettered(line, zone),
        Some(_) => plain(line, zone),
        None => LineMetadata::default(),
    }
}

/// A line that begins with a digit: an ISO time, or the address of an access log.
#[inline]
fn dated(line: &[u8], zone: &Zone, depth: usize) -> LineMetadata {
    let Some((stamp, rest)) = CivilTime::iso(line) else {
        return plain(line, zone);
    };
    let time = stamp.time(zone);
    match container::cri(rest) {
        Some(inner) => nested_metadata(inner, zone, depth + 1).or_time(time),
        None => LineMetadata::new(time, message_level(rest)),
    }
}

/// A line that begins with a bracket, which may hold a time.
fn bracketed(line: &[u8], zone: &Zone) -> LineMetadata {
    let inside = line.split_first().map_or(line, |(_, inside)| inside);
    let dated = CivilTime::iso(inside).or_else(|| CivilTime::asctime(inside));
    match dated {
        Some((stamp, rest)) => LineMetadata::new(stamp.time(zone), message_level(rest)),
        None => plain(line, zone),
    }
}

/// A line that begins with a letter.
fn lettered(line: &[u8], zone: &Zone) -> LineMetadata {
    klog(line, zone)
        .or_else(|| syslog::dated(line, zone))
        .or_else(|| logfmt::metadata(line, zone))
        .or_else(|| {
            let (stamp, rest) = CivilTime::asctime(line)?;
            Some(LineMetadata::new(stamp.time(zone), message_level(rest)))
        })
        .unwrap_or_else(|| plain(line, zone))
}

/// `E1121 10:00:00.123456  123 file.go:1] …`.
fn klog(line: &[u8], zone: &Zone) -> Option<LineMetadata> {
    let (letter, rest) = line.split_first()?;
    let level = Level::from_letter(*letter)?;
    let (stamp, _) = CivilTime::klog(rest, zone)?;
    Some(LineMetadata::new(stamp.time(zone), Some(level)))
}

/// Any other line: an access log has its time in brackets and no level; else there may be a level,
/// and a time just after it.
fn plain(line: &[u8], zone: &Zone) -> LineMetadata {
    if let Some(stamp) = access_stamp(line) {
        return LineMetadata::new(stamp.time(zone), None);
    }
    let Some((level, rest)) = level_word::find(line) else {
        return LineMetadata::default();
    };
    let rest = ansi::without_prefix(rest);
    let n_marks = rest.iter().take_while(|byte| b" \t:-|[](),".contains(byte)).count();
    let after = rest.get(n_marks..).unwrap_or_default();
    let time = CivilTime::iso(after).and_then(|(stamp, _)| stamp.time(zone));
    LineMetadata::new(time, Some(level))
}

/// The time of `10.0.0.1 - - [21/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" …`.
fn access_stamp(line: &[u8]) -> Option<CivilTime> {
    let head = line.get(..ACCESS_HEAD_BYTES).unwrap_or(line);
    memchr_iter(b'[', head).take(MAX_BRACKETS).find_map(|at| {
        let (stamp, rest) = CivilTime::access(line.get(at + 1..)?)?;
        rest.starts_with(b"]").then_some(stamp)
    })
}

/// The level of what follows a time: a JSON object's, or that of a word.
#[inline]
fn message_level(text: &[u8]) -> Option<Level> {
    let text = ansi::without_prefix(text);
    if text.starts_with(b"{") {
        return json::object_level(text);
    }
    level_word::find(text).map(|(level, _)| level).or_else(|| tagged_json_level(text))
}

/// The level of `host tag[1]: {"level":"warn",…}`.
fn tagged_json_level(text: &[u8]) -> Option<Level> {
    let head = text.get(..TAG_BYTES).unwrap_or(text);
    let at = memchr::memmem::find(head, b": {\"")?;
    json::object_level(text.get(at + 2..)?)
}

/// The greatest depth of wrappings.
const MAX_DEPTH: usize = 3;
/// How far into an access-log line its bracket may be, after addresses and a user.
const ACCESS_HEAD_BYTES: usize = 512;
const MAX_BRACKETS: usize = 8;
/// The longest host and tag.
const TAG_BYTES: usize = 160;

#[cfg(test)]
mod tests;
