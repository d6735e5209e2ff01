//! Cursor: a position between two lines of a source, as an opaque, URL-safe token.
//!
//! A token is 36 bytes in base64url, 48 characters:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 2 |
//! | 4 | hash of the source's name |
//! | 4 | hash of the file's device, inode and birth time |
//! | 2 | length of the head that was hashed, at most [`HEAD_BYTES`] |
//! | 4 | hash of the file's head |
//! | 6 | when the file was last written to, in milliseconds since 1970 |
//! | 6 | offset in the unpacked file |
//! | 4 | hash of the last line before the offset, 0 where it is not known |
//! | 1 | which redaction rules head and line were hashed under, 0 for none |
//! | 4 | checksum of all the bytes before |
//!
//! Version 1 (33 bytes, 44 characters) hashed device and inode alone, had 2 bytes for the line before
//! the offset, looked at 64 bytes of that, and hashed what is to be hidden, too. Its tokens stay valid, and are written
//! again as they were read.
//!
//! The file is recognised by what it holds, not by its name, so a token stays valid when the file
//! is renamed, compressed or read by another process. Where a source is redacted, head and line are
//! hashed as they are shown, so that nothing hidden can be derived from a token. No secret of the
//! server goes into it: every server makes the same token for the same file. The token is no
//! signature: it can only point into what its bearer may read anyway.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64;

/// How many bytes at the start of a file identify it.
pub const HEAD_BYTES: usize = 1024;

/// How many bytes before an offset are hashed into a cursor's `check`, at most.
pub const CHECK_BYTES: usize = 256;

/// Stands between the cursors of a stream of several sources.
pub const SET_SEPARATOR: char = '~';

/// How many sources a stream may have to be resumed as a whole, from the cursors of all of them.
pub const MAX_SET: usize = 16;

/// A position between two lines (or two pieces of one) of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The generation of the source the offset counts in.
    pub generation: GenerationKey,
    /// Bytes from the start of that generation, unpacked.
    pub offset: u64,
    /// [`check_of`] the bytes before the offset ([`check_v1`] in a token of version 1); 0 where they
    /// were not known.
    pub check: u32,
}

/// What identifies a generation (a physical file, through renames) of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationKey {
    /// Which fields the token has, and how they were made.
    pub version: Version,
    /// [`hash32`] of the source's name.
    pub source: u32,
    /// [`hash32`] of the file's identity.
    pub file: u32,
    /// How many bytes of the head `head` was made of.
    pub head_bytes: u16,
    /// [`hash32`] of these bytes.
    pub head: u32,
    /// When the file was last written to, as far as known then; of a file that was not there, when
    /// it was looked for. In milliseconds since 1970, 48 bits.
    pub written: u64,
    /// Under which redaction rules head and check were made: 0 for none, else a fingerprint.
    pub redaction: u8,
}

/// The version of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Written by release 0.1.0.
    V1,
    /// Written now.
    V2,
}

/// A [`GenerationKey`], encoded once for the many tokens that begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorPrefix {
    version: Version,
    redaction: u8,
    raw: [u8; PREFIX_BYTES],
    text: [u8; PREFIX_CHARS],
}

/// Why a text is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not as many characters of base64url as a token has.
    #[error(
        "is not a cursor: expected {} characters of A-Z a-z 0-9 - _ ({} in tokens of release 0.1.0)",
        V2.token_chars,
        V1.token_chars
    )]
    Malformed,
    /// The first byte is not a version this program knows.
    #[error("is of cursor version {0}, expected version 1 or 2")]
    Version(u8),
    /// The last bytes do not fit the others.
    #[error("is damaged: its checksum does not fit")]
    Checksum,
}

/// How many bytes a token of some version has.
struct Layout {
    number: u8,
    token_bytes: usize,
    token_chars: usize,
}

const V1: Layout = Layout { number: 1, token_bytes: 33, token_chars: 44 };
const V2: Layout = Layout { number: 2, token_bytes: 36, token_chars: 48 };

impl Version {
    fn layout(self) -> &'static Layout {
        match self {
            Self::V1 => &V1,
            Self::V2 => &V2,
        }
    }

    fn of_length(n_chars: usize) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|version| version.layout().token_chars == n_chars)
    }
}

impl Cursor {
    /// Whether it was made for the source of this name.
    #[must_use]
    pub fn is_of(&self, source: &str) -> bool {
        self.generation.source == hash32(source.as_bytes())
    }

    /// Appends the token to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        CursorPrefix::new(self.generation).write_token(self.offset, self.check, out);
    }
}

impl CursorPrefix {
    /// Encodes the part that all tokens of one generation share.
    #[must_use]
    pub fn new(key: GenerationKey) -> Self {
        let mut raw = [0; PREFIX_BYTES];
        let fields = [key.version.layout().number]
            .into_iter()
            .chain(key.source.to_be_bytes())
            .chain(key.file.to_be_bytes())
            .chain(key.head_bytes.to_be_bytes())
            .chain(key.head.to_be_bytes())
            .chain(key.written.to_be_bytes().into_iter().skip(2));
        raw.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        let mut text = [0; PREFIX_CHARS];
        encode(&raw, &mut text);
        CursorPrefix { version: key.version, redaction: key.redaction, raw, text }
    }

