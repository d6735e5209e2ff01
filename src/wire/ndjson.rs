//! NDJSON: one record a line.

use bytes::Bytes;
use bytestring::ByteString;

use crate::chunk::{Chunk, Encoded, Slot};
use crate::filter::Selection;
use crate::line::Zone;
use crate::wire::is_sparse;
use crate::wire::record::{for_each_line, write_json, write_line};

/// The selected lines of a chunk as records.
#[must_use]
pub fn lines(name: &str, chunk: &Chunk, selection: &Selection, zone: &Zone) -> Bytes {
    shared_lines(Slot::Ndjson, chunk, selection, |selected| encode(name, chunk, selected, zone))
}

/// One record, ended.
pub fn line_of(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = Vec::new();
    write(&mut out);
    out.push(b'\n');
    Bytes::from(out)
}

/// The selected lines: from the shared encoding, or encoded individually if they are few.
pub fn shared_lines(
    slot: Slot,
    chunk: &Chunk,
    selection: &Selection,
    encode: impl Fn(Option<&[u32]>) -> Encoded,
) -> Bytes {
    match selection {
        Selection::All => chunk.encoded(slot, |_| encode(None)).bytes.clone().into_bytes(),
        Selection::Lines(selected) if is_sparse(chunk, selected) => {
            encode(Some(selected)).bytes.into_bytes()
        }
        Selection::Lines(selected) => {
            let all = chunk.encoded(slot, |_| encode(None));
            let mut out = Vec::new();
            for index in selected {
                let at = *index as usize;
                let end_of = |at: usize| all.ends.get(at).map_or(0, |end| *end as usize);
                let from = at.checked_sub(1).map_or(0, end_of);
                out.extend_from_slice(
                    all.bytes.as_bytes().get(from..end_of(at)).unwrap_or_default(),
                );
            }
            Bytes::from(out)
        }
    }
}

fn encode(name: &str, chunk: &Chunk, selected: Option<&[u32]>, zone: &Zone) -> Encoded {
    let mut source = Vec::new();
    write_json(name, &mut source);
    encode_lines(chunk, selected, zone, |line, metadata, out| {
        write_line(&source, chunk, line, metadata, out);
        out.push(b'\n');
    })
}

/// Encodes the selected lines one after the other and notes where each ends.
pub fn encode_lines<'a>(
    chunk: &'a Chunk,
    selected: Option<&[u32]>,
    zone: &Zone,
    mut write: impl FnMut(&crate::chunk::LineRef<'a>, crate::line::LineMetadata, &mut Vec<u8>),
) -> Encoded {
    let n_lines = selected.map_or_else(|| chunk.line_ends().len(), <[u32]>::len);
    let expected = if selected.is_none() { chunk.text().len() } else { 0 } + n_lines * RECORD_BYTES;
    let mut out = Vec::with_capacity(expected);
    let mut ends = Vec::with_capacity(n_lines);
    for_each_line(chunk, selected, zone, |line, metadata| {
        write(line, metadata, &mut out);
        ends.push(u32::try_from(out.len()).unwrap_or(u32::MAX));
    });

    Encoded { bytes: text_of(out), ends }
}

/// What we have written is UTF-8; if it were not, it is repaired rather than lost.
#[must_use]
pub fn text_of(out: Vec<u8>) -> ByteString {
    match String::from_utf8(out) {
        Ok(text) => ByteString::from(text),
        Err(error) => ByteString::from(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// The approximate size of a record without its line.
const RECORD_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn what_is_not_text_is_mended_rather_than_lost() {
        assert_eq!(text_of(b"plain".to_vec()), "plain");
        assert_eq!(text_of(b"a\xffb".to_vec()), "a\u{fffd}b");
    }
}
