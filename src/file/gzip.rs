//! Gzip with an index: a deflate stream has no entry points, so the decoder's state is saved now
//! and then. A later reader begins at the last of these points before the offset it needs. (The
//! method is that of zlib's `examples/zran.c`; the format is RFC 1952's.)

mod checksum;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::file::gzip::checksum::{Checksum, TRAILER_BYTES};

/// Decompresses a gzip file, all of its members one after the other.
pub struct GzipReader {
    file: File,
    index: Arc<GzipIndex>,
    state: Box<InflateState>,
    /// The checksum of the current member, from its start.
    checksum: Checksum,
    /// Compressed bytes that were read, and how many of them are used.
    packed: Vec<u8>,
    used: usize,
    /// The file offset of the compressed bytes after `packed`.
    packed_offset: u64,
    /// How many decompressed bytes were returned.
    offset: u64,
    stage: Stage,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A member's header, or the end.
    Header,
    /// Packed bytes.
    Member,
    /// A member's checksum and length.
    Trailer,
    /// The end: after the last member there may be padding.
    End,
}

/// Points of one gzip file at which decompression can begin.
#[derive(Default)]
pub struct GzipIndex {
    points: Mutex<Points>,
}

struct Points {
    /// By offset, ascending.
    all: Vec<Point>,
    /// Unpacked bytes between two of them.
    spacing: u64,
}

#[derive(Clone)]
struct Point {
    offset: u64,
    packed_offset: u64,
    state: Box<InflateState>,
    /// The checksum of its member up to here, so that a reader that begins here can verify the
    /// member.
    checksum: Checksum,
}

impl GzipReader {
    /// Begins as close before `offset` (decompressed) as the index allows.
    #[must_use]
    pub fn open(file: File, index: Arc<GzipIndex>, offset: u64) -> Self {
        let point = index.last_before(offset);
        let stage = if point.is_some() { Stage::Member } else { Stage::Header };
        let Point { offset, packed_offset, state, checksum } = point.unwrap_or_else(Point::start);
        let (packed, used) = (Vec::new(), 0);
        GzipReader { file, index, state, checksum, packed, used, packed_offset, offset, stage }
    }

