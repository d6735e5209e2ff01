//! Chunk: whole lines of one source, read once and shared by all viewers. A chunk never changes;
//! what is derived from it (line ends, metadata, encodings) is computed once, on first use. It does
//! not know the formats it is encoded in: it is handed the encoder.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use bytestring::ByteString;

use crate::cursor::{CHECK_BYTES, Cursor, CursorError, CursorPrefix, check_of};
use crate::line::split::Encoding;
use crate::line::{LineMetadata, Zone, metadata};

/// The most bytes that a line may have before it is passed on in pieces.
pub const MAX_PIECE_BYTES: usize = 256 * 1024;

/// One physical file's content through renames; a position's offset counts in it.
pub trait Generation: Send + Sync + fmt::Debug {
    /// The common beginning of this generation's cursors, as far as its head is known now.
    fn cursor_prefix(&self) -> CursorPrefix;
}

/// A position between two lines (or pieces of one). It keeps its generation readable while it is
/// held.
#[derive(Clone, Debug)]
pub struct Position {
    /// The generation the offset counts in.
    pub generation: Arc<dyn Generation>,
    /// Bytes from the start of the generation.
    pub offset: u64,
    /// [`check_of`] the bytes before, 0 if they are not known.
    pub check: u32,
}

/// A generation of which only cursors are left.
#[derive(Debug)]
struct Gone(CursorPrefix);

impl Generation for Gone {
    fn cursor_prefix(&self) -> CursorPrefix {
        self.0
    }
}

impl Position {
    /// The position of a cursor whose generation is gone.
    #[must_use]
    pub fn gone(cursor: &Cursor) -> Self {
        let generation = Arc::new(Gone(CursorPrefix::new(cursor.generation)));
        Position { generation, offset: cursor.offset, check: cursor.check }
    }

    /// The position's cursor.
    pub fn cursor(&self) -> Result<Cursor, CursorError> {
        let mut token = Vec::new();
        self.write_cursor(&mut token);
        String::from_utf8_lossy(&token).parse()
    }

    /// Appends the position's cursor to `out`.
    pub fn write_cursor(&self, out: &mut Vec<u8>) {
        self.generation.cursor_prefix().write_token(self.offset, self.check, out);
    }

    /// Whether both positions are in the same generation.
    #[must_use]
    pub fn same_generation(&self, other: &Position) -> bool {
        is_same(&self.generation, &other.generation)
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset && self.same_generation(other)
    }
}

/// Whether both are the same object.
#[must_use]
pub fn is_same(a: &Arc<dyn Generation>, b: &Arc<dyn Generation>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// A range of a file that was left for the next one.
#[derive(Clone, Debug)]
pub struct LateRange {
    /// The file.
    pub generation: Weak<dyn Generation>,
    /// Where it begins, in bytes from the start of the generation.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

/// Whole lines, or one piece of a line longer than [`MAX_PIECE_BYTES`].
#[derive(Debug)]
pub struct Chunk {
    start: Position,
    prefix: CursorPrefix,
    /// The bytes with all masks applied.
    raw: Bytes,
    encoding: Encoding,
    ends: Ends,
    /// For late lines: all of them are at `start`, a position in the next file.
    late: Option<LateRange>,
    text: OnceLock<Bytes>,
    is_text: OnceLock<bool>,
    lines: OnceLock<Vec<LineEnd>>,
    metadata: OnceLock<Vec<LineMetadata>>,
    slots: [OnceLock<Encoded>; Slot::COUNT],
}

/// Whether a chunk begins or ends within a line of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first line continues one from the chunk before.
    pub continues: bool,
    /// The last line is a piece, more of it follows (or may follow).
    pub partial: bool,
}

/// Where a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEnd {
    /// In bytes from the start of the chunk's text.
    pub text: u32,
    /// In bytes from the start of the chunk's raw bytes; cursors count in these.
    pub raw: u32,
}

/// A chunk in one format.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// All the lines.
    pub bytes: ByteString,
    /// Where each line's encoding ends, in bytes from the start.
    pub ends: Vec<u32>,
}

/// The encodings a chunk can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Lines as text.
    Text,
    /// Records, one a line.
    Ndjson,
    /// Records as server-sent events.
    Sse,
    /// Records for a WebSocket batch.
    Websocket,
}

impl Slot {
    const COUNT: usize = 4;
}

