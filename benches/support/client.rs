//! Client: many viewers in one process and one thread, each of them checked.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::child::{self, Child};
use super::line::now_ns;
use super::poll::{Poll, READABLE};
use super::role::Role;
use super::usage::Usage;
use super::viewer::{Standing, Tally, Viewer};

/// Who is to see what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The server.
    pub(crate) address: SocketAddr,
    /// What is asked for; the viewers take turns.
    pub(crate) paths: Vec<String>,
    /// How many viewers.
    pub(crate) n_viewers: usize,
    /// The first line's number.
    pub(crate) first: u64,
    /// The number after the last line's, where it is known. Else the bench tells it later, as a
    /// number.
    pub(crate) end: Option<u64>,
    /// The streams end by themselves.
    pub(crate) is_finite: bool,
    /// All ends after this time.
    pub(crate) max: Duration,
}

/// What the client says, in this order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// Every viewer is being served.
    Ready,
    /// Every viewer has all lines, or nothing comes any more.
    Done(Report),
    /// As it was when the bench had the viewers leave.
    Left(Report),
}

/// What the viewers saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Lines, of all viewers together.
    pub(crate) n_lines: u64,
    /// Lines that did not come.
    pub(crate) n_lost: u64,
    /// Lines that came again.
    pub(crate) n_doubled: u64,
    /// Lines that came after a later one.
    pub(crate) n_reordered: u64,
    /// Gaps told by the server.
    pub(crate) n_gaps: u64,
    /// Streams that broke off or were refused, and why the first of them.
    pub(crate) n_broken: u64,
    /// See `n_broken`.
    pub(crate) first_error: Option<String>,
    /// Bytes read, framing included.
    pub(crate) n_bytes: u64,
    /// Half of the lines came within this time, in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99 of 100 did.
    pub(crate) p99_ms: f64,
    /// All did.
    pub(crate) max_ms: f64,
    /// From the first line to the last.
    pub(crate) seconds: f64,
    /// From before the first request to the last line.
    pub(crate) seconds_from_start: f64,
    /// What the client itself has spent.
    pub(crate) cpu_s: f64,
}

impl Report {
    /// An error unless every viewer got every line once and in order.
    pub(crate) fn ensure_complete(&self) -> anyhow::Result<()> {
        let n_wrong = self.n_lost + self.n_doubled + self.n_reordered + self.n_gaps + self.n_broken;
        anyhow::ensure!(
            n_wrong == 0,
            "the promise is broken: {} lines lost, {} doubled, {} reordered, {} gaps told, {} \
             streams broken{}",
            self.n_lost,
            self.n_doubled,
            self.n_reordered,
            self.n_gaps,
            self.n_broken,
            self.first_error.as_ref().map_or(String::new(), |error| format!(" (first: {error})"))
        );
        Ok(())
    }
}

/// The bench's end of a client.
#[derive(Debug)]
pub(crate) struct Client {
    child: Child,
}

impl Client {
    /// Starts a client and waits until every viewer is served.
    pub(crate) fn start(plan: Plan) -> anyhow::Result<Self> {
        let mut child = Child::start(&Role::View(plan))?;
        match child.hear()? {
            Said::Ready => Ok(Client { child }),
            Said::Done(report) | Said::Left(report) => {
                report.ensure_complete()?;
                anyhow::bail!("the client has ended before it was ready")
            }
        }
    }

    /// Tells the number after the last line's.
    pub(crate) fn tell_end(&mut self, end: u64) -> anyhow::Result<()> {
        self.child.tell(&end)
    }

    /// Waits until all have come to the end.
    pub(crate) fn done(&mut self) -> anyhow::Result<Report> {
        match self.child.hear()? {
            Said::Done(report) => Ok(report),
            Said::Ready | Said::Left(_) => anyhow::bail!("the client speaks out of turn"),
        }
    }

    /// Has the viewers leave.
    pub(crate) fn leave(mut self) -> anyhow::Result<Report> {
        self.child.dismiss();
        match self.child.hear()? {
            Said::Left(report) => Ok(report),
            Said::Ready | Said::Done(_) => anyhow::bail!("the client speaks out of turn"),
        }
    }
}

/// In the child: views until the input ends.
pub(crate) fn view(plan: &Plan) -> anyhow::Result<()> {
    let mut crowd = Crowd::gather(plan)?;
    let (mut is_ready, mut is_done) = (false, false);
    while !crowd.is_dismissed {
        crowd.turn()?;
        if !is_ready && crowd.are_all_served() {
            is_ready = true;
            child::say(&Said::Ready)?;
        }
        if is_ready && !is_done && crowd.is_over() {
            is_done = true;
            child::say(&Said::Done(crowd.report()?))?;
        }
    }
    child::say(&Said::Left(crowd.report()?))
}