    /// The decompressed offset of the next byte.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Decompresses into `buffer`; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            match self.stage {
                Stage::Header => self.begin_member()?,
                Stage::Trailer => self.end_member()?,
                Stage::Member => {}
                Stage::End => return Ok(0),
            }
            if self.stage != Stage::Member {
                continue;
            }
            self.fill()?;
            let rest = self.packed.get(self.used..).unwrap_or_default();
            let is_end_of_file = rest.is_empty();
            let done = inflate(&mut self.state, rest, buffer, MZFlush::None);
            self.used += done.bytes_consumed;
            self.offset += done.bytes_written as u64;
            self.checksum.update(buffer.get(..done.bytes_written).unwrap_or_default());
            if done.status == Ok(MZStatus::StreamEnd) {
                self.stage = Stage::Trailer;
            }
            // Bytes before an error are returned first; the error is returned again.
            if done.bytes_written > 0 {
                self.note_point();
                return Ok(done.bytes_written);
            }
            match done.status {
                Ok(MZStatus::Ok | MZStatus::StreamEnd | MZStatus::NeedDict) | Err(MZError::Buf) => {
                }
                Err(error) => return Err(damaged(&format!("{error:?}"))),
            }
            if is_end_of_file && self.stage == Stage::Member {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "is a damaged gzip file: it is cut off",
                ));
            }
        }
        Ok(0)
    }

    fn note_point(&mut self) {
        let packed_offset = self.packed_offset - (self.packed.len() - self.used) as u64;
        if self.stage == Stage::Member && self.index.wants(self.offset) {
            let (state, checksum) = (self.state.clone(), self.checksum.clone());
            self.index.keep(Point { offset: self.offset, packed_offset, state, checksum });
        }
    }

    /// Reads a member's header, if there is another member.
    fn begin_member(&mut self) -> io::Result<()> {
        let is_first = self.packed_offset == 0;
        let Some(first) = self.byte()? else {
            self.stage = Stage::End;
            return Ok(());
        };
        if first == 0 && !is_first {
            return self.skip_padding();
        }
        if (first, self.byte()?, self.byte()?) != (0x1f, Some(0x8b), Some(8)) {
            return Err(damaged(match is_first {
                true => "it has no gzip header",
                // It may have been the header of another member: `gzip` ignores it with a warning.
                false => "what follows a member is neither another one nor padding",
            }));
        }
        let flags = self.byte()?.ok_or_else(|| damaged("a header is cut off"))?;
        self.skip(6)?;
        if flags & FLAG_EXTRA != 0 {
            let low = self.byte()?.ok_or_else(|| damaged("a header is cut off"))?;
            let high = self.byte()?.ok_or_else(|| damaged("a header is cut off"))?;
            self.skip(usize::from(u16::from_le_bytes([low, high])))?;
        }
        for flag in [FLAG_NAME, FLAG_COMMENT] {
            if flags & flag != 0 {
                while self.byte()?.ok_or_else(|| damaged("a header is cut off"))? != 0 {}
            }
        }
        if flags & FLAG_HEADER_CRC != 0 {
            self.skip(2)?;
        }
        (self.state, self.checksum) = (fresh_state(), Checksum::default());
        self.stage = Stage::Member;
        Ok(())
    }

    /// Compares a member with its checksum and length.
    fn end_member(&mut self) -> io::Result<()> {
        let mut trailer = [0; TRAILER_BYTES];
        for byte in &mut trailer {
            *byte = self.byte()?.ok_or_else(|| damaged("the file is cut off"))?;
        }
        std::mem::take(&mut self.checksum).compare(trailer, self.offset)?;
        self.stage = Stage::Header;
        Ok(())
    }

    /// After the last member there may be zeros, as tapes have them.
    fn skip_padding(&mut self) -> io::Result<()> {
        for _ in 0..MAX_PADDING_BYTES {
            match self.byte()? {
                Some(0) => {}
                Some(_) => return Err(damaged("padding is followed by something else")),
                None => {
                    self.stage = Stage::End;
                    return Ok(());
                }
            }
        }
        Err(damaged("there is more padding than 1 MiB"))
    }

    fn skip(&mut self, n_bytes: usize) -> io::Result<()> {
        for _ in 0..n_bytes {
            self.byte()?.ok_or_else(|| damaged("the file is cut off"))?;
        }
        Ok(())
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        self.fill()?;
        let byte = self.packed.get(self.used).copied();
        self.used += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Reads more if everything read was used.
    fn fill(&mut self) -> io::Result<()> {
        if self.used < self.packed.len() {
            return Ok(());
        }
        self.packed.resize(PACKED_BYTES, 0);
        let n_read = self.file.read_at(&mut self.packed, self.packed_offset)?;
        self.packed.truncate(n_read);
        self.packed_offset += n_read as u64;
        self.used = 0;
        Ok(())
    }
}

impl Point {
    /// Of the file itself.
    fn start() -> Self {
        let (state, checksum) = (fresh_state(), Checksum::default());
        Point { offset: 0, packed_offset: 0, state, checksum }
    }
}

impl GzipIndex {
    /// Whether it has no points yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().all.is_empty()
    }

    fn last_before(&self, offset: u64) -> Option<Point> {
        let points = self.lock();
        let after = points.all.partition_point(|point| point.offset <= offset);
        points.all.get(after.checked_sub(1)?).cloned()
    }

    fn wants(&self, offset: u64) -> bool {
        let points = self.lock();
        points.all.last().map_or(0, |point| point.offset) + points.spacing <= offset
    }

    /// Adds a point; if there are too many, every second one is dropped.
    fn keep(&self, point: Point) {
        let mut points = self.lock();
        points.all.push(point);
        if points.all.len() > MAX_POINTS {
            let mut number = 0;
            points.all.retain(|_| {
                number += 1;
                number % 2 == 0
            });
            points.spacing *= 2;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Points> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Points {
    fn default() -> Self {
        Points { all: Vec::new(), spacing: FIRST_SPACING }
    }
}

impl fmt::Debug for GzipReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipReader").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl fmt::Debug for GzipIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipIndex").field("n_points", &self.lock().all.len()).finish()
    }
}

fn fresh_state() -> Box<InflateState> {
    InflateState::new_boxed(DataFormat::Raw)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("is a damaged gzip file: {what}"))
}

const FLAG_HEADER_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;
const PACKED_BYTES: usize = 64 * 1024;

/// More than any block of a tape.
const MAX_PADDING_BYTES: usize = 1 << 20;

/// A point is a window of 32 KiB and a decoder of about 11 KiB: at most 4.2 MiB a file.
const MAX_POINTS: usize = 96;
const FIRST_SPACING: u64 = 4 << 20;

#[cfg(test)]
mod tests;
