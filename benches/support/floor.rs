//! Floor: the least a server can do that brings one file to many sockets. One thread reads what was
//! appended, once, and writes the same bytes to every socket; no cursor, no format, no filter. What
//! a real server costs is told as a multiple of this.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::inotify;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::child;
use super::poll::{BOTH_ONCE, Poll, READABLE};

/// What to serve.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The file.
    pub(crate) log: PathBuf,
    /// The least time between two rounds of writes.
    pub(crate) round: Duration,
}

/// Serves until the input ends. Says its address first.
pub(crate) fn serve(plan: &Plan) -> anyhow::Result<()> {
    let file = File::open(&plan.log)?;
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, &plan.log, inotify::WatchFlags::MODIFY)?;
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    listener.listen(4096)?;
    listener.set_nonblocking(true)?;
    child::say(&listener.local_addr()?.as_socket())?;
    let mut poll = Poll::new()?;
    poll.add(std::io::stdin(), BENCH, READABLE)?;
    poll.add(&watch, LOG, READABLE)?;
    poll.add(&listener, NEWCOMER, READABLE)?;
    let mut log = Log::at_end(file)?;
    let mut seats: Vec<Option<Seat>> = Vec::new();
    let (mut next_round, mut has_grown) = (Instant::now(), false);
    loop {
        let pause =
            if has_grown { next_round.saturating_duration_since(Instant::now()) } else { IDLE };
        let events: Vec<u64> = poll.wait(pause)?.collect();
        for event in events {
            match event {
                BENCH => return Ok(()),
                LOG => {
                    has_grown = true;
                    let mut events = [0; 4096];
                    while rustix::io::read(&watch, &mut events).is_ok_and(|n_read| n_read > 0) {}
                }
                NEWCOMER => {
                    while let Ok((socket, _)) = listener.accept() {
                        let stream = TcpStream::from(socket);
                        stream.set_nonblocking(true)?;
                        stream.set_nodelay(true)?;
                        poll.add(&stream, seats.len() as u64, BOTH_ONCE)?;
                        seats.push(Some(Seat { stream, offset: None }));
                    }
                }
                number => serve_seat(&mut seats[usize::try_from(number)?], &log),
            }
        }
        if has_grown && Instant::now() >= next_round {
            (has_grown, next_round) = (false, Instant::now() + plan.round);
            log.read_on()?;
            for seat in &mut seats {
                serve_seat(seat, &log);
            }
            let slowest = seats.iter().flatten().filter_map(|seat| seat.offset).min();
            log.forget_before(slowest.unwrap_or(u64::MAX));
        }
    }
}

/// Serves one viewer as far as it takes, and lets it go if it has gone.
fn serve_seat(seat: &mut Option<Seat>, log: &Log) {
    if seat.as_mut().is_some_and(|seat| seat.serve(log).is_err()) {
        *seat = None;
    }
}

/// One viewer.
struct Seat {
    stream: TcpStream,
    /// What it gets next; none before it has asked.
    offset: Option<u64>,
}

impl Seat {
    fn serve(&mut self, log: &Log) -> std::io::Result<()> {
        if self.offset.is_none() {
            let mut request = [0; 4096];
            match self.stream.read(&mut request) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            self.stream.write_all(HEAD)?;
            self.offset = Some(log.end());
        }
        let offset = self.offset.get_or_insert(log.end());
        while *offset < log.end() {
            match self.stream.write(&log.bytes_at(*offset)?) {
                Ok(n_written) => *offset += n_written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The end of the file, shared by all.
struct Log {
    file: File,
    /// Where `recent` begins.
    start: u64,
    recent: Vec<u8>,
}

impl Log {
    fn at_end(file: File) -> std::io::Result<Self> {
        let start = file.metadata()?.len();
        Ok(Log { file, start, recent: Vec::new() })
    }

    fn end(&self) -> u64 {
        self.start + self.recent.len() as u64
    }

    fn read_on(&mut self) -> std::io::Result<()> {
        let n_there = self.file.metadata()?.len().saturating_sub(self.end());
        let from = self.recent.len();
        self.recent.resize(from + usize::try_from(n_there).unwrap_or(0), 0);
        let n_read = self.file.read_at(&mut self.recent[from..], self.start + from as u64)?;
        self.recent.truncate(from + n_read);
        Ok(())
    }

    /// From the shared bytes; who is too far behind for them costs a read.
    fn bytes_at(&self, offset: u64) -> std::io::Result<std::borrow::Cow<'_, [u8]>> {
        if let Some(at) = offset.checked_sub(self.start) {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            return Ok(self.recent.get(at..).unwrap_or_default().into());
        }
        let n_behind = usize::try_from(self.start - offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; n_behind.min(256 * 1024)];
        let n_read = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(n_read);
        Ok(bytes.into())
    }

    fn forget_before(&mut self, offset: u64) {
        let n_taken = usize::try_from(offset.min(self.end()) - self.start.min(offset)).unwrap_or(0);
        let n_over = self.recent.len().saturating_sub(KEPT_BYTES);
        // Not for every round: what is left has to be moved.
        if n_taken.max(n_over) > KEPT_BYTES / 8 {
            self.recent.drain(..n_taken.max(n_over));
            self.start += n_taken.max(n_over) as u64;
        }
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
const IDLE: Duration = Duration::from_millis(500);
const KEPT_BYTES: usize = 16 << 20;

const BENCH: u64 = u64::MAX;
const LOG: u64 = u64::MAX - 1;
const NEWCOMER: u64 = u64::MAX - 2;
