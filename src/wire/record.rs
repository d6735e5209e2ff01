//! Record: the JSON objects of the record formats, written without an intermediate tree.

use std::io::Write as _;
use std::time::SystemTime;

use crate::chunk::{Chunk, LineRef, Position};
use crate::cursor::SET_SEPARATOR;
use crate::follower::{EndReason, Follower};
use crate::history::EventKind;
use crate::line::split::trim_line_end;
use crate::line::time::LineTime;
use crate::line::{LineMetadata, Zone};
use crate::source::SourceName;
use crate::wire::is_resumable;

/// Writes `text` as a JSON string with its quotes.
pub fn write_json(text: &str, out: &mut Vec<u8>) {
    // Writing into memory cannot fail, and any text can be JSON.
    let written = serde_json::to_writer(&mut *out, text);
    debug_assert!(written.is_ok(), "text is JSON");
}

/// Writes bytes as a JSON string with its quotes; what is not UTF-8 is replaced. `is_text`: it is
/// known to be UTF-8, which is cheaper.
pub fn write_json_bytes(bytes: &[u8], is_text: bool, out: &mut Vec<u8>) {
    if !is_text {
        return write_json(&String::from_utf8_lossy(bytes), out);
    }
    out.push(b'"');
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        if let Some((byte, after)) = after.split_first() {
            write_escape(*byte, out);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// As RFC 8259 has it.
fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            // Writing into memory cannot fail.
            let written = write!(out, "\\u{byte:04x}");
            debug_assert!(written.is_ok(), "memory takes all");
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Writes the cursors of several sources, joined.
pub fn write_set<'a>(positions: impl Iterator<Item = &'a Position>, out: &mut Vec<u8>) {
    for (number, position) in positions.enumerate() {
        if number > 0 {
            out.push(SET_SEPARATOR as u8);
        }
        position.write_cursor(out);
    }
}

/// Writes the record of a line: `{"source","cursor","time","level","line","partial"}`. `source` is
/// the name as JSON.
pub fn write_line(
    source: &[u8],
    chunk: &Chunk,
    line: &LineRef<'_>,
    metadata: LineMetadata,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"source\":");
    out.extend_from_slice(source);
    out.extend_from_slice(b",\"cursor\":\"");
    chunk.cursor_prefix().write_token(line.end_offset, line.check, out);
    out.push(b'"');
    if let Some(time) = metadata.time {
        out.extend_from_slice(b",\"time\":\"");
        time.write_rfc3339(out);
        out.push(b'"');
    }
    if let Some(level) = metadata.level {
        out.extend_from_slice(b",\"level\":\"");
        out.extend_from_slice(level.as_str().as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"line\":");
    write_json_bytes(trim_line_end(line.text), chunk.is_text(), out);
    if line.partial {
        out.extend_from_slice(b",\"partial\":true");
    }
    out.push(b'}');
}

/// Calls a function for each selected line (all if none are named) with its metadata.
pub fn for_each_line<'a>(
    chunk: &'a Chunk,
    selected: Option<&[u32]>,
    zone: &Zone,
    mut write: impl FnMut(&LineRef<'a>, LineMetadata),
) {
    match selected {
        None => {
            let metadata = chunk.metadata(zone);
            for line in chunk.lines() {
                write(&line, metadata.get(line.index).copied().unwrap_or_default());
            }
        }
        Some(selected) => {
            let mut selected = selected.iter().peekable();
            for line in chunk.lines() {
                let is_next = |index: &&u32| **index as usize == line.index;
                if selected.next_if(is_next).is_some() {
                    let metadata = match line.continues {
                        true => LineMetadata::default(),
                        false => crate::line::metadata(trim_line_end(line.text), zone),
                    };
                    write(&line, metadata);
                }
            }
        }
    }
}

/// Writes `{"event":"start","source","cursor"}`; for several sources also `"sources"`, and
/// `"resumable":false` where they are too many.
pub fn write_start(requested: &str, is_glob: bool, follower: &Follower, out: &mut Vec<u8>) {
    write_head("start", requested, out);
    write_cursors(follower.positions(), out);
    if is_glob {
        out.extend_from_slice(b",\"sources\":[");
        write_names(follower.names().map(SourceName::as_str), out);
        out.push(b']');
    }
    if !is_resumable(follower.positions().len()) {
        out.extend_from_slice(b",\"resumable\":false");
    }
    out.push(b'}');
}

/// Writes names as JSON strings, between commas.
pub fn write_names<'a>(names: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (number, name) in names.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_json(name, out);
    }
}