    /// Appends the token of the position at `offset` to `out`.
    pub fn write_token(&self, offset: u64, check: u32, out: &mut Vec<u8>) {
        let mut all = [0; V2.token_bytes];
        let layout = self.version.layout();
        let check = check.to_be_bytes();
        let redaction = [self.redaction];
        let (check, redaction): (&[u8], &[u8]) = match self.version {
            Version::V1 => (check.get(2..).unwrap_or_default(), &[]),
            Version::V2 => (&check, &redaction),
        };
        let body_bytes = layout.token_bytes - CHECKSUM_BYTES;
        let fields = self
            .raw
            .iter()
            .copied()
            .chain(offset.to_be_bytes().into_iter().skip(2))
            .chain(check.iter().copied())
            .chain(redaction.iter().copied());
        all.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        if let Some((body, checksum)) = all.split_at_mut_checked(body_bytes) {
            let sum = hash32(body).to_be_bytes();
            checksum.iter_mut().zip(sum).for_each(|(byte, field)| *byte = field);
        }
        let mut text = [0; V2.token_chars - PREFIX_CHARS];
        let n_chars = layout.token_chars - PREFIX_CHARS;
        let suffix = all.get(PREFIX_BYTES..layout.token_bytes).unwrap_or_default();
        let text = text.get_mut(..n_chars).unwrap_or_default();
        encode(suffix, text);
        out.extend_from_slice(&self.text);
        out.extend_from_slice(text);
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(token: &str) -> Result<Self, CursorError> {
        let length = Version::of_length(token.len()).ok_or(CursorError::Malformed)?;
        let layout = length.layout();
        let mut all = [0; V2.token_bytes];
        match URL_SAFE_NO_PAD.decode_slice(token, &mut all) {
            Ok(n_bytes) if n_bytes == layout.token_bytes => {}
            Ok(_) | Err(_) => return Err(CursorError::Malformed),
        }
        let mut rest: &[u8] = &all;
        let mut take = |n_bytes: usize| {
            let (field, after) = rest.split_at_checked(n_bytes).unwrap_or((rest, &[]));
            rest = after;
            field.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let number = take(1);
        let mut generation = GenerationKey {
            version: length,
            source: narrow(take(4)),
            file: narrow(take(4)),
            head_bytes: narrow(take(2)),
            head: narrow(take(4)),
            written: take(6),
            redaction: 0,
        };
        let offset = take(6);
        let check = match length {
            Version::V1 => take(2),
            Version::V2 => take(4),
        };
        if length == Version::V2 {
            generation.redaction = narrow(take(1));
        }
        let checksum = take(CHECKSUM_BYTES);
        if number != u64::from(layout.number) {
            return Err(CursorError::Version(narrow(number)));
        }
        let body = all.get(..layout.token_bytes - CHECKSUM_BYTES).unwrap_or_default();
        let is_whole = checksum == u64::from(hash32(body));
        if !is_whole || usize::from(generation.head_bytes) > HEAD_BYTES {
            return Err(CursorError::Checksum);
        }
        Ok(Cursor { generation, offset, check: narrow(check) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = Vec::with_capacity(V2.token_chars);
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

/// Hashes the bytes before a position: the last [`CHECK_BYTES`] of `before`, and of these only what
/// belongs to the last line. Never 0, which stands for "not known".
#[must_use]
pub fn check_of(before: &[u8]) -> u32 {
    hash32(last_line_of_text(before)).max(1)
}

/// What [`check_of`] was in version 1: 16 bits, of at most 64 bytes.
#[must_use]
pub fn check_v1(before: &[u8]) -> u32 {
    let hash: u32 = narrow(xxh3_64(last_line_v1(before)) & 0xffff);
    hash.max(1)
}

fn last_line_v1(before: &[u8]) -> &[u8] {
    let from = before.len().saturating_sub(CHECK_BYTES_V1);
    let window = before.get(from..).unwrap_or_default();
    let body = window.split_last().map_or(window, |(_, body)| body);
    let line_start = memchr::memrchr(b'\n', body).map_or(0, |at| at + 1);
    window.get(line_start..).unwrap_or_default()
}

/// The last line, or the last piece of one, in any encoding in which a line end is LF, in UTF-16 also
/// with a zero on either side of it.
fn last_line_of_text(before: &[u8]) -> &[u8] {
    let from = before.len().saturating_sub(CHECK_BYTES);
    let window = before.get(from..).unwrap_or_default();
    let end_bytes = if window.ends_with(b"\n\0") { 2 } else { 1 };
    let body = window.get(..window.len().saturating_sub(end_bytes)).unwrap_or_default();
    let line_start = memchr::memrchr(b'\n', body).map_or(0, |at| at + end_bytes);
    window.get(line_start..).unwrap_or_default()
}

/// The low bits of `value`, as many as `T` has; callers have masked the rest away.
fn narrow<T: TryFrom<u64> + Default>(value: u64) -> T {
    T::try_from(value).unwrap_or_default()
}

/// Encodes into a slice of exactly the length that the encoding has.
fn encode(bytes: &[u8], text: &mut [u8]) {
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, text);
    debug_assert!(written.is_ok(), "the array holds the encoding");
}

const PREFIX_BYTES: usize = 21;
const PREFIX_CHARS: usize = 28;
const CHECKSUM_BYTES: usize = 4;
const CHECK_BYTES_V1: usize = 64;

#[cfg(test)]
mod tests;