/// One line of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct LineRef<'a> {
    /// Its index in the chunk, from 0.
    pub index: usize,
    /// The line with its end (LF or CR LF); not necessarily UTF-8.
    pub text: &'a [u8],
    /// The position after it, in bytes from the start of the generation.
    pub end_offset: u64,
    /// [`check_of`] the position after it.
    pub check: u32,
    /// More of this line follows in the next chunk.
    pub partial: bool,
    /// The line begins in an earlier chunk.
    pub continues: bool,
}

impl Chunk {
    /// A chunk of `raw`, the masked bytes after `start`.
    #[must_use]
    pub fn new(start: Position, raw: Bytes, encoding: Encoding, ends: Ends) -> Self {
        let prefix = start.generation.cursor_prefix();
        let (text, is_text, lines, metadata) = Default::default();
        Chunk {
            start,
            prefix,
            raw,
            encoding,
            ends,
            late: None,
            text,
            is_text,
            lines,
            metadata,
            slots: Default::default(),
        }
    }

    /// This chunk as late lines: they are sent at `position`, and no cursor leads to where they are
    /// stored.
    #[must_use]
    pub fn late_at(&self, position: Position) -> Self {
        let late = LateRange {
            generation: Arc::downgrade(&self.start.generation),
            from: self.start.offset,
            to: self.start.offset + self.raw.len() as u64,
        };
        let mut chunk = Chunk::new(position, self.raw.clone(), self.encoding, self.ends);
        chunk.late = Some(late);
        chunk
    }

    /// For late lines: those after `offset` in their own file; `None` if there are none.
    #[must_use]
    pub fn late_after(&self, offset: u64) -> Option<Chunk> {
        let late = self.late.as_ref()?;
        let skipped = usize::try_from(offset.saturating_sub(late.from)).unwrap_or(usize::MAX);
        let raw = self.raw.get(skipped..).filter(|raw| !raw.is_empty())?;
        let raw = self.raw.slice_ref(raw);
        let mut chunk = Chunk::new(self.start.clone(), raw, self.encoding, self.ends);
        chunk.late = Some(LateRange { from: late.from.max(offset), ..late.clone() });
        Some(chunk)
    }

    /// Where its lines are stored, if they are late.
    #[must_use]
    pub fn late(&self) -> Option<&LateRange> {
        self.late.as_ref()
    }

    /// The position before the first byte.
    #[must_use]
    pub fn start(&self) -> &Position {
        &self.start
    }

    /// The position after the last byte.
    #[must_use]
    pub fn end(&self) -> Position {
        self.place_after(self.raw.len())
    }

    /// The position after the first `n_bytes`.
    #[must_use]
    pub fn place_after(&self, n_bytes: usize) -> Position {
        Position {
            generation: Arc::clone(&self.start.generation),
            offset: self.offset_after(n_bytes),
            check: self.check_after(n_bytes),
        }
    }

    fn offset_after(&self, n_bytes: usize) -> u64 {
        match self.late {
            Some(_) => self.start.offset,
            None => self.start.offset + n_bytes as u64,
        }
    }

    /// [`check_of`] the position after the first `n_bytes`, of the masked line; 0 if the line
    /// begins before the chunk and too little of it is here for the check.
    #[must_use]
    pub fn check_after(&self, n_bytes: usize) -> u32 {
        if self.late.is_some() {
            return self.start.check;
        }
        let before = self.raw.get(..n_bytes).unwrap_or_default();
        let is_short = self.ends.continues && before.len() < CHECK_BYTES;
        let body = before.split_last().map_or(before, |(_, body)| body);
        if is_short && memchr::memchr(b'\n', body).is_none() {
            return 0;
        }
        check_of(before)
    }

    /// A copy of the part from `from` to `to` (bytes from the start).
    #[must_use]
    pub fn part(&self, from: usize, to: usize, start: Position, ends: Ends) -> Chunk {
        let raw = Bytes::copy_from_slice(self.raw.get(from..to).unwrap_or_default());
        Chunk::new(start, raw, self.encoding, ends)
    }

    /// The bytes of the file, with masks.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The bytes in an encoding in which LF is one byte; UTF-8 where the file is.
    #[must_use]
    pub fn text(&self) -> &Bytes {
        self.text.get_or_init(|| {
            let decoder = match self.encoding {
                Encoding::Utf8 => return self.raw.clone(),
                Encoding::Utf16Le => encoding_rs::UTF_16LE,
                Encoding::Utf16Be => encoding_rs::UTF_16BE,
            };
            let (text, _had_errors) = decoder.decode_without_bom_handling(&self.raw);
            let text =
                if self.start.offset == 0 { text.trim_start_matches('\u{feff}') } else { &text };
            Bytes::copy_from_slice(text.as_bytes())
        })
    }

