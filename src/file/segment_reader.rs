//! Segment reader: the whole lines of one segment, forward from a place.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::chunk::{Chunk, Ends, Generation, MAX_PIECE_BYTES, Position};
use crate::cursor::{CHECK_BYTES, check_of};
use crate::file::archive::ArchiveReader;
use crate::file::segment::{Segment, Standing};
use crate::line::split::Encoding;
use crate::redact::CONTEXT_BYTES;

/// Reads one segment forward.
#[derive(Debug)]
pub struct SegmentReader {
    segment: Arc<Segment>,
    /// Of a packed segment; none after a failed read, then it is opened anew.
    archive: Option<ArchiveReader>,
    /// Everything before was handed out.
    offset: u64,
    /// [`check_of`] what stands before `offset`; 0 where it is not known.
    check: u32,
    /// Read, and not handed out for want of a line's end.
    pending: Vec<u8>,
    /// The last bytes before the end of `pending`, at most [`CHECK_BYTES`].
    lead: Vec<u8>,
    /// The line at `offset` began before it.
    is_mid_line: bool,
    /// How that line begins, as far as a secret could reach; only where something is masked.
    begun: Vec<u8>,
    /// When something was last read.
    grown: Instant,
    /// At the first of these line starts it goes on at the second.
    leap: Option<(u64, u64)>,
}

/// What reading a block has brought.
#[derive(Debug)]
pub enum Block {
    /// Whole lines, or a piece of a long one.
    Chunk(Arc<Chunk>),
    /// Nothing more is there (or allowed).
    End,
    /// The file does not hold any more what was read from it.
    Truncated,
}

impl SegmentReader {
    /// A reader that begins at `offset`.
    pub fn new(segment: Arc<Segment>, offset: u64) -> io::Result<Self> {
        let offset = offset.max(segment.data_start());
        let begun = line_before(&segment, offset)?;
        let archive = unpack_at(&segment, offset)?;
        let lead = match archive {
            Some(_) => Vec::new(),
            None => lead_of(&segment, offset)?,
        };
        // What stands before may be a hole.
        let is_start = offset == segment.data_start();
        let is_mid_line = match segment.encoding().unit_bytes() {
            _ if is_start => false,
            1 => lead.last().is_some_and(|byte| *byte != b'\n'),
            _ => segment.encoding().last_line_end(&lead).is_some_and(|end| end < lead.len()),
        };
        let n_after_hole = offset.saturating_sub(segment.data_start());
        let n_after_hole = usize::try_from(n_after_hole).unwrap_or(usize::MAX);
        let check = match lead.is_empty() || is_start {
            // It may have been read, and be gone from the file.
            true => segment.marks().check_at(offset).unwrap_or(0),
            false if segment.redactor().is_empty() => {
                check_of(lead.get(lead.len().saturating_sub(n_after_hole)..).unwrap_or_default())
            }
            false => segment.check_at(offset)?,
        };
        let (pending, grown) = (Vec::new(), Instant::now());
        Ok(SegmentReader {
            segment,
            archive,
            offset,
            check,
            pending,
            lead,
            is_mid_line,
            begun,
            grown,
            leap: None,
        })
    }

    /// The segment.
    #[must_use]
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// The place up to which lines were handed out.
    #[must_use]
    pub fn place(&self) -> Position {
        let generation: Arc<dyn Generation> = Arc::<Segment>::clone(&self.segment);
        Position { generation, offset: self.offset, check: self.check }
    }

    /// The place up to which bytes were read.
    #[must_use]
    pub fn read_to(&self) -> u64 {
        self.offset + self.pending.len() as u64
    }

    /// The last bytes before [`Self::read_to`].
    #[must_use]
    pub fn lead(&self) -> &[u8] {
        &self.lead
    }

    /// When something was last read.
    #[must_use]
    pub fn grown(&self) -> Instant {
        self.grown
    }

    /// Whether part of a line was read and not handed out.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Goes on at `to` once it has come to `from`; both are starts of lines, of a segment that is
    /// not packed.
    pub fn leap(&mut self, from: u64, to: u64) {
        self.leap = Some((from, to));
    }

