//! Server-sent events. Lines are the same records as in NDJSON, one an event; `id:` is the place
//! after it, so that a browser resumes by itself.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use bytes::Bytes;

use crate::chunk::{Chunk, Position, Slot};
use crate::cursor::SET_SEPARATOR;
use crate::filter::Selection;
use crate::line::Zone;
use crate::wire::ndjson::{encode_lines, shared_lines};
use crate::wire::record::{write_json, write_line};

/// The selected lines of a chunk as events, of a stream of one source.
#[must_use]
pub fn lines(name: &str, chunk: &Chunk, selection: &Selection, zone: &Zone) -> Bytes {
    let source = json_of(name);
    shared_lines(Slot::Sse, chunk, selection, |selected| {
        encode_lines(chunk, selected, zone, |line, metadata, out| {
            out.extend_from_slice(b"id: ");
            chunk.cursor_prefix().write_token(line.end_offset, line.check, out);
            out.extend_from_slice(b"\ndata: ");
            write_line(&source, chunk, line, metadata, out);
            out.extend_from_slice(b"\n\n");
        })
    })
}

/// The selected lines of a chunk, of a stream of several sources: their ids are made of the
/// positions of all (`positions`; empty if there are too many), and so cannot be shared.
#[must_use]
pub fn lines_of_many(
    name: &str,
    source_index: usize,
    positions: &[&Position],
    chunk: &Chunk,
    selection: &Selection,
    zone: &Zone,
) -> Bytes {
    let source = json_of(name);
    let selected = match selection {
        Selection::All => None,
        Selection::Lines(selected) => Some(selected.as_slice()),
    };
    let encoded = encode_lines(chunk, selected, zone, |line, metadata, out| {
        for (number, position) in positions.iter().enumerate() {
            match number {
                0 => out.extend_from_slice(b"id: "),
                _ => out.push(SET_SEPARATOR as u8),
            }
            if number == source_index {
                chunk.cursor_prefix().write_token(line.end_offset, line.check, out);
            } else {
                position.write_cursor(out);
            }
        }
        if !positions.is_empty() {
            out.push(b'\n');
        }
        out.extend_from_slice(b"data: ");
        write_line(&source, chunk, line, metadata, out);
        out.extend_from_slice(b"\n\n");
    });
    encoded.bytes.into_bytes()
}

/// The beginning of a stream: how long to wait before a reconnect, and the first event.
pub fn start(id: &str, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    // At random, so that not all viewers of a restarted server come back at once.
    let pause = 2000 + RandomState::new().hash_one(0) % 2000;
    let mut out = format!("retry: {pause}\n").into_bytes();
    out.extend_from_slice(&event("start", id, write));
    Bytes::from(out)
}

/// An event that is not a line.
pub fn event(name: &str, id: &str, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = format!("event: {name}\n").into_bytes();
    if !id.is_empty() {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(b"data: ");
    write(&mut out);
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
}

/// A heartbeat: one block that begins with a comment.
pub fn heartbeat(id: &str, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = b": heartbeat\n".to_vec();
    out.extend_from_slice(&event("heartbeat", id, write));
    Bytes::from(out)
}

fn json_of(name: &str) -> Vec<u8> {
    let mut json = Vec::new();
    write_json(name, &mut json);
    json
}
