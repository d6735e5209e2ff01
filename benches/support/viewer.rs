//! Viewer: one connection that asks for a stream and checks every line of it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context as _;
use clap::ValueEnum;
use hdrhistogram::Histogram;

use super::body::{Framing, Lines};
use super::check::Check;
use super::http::{WEBSOCKET, request};
use super::line::{Mark, now_ns};

/// How a viewer wants the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Plain text.
    Text,
    /// A JSON record a line.
    Ndjson,
    /// Server-sent events.
    Sse,
    /// Batches of records.
    Websocket,
}

impl Kind {
    /// The format's name in queries.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Ndjson => "ndjson",
            Self::Sse => "sse",
            Self::Websocket => "websocket",
        }
    }

    /// The URL of `source` in this kind, with the rest of the query.
    pub(crate) fn path(self, source: &str, query: &str) -> String {
        match self {
            Self::Websocket => format!("{WEBSOCKET}/logs/{source}?{query}"),
            Self::Text | Self::Ndjson | Self::Sse => {
                format!("/logs/{source}?format={}&{query}", self.as_str())
            }
        }
    }
}

/// What all viewers of a process have seen together.
pub(crate) struct Tally {
    /// Microseconds from before the write to after the read.
    pub(crate) latency_us: Histogram<u64>,
    /// When the first and the last line came.
    pub(crate) first_ns: u64,
    /// See `first_ns`.
    pub(crate) last_ns: u64,
    /// Gaps told by the server.
    pub(crate) n_gaps: u64,
    /// Bytes read, framing included.
    pub(crate) n_bytes: u64,
}

impl Tally {
    /// Nothing seen yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let latency_us = Histogram::new_with_bounds(1, MAX_LATENCY_US, 3)?;
        Ok(Tally { latency_us, first_ns: u64::MAX, last_ns: 0, n_gaps: 0, n_bytes: 0 })
    }
}

/// One viewer.
pub(crate) struct Viewer {
    stream: TcpStream,
    /// The head so far; none once it is complete.
    head: Option<Vec<u8>>,
    framing: Framing,
    lines: Lines,
    /// Where in a line its mark was last.
    mark_at: usize,
    /// What it has got.
    pub(crate) check: Check,
}

/// How a viewer stands after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The head is not complete.
    Asking,
    /// It is being served.
    Served,
    /// The stream has ended.
    Ended,
}

impl Viewer {
    /// Connects and asks for `path`; the line `first` is to come first.
    pub(crate) fn open(address: SocketAddr, path: &str, first: u64) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).context("cannot connect")?;
        stream.write_all(request(path).as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Viewer {
            stream,
            head: Some(Vec::new()),
            framing: Framing::UntilClose,
            lines: Lines::ending_with(if path.starts_with(WEBSOCKET) { b'}' } else { b'\n' }),
            mark_at: 0,
            check: Check::new(first),
        })
    }

    /// The connection.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads once. An error is a stream that broke off.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> anyhow::Result<Standing> {
        let n_read = match self.stream.read(buffer) {
            Ok(0) if self.head.is_none() && self.framing == Framing::UntilClose => {
                return Ok(Standing::Ended);
            }
            Ok(0) => anyhow::bail!("the server has closed the connection in mid-stream"),
            Ok(n_read) => n_read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(self.standing()),
            Err(error) => return Err(error.into()),
        };
        let now = now_ns();
        tally.n_bytes += n_read as u64;
        let bytes = &buffer[..n_read];
        match self.head.take() {
            None => self.take(bytes, now, tally)?,
            Some(mut head) => {
                head.extend_from_slice(bytes);
                match memchr::memmem::find(&head, b"\r\n\r\n") {
                    None => self.head = Some(head),
                    Some(at) => {
                        let text = String::from_utf8_lossy(&head[..at + 4]).into_owned();
                        let (status, framing) = Framing::of_head(&text)?;
                        anyhow::ensure!(status == 200, "asked for a stream, got {text}");
                        self.framing = framing;
                        self.take(&head[at + 4..], now, tally)?;
                    }
                }
            }
        }
        Ok(self.standing())
    }

    /// How it stands now.
    pub(crate) fn standing(&self) -> Standing {
        match (&self.head, self.framing) {
            (Some(_), _) => Standing::Asking,
            (None, Framing::Ended) => Standing::Ended,
            (
                None,
                Framing::Chunked(_) | Framing::Length(_) | Framing::UntilClose | Framing::Frames(_),
            ) => Standing::Served,
        }
    }

    fn take(&mut self, bytes: &[u8], now: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let Viewer { framing, lines, mark_at, check, .. } = self;
        let mut pongs = Vec::new();
        let content = |piece: &[u8]| {
            lines.take(piece, |line| match Mark::find(line, mark_at) {
                Some(mark) => {
                    check.take(mark.number);
                    tally.latency_us.saturating_record(now.saturating_sub(mark.written_ns) / 1000);
                    tally.last_ns = now;
                    tally.first_ns = tally.first_ns.min(now);
                }
                None if is_gap(line) => tally.n_gaps += 1,
                None => {}
            });
        };
        framing.take(bytes, content, |pong| pongs.extend_from_slice(pong))?;
        if !pongs.is_empty() {
            self.stream.write_all(&pongs).context("a pong")?;
        }
        Ok(())
    }
}

/// Whether a line that is none of the log's tells of a gap.
fn is_gap(line: &[u8]) -> bool {
    let has = |words: &[u8]| memchr::memmem::find(line, words).is_some();
    (line.starts_with(b"==> ") && has(b": gap of ")) || has(b"{\"event\":\"gap\"")
}

const MAX_LATENCY_US: u64 = 600_000_000;