    /// Reads the next block of at most `block_bytes` (more if a line is longer), not beyond
    /// `limit` (bytes from the segment's start).
    pub fn next_block(&mut self, block_bytes: usize, limit: u64) -> io::Result<Block> {
        loop {
            if let Some((from, to)) = self.leap
                && self.read_to() >= from
            {
                *self = SegmentReader::new(Arc::clone(&self.segment), to)?;
            }
            let limit = self.leap.map_or(limit, |(from, _)| limit.min(from));
            let wanted = self.wanted_bytes(block_bytes, limit)?;
            let mut fresh = vec![0; wanted];
            let n_read = self.read(&mut fresh)?;
            fresh.truncate(n_read);
            // Looked at after the read, so that nothing of another content is taken for ours.
            match self.segment.verify(self.read_to(), &self.lead, &fresh)? {
                Standing::Same => {}
                Standing::Punched => self.lead.fill(0),
                Standing::Truncated => {
                    self.segment.mark_truncated();
                    return Ok(Block::Truncated);
                }
            }
            let data_start = self.segment.data_start();
            if self.offset < data_start && self.pending.is_empty() {
                let leap = self.leap;
                *self = SegmentReader::new(Arc::clone(&self.segment), data_start)?;
                self.leap = leap;
                continue;
            }
            if n_read == 0 {
                return Ok(Block::End);
            }
            self.grown = Instant::now();
            self.keep_lead(&fresh);
            if let Some(chunk) = self.cut(fresh) {
                return Ok(Block::Chunk(Arc::new(chunk)));
            }
        }
    }

    /// Hands out the unterminated rest. `is_line`: it is the end of its line, as its file is not
    /// written to any more. Where something is masked, a line that may still be written is held:
    /// what a pattern waits for may not be there yet.
    pub fn take_rest(&mut self, is_line: bool) -> Option<Chunk> {
        if self.pending.is_empty() {
            return None;
        }
        // A cursor can end the reading in the middle of a secret.
        let after = if is_line { Vec::new() } else { self.look_ahead(self.pending.len()) };
        if !is_line && after.is_empty() && !self.segment.redactor().is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.pending);
        Some(self.chunk(Bytes::from(rest), !is_line, &after))
    }

    /// Goes on in another segment that holds the same content.
    pub fn go_on_in(&mut self, segment: Arc<Segment>) -> io::Result<()> {
        let mut other = SegmentReader::new(segment, self.read_to())?;
        if !other.segment.is_archive() {
            // It is compared at the next look: what was read before is what tells.
            other.lead = std::mem::take(&mut self.lead);
        }
        other.offset = self.offset;
        other.check = self.check;
        other.pending = std::mem::take(&mut self.pending);
        other.is_mid_line = self.is_mid_line;
        other.begun = std::mem::take(&mut self.begun);
        *self = other;
        Ok(())
    }

    /// What a piece has to leave unsaid, as a secret could begin in it.
    fn context_bytes(&self) -> usize {
        if self.segment.redactor().is_empty() { 0 } else { CONTEXT_BYTES }
    }

    /// How the line goes on after the next `n_bytes`; only where something is masked.
    fn look_ahead(&self, n_bytes: usize) -> Vec<u8> {
        if self.segment.redactor().is_empty() {
            return Vec::new();
        }
        let from = self.offset + n_bytes as u64;
        self.segment.content_range(from, from + CONTEXT_BYTES as u64).unwrap_or_else(|error| {
            tracing::warn!(%error, "what follows a piece of a line could not be read");
            Vec::new()
        })
    }

    fn read(&mut self, fresh: &mut [u8]) -> io::Result<usize> {
        if self.archive.is_none() {
            self.archive = unpack_at(&self.segment, self.read_to())?;
        }
        let Some(archive) = self.archive.as_mut() else {
            return self.segment.read_at(fresh, self.read_to());
        };
        let read = archive.read_full(fresh);
        if read.is_err() {
            self.archive = None;
        }
        read
    }

    fn wanted_bytes(&self, block_bytes: usize, limit: u64) -> io::Result<usize> {
        let allowed = limit.saturating_sub(self.read_to());
        let there = match self.segment.is_archive() {
            true => u64::MAX,
            false => self.segment.size_and_change()?.0.saturating_sub(self.read_to()),
        };
        Ok(usize::try_from(allowed.min(there)).unwrap_or(usize::MAX).min(block_bytes))
    }

    fn keep_lead(&mut self, fresh: &[u8]) {
        if self.segment.is_archive() {
            return;
        }
        let from = fresh.len().saturating_sub(CHECK_BYTES);
        let last = fresh.get(from..).unwrap_or_default();
        let kept = CHECK_BYTES - last.len();
        self.lead.drain(..self.lead.len().saturating_sub(kept));
        self.lead.extend_from_slice(last);
    }

    /// The whole lines in what was read, or a piece if a line has grown too long.
    fn cut(&mut self, fresh: Vec<u8>) -> Option<Chunk> {
        let encoding = self.segment.encoding();
        let all = if self.pending.is_empty() {
            fresh
        } else {
            self.pending.extend_from_slice(&fresh);
            std::mem::take(&mut self.pending)
        };
        let whole = encoding.last_line_end(&all);
        let n_bytes = match whole {
            Some(end) => end,
            None if all.len() >= MAX_PIECE_BYTES + self.context_bytes() => {
                encoding.piece_bytes(all.get(..MAX_PIECE_BYTES).unwrap_or(&all))
            }
            None => {
                self.pending = all;
                return None;
            }
        };
        let mut bytes = Bytes::from(all);
        let rest = bytes.split_off(n_bytes);
        self.pending = rest.to_vec();
        let after = if whole.is_none() { rest } else { Bytes::new() };
        Some(self.chunk(bytes, whole.is_none(), &after))
    }

    /// `after`: how a line goes on that `bytes` do not end.
    fn chunk(&mut self, bytes: Bytes, partial: bool, after: &[u8]) -> Chunk {
        let ends = Ends { continues: self.is_mid_line, partial };
        self.is_mid_line = partial;
        let (encoding, redactor) = (self.segment.encoding(), self.segment.redactor());
        let after = after.get(..CONTEXT_BYTES).unwrap_or(after);
        let masked = redactor.mask(encoding, &self.begun, &bytes, after).map(Bytes::from);
        if !redactor.is_empty() {
            self.begun.extend_from_slice(&bytes);
            keep_line_before(&mut self.begun, encoding);
        }
        let chunk = Chunk::new(self.place(), masked.unwrap_or(bytes), encoding, ends);
        let end = chunk.end();
        (self.offset, self.check) = (end.offset, end.check);
        chunk
    }
}

