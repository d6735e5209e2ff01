//! Cursor: a place between two lines of a source, as an opaque, URL-safe token.
//!
//! A token is 33 bytes in base64url, 44 characters:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version |
//! | 4 | hash of the source's name |
//! | 4 | hash of the file's device and inode |
//! | 2 | length of the head that was hashed, at most [`HEAD_BYTES`] |
//! | 4 | hash of the file's head |
//! | 6 | when the file was last written to, in milliseconds since 1970 |
//! | 6 | offset in the unpacked file |
//! | 2 | hash of the last bytes before the offset, 0 where they are not known |
//! | 4 | checksum of all the bytes before |
//!
//! The file is told by what it holds (its head), not by its name, so a token stays good when the
//! file is renamed, packed or looked at by another process. The token is no signature: it can only
//! point into what its bearer may read anyway.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64;

/// How many bytes at the start of a file tell it from others.
pub const HEAD_BYTES: usize = 1024;

/// How many bytes before an offset are hashed into a cursor's `check`.
pub const CHECK_BYTES: usize = 64;

/// Stands between the cursors of a stream of several sources.
pub const SET_SEPARATOR: char = '~';

/// A place between two lines (or two pieces of one) of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The generation of the source the offset counts in.
    pub generation: GenerationKey,
    /// Bytes from the start of that generation, unpacked.
    pub offset: u64,
    /// [`check_of`] the bytes before the offset; 0 where they were not known.
    pub check: u16,
}

/// What tells one generation (physical file, through renames) of a source from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationKey {
    /// [`hash32`] of the source's name.
    pub source: u32,
    /// [`hash32`] of device and inode.
    pub file: u32,
    /// How many bytes of the head `head` was made of.
    pub head_bytes: u16,
    /// [`hash32`] of these bytes.
    pub head: u32,
    /// When the file was last written to, as far as known then; of a file that was not there, when
    /// it was looked for. In milliseconds since 1970, 48 bits.
    pub written: u64,
}

/// A [`GenerationKey`], encoded once for the many tokens that begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorPrefix {
    raw: [u8; PREFIX_BYTES],
    text: [u8; PREFIX_CHARS],
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not 44 characters of base64url.
    #[error("is not a cursor: expected {TOKEN_CHARS} characters of A-Z a-z 0-9 - _")]
    Malformed,
    /// The first byte is not a version this program knows.
    #[error("is of cursor version {0}, expected version {VERSION}")]
    Version(u8),
    /// The last bytes do not fit the others.
    #[error("is damaged: its checksum does not fit")]
    Checksum,
}

impl Cursor {
    /// Whether it was made for the source of this name.
    #[must_use]
    pub fn is_of(&self, source: &str) -> bool {
        self.generation.source == hash32(source.as_bytes())
    }

    /// Appends the token's 44 characters to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        CursorPrefix::new(self.generation).write_token(self.offset, self.check, out);
    }
}

impl CursorPrefix {
    /// Encodes the part that all tokens of one generation share.
    #[must_use]
    pub fn new(key: GenerationKey) -> Self {
        let mut raw = [0; PREFIX_BYTES];
        let fields = [VERSION]
            .into_iter()
            .chain(key.source.to_be_bytes())
            .chain(key.file.to_be_bytes())
            .chain(key.head_bytes.to_be_bytes())
            .chain(key.head.to_be_bytes())
            .chain(key.written.to_be_bytes().into_iter().skip(2));
        raw.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        let mut text = [0; PREFIX_CHARS];
        encode(&raw, &mut text);
        CursorPrefix { raw, text }
    }

    /// Appends the token of the place at `offset` to `out`.
    pub fn write_token(&self, offset: u64, check: u16, out: &mut Vec<u8>) {
        let mut all = [0; TOKEN_BYTES];
        let fields = self
            .raw
            .into_iter()
            .chain(offset.to_be_bytes().into_iter().skip(2))
            .chain(check.to_be_bytes());
        all.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        if let Some((body, checksum)) = all.split_at_mut_checked(BODY_BYTES) {
            checksum.copy_from_slice(&hash32(body).to_be_bytes());
        }
        let mut text = [0; TOKEN_CHARS - PREFIX_CHARS];
        encode(all.get(PREFIX_BYTES..).unwrap_or_default(), &mut text);
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&text);
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(token: &str) -> Result<Self, CursorError> {
        let mut all = [0; TOKEN_BYTES];
        if token.len() != TOKEN_CHARS {
            return Err(CursorError::Malformed);
        }
        match URL_SAFE_NO_PAD.decode_slice(token, &mut all) {
            Ok(TOKEN_BYTES) => {}
            Ok(_) | Err(_) => return Err(CursorError::Malformed),
        }
        let mut rest: &[u8] = &all;
        let mut take = |n_bytes: usize| {
            let (field, after) = rest.split_at_checked(n_bytes).unwrap_or((rest, &[]));
            rest = after;
            field.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let version = take(1);
        let generation = GenerationKey {
            source: narrow(take(4)),
            file: narrow(take(4)),
            head_bytes: narrow(take(2)),
            head: narrow(take(4)),
            written: take(6),
        };
        let (offset, check, checksum) = (take(6), narrow(take(2)), take(4));
        if version != u64::from(VERSION) {
            return Err(CursorError::Version(narrow(version)));
        }
        let body = all.get(..BODY_BYTES).unwrap_or_default();
        if checksum != u64::from(hash32(body)) || usize::from(generation.head_bytes) > HEAD_BYTES {
            return Err(CursorError::Checksum);
        }
        Ok(Cursor { generation, offset, check })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = Vec::with_capacity(TOKEN_CHARS);
        self.write_to(&mut token);
        f.write_str(&String::from_utf8_lossy(&token))
    }
}

/// Reads the cursors of a stream of several sources, joined by [`SET_SEPARATOR`].
pub fn parse_set(text: &str) -> Result<Vec<Cursor>, CursorError> {
    text.split(SET_SEPARATOR).map(str::parse).collect()
}

/// A 32-bit hash, the same in every process and version.
#[must_use]
pub fn hash32(bytes: &[u8]) -> u32 {
    narrow(xxh3_64(bytes) >> 32)
}

/// Hashes what stands before a place: the last [`CHECK_BYTES`] of `before`, and of these only what
/// belongs to the last line. Never 0, which stands for "not known".
#[must_use]
pub fn check_of(before: &[u8]) -> u16 {
    let from = before.len().saturating_sub(CHECK_BYTES);
    let window = before.get(from..).unwrap_or_default();
    let body = window.split_last().map_or(window, |(_, body)| body);
    let line_start = memchr::memrchr(b'\n', body).map_or(0, |at| at + 1);
    let hash: u16 = narrow(xxh3_64(window.get(line_start..).unwrap_or_default()) & 0xffff);
    hash.max(1)
}

/// The low bits of `value`, as many as `T` has; callers have masked the rest away.
fn narrow<T: TryFrom<u64> + Default>(value: u64) -> T {
    T::try_from(value).unwrap_or_default()
}

/// Encodes into an array of exactly the length that the encoding has.
fn encode(bytes: &[u8], text: &mut [u8]) {
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, text);
    debug_assert!(written.is_ok(), "the array holds the encoding");
}

const VERSION: u8 = 1;
const PREFIX_BYTES: usize = 21;
const PREFIX_CHARS: usize = 28;
const BODY_BYTES: usize = 29;
const TOKEN_BYTES: usize = 33;
const TOKEN_CHARS: usize = 44;

#[cfg(test)]
mod tests;
