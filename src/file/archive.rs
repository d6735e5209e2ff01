//! Archive: a packed segment, unpacked as a stream. Places in it count unpacked bytes, so that a
//! cursor stays good when its file is compressed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::file::gzip::{GzipIndex, GzipReader};
use crate::file::rotation::Compression;

/// Unpacks one file.
pub struct ArchiveReader {
    unpacker: Unpacker,
}

enum Unpacker {
    Gzip(Box<GzipReader>),
    Other {
        stream: Box<dyn Read + Send>,
        /// How many unpacked bytes were read.
        offset: u64,
    },
}

impl ArchiveReader {
    /// Begins at or before `offset` (unpacked), whatever other readers of the same file do.
    #[must_use]
    pub fn open(file: File, compression: Compression, index: &Arc<GzipIndex>, offset: u64) -> Self {
        if compression == Compression::Gzip {
            let reader = GzipReader::open(file, Arc::clone(index), offset);
            return ArchiveReader { unpacker: Unpacker::Gzip(Box::new(reader)) };
        }
        let packed = BufReader::with_capacity(PACKED_BYTES, FileFromStart { file, offset: 0 });
        let stream: Box<dyn Read + Send> = match compression {
            Compression::None | Compression::Gzip => Box::new(packed),
            Compression::Zstd => Box::new(ZstdFrames::new(packed)),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Compression::Xz => {
                Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB))
            }
        };
        ArchiveReader { unpacker: Unpacker::Other { stream, offset: 0 } }
    }

    /// How many unpacked bytes lie before the next one.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match &self.unpacker {
            Unpacker::Gzip(reader) => reader.offset(),
            Unpacker::Other { stream: _, offset } => *offset,
        }
    }

    /// Fills `buffer`, or as much of it as there is left.
    pub fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match self.read(rest) {
                Ok(0) => break,
                Ok(n_bytes) => n_read += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.unpacker {
            Unpacker::Gzip(reader) => reader.read(buffer),
            Unpacker::Other { stream, offset } => {
                let n_read = stream.read(buffer)?;
                *offset += n_read as u64;
                Ok(n_read)
            }
        }
    }

    /// Goes forward to `offset`; false if the content ends before.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        let mut scratch = vec![0; SKIP_BYTES];
        loop {
            let left = usize::try_from(offset.saturating_sub(self.offset())).unwrap_or(usize::MAX);
            let wanted = left.min(SKIP_BYTES);
            if wanted == 0 {
                return Ok(true);
            }
            if self.read_full(scratch.get_mut(..wanted).unwrap_or_default())? == 0 {
                return Ok(false);
            }
        }
    }
}

impl fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveReader").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

/// Reads a file by place, so that a descriptor can be shared.
struct FileFromStart {
    file: File,
    offset: u64,
}

impl Read for FileFromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.file.read_at(buffer, self.offset)?;
        self.offset += n_bytes as u64;
        Ok(n_bytes)
    }
}

/// The frames of a zstd file, one after the other.
struct ZstdFrames<R: io::BufRead> {
    state: ZstdState<R>,
}

enum ZstdState<R: io::BufRead> {
    Between(R),
    Frame(Box<ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

impl<R: io::BufRead> ZstdFrames<R> {
    fn new(packed: R) -> Self {
        ZstdFrames { state: ZstdState::Between(packed) }
    }
}

impl<R: io::BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, ZstdState::Ended) {
                ZstdState::Ended => return Ok(0),
                ZstdState::Between(mut packed) => {
                    if packed.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let frame = ruzstd::decoding::StreamingDecoder::new(packed)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    self.state = ZstdState::Frame(Box::new(frame));
                }
                ZstdState::Frame(mut frame) => {
                    let n_bytes = frame.read(buffer)?;
                    if n_bytes > 0 || buffer.is_empty() {
                        self.state = ZstdState::Frame(frame);
                        return Ok(n_bytes);
                    }
                    self.state = ZstdState::Between(frame.into_inner());
                }
            }
        }
    }
}

const SKIP_BYTES: usize = 64 * 1024;
const PACKED_BYTES: usize = 64 * 1024;

/// An xz file may ask for any amount of memory; it gets this.
const XZ_MEMORY_KIB: u32 = 128 * 1024;
