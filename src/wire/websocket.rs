//! WebSocket messages: lines in batches `{"lines":[record,…],"start"}`, cut so that no message
//! exceeds [`MAX_MESSAGE_BYTES`], and pages of older lines. Other records are messages as they are.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::chunk::{Chunk, Encoded, LineRef, Position, Slot};
use crate::filter::Selection;
use crate::line::split::{Encoding, trim_line_end};
use crate::line::{LineMetadata, Zone};
use crate::source::Older;
use crate::wire::ndjson::text_of;
use crate::wire::record::{for_each_line, write_cursors, write_json, write_line};
use crate::wire::{is_resumable, is_sparse};

/// No message of ours exceeds this, encoded.
pub const MAX_MESSAGE_BYTES: usize = 512 * 1024;

/// Lines of one viewer, to be encoded as messages. A message is made on demand: until then only
/// data shared by all viewers is held.
#[derive(Debug)]
pub struct LineBatch {
    /// The position before the next line, by source index.
    positions: Vec<Position>,
    parts: VecDeque<BatchPart>,
    n_bytes: usize,
    /// Messages are cut at this size, unless one record is larger.
    message_bytes: usize,
}

#[derive(Debug)]
struct BatchPart {
    source_index: usize,
    chunk: Arc<Chunk>,
    records: Records,
    /// How many of the records were taken.
    n_done: usize,
}

#[derive(Debug)]
enum Records {
    /// All records of the shared encoding.
    All,
    /// Those of these lines.
    Lines(Vec<u32>),
    /// Encoded for this viewer alone, with the offset and check after each record.
    Own(Encoded, Vec<(u64, u32)>),
}

impl LineBatch {
    /// No lines yet. `positions`: how far each source was delivered. `message_bytes`: where messages
    /// are cut, at most [`MESSAGE_BYTES`].
    #[must_use]
    pub fn new(positions: Vec<Position>, message_bytes: usize) -> Self {
        LineBatch { positions, parts: VecDeque::new(), n_bytes: 0, message_bytes }
    }

    /// Adds the start position of the next source.
    pub fn join(&mut self, position: &Position) {
        self.positions.push(position.clone());
    }

    /// Sets the start position of a source that was not open before.
    pub fn begin(&mut self, source_index: usize, position: &Position) {
        if let Some(known) = self.positions.get_mut(source_index) {
            known.clone_from(position);
        }
    }

    /// Adds the selected lines of a chunk of the source `name`.
    pub fn push(
        &mut self,
        source_index: usize,
        name: &str,
        chunk: Arc<Chunk>,
        selection: &Selection,
        zone: &Zone,
    ) {
        let records = match selection {
            Selection::Lines(selected) if is_sparse(&chunk, selected) => {
                own_records(name, &chunk, Some(selected), zone)
            }
            Selection::All | Selection::Lines(_) => {
                let shared = shared(name, &chunk, zone);
                let selected = match selection {
                    Selection::All => None,
                    Selection::Lines(selected) => Some(selected),
                };
                match (has_huge_record(&chunk, shared), selected) {
                    (true, selected) => {
                        own_records(name, &chunk, selected.map(Vec::as_slice), zone)
                    }
                    (false, None) => Records::All,
                    (false, Some(selected)) => Records::Lines(selected.clone()),
                }
            }
        };
        self.n_bytes += match &records {
            Records::All | Records::Lines(_) => shared(name, &chunk, zone).bytes.len(),
            Records::Own(own, _) => own.bytes.len(),
        };
        self.parts.push_back(BatchPart { source_index, chunk, records, n_done: 0 });
    }

    /// Its approximate encoded size.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// The positions before the remaining lines, by source index.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Whether all lines were taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.parts.is_empty()
    }

    /// The next message; `None` when all lines were taken.
    pub fn next_message(&mut self) -> Option<Bytes> {
        if let Some(whole) = self.whole_chunk() {
            return Some(whole);
        }
        let mut out = PREFIX.to_vec();
        let mut start = Vec::new();
        write_start(&self.positions, &mut start);
        let mut n_records = 0;
        while let Some(part) = self.parts.front_mut() {
            let Some(record) = part.record() else {
                self.parts.pop_front();
                continue;
            };
            let n_bytes = out.len() + record.len() + start.len() + FRAME_BYTES;
            if n_records > 0 && n_bytes > self.message_bytes {
                break;
            }
            if n_records > 0 {
                out.push(b',');
            }
            out.extend_from_slice(record);
            n_records += 1;
            let position = part.take();
            if let Some(known) = self.positions.get_mut(part.source_index) {
                *known = position;
            }
        }
        if n_records == 0 {
            return None;
        }
        end_message(&start, &mut out);
        Some(Bytes::from(out))
    }

    /// A message that is the same for every viewer is made once: all lines of one chunk of a single
    /// source.
    fn whole_chunk(&mut self) -> Option<Bytes> {
        let ([position], 1) = (self.positions.as_mut_slice(), self.parts.len()) else {
            return None;
        };
        let part = self.parts.front()?;
        let (Records::All, 0) = (&part.records, part.n_done) else { return None };
        let bytes = part.shared()?.bytes.as_bytes().clone();
        if bytes.len() > self.message_bytes {
            return None;
        }
        *position = part.chunk.end();
        self.parts.clear();
        Some(bytes)
    }
}

