//! Silence: which clients are gone, and which have merely stopped reading. Both leave what is
//! sent to them lying; but a client whose window is closed answers each time the kernel asks whether it
//! has opened (RFC 9293, 3.8.6.1), and one that is gone answers nothing. `TCP_USER_TIMEOUT` cannot
//! distinguish them, and ends both.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::listener::descriptors::TcpConnection;
use crate::listener::socket_diag::{Echo, SocketDiag};

/// Finds connections whose client does not answer. For use by one thread.
#[derive(Debug)]
pub struct Silence {
    diag: SocketDiag,
    /// The connections with unanswered data or probes, by inode.
    unanswered: HashMap<u64, Unanswered>,
}

/// The state in which a connection's silence began.
#[derive(Clone, Copy, Debug)]
struct Unanswered {
    since: Instant,
    n_retransmits: u8,
}

impl Silence {
    /// For the connections of the listener at `address`. An error where the kernel provides no such
    /// information.
    pub fn new(address: SocketAddr) -> io::Result<Self> {
        Ok(Silence { diag: SocketDiag::new(address)?, unanswered: HashMap::new() })
    }

    /// Those of `connections` (which have to be all there are) whose clients have not answered for
    /// [`SILENCE_LIMIT`]. Two system calls each.
    pub fn gone<'a>(
        &mut self,
        connections: impl Iterator<Item = &'a TcpConnection>,
        now: Instant,
    ) -> Vec<TcpConnection> {
        let mut unanswered = HashMap::new();
        let mut gone = Vec::new();
        for connection in connections {
            // If it cannot be queried, it has been closed.
            let Ok(Some(echo)) = self.diag.echo(connection.ours, connection.peer, connection.inode)
            else {
                continue;
            };
            let before = self.unanswered.get(&connection.inode).copied();
            let Some(state) = Unanswered::after(before, echo, now) else { continue };
            if state.is_gone(echo, now) {
                gone.push(*connection);
            }
            unanswered.insert(connection.inode, state);
        }
        self.unanswered = unanswered;
        gone
    }
}

impl Unanswered {
    /// `None` if nothing is unanswered.
    fn after(before: Option<Self>, echo: Echo, now: Instant) -> Option<Self> {
        let Echo { n_unanswered_probes, n_retransmits, last_heard } = echo;
        if n_unanswered_probes == 0 && n_retransmits == 0 {
            return None;
        }
        let is_silent_since =
            |before: &Self| now.saturating_duration_since(before.since) <= last_heard;
        Some(before.filter(is_silent_since).unwrap_or(Unanswered { since: now, n_retransmits }))
    }

    /// A single unanswered probe may be lost on its way; and the longer a window is closed, the
    /// rarer the probes.
    fn is_gone(self, echo: Echo, now: Instant) -> bool {
        let is_asked_often = echo.n_unanswered_probes >= MIN_PROBES
            || echo.n_retransmits >= self.n_retransmits.saturating_add(MIN_RETRANSMITS);
        now.saturating_duration_since(self.since) >= SILENCE_LIMIT && is_asked_often
    }
}

/// How long a client may leave data or probes unanswered.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(30);

const MIN_PROBES: u8 = 2;
/// Counted from when the silence was first seen.
const MIN_RETRANSMITS: u8 = 2;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed fixture is a failed test")]
mod tests {
    use super::*;

    fn echo(n_unanswered_probes: u8, n_retransmits: u8, heard_s: u64) -> Echo {
        Echo { n_unanswered_probes, n_retransmits, last_heard: Duration::from_secs(heard_s) }
    }

    /// Checks every five seconds; returns after how many seconds the client counts as gone.
    fn gone_after(echoes: impl IntoIterator<Item = Echo>) -> Option<u64> {
        let begun = Instant::now();
        let mut state = None;
        for (number, echo) in (0..).zip(echoes) {
            let now = begun + Duration::from_secs(5 * number);
            state = Unanswered::after(state, echo, now);
            if state.is_some_and(|state| state.is_gone(echo, now)) {
                return Some(5 * number);
            }
        }
        None
    }

    #[test]
    fn who_acknowledges_nothing_is_gone() {
        let tries = [4, 5, 6, 6, 7, 7, 7].into_iter().zip(0..);
        let echoes = tries.map(|(n, number)| echo(0, n, 60 + 5 * number));
        assert_eq!(gone_after(echoes), Some(30));
    }

    #[test]
    fn whose_window_is_closed_is_gone_once_it_does_not_answer() {
        let asked = |number: u64| echo(u8::from(number.is_multiple_of(2)), 0, 5 * (number % 2));
        assert_eq!(gone_after((0..1000).map(asked)), None, "asked, or just answered");
        // A probe is lost after two minutes of silence, and the next one is answered.
        let lost = (0..24).map(|number| echo(1, 0, 120 + 5 * number));
        assert_eq!(gone_after(lost.chain([echo(0, 0, 1)])), None);
        let silent = (0..40).map(|number| echo(1 + u8::from(number >= 24), 0, 120 + 5 * number));
        assert_eq!(gone_after(silent), Some(120), "two were not answered");
    }

    #[test]
    fn who_answers_without_taking_anything_is_not_gone() {
        let dropped = (0..200).map(|number: u8| echo(0, number, u64::from(number % 3)));
        assert_eq!(gone_after(dropped), None);
    }
}
