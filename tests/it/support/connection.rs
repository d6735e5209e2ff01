//! Connection: HTTP/1.1 over one socket: the head, then the body with its chunks taken off.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::{DEADLINE, Pipe, Request};

/// One request under way and its answer as far as it has come.
#[derive(Debug)]
pub struct Connection {
    pipe: Pipe,
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What has come and is not yet taken apart.
    pending: Vec<u8>,
    framing: Framing,
    /// How the body ended, if it has.
    pub end: Option<End>,
}

/// How a body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its framing says: the last chunk, or the length.
    Complete,
    /// The connection was closed or reset before.
    Cut,
}

#[derive(Debug)]
enum Framing {
    /// Bytes left of the body.
    Length(usize),
    /// Bytes left of the chunk, its line end included; none before a chunk's size.
    Chunked(Option<usize>),
    /// All that comes until the connection is closed.
    UntilClose,
}

impl Connection {
    /// Sends the request and waits for the answer's head.
    #[track_caller]
    pub fn open(address: SocketAddr, request: &Request) -> Self {
        Self::attempt(address, request).unwrap()
    }

    /// As [`Connection::open`]; that there is nobody, or no answer, is an error.
    pub fn attempt(address: SocketAddr, request: &Request) -> io::Result<Self> {
        let mut pipe = Pipe::open(address, request, LOOK)?;
        pipe.write_all(&request.to_bytes(&address.to_string()))?;
        pipe.flush()?;
        let mut connection = Connection {
            pipe,
            status: 0,
            headers: Vec::new(),
            pending: Vec::new(),
            framing: Framing::UntilClose,
            end: None,
        };
        connection.read_head(request.is_head())?;
        Ok(connection)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    /// More of the body; empty if nothing came for a moment, or at the end.
    pub fn read(&mut self) -> Vec<u8> {
        let body = self.take_body();
        if !body.is_empty() || self.end.is_some() {
            return body;
        }
        self.receive();
        self.take_body()
    }

    /// Closes the connection with a reset rather than a farewell.
    pub fn reset(self) {
        SockRef::from(self.socket()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The client's end.
    pub fn socket(&self) -> &TcpStream {
        self.pipe.socket()
    }

    fn read_head(&mut self, is_head: bool) -> io::Result<()> {
        let begun = Instant::now();
        let head_bytes = loop {
            if let Some(at) = find(&self.pending, b"\r\n\r\n") {
                break at + 4;
            }
            if self.end.is_some() {
                let text = format!("closed before an answer: {:?}", self.pending);
                return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
            }
            if begun.elapsed() > DEADLINE {
                let text = format!("no answer within {DEADLINE:?}: {:?}", self.pending);
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            self.receive();
        };
        let head: Vec<u8> = self.pending.drain(..head_bytes).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        self.status = lines.next().unwrap()[9..12].parse().unwrap();
        self.headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        self.framing = if is_head || self.status == 204 {
            Framing::Length(0)
        } else if self.header("transfer-encoding") == Some("chunked") {
            Framing::Chunked(None)
        } else if let Some(length) = self.header("content-length") {
            Framing::Length(length.parse().unwrap())
        } else {
            Framing::UntilClose
        };
        if matches!(self.framing, Framing::Length(0)) {
            self.end = Some(End::Complete);
        }
        Ok(())
    }

    /// Waits for a moment for bytes.
    fn receive(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        match self.pipe.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Cut),
            Ok(n_bytes) => self.pending.extend_from_slice(&buffer[..n_bytes]),
            Err(error) if is_timeout(error.kind()) => {}
            Err(_reset) => self.end = Some(End::Cut),
        }
    }

    fn take_body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut at = 0;
        loop {
            let rest = &self.pending[at..];
            match &mut self.framing {
                Framing::UntilClose => {
                    body.extend_from_slice(rest);
                    at += rest.len();
                    if self.end == Some(End::Cut) {
                        self.end = Some(End::Complete);
                    }
                    break;
                }
                Framing::Length(left) => {
                    let n_bytes = rest.len().min(*left);
                    body.extend_from_slice(&rest[..n_bytes]);
                    (at, *left) = (at + n_bytes, *left - n_bytes);
                    if *left == 0 {
                        self.end = Some(End::Complete);
                    }
                    break;
                }
                Framing::Chunked(None) => {
                    let Some(line_end) = find(rest, b"\r\n") else { break };
                    let size = std::str::from_utf8(&rest[..line_end]).unwrap();
                    let size = usize::from_str_radix(size, 16).unwrap();
                    at += line_end + 2;
                    if size == 0 {
                        self.end = Some(End::Complete);
                        at = self.pending.len();
                        break;
                    }
                    self.framing = Framing::Chunked(Some(size + 2));
                }
                Framing::Chunked(Some(left)) => {
                    let n_bytes = rest.len().min(*left);
                    let after = *left - n_bytes;
                    // The last two of a chunk are its line end.
                    let of_body = n_bytes.saturating_sub(2_usize.saturating_sub(after));
                    let of_body = of_body.min(n_bytes);
                    body.extend_from_slice(&rest[..of_body]);
                    at += n_bytes;
                    self.framing = Framing::Chunked((after > 0).then_some(after));
                    if after > 0 {
                        break;
                    }
                }
            }
        }
        self.pending.drain(..at);
        body
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    kind == ErrorKind::WouldBlock || kind == ErrorKind::TimedOut || kind == ErrorKind::Interrupted
}

pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// How long one look at the socket waits.
const LOOK: Duration = Duration::from_millis(20);
