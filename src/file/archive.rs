//! Archive: a compressed segment, decompressed as a stream. Offsets in it count decompressed bytes,
//! so that a cursor stays valid when its file is compressed.

mod bzip2;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use xxhash_rust::xxh64::Xxh64;

use crate::disk::stop_if_abandoned;
use crate::file::archive::bzip2::Bzip2Streams;
use crate::file::gzip::{GzipIndex, GzipReader};
use crate::file::rotation::Compression;

/// Whether the error means that the archive is damaged for good.
#[must_use]
pub fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.raw_os_error().is_none()
}

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
    /// The archive could be read up to here. A decoder must not be called again after an error:
    /// some then continue anywhere, or never return.
    Failed {
        kind: io::ErrorKind,
        text: String,
        offset: u64,
    },
}

impl ArchiveReader {
    /// Begins at or before `offset` (decompressed), independently of other readers of the same
    /// file.
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
            Compression::Bzip2 => Box::new(Bzip2Streams::new(packed)),
            Compression::Xz => {
                Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB))
            }
        };
        ArchiveReader { unpacker: Unpacker::Other { stream, offset: 0 } }
    }

    /// The decompressed offset of the next byte.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match &self.unpacker {
            Unpacker::Gzip(reader) => reader.offset(),
            Unpacker::Other { stream: _, offset }
            | Unpacker::Failed { kind: _, text: _, offset } => *offset,
        }
    }

    /// Fills `buffer`, or as much of it as there is left. Bytes before an error are returned first;
    /// then each call returns the error.
    pub fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match self.read(rest) {
                Ok(0) => break,
                Ok(n_bytes) => n_read += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // An error that did not come from the system is the decoder's.
                    let kind = match error.raw_os_error() {
                        Some(_) => error.kind(),
                        None => io::ErrorKind::InvalidData,
                    };
                    let (text, offset) = (error.to_string(), self.offset());
                    self.unpacker = Unpacker::Failed { kind, text: text.clone(), offset };
                    return if n_read > 0 { Ok(n_read) } else { Err(io::Error::new(kind, text)) };
                }
            }
        }
        Ok(n_read)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.unpacker {
            Unpacker::Failed { kind, text, offset: _ } => Err(io::Error::new(*kind, text.clone())),
            Unpacker::Gzip(reader) => reader.read(buffer),
            Unpacker::Other { stream, offset } => {
                let n_read = stream.read(buffer)?;
                *offset += n_read as u64;
                Ok(n_read)
            }
        }
    }

    /// Skips to `offset`; false if the content ends before. Damage on the way becomes the error of
    /// the next read: a reader reports it and continues with the next file, while one that fails to
    /// open would fail for as long as the file exists.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        let mut scratch = vec![0; SKIP_BYTES];
        loop {
            stop_if_abandoned()?;
            let left = usize::try_from(offset.saturating_sub(self.offset())).unwrap_or(usize::MAX);
            let n_next = left.min(SKIP_BYTES);
            if n_next == 0 {
                return Ok(true);
            }
            match self.read_full(scratch.get_mut(..n_next).unwrap_or_default()) {
                Ok(0) => return Ok(false),
                Ok(_n_bytes) => {}
                Err(error) if is_damage(&error) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveReader").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

/// Reads a file by offset, so that a descriptor can be shared.
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
    Frame(Box<ZstdFrame<R>>),
    Ended,
}

struct ZstdFrame<R: io::BufRead> {
    decoder: StreamingDecoder<io::Chain<io::Cursor<[u8; 4]>, R>, FrameDecoder>,
    /// Of the decompressed content: the decoder reads the frame's checksum, but does not verify it.
    checksum: Xxh64,
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
                    self.state = begin_frame(packed)?;
                }
                ZstdState::Frame(mut frame) => {
                    let n_bytes = frame.decoder.read(buffer)?;
                    if n_bytes > 0 || buffer.is_empty() {
                        frame.checksum.update(buffer.get(..n_bytes).unwrap_or_default());
                        self.state = ZstdState::Frame(frame);
                        return Ok(n_bytes);
                    }
                    self.state = ZstdState::Between(frame.end()?);
                }
            }
        }
    }
}

impl<R: io::BufRead> ZstdFrame<R> {
    /// Compares all of the content with the checksum, where the frame has one (RFC 8878, section
    /// 3.1.1), and returns the frame's reader.
    fn end(self) -> io::Result<R> {
        let of_frame = self.decoder.decoder.get_checksum_from_data();
        let of_content = self.checksum.digest() & u64::from(u32::MAX);
        match of_frame {
            Some(expected) if u64::from(expected) != of_content => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "is a damaged zstd file: the checksum of a frame's content is \
                     {of_content:08x}, expected {expected:08x}"
                ),
            )),
            Some(_) | None => Ok(self.decoder.into_inner().into_inner().1),
        }
    }
}