impl BatchPart {
    /// The shared encoding; it was made when the part was added.
    fn shared(&self) -> Option<&Encoded> {
        self.chunk.kept(Slot::Websocket)
    }

    /// The next record.
    fn record(&self) -> Option<&[u8]> {
        let (encoded, at) = match &self.records {
            Records::All => (self.shared()?, self.n_done),
            Records::Lines(selected) => (self.shared()?, *selected.get(self.n_done)? as usize),
            Records::Own(own, _) => (own, self.n_done),
        };
        let end = *encoded.ends.get(at)? as usize;
        let from = match at.checked_sub(1).and_then(|before| encoded.ends.get(before)) {
            Some(before) => *before as usize + 1,
            None => PREFIX.len(),
        };
        encoded.bytes.as_bytes().get(from..end)
    }

    /// Takes the next record; returns the position after it.
    fn take(&mut self) -> Position {
        let at = self.n_done;
        self.n_done += 1;
        let line = match &self.records {
            Records::All => at,
            Records::Lines(selected) => selected.get(at).map_or(at, |index| *index as usize),
            Records::Own(_, positions) => {
                let (offset, check) = positions.get(at).copied().unwrap_or_default();
                let generation = Arc::clone(&self.chunk.start().generation);
                return Position { generation, offset, check };
            }
        };
        let Some(end) = self.chunk.line_ends().get(line) else { return self.chunk.end() };
        self.chunk.place_after(end.raw as usize)
    }
}

/// The answer to `older`: `{"re","lines","start","begin"}`. Where the page is too large for a
/// message, its oldest lines are left out.
#[must_use]
pub fn page(re: &str, name: &str, older: Older, zone: &Zone) -> Bytes {
    let mut records: VecDeque<(Bytes, Position)> = VecDeque::new();
    let (mut start, mut begin, mut n_bytes) = (older.start, older.begin, 0);
    for (chunk, selection) in older.lines {
        let selected = match &selection {
            Selection::All => None,
            Selection::Lines(selected) => Some(selected.as_slice()),
        };
        let (encoded, positions) = encode_own(name, &chunk, selected, zone);
        let mut from = PREFIX.len();
        for (end, (offset, check)) in encoded.ends.iter().zip(positions) {
            let record = encoded.bytes.as_bytes().slice(from..*end as usize);
            from = *end as usize + 1;
            n_bytes += record.len() + 1;
            let generation = Arc::clone(&chunk.start().generation);
            records.push_back((record, Position { generation, offset, check }));
            while n_bytes > PAGE_BYTES
                && records.len() > 1
                && let Some((record, after)) = records.pop_front()
            {
                n_bytes -= record.len() + 1;
                (start, begin) = (after, false);
            }
        }
    }
    let mut out = format!("{{\"re\":{re},\"lines\":[").into_bytes();
    for (number, (record, _)) in records.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(record);
    }
    let mut token = Vec::new();
    start.write_cursor(&mut token);
    out.extend_from_slice(b"],\"start\":\"");
    out.extend_from_slice(&token);
    out.extend_from_slice(format!("\",\"begin\":{begin}}}").as_bytes());
    Bytes::from(out)
}

/// The answer to an executed command: `{"re","cursor"}`, and `"sources"` where they are `named`.
#[must_use]
pub fn done(re: &str, positions: &[Position], named: Option<&[&str]>) -> Bytes {
    let mut out = format!("{{\"re\":{re}").into_bytes();
    write_cursors(positions.iter(), &mut out);
    if let Some(names) = named {
        out.extend_from_slice(b",\"sources\":[");
        crate::wire::record::write_names(names.iter().copied(), &mut out);
        out.push(b']');
    }
    out.push(b'}');
    Bytes::from(out)
}

/// The answer to an invalid command: `{"re","error"}`.
#[must_use]
pub fn error(re: &str, reason: &str) -> Bytes {
    let mut out = format!("{{\"re\":{re},\"error\":").into_bytes();
    write_json(reason, &mut out);
    out.push(b'}');
    Bytes::from(out)
}

/// A chunk's lines as one message, made once for all viewers. `ends` are those of the records in
/// it, each followed by one byte.
fn shared<'a>(name: &str, chunk: &'a Chunk, zone: &Zone) -> &'a Encoded {
    chunk.encoded(Slot::Websocket, |chunk| {
        let (mut encoder, mut out) = (RecordEncoder::new(name), PREFIX.to_vec());
        let mut ends = Vec::with_capacity(chunk.line_ends().len());
        out.reserve(chunk.text().len() + chunk.line_ends().len() * RECORD_BYTES);
        for_each_line(chunk, None, zone, |line, metadata| {
            encoder.write(chunk, line, metadata, &mut ends, &mut out);
        });
        let mut start = Vec::new();
        write_start(std::slice::from_ref(chunk.start()), &mut start);
        end_message(&start, &mut out);
        Encoded { bytes: text_of(out), ends }
    })
}