/// How the line at `offset` begins, as far as a secret could reach.
fn line_before(segment: &Arc<Segment>, offset: u64) -> io::Result<Vec<u8>> {
    let from = offset.saturating_sub(CONTEXT_BYTES as u64);
    if segment.redactor().is_empty() || from == offset {
        return Ok(Vec::new());
    }
    let mut before = segment.content_range(from, offset)?;
    keep_line_before(&mut before, segment.encoding());
    Ok(before)
}

/// Keeps of what was read only the unfinished line at its end, and not too much of that.
fn keep_line_before(read: &mut Vec<u8>, encoding: Encoding) {
    let line_start = encoding.last_line_end(read).unwrap_or(0);
    let start = line_start.max(read.len().saturating_sub(CONTEXT_BYTES));
    read.drain(..start);
}

/// Unpacks a packed segment from `offset`.
fn unpack_at(segment: &Segment, offset: u64) -> io::Result<Option<ArchiveReader>> {
    let mut archive = segment.unpack(offset)?;
    if let Some(archive) = archive.as_mut()
        && !archive.skip_to(offset)?
    {
        let text = "the packed file is shorter than the place asked for";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    Ok(archive)
}

/// The last bytes before `offset`; none where the file holds another content by now.
fn lead_of(segment: &Segment, offset: u64) -> io::Result<Vec<u8>> {
    let lead = segment.read_range(offset.saturating_sub(CHECK_BYTES as u64), offset)?;
    if segment.verify(offset, &lead, &[])? == Standing::Truncated {
        segment.mark_truncated();
        return Ok(Vec::new());
    }
    Ok(lead)
}
