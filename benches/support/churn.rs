//! Churn: viewers that come, take a little, and go, in every way in which a client can go.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::socket::{setsockopt, sockopt::TcpRepair};
use serde::{Deserialize, Serialize};
use socket2::SockRef;

use super::child;
use super::http::request;
use super::poll::{Poll, READABLE};

/// Who comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The server.
    pub(crate) address: SocketAddr,
    /// What is asked for by those who go in mid-stream; they take turns.
    pub(crate) endless: Vec<String>,
    /// What is asked for by those who stay to the end.
    pub(crate) finite: Vec<String>,
    /// How many come.
    pub(crate) n_guests: u64,
    /// How many come a second, at most.
    pub(crate) per_second: u64,
    /// Says how many have gone each time so many more have.
    pub(crate) report_every: u64,
}

/// The ways to go, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// Reads to the end of a stream that ends.
    Finish,
    /// Closes in mid-stream: FIN.
    Close,
    /// Resets in mid-stream: RST.
    Reset,
    /// Vanishes in mid-stream: the server is told nothing.
    Vanish,
    /// Resets right after asking.
    Flee,
}

const WAYS: [Leaving; 5] =
    [Leaving::Finish, Leaving::Close, Leaving::Reset, Leaving::Vanish, Leaving::Flee];

/// How it went so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Churned {
    /// Who have come and gone.
    pub(crate) n_gone: u64,
    /// Who got another answer than a stream, or none in time.
    pub(crate) n_failed: u64,
    /// What the first of them got.
    pub(crate) first_error: Option<String>,
    /// Who were to vanish and could only reset (it takes the right to administer the network).
    pub(crate) n_not_vanished: u64,
    /// How long it has taken.
    pub(crate) seconds: f64,
}

struct Guest {
    stream: TcpStream,
    leaving: Leaving,
    came: Instant,
    /// What has come, as far as it is looked at.
    head: Vec<u8>,
}

/// In the child: has the guests come and go, and says what has [`Churned`].
pub(crate) fn churn(plan: &Plan) -> anyhow::Result<()> {
    let mut party = Party::new(plan)?;
    while party.churned.n_gone < plan.n_guests {
        let mut seats = party.let_in()?;
        seats.extend(party.wait()?);
        for seat in seats {
            party.look_at(seat)?;
        }
    }
    child::say(&party.so_far())
}

/// All guests of the process.
struct Party<'a> {
    plan: &'a Plan,
    poll: Poll,
    seats: Vec<Option<Guest>>,
    free: Vec<usize>,
    n_come: u64,
    churned: Churned,
    begun: Instant,
    /// When it was last looked for guests who wait in vain.
    looked: Instant,
}

impl<'a> Party<'a> {
    fn new(plan: &'a Plan) -> anyhow::Result<Self> {
        let begun = Instant::now();
        Ok(Party {
            plan,
            poll: Poll::new()?,
            seats: (0..SEATS).map(|_| None).collect(),
            free: (0..SEATS).collect(),
            n_come: 0,
            churned: Churned::default(),
            begun,
            looked: begun,
        })
    }

    fn so_far(&self) -> Churned {
        Churned { seconds: self.begun.elapsed().as_secs_f64(), ..self.churned.clone() }
    }

    /// Lets in who is due; the seats of those who go again at once.
    fn let_in(&mut self) -> anyhow::Result<Vec<usize>> {
        let mut fleeing = Vec::new();
        let n_due = self.begun.elapsed().as_secs_f64() * self.plan.per_second as f64;
        while self.n_come < self.plan.n_guests && (self.n_come as f64) < n_due {
            let Some(seat) = self.free.pop() else { break };
            let guest = Guest::come(self.plan, self.n_come)?;
            self.n_come += 1;
            match guest.leaving {
                Leaving::Flee => fleeing.push(seat),
                Leaving::Finish | Leaving::Close | Leaving::Reset | Leaving::Vanish => {
                    self.poll.add(&guest.stream, seat as u64, READABLE)?;
                }
            }
            self.seats[seat] = Some(guest);
        }
        Ok(fleeing)
    }