/// Writes `{"event":"gap","source","cursor","bytes","reason"}` or
/// `{"event":"rotated","source","cursor","how"}`.
pub fn write_event(source: &str, position: Option<&Position>, kind: EventKind, out: &mut Vec<u8>) {
    write_head(event_name(kind), source, out);
    out.extend_from_slice(b",\"cursor\":\"");
    if let Some(position) = position {
        position.write_cursor(out);
    }
    out.push(b'"');
    match kind {
        EventKind::Gap { bytes, reason } => {
            write_number("bytes", bytes, out);
            write_word("reason", reason.as_str(), out);
        }
        EventKind::Rotated(how) => write_word("how", how.as_str(), out),
    }
    out.push(b'}');
}

/// Writes `{"event":"unreadable","source","reason"}`.
pub fn write_unreadable(source: &str, reason: &str, out: &mut Vec<u8>) {
    write_head("unreadable", source, out);
    out.extend_from_slice(b",\"reason\":");
    write_json(reason, out);
    out.push(b'}');
}

/// The name of an event.
#[must_use]
pub const fn event_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Gap { bytes: _, reason: _ } => "gap",
        EventKind::Rotated(_) => "rotated",
    }
}

/// Writes `{"event":"heartbeat","source","cursor","size","modified","behind"}`. `positions`: how far
/// the viewer was sent lines.
pub fn write_heartbeat<'a>(
    requested: &str,
    follower: &Follower,
    positions: impl ExactSizeIterator<Item = &'a Position>,
    out: &mut Vec<u8>,
) {
    let (progress, behind) = follower.progress();
    write_head("heartbeat", requested, out);
    write_cursors(positions, out);
    write_number("size", progress.size, out);
    out.extend_from_slice(b",\"modified\":");
    write_time(progress.modified, out);
    write_number("behind", behind, out);
    out.push(b'}');
}

/// Writes `{"event":"end","source","reason","cursor"}`.
pub fn write_end<'a>(
    requested: &str,
    reason: EndReason,
    positions: impl ExactSizeIterator<Item = &'a Position>,
    out: &mut Vec<u8>,
) {
    write_head("end", requested, out);
    write_word("reason", reason.as_str(), out);
    write_cursors(positions, out);
    out.push(b'}');
}

/// Writes a time as a JSON string, or `null`.
pub fn write_time(time: Option<SystemTime>, out: &mut Vec<u8>) {
    match time.and_then(|time| jiff::Timestamp::try_from(time).ok()) {
        Some(time) => {
            out.push(b'"');
            LineTime::from(time).write_rfc3339(out);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn write_head(event: &str, source: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event\":\"");
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\",\"source\":");
    write_json(source, out);
}

/// Writes `,"cursor":"…"`, the cursor of a stream; nothing if it has too many sources for one.
pub fn write_cursors<'a>(
    positions: impl ExactSizeIterator<Item = &'a Position>,
    out: &mut Vec<u8>,
) {
    if is_resumable(positions.len()) {
        out.extend_from_slice(b",\"cursor\":\"");
        write_set(positions, out);
        out.push(b'"');
    }
}

fn write_number(key: &str, value: u64, out: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let written = write!(out, ",\"{key}\":{value}");
    debug_assert!(written.is_ok(), "memory takes all");
}

fn write_word(key: &str, value: &str, out: &mut Vec<u8>) {
    let written = write!(out, ",\"{key}\":\"{value}\"");
    debug_assert!(written.is_ok(), "memory takes all");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{write_json, write_json_bytes};

    proptest! {
        #[test]
        fn both_ways_write_the_same_json(text in "[\\x00-\\x7f\u{e9}\u{2028}\u{1f600}]{0,60}") {
            let (mut slow, mut fast) = (Vec::new(), Vec::new());
            write_json(&text, &mut slow);
            write_json_bytes(text.as_bytes(), true, &mut fast);
            prop_assert_eq!(String::from_utf8(fast), String::from_utf8(slow));
        }

        #[test]
        fn any_bytes_are_written_as_json(bytes: Vec<u8>) {
            let mut json = Vec::new();
            write_json_bytes(&bytes, std::str::from_utf8(&bytes).is_ok(), &mut json);
            let read: String = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
