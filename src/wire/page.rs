//! Page: older lines in a finite response, as text or records. It reads like a stream that has
//! ended: `start` (with `"begin"`: nothing lies before it), lines, `end`.

use bytes::{Bytes, BytesMut};

use crate::chunk::Position;
use crate::cursor::Cursor;
use crate::filter::Selection;
use crate::follower::EndReason;
use crate::line::Zone;
use crate::source::Older;
use crate::wire::Format;
use crate::wire::ndjson;
use crate::wire::record::write_json;
use crate::wire::text::{TextEncoder, TextOptions};

/// The lines of a page, written, and how many there are.
#[must_use]
pub fn lines(
    format: Format,
    name: &str,
    older: &Older,
    options: TextOptions,
    zone: &Zone,
) -> (Bytes, usize) {
    let (mut out, mut n_lines) = (BytesMut::new(), 0);
    let mut text = TextEncoder::new(options, false);
    for (chunk, selection) in &older.lines {
        n_lines += match selection {
            Selection::All => chunk.n_lines(),
            Selection::Lines(selected) => selected.len(),
        };
        out.extend_from_slice(&match format {
            Format::Text | Format::Raw => text.lines(0, name, chunk, selection, zone),
            Format::Ndjson | Format::Sse => ndjson::lines(name, chunk, selection, zone),
        });
    }
    (out.freeze(), n_lines)
}

/// What comes before the lines.
#[must_use]
pub fn head(format: Format, name: &str, start: &Cursor, begin: bool) -> Vec<u8> {
    record(format, name, "start", start, &format!(",\"begin\":{begin}"))
}

/// What comes after them.
#[must_use]
pub fn foot(format: Format, name: &str, before: &Cursor) -> Vec<u8> {
    record(format, name, "end", before, &format!(",\"reason\":\"{}\"", EndReason::Eof.as_str()))
}

/// A position as a cursor.
#[must_use]
pub fn cursor_of(position: &Position) -> Option<Cursor> {
    let mut token = Vec::new();
    position.write_cursor(&mut token);
    std::str::from_utf8(&token).ok()?.parse().ok()
}

fn record(format: Format, name: &str, event: &str, cursor: &Cursor, more: &str) -> Vec<u8> {
    match format {
        Format::Text | Format::Raw => Vec::new(),
        Format::Ndjson | Format::Sse => {
            let mut out = format!("{{\"event\":\"{event}\",\"source\":").into_bytes();
            write_json(name, &mut out);
            out.extend_from_slice(format!(",\"cursor\":\"{cursor}\"{more}}}\n").as_bytes());
            out
        }
    }
}
