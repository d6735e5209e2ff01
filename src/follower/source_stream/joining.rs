//! Joining: how a source stream opens its source, and what is reported if it fails.

use std::sync::Arc;
use std::time::Duration;

use crate::feed::FeedGuard;
use crate::filter::Inherited;
use crate::follower::opening::{self, OpenRequest, Opening};
use crate::follower::output::{Advance, Output};
use crate::follower::source_stream::{MAX_FAILURES, Phase, SourceStream};
use crate::follower::wait::PendingRead;
use crate::source::{OpenError, Opened};

impl SourceStream {
    /// Whether the next source need not wait for its backlog.
    #[must_use]
    pub fn lets_pass(&self) -> bool {
        let is_late = self.has_turn && !matches!(self.phase, Phase::Reading);
        is_late || self.n_read_failures > 0 || self.has_caught_up()
    }

    /// Whether its backlog is sent regardless of the order.
    #[must_use]
    pub fn has_turn(&self) -> bool {
        self.has_turn
    }

    /// Lets its backlog be sent as soon as it is read.
    pub fn give_turn(&mut self) {
        self.has_turn = true;
    }

    /// Whether the source is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.phase {
            Phase::Opened(_) | Phase::Reading | Phase::Live(_) => true,
            Phase::Done => !self.has_failed(),
            Phase::Closed | Phase::Opening | Phase::Unreadable => false,
        }
    }

    /// Whether the opening is pending, and not yet known to be slow.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Opening) && !self.has_turn
    }

    /// Whether the source could not be opened.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.phase, Phase::Unreadable) || self.is_done() && self.has_failed()
    }

    /// Whether a cursor of another source was taken for one of this.
    #[must_use]
    pub fn is_of_other_source(&self) -> bool {
        matches!(self.refusal, Some(OpenError::OtherSource(_)))
    }

    /// Whether opening it has exceeded the viewer's allowance.
    #[must_use]
    pub fn is_too_expensive(&self) -> bool {
        matches!(self.refusal, Some(OpenError::TooExpensive(_)))
    }

    /// Takes the error of the opening.
    pub fn take_refusal(&mut self) -> Option<OpenError> {
        self.refusal.take()
    }

    /// Begins to open the source.
    pub fn open(&mut self) -> Option<PendingRead> {
        if !matches!(self.phase, Phase::Closed) {
            return None;
        }
        self.phase = Phase::Opening;
        Some(self.opening(Duration::ZERO))
    }

    fn opening(&self, pause: Duration) -> PendingRead {
        let plan = OpenRequest {
            source_index: self.number,
            source: Arc::clone(&self.source),
            start: self.start.clone(),
            shared: Arc::clone(&self.shared),
            follow: !self.is_ending,
        };
        opening::open(plan, pause)
    }

    pub(super) fn take_opening(&mut self, opening: Opening, out: &mut Advance) {
        match opening {
            Opening::Opened(guard, opened) => self.join(guard, *opened, out),
            Opening::Failed(error) => {
                self.refuse(error, out);
                if !self.is_done() {
                    out.next.push(self.opening(opening::pause_after(self.n_refusals)));
                }
            }
            Opening::Late(rest) => {
                self.has_turn = true;
                out.next.push(rest);
            }
            Opening::Stalled(error, rest) => {
                self.refuse(error, out);
                if !self.is_done() {
                    out.next.push(rest);
                }
            }
        }
    }

    /// The source cannot be opened: this is reported once, and does not delay the others.
    fn refuse(&mut self, error: OpenError, out: &mut Advance) {
        if self.n_refusals == 0 {
            tracing::warn!(%error, "a source of a stream cannot be read");
            out.items.push(Output::Unreadable(error.reason().into()));
        }
        self.n_refusals += 1;
        self.refusal = Some(error);
        self.has_turn = true;
        if self.is_ending {
            (self.n_failures, self.phase) = (MAX_FAILURES, Phase::Done);
        } else {
            self.phase = Phase::Unreadable;
        }
    }

    fn join(&mut self, guard: Option<FeedGuard>, opened: Opened, out: &mut Advance) {
        self.guard = guard;
        self.read_to = opened.history.place();
        // Until the gap is reported, the viewer is where it was.
        let before = opened.gap.as_ref().map(|gap| gap.before.clone());
        self.place = before.unwrap_or_else(|| self.read_to.clone());
        self.inherited = Inherited::from_lines(&opened.before, &self.shared.zone);
        self.progress = opened.history.progress();
        // A stream that follows has no end, and keeps no file open for one.
        self.stop = match &self.guard {
            Some(_) => opening::before_all(self.source.name()),
            None => opened.end,
        };
        self.gap = opened.gap;
        self.phase = Phase::Opened(Some(opened.history));
        self.refusal = None;
        out.items.push(Output::Joined);
    }
}