/// Begins a frame, or skips one that holds no content, as pzstd and the seekable format write them
/// (RFC 8878, section 3.1.2).
fn begin_frame<R: io::BufRead>(mut packed: R) -> io::Result<ZstdState<R>> {
    let mut magic = [0; 4];
    packed.read_exact(&mut magic)?;
    if (0x184d_2a50..=0x184d_2a5f).contains(&u32::from_le_bytes(magic)) {
        let mut length = [0; 4];
        packed.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        if io::copy(&mut packed.by_ref().take(length), &mut io::sink())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return Ok(ZstdState::Between(packed));
    }
    let decoder = StreamingDecoder::new(io::Cursor::new(magic).chain(packed))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(ZstdState::Frame(Box::new(ZstdFrame { decoder, checksum: Xxh64::new(0) })))
}

const SKIP_BYTES: usize = 64 * 1024;
const PACKED_BYTES: usize = 64 * 1024;

/// An xz file may ask for any amount of memory; it gets this.
const XZ_MEMORY_KIB: u32 = 128 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use super::ArchiveReader;
    use crate::file::gzip::GzipIndex;
    use crate::file::rotation::Compression;

    fn packed_by(program: &str, text: &[u8]) -> Vec<u8> {
        let mut packer = Command::new(program)
            .args(["-q", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        packer.stdin.take().unwrap().write_all(text).unwrap();
        packer.wait_with_output().unwrap().stdout
    }

    fn reader(packed: &[u8], compression: Compression) -> ArchiveReader {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(packed).unwrap();
        ArchiveReader::open(file, compression, &Arc::new(GzipIndex::default()), 0)
    }

    #[test]
    fn what_stands_before_the_damage_is_handed_out_and_the_damage_is_told_again() {
        let text = "a line of a log\n".repeat(200_000);
        for (program, compression) in PROGRAMS {
            let packed = packed_by(program, text.as_bytes());
            let mut reader = reader(&packed[..packed.len() * 3 / 4], compression);
            let (mut all, mut buffer) = (Vec::new(), vec![0; 1000]);
            let error = loop {
                match reader.read_full(&mut buffer) {
                    Ok(n_bytes) => {
                        assert!(n_bytes > 0, "{program}: a cut file has no end");
                        all.extend_from_slice(&buffer[..n_bytes]);
                    }
                    Err(error) => break error,
                }
            };
            assert!(text.as_bytes().starts_with(&all), "{program}");
            assert!(all.len() > 1000, "{program} {}", all.len());
            let again = reader.read_full(&mut buffer).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
        }
    }

    #[test]
    fn zstd_frames_without_content_are_skipped() {
        let mut packed = b"\x50\x2a\x4d\x18\x04\0\0\0abcd".to_vec();
        packed.extend(packed_by("zstd", b"one\n"));
        packed.extend(b"\x5f\x2a\x4d\x18\0\0\0\0");
        packed.extend(packed_by("zstd", b"two\n"));
        let mut buffer = [0; 20];
        let mut reader = reader(&packed, Compression::Zstd);
        assert_eq!(reader.read_full(&mut buffer).unwrap(), 8);
        assert_eq!(&buffer[..8], b"one\ntwo\n");
    }

    /// All content, and the error that ends it.
    fn unpacked(packed: &[u8], compression: Compression) -> (Vec<u8>, Option<std::io::Error>) {
        let mut reader = reader(packed, compression);
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1000]);
        loop {
            match reader.read_full(&mut buffer) {
                Ok(0) => return (all, None),
                Ok(n_bytes) => all.extend_from_slice(&buffer[..n_bytes]),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[test]
    fn no_changed_or_missing_byte_is_silent() {
        let numbers = (0..20u32).map(|n| n.wrapping_mul(2_654_435_761).to_string());
        let text = numbers.collect::<Vec<_>>().join("\n");
        for (program, compression) in PROGRAMS {
            let packed = packed_by(program, text.as_bytes());
            // A second member, stream or frame, whose start may be damaged, too.
            let twice = packed.repeat(2);
            for at in 0..twice.len() {
                for bits in [0x01, 0xff] {
                    let mut changed = twice.clone();
                    changed[at] ^= bits;
                    let (content, error) = unpacked(&changed, compression);
                    // Some header bytes, such as the time, do not affect the content.
                    let is_whole = content == text.repeat(2).as_bytes();
                    assert!(is_whole || error.is_some(), "{program}: {at} ^ {bits}: {error:?}");
                }
                let (content, error) = unpacked(&twice[..at], compression);
                // An empty file is either empty content or damage, depending on the decoder.
                let is_end = at == packed.len() || at == 0 && error.is_none();
                assert_eq!(error.is_none(), is_end, "{program}: cut at {at}: {error:?}");
                assert!(text.repeat(2).as_bytes().starts_with(&content), "{program}: cut at {at}");
            }
        }
    }

    const PROGRAMS: [(&str, Compression); 4] = [
        ("gzip", Compression::Gzip),
        ("zstd", Compression::Zstd),
        ("bzip2", Compression::Bzip2),
        ("xz", Compression::Xz),
    ];
}
