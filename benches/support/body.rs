//! Body: takes the framing off an HTTP/1.1 answer, and cuts what is in it into lines.

use anyhow::{Context as _, bail};

/// How the body of an answer is framed. A WebSocket's frames would be one more way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked(Chunked),
    /// `Content-Length`: so many bytes are left.
    Length(u64),
    /// Ends with the connection.
    UntilClose,
    /// Nothing comes any more.
    Ended,
}

/// Where in the chunked framing the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// In a size line that has told this so far.
    Size(u64),
    /// In a chunk with so many bytes left.
    Data(u64),
    /// In the line end after a chunk.
    DataEnd,
    /// In the empty line after the last chunk.
    Trailer,
}

impl Framing {
    /// Reads the framing off a head that ends with its empty line, and the status before it.
    pub(crate) fn of_head(head: &str) -> anyhow::Result<(u16, Self)> {
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.with_context(|| format!("not an HTTP status line: {status}"))?;
        let mut framing = Framing::UntilClose;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("transfer-encoding") {
                framing = Framing::Chunked(Chunked::Size(0));
            } else if name.eq_ignore_ascii_case("content-length") {
                framing = Framing::Length(value.parse().context("content-length")?);
            }
        }
        Ok((code, framing))
    }

    /// Calls for each piece of content in `bytes`.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        mut content: impl FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            match *self {
                Framing::UntilClose => {
                    content(bytes);
                    return Ok(());
                }
                Framing::Length(left) => {
                    let (piece, rest) = split(bytes, left);
                    content(piece);
                    let left = left - piece.len() as u64;
                    *self = if left == 0 { Framing::Ended } else { Framing::Length(left) };
                    bytes = rest;
                }
                Framing::Chunked(Chunked::Data(left)) => {
                    let (piece, rest) = split(bytes, left);
                    content(piece);
                    let left = left - piece.len() as u64;
                    let state = if left == 0 { Chunked::DataEnd } else { Chunked::Data(left) };
                    *self = Framing::Chunked(state);
                    bytes = rest;
                }
                Framing::Chunked(state) => {
                    let (byte, rest) = (bytes[0], &bytes[1..]);
                    *self = between_chunks(state, byte)?;
                    bytes = rest;
                }
                Framing::Ended => bail!("bytes after the end of the body"),
            }
        }
        Ok(())
    }
}

/// One byte of what stands between the chunks. Extensions are not expected.
fn between_chunks(state: Chunked, byte: u8) -> anyhow::Result<Framing> {
    let state = match (state, byte) {
        (Chunked::Size(_) | Chunked::DataEnd | Chunked::Trailer, b'\r') => state,
        (Chunked::Size(0), b'\n') => Chunked::Trailer,
        (Chunked::Size(size), b'\n') => Chunked::Data(size),
        (Chunked::Size(size), digit) => {
            let value = char::from(digit).to_digit(16).context("not a chunk size")?;
            Chunked::Size(size * 16 + u64::from(value))
        }
        (Chunked::DataEnd, b'\n') => Chunked::Size(0),
        (Chunked::Trailer, b'\n') => return Ok(Framing::Ended),
        (Chunked::DataEnd | Chunked::Trailer | Chunked::Data(_), _) => bail!("a broken chunk"),
    };
    Ok(Framing::Chunked(state))
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len())))
}

/// Puts lines together from pieces.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl Lines {
    /// Calls for each line that ends in `piece`, without its newline.
    #[inline]
    pub(crate) fn take(&mut self, mut piece: &[u8], mut line: impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            let end = memchr::memchr(b'\n', piece).unwrap_or(piece.len());
            self.begun.extend_from_slice(&piece[..end]);
            if end == piece.len() {
                return;
            }
            line(&self.begun);
            self.begun.clear();
            piece = &piece[end + 1..];
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            line(&piece[from..end]);
            from = end + 1;
        }
        self.begun.extend_from_slice(&piece[from..]);
    }
}
