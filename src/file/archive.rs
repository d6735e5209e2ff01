//! Archive: a packed segment, unpacked as a stream. Places in it count unpacked bytes, so that a
//! cursor stays good when its file is compressed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;

use crate::file::rotation::Compression;

/// Unpacks one file from its start.
pub struct ArchiveReader {
    unpacker: Box<dyn Read + Send>,
    /// How many unpacked bytes were read.
    offset: u64,
}

impl ArchiveReader {
    /// Begins at the start of `file`, whatever other readers of the same file do.
    pub fn open(file: File, compression: Compression) -> io::Result<Self> {
        let packed = BufReader::with_capacity(PACKED_BYTES, FileFromStart { file, offset: 0 });
        let unpacker: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(packed),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Zstd => Box::new(ZstdFrames::new(packed)),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Compression::Xz => {
                Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB))
            }
        };
        Ok(ArchiveReader { unpacker, offset: 0 })
    }

    /// How many unpacked bytes were read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Fills `buffer`, or as much of it as there is left.
    pub fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match self.unpacker.read(rest) {
                Ok(0) => break,
                Ok(n_bytes) => n_read += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.offset += n_read as u64;
        Ok(n_read)
    }

    /// Goes forward to `offset`; false if the content ends before.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        let wanted = offset.saturating_sub(self.offset);
        let skipped = io::copy(&mut self.unpacker.by_ref().take(wanted), &mut io::sink())?;
        self.offset += skipped;
        Ok(skipped == wanted)
    }
}

impl fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveReader").field("offset", &self.offset).finish_non_exhaustive()
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

const PACKED_BYTES: usize = 64 * 1024;

/// An xz file may ask for any amount of memory; it gets this.
const XZ_MEMORY_KIB: u32 = 128 * 1024;