    /// Whether [`Self::text`] is UTF-8 throughout.
    #[must_use]
    pub fn is_text(&self) -> bool {
        *self.is_text.get_or_init(|| std::str::from_utf8(self.text()).is_ok())
    }

    /// The encoding of its bytes.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether the chunk begins or ends within a line of the file.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// How many lines there are, a last piece included.
    #[must_use]
    pub fn n_lines(&self) -> usize {
        self.lines.get().map_or_else(
            || Encoding::Utf8.count_line_ends(self.text()) + usize::from(self.has_open_end()),
            Vec::len,
        )
    }

    /// Where the lines end, ascending.
    pub fn line_ends(&self) -> &[LineEnd] {
        self.lines.get_or_init(|| {
            let mut lines = Vec::new();
            let text = self.text();
            Encoding::Utf8.for_each_line_end(text, |end| {
                lines.push(LineEnd { text: clamp(end), raw: clamp(end) });
            });
            if self.has_open_end() {
                lines.push(LineEnd { text: clamp(text.len()), raw: clamp(self.raw.len()) });
            }
            if self.encoding != Encoding::Utf8 {
                let mut at = 0;
                self.encoding.for_each_line_end(&self.raw, |end| {
                    if let Some(line) = lines.get_mut(at) {
                        line.raw = clamp(end);
                    }
                    at += 1;
                });
            }
            lines
        })
    }

    /// The lines in order.
    pub fn lines(&self) -> impl Iterator<Item = LineRef<'_>> {
        let (text, ends) = (self.text(), self.line_ends());
        let n_lines = ends.len();
        let mut from = 0;
        ends.iter().enumerate().map(move |(index, end)| {
            let line = text.get(from..end.text as usize).unwrap_or_default();
            from = end.text as usize;
            LineRef {
                index,
                text: line,
                end_offset: self.offset_after(end.raw as usize),
                check: self.check_after(end.raw as usize),
                partial: self.ends.partial && index + 1 == n_lines,
                continues: self.ends.continues && index == 0,
            }
        })
    }

    /// The metadata of each line, in the order of [`Self::lines`].
    pub fn metadata(&self, zone: &Zone) -> &[LineMetadata] {
        self.metadata.get_or_init(|| {
            let of_line = |line: LineRef<'_>| match line.continues {
                true => LineMetadata::default(),
                false => metadata(crate::line::split::trim_line_end(line.text), zone),
            };
            self.lines().map(of_line).collect()
        })
    }

    /// The common beginning of cursors into this chunk.
    #[must_use]
    pub fn cursor_prefix(&self) -> &CursorPrefix {
        &self.prefix
    }

    /// The chunk in the format of `slot`, encoded by `encode` on first use.
    pub fn encoded(&self, slot: Slot, encode: impl FnOnce(&Chunk) -> Encoded) -> &Encoded {
        self.slot(slot).get_or_init(|| encode(self))
    }

    /// The chunk in the format of `slot`, if it was encoded before.
    #[must_use]
    pub fn kept(&self, slot: Slot) -> Option<&Encoded> {
        self.slot(slot).get()
    }

    fn slot(&self, slot: Slot) -> &OnceLock<Encoded> {
        let [text, ndjson, sse, websocket] = &self.slots;
        match slot {
            Slot::Text => text,
            Slot::Ndjson => ndjson,
            Slot::Sse => sse,
            Slot::Websocket => websocket,
        }
    }

    /// The part of the chunk after `offset` (of the generation).
    #[must_use]
    pub fn after(&self, offset: u64) -> Chunk {
        let skipped = usize::try_from(offset.saturating_sub(self.start.offset))
            .map_or(self.raw.len(), |n_bytes| n_bytes.min(self.raw.len()));
        let before = self.raw.slice(..skipped);
        let start = Position {
            generation: Arc::clone(&self.start.generation),
            offset: self.start.offset + skipped as u64,
            check: self.check_after(skipped),
        };
        let continues = match self.encoding.last_line_end(&before) {
            Some(end) => end < skipped,
            None => skipped > 0 || self.ends.continues,
        };
        let ends = Ends { continues, ..self.ends };
        Chunk::new(start, self.raw.slice(skipped..), self.encoding, ends)
    }

    fn has_open_end(&self) -> bool {
        !self.text().is_empty() && self.text().last() != Some(&b'\n')
    }
}

/// Chunks are far smaller than 4 GiB.
fn clamp(n_bytes: usize) -> u32 {
    u32::try_from(n_bytes).unwrap_or(u32::MAX)
}
