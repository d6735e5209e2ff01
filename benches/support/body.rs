//! Body: takes the framing off an HTTP/1.1 answer or a WebSocket, and cuts what is in it into lines.

use anyhow::{Context as _, bail};

/// How the body of an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked(Chunked),
    /// `Content-Length`: so many bytes are left.
    Length(u64),
    /// Ends with the connection.
    UntilClose,
    /// The frames of a WebSocket.
    Frames(Frame),
    /// Nothing comes any more.
    Ended,
}

/// Where in the frames of a WebSocket the next byte stands (RFC 6455, section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    header: [u8; 10],
    n_header: usize,
    /// Bytes of the payload that are still to come; the header is complete then.
    left: u64,
    /// The payload of a ping.
    ping: [u8; 8],
    n_ping: usize,
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
        if code == 101 {
            return Ok((200, Framing::Frames(Frame::default())));
        }
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

    /// Calls for each piece of content in `bytes`, and with what is to be answered at once.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        mut content: impl FnMut(&[u8]),
        mut answer: impl FnMut(&[u8]),
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
                Framing::Frames(mut frame) => {
                    let is_closed;
                    (bytes, is_closed) = frame.take(bytes, &mut content, &mut answer);
                    *self = if is_closed { Framing::Ended } else { Framing::Frames(frame) };
                    if is_closed {
                        return Ok(());
                    }
                }
                Framing::Ended => bail!("bytes after the end of the body"),
            }
        }
        Ok(())
    }
}

impl Frame {
    /// Takes some of the bytes; returns the rest, and whether the connection is closed.
    fn take<'a>(
        &mut self,
        bytes: &'a [u8],
        content: &mut impl FnMut(&[u8]),
        answer: &mut impl FnMut(&[u8]),
    ) -> (&'a [u8], bool) {
        if self.left == 0 {
            self.header[self.n_header] = bytes[0];
            self.n_header += 1;
            if self.n_header == self.header_bytes() {
                self.left = self.payload_bytes();
                self.n_ping = 0;
                return (&bytes[1..], self.end_if_complete(answer));
            }
            return (&bytes[1..], false);
        }
        let (piece, rest) = split(bytes, self.left);
        if self.opcode() < 8 {
            content(piece);
        } else {
            let n_kept = piece.len().min(self.ping.len() - self.n_ping);
            self.ping[self.n_ping..self.n_ping + n_kept].copy_from_slice(&piece[..n_kept]);
            self.n_ping += n_kept;
        }
        self.left -= piece.len() as u64;
        (rest, self.end_if_complete(answer))
    }

    fn end_if_complete(&mut self, answer: &mut impl FnMut(&[u8])) -> bool {
        if self.left > 0 {
            return false;
        }
        self.n_header = 0;
        if self.opcode() == 9 {
            // A pong under a mask of zeros.
            let mut pong = vec![0x8a, 0x80 | u8::try_from(self.n_ping).unwrap_or(0), 0, 0, 0, 0];
            pong.extend_from_slice(&self.ping[..self.n_ping]);
            answer(&pong);
        }
        self.opcode() == 8
    }

    fn opcode(&self) -> u8 {
        self.header[0] & 0x0f
    }

    fn header_bytes(&self) -> usize {
        match (self.n_header, self.header[1] & 0x7f) {
            (0 | 1, _) | (_, 0..126) => 2,
            (_, 126) => 4,
            (_, _) => 10,
        }
    }

    fn payload_bytes(&self) -> u64 {
        match self.header[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => self.header[2..].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
            length => u64::from(length),
        }
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
#[derive(Debug)]
pub(crate) struct Lines {
    /// What a line ends with: a newline, or in a batch of records a brace.
    end: u8,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl Lines {
    /// Lines that end with this byte.
    pub(crate) fn ending_with(end: u8) -> Self {
        Lines { end, begun: Vec::new() }
    }

    /// Calls for each line that ends in `piece`, without its end.
    #[inline]
    pub(crate) fn take(&mut self, mut piece: &[u8], mut line: impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            let end = memchr::memchr(self.end, piece).unwrap_or(piece.len());
            self.begun.extend_from_slice(&piece[..end]);
            if end == piece.len() {
                return;
            }
            line(&self.begun);
            self.begun.clear();
            piece = &piece[end + 1..];
        }
        let mut from = 0;
        for end in memchr::memchr_iter(self.end, piece) {
            line(&piece[from..end]);
            from = end + 1;
        }
        self.begun.extend_from_slice(&piece[from..]);
    }
}