/// All viewers of the process.
struct Crowd<'a> {
    plan: &'a Plan,
    poll: Poll,
    viewers: Vec<Viewer>,
    n_served: usize,
    n_ended: usize,
    n_broken: u64,
    first_error: Option<String>,
    tally: Tally,
    buffer: Vec<u8>,
    end: Option<u64>,
    begun_ns: u64,
    /// When the end was told.
    told_ns: u64,
    is_dismissed: bool,
}

impl<'a> Crowd<'a> {
    fn gather(plan: &'a Plan) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        poll.add(std::io::stdin(), BENCH, READABLE)?;
        Ok(Crowd {
            plan,
            poll,
            viewers: Vec::with_capacity(plan.n_viewers),
            n_served: 0,
            n_ended: 0,
            n_broken: 0,
            first_error: None,
            tally: Tally::new()?,
            buffer: vec![0; 256 * 1024],
            end: plan.end,
            begun_ns: now_ns(),
            told_ns: now_ns(),
            is_dismissed: false,
        })
    }

    /// Lets the next viewers in, a few at a time, waits for something, and takes what there is.
    fn turn(&mut self) -> anyhow::Result<()> {
        while self.viewers.len() < self.plan.n_viewers.min(self.n_served + IN_FLIGHT) {
            let number = self.viewers.len();
            let path = &self.plan.paths[number % self.plan.paths.len()];
            let viewer = Viewer::open(self.plan.address, path, self.plan.first)?;
            self.poll.add(viewer.stream(), number as u64, READABLE)?;
            self.viewers.push(viewer);
        }
        let events: Vec<u64> = self.poll.wait(Duration::from_millis(200))?.collect();
        for event in events {
            match event {
                BENCH => self.hear()?,
                number => self.read(usize::try_from(number)?)?,
            }
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> anyhow::Result<()> {
        let viewer = &mut self.viewers[number];
        let was_asking = viewer.standing() == Standing::Asking;
        let standing = viewer.read(&mut self.buffer, &mut self.tally).unwrap_or_else(|error| {
            self.n_broken += 1;
            self.first_error.get_or_insert(format!("viewer {number}: {error:#}"));
            Standing::Ended
        });
        if was_asking && standing != Standing::Asking {
            self.n_served += 1;
        }
        if standing == Standing::Ended {
            self.n_ended += 1;
            self.poll.remove(viewer.stream())?;
        }
        Ok(())
    }

    /// What the bench says: a number, or nothing more.
    fn hear(&mut self) -> anyhow::Result<()> {
        let mut words = [0; 64];
        match std::io::stdin().read(&mut words)? {
            0 => self.is_dismissed = true,
            n_read => {
                self.end = Some(serde_json::from_slice(&words[..n_read])?);
                self.told_ns = now_ns();
            }
        }
        Ok(())
    }

    fn is_late(&self) -> bool {
        now_ns() - self.begun_ns > nanos(self.plan.max)
    }

    fn are_all_served(&self) -> bool {
        self.n_served >= self.plan.n_viewers || self.is_late()
    }

    fn is_over(&self) -> bool {
        if self.n_ended >= self.plan.n_viewers || self.is_late() {
            return true;
        }
        let Some(end) = self.end else { return false };
        let changed_ns = self.tally.last_ns.max(self.told_ns);
        now_ns().saturating_sub(changed_ns) > nanos(QUIET)
            || !self.plan.is_finite && self.viewers.iter().all(|viewer| viewer.check.next() >= end)
    }

    fn report(&self) -> anyhow::Result<Report> {
        let sum = |of: &dyn Fn(&Check) -> u64| self.viewers.iter().map(|v| of(&v.check)).sum();
        let n_absent = (self.plan.n_viewers - self.n_served) as u64;
        let n_early = if self.plan.is_finite { 0 } else { self.n_ended as u64 };
        let latency = &self.tally.latency_us;
        let seconds = |from: u64| self.tally.last_ns.saturating_sub(from) as f64 / 1e9;
        Ok(Report {
            n_lines: sum(&|check| check.n_lines),
            n_lost: sum(&|check| check.n_lost(self.end.unwrap_or(0))),
            n_doubled: sum(&|check| check.n_doubled),
            n_reordered: sum(&|check| check.n_reordered),
            n_gaps: self.tally.n_gaps,
            n_broken: self.n_broken.max(n_early) + n_absent,
            first_error: self.first_error.clone(),
            n_bytes: self.tally.n_bytes,
            p50_ms: latency.value_at_quantile(0.5) as f64 / 1e3,
            p99_ms: latency.value_at_quantile(0.99) as f64 / 1e3,
            max_ms: latency.max() as f64 / 1e3,
            seconds: seconds(self.tally.first_ns),
            seconds_from_start: seconds(self.begun_ns),
            cpu_s: Usage::of(std::process::id())?.cpu_s,
        })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

const IN_FLIGHT: usize = 64;
/// When nothing has come for so long after the end was told, nothing will.
const QUIET: Duration = Duration::from_secs(15);
const BENCH: u64 = u64::MAX;