fn own_records(name: &str, chunk: &Chunk, selected: Option<&[u32]>, zone: &Zone) -> Records {
    let (encoded, positions) = encode_own(name, chunk, selected, zone);
    Records::Own(encoded, positions)
}

/// The selected lines, encoded for one viewer; a line whose record would be too large for a
/// message in pieces. Laid out like [`shared`].
fn encode_own(
    name: &str,
    chunk: &Chunk,
    selected: Option<&[u32]>,
    zone: &Zone,
) -> (Encoded, Vec<(u64, u32)>) {
    let (mut encoder, mut out) = (RecordEncoder::new(name), PREFIX.to_vec());
    let (mut ends, mut positions) = (Vec::new(), Vec::new());
    for_each_line(chunk, selected, zone, |line, metadata| {
        let before = (out.len(), ends.len());
        encoder.write(chunk, line, metadata, &mut ends, &mut out);
        if out.len() - before.0 <= PAGE_BYTES {
            positions.push((line.end_offset, line.check));
            return;
        }
        out.truncate(before.0);
        ends.truncate(before.1);
        for (number, piece) in pieces(chunk, line).enumerate() {
            let metadata = if number == 0 { metadata } else { LineMetadata::default() };
            encoder.write(chunk, &piece, metadata, &mut ends, &mut out);
            positions.push((piece.end_offset, piece.check));
        }
    });
    (Encoded { bytes: text_of(out), ends }, positions)
}

/// Writes records one after the other, with a comma between them.
struct RecordEncoder {
    source: Vec<u8>,
}

impl RecordEncoder {
    fn new(name: &str) -> Self {
        let mut source = Vec::new();
        write_json(name, &mut source);
        RecordEncoder { source }
    }

    fn write(
        &mut self,
        chunk: &Chunk,
        line: &LineRef<'_>,
        metadata: LineMetadata,
        ends: &mut Vec<u32>,
        out: &mut Vec<u8>,
    ) {
        if !ends.is_empty() {
            out.push(b',');
        }
        write_line(&self.source, chunk, line, metadata, out);
        ends.push(u32::try_from(out.len()).unwrap_or(u32::MAX));
    }
}

/// Whether a record is too large for a message: JSON makes up to six bytes of one.
fn has_huge_record(chunk: &Chunk, encoded: &Encoded) -> bool {
    if chunk.raw().len() < PAGE_BYTES / 6 {
        return false;
    }
    let mut from = 0;
    encoded.ends.iter().any(|end| {
        let n_bytes = *end as usize - from;
        from = *end as usize;
        n_bytes > PAGE_BYTES
    })
}

/// A line in pieces whose records fit a message.
fn pieces<'a>(chunk: &'a Chunk, line: &LineRef<'a>) -> impl Iterator<Item = LineRef<'a>> {
    let (line, is_wide) = (*line, chunk.encoding() != Encoding::Utf8);
    let line_raw = match is_wide {
        true => wide_bytes(line.text),
        false => line.text.len(),
    };
    let start_offset = line.end_offset.saturating_sub(line_raw as u64);
    let (mut rest, mut offset) = (line.text, start_offset);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let n_bytes = match rest.get(..PIECE_BYTES) {
            // Not between a CR and its LF.
            Some(piece) if trim_line_end(rest).len() > PIECE_BYTES => {
                Encoding::Utf8.piece_bytes(piece)
            }
            Some(_) | None => rest.len(),
        };
        let (text, after) = rest.split_at_checked(n_bytes)?;
        let continues = line.continues || rest.len() < line.text.len();
        rest = after;
        if rest.is_empty() {
            return Some(LineRef { text, continues, ..line });
        }
        if chunk.late().is_some() {
            return Some(LineRef { text, partial: true, continues, ..line });
        }
        offset += if is_wide { wide_bytes(text) } else { text.len() } as u64;
        let before = usize::try_from(offset - chunk.start().offset).ok();
        let check = chunk.check_after(before.unwrap_or(0));
        Some(LineRef { text, end_offset: offset, check, partial: true, continues, ..line })
    })
}

/// How many bytes a text has as UTF-16.
fn wide_bytes(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).encode_utf16().count() * 2
}

fn write_start(positions: &[Position], out: &mut Vec<u8>) {
    if is_resumable(positions.len()) {
        crate::wire::record::write_set(positions.iter(), out);
    }
}

fn end_message(start: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"],\"start\":\"");
    out.extend_from_slice(start);
    out.extend_from_slice(b"\"}");
}

const PREFIX: &[u8] = b"{\"lines\":[";

/// A batch is cut at this size, unless one record is larger: answers wait behind a message.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// The size of what surrounds the records of a batch, beside its start.
const FRAME_BYTES: usize = 16;

/// How much of a message its records may take; the rest is for what surrounds them.
const PAGE_BYTES: usize = MAX_MESSAGE_BYTES - 16 * 1024;

/// A piece of a line whose record would be too large.
const PIECE_BYTES: usize = 64 * 1024;

/// The approximate size of a record without its line.
const RECORD_BYTES: usize = 160;