    /// Waits; the seats of those for whom something has come, or nothing for too long.
    fn wait(&mut self) -> anyhow::Result<Vec<usize>> {
        let events = self.poll.wait(Duration::from_millis(2))?;
        let mut seats: Vec<usize> =
            events.map(usize::try_from).collect::<Result<_, _>>().context("a seat")?;
        if self.looked.elapsed() > Duration::from_secs(1) {
            self.looked = Instant::now();
            let is_late = |seat: &usize| self.seats[*seat].as_ref().is_some_and(Guest::is_late);
            seats.extend((0..SEATS).filter(is_late));
        }
        Ok(seats)
    }

    fn look_at(&mut self, seat: usize) -> anyhow::Result<()> {
        let Some(guest) = &mut self.seats[seat] else { return Ok(()) };
        match guest.look() {
            Ok(true) => {}
            Ok(false) if !guest.is_late() => return Ok(()),
            Ok(false) => {
                let head = String::from_utf8_lossy(&guest.head);
                let came = guest.leaving;
                self.churned.fail(&format!("no stream in time: {came:?}, with {head:?}"));
            }
            Err(error) => self.churned.fail(&format!("{error:#}")),
        }
        if let Some(guest) = self.seats[seat].take() {
            self.churned.n_not_vanished += u64::from(!guest.leave());
        }
        self.free.push(seat);
        self.churned.n_gone += 1;
        let is_due = self.churned.n_gone.is_multiple_of(self.plan.report_every);
        if is_due && self.churned.n_gone < self.plan.n_guests {
            child::say(&self.so_far())?;
        }
        Ok(())
    }
}

impl Churned {
    fn fail(&mut self, why: &str) {
        self.n_failed += 1;
        self.first_error.get_or_insert_with(|| why.to_owned());
    }
}

impl Guest {
    fn come(plan: &Plan, number: u64) -> anyhow::Result<Self> {
        let n_ways = WAYS.len();
        let leaving = WAYS[usize::try_from(number)? % n_ways];
        let paths = if leaving == Leaving::Finish { &plan.finite } else { &plan.endless };
        let path = &paths[usize::try_from(number)? / n_ways % paths.len()];
        let mut stream = TcpStream::connect(plan.address).context("cannot connect")?;
        stream.set_nonblocking(true)?;
        stream.write_all(request(path).as_bytes())?;
        Ok(Guest { stream, leaving, came: Instant::now(), head: Vec::new() })
    }

    fn is_late(&self) -> bool {
        self.came.elapsed() > PATIENCE
    }

    /// Reads what there is; true when it is time to leave.
    fn look(&mut self) -> anyhow::Result<bool> {
        if self.leaving == Leaving::Flee {
            return Ok(true);
        }
        let mut buffer = [0; 16 * 1024];
        let n_read = match self.stream.read(&mut buffer) {
            Ok(n_read) => n_read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let n_wanted = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&buffer[..n_read.min(n_wanted)]);
        let heads: [&[u8]; 2] = [b"HTTP/1.1 200 ", b"HTTP/1.1 101 "];
        let is_stream = heads.iter().any(|head| self.head.starts_with(head));
        let text = || String::from_utf8_lossy(&self.head).into_owned();
        anyhow::ensure!(is_stream || self.head.len() < 13 && n_read > 0, "no stream: {}", text());
        match self.leaving {
            Leaving::Finish => {
                let has_lines = memchr::memmem::find(&self.head, b"seq=").is_some();
                anyhow::ensure!(n_read > 0 || has_lines, "a stream without lines: {}", text());
                Ok(n_read == 0)
            }
            Leaving::Close | Leaving::Reset | Leaving::Vanish | Leaving::Flee => {
                anyhow::ensure!(n_read > 0, "a stream that goes on has ended");
                Ok(memchr::memmem::find(&self.head, b"seq=").is_some())
            }
        }
    }

    /// False where it could not leave in its way.
    fn leave(self) -> bool {
        let socket = SockRef::from(&self.stream);
        match self.leaving {
            Leaving::Finish | Leaving::Close => true,
            Leaving::Reset | Leaving::Flee => socket.set_linger(Some(Duration::ZERO)).is_ok(),
            // A socket under repair is closed without a word. A probe that comes later finds no
            // socket and is answered with RST; a dead network would not do that.
            Leaving::Vanish => {
                let vanishes = setsockopt(&self.stream.as_fd(), TcpRepair, &1).is_ok();
                vanishes || socket.set_linger(Some(Duration::ZERO)).is_err()
            }
        }
    }
}

const SEATS: usize = 512;
const HEAD_BYTES: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(20);
