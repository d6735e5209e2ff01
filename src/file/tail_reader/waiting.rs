//! Waiting: when a file is left for the next one, as the states of the reader have it.

use std::time::Instant;

use crate::chunk::Position;
use crate::file::tail_reader::{
    Following, LOOK_AGAIN, Pace, ROTATE_PATIENCE, ROTATE_QUIET, State, TailReader,
};
use crate::history::{ReadError, RotatedHow, StreamItem, while_trying};

impl TailReader {
    /// The segment is read to its end: is there another one?
    pub(super) fn look_for_next(&mut self, limit: Option<&Position>) -> Result<(), ReadError> {
        let found = self.find_next().map_err(while_trying(format!(
            "looking for what follows {}",
            self.reader.segment().path().display()
        )))?;
        let Some(next) = found else {
            self.stay();
            self.wait();
            return Ok(());
        };
        let what = || format!("looking at {}", next.segment.path().display());
        if let Some(goal) = self.goal_before(&next.segment).map_err(while_trying(what()))? {
            return self.come_to_goal(goal);
        }
        if self.is_copy_of(&next.segment)? {
            return self.outlast_copying(next);
        }
        if self.must_wait(&next, limit)? {
            self.wait();
            return Ok(());
        }
        if self.must_drain(&next) { Ok(()) } else { self.step_over(next) }
    }

    /// Since when the path has led elsewhere.
    pub(super) fn astray_since(&self) -> Option<Instant> {
        match self.state {
            State::Current => None,
            State::Astray { since: astray_since } | State::Leaving { astray_since, .. } => {
                Some(astray_since)
            }
        }
    }

    /// The path leads to the file that is read.
    pub(super) fn come_back(&mut self) {
        self.state = State::Current;
        self.ahead.segments.clear();
    }

    /// The path leads elsewhere.
    pub(super) fn go_astray(&mut self) {
        if let State::Current = self.state {
            self.state = State::Astray { since: Instant::now() };
        }
    }

    /// The file is not left yet: nothing comes after it, or its writer has not gone over.
    pub(super) fn stay(&mut self) {
        if let State::Leaving { astray_since, .. } = self.state {
            self.state = State::Astray { since: astray_since };
        }
    }

    /// Nothing more for now. What a rotator does next may go unnoticed by the watch, so that it is
    /// looked for at short intervals for a while.
    pub(super) fn wait(&mut self) {
        if self.pace == Pace::Live {
            self.files.shorten_handovers();
        }
        let astray_since = self.astray_since();
        let is_unsettled = astray_since.is_some_and(|since| since.elapsed() < ROTATE_PATIENCE);
        let look_again = is_unsettled.then_some(LOOK_AGAIN);
        if let Some(watch) = self.watch.as_ref().filter(|_| !is_unsettled) {
            let segment = self.reader.segment();
            let is_astray = astray_since.is_some() && segment.id().is_some();
            watch.watch_beside(is_astray.then(|| segment.path()));
        }
        self.queue.push_back(StreamItem::AtEnd { look_again });
    }

    /// Whether to stay with the old file although there is a new one.
    pub(super) fn must_wait(
        &mut self,
        next: &Following,
        limit: Option<&Position>,
    ) -> Result<bool, ReadError> {
        let has_own_end = self.reader.segment().is_archive()
            || self.reader.segment().id().is_none()
            || self.of.is_copy();
        if has_own_end || !next.is_last {
            return Ok(false);
        }
        if self.pace == Pace::Backlog {
            // The live end knows whether somebody still writes to the old file.
            let live_end = limit.and_then(|limit| self.files.segment_of(limit));
            return Ok(next.is_active && live_end.is_some_and(|end| end.id() != next.segment.id()));
        }
        let what = || format!("looking at {}", next.segment.path().display());
        if next.segment.size_and_change().map_err(while_trying(what()))?.0 == 0 {
            // The writer has not gone over yet: until it has, it writes to the old file.
            self.stay();
            return Ok(true);
        }
        let (since, quiet_since) = self.leave();
        let now = Instant::now();
        Ok(now - quiet_since < ROTATE_QUIET && now - since < ROTATE_PATIENCE)
    }

    /// Begins to leave the file, or notes whether it has grown since. Since when it is left, and since
    /// when nothing was added.
    pub(super) fn leave(&mut self) -> (Instant, Instant) {
        let (now, read_to) = (Instant::now(), self.reader.read_to());
        let (astray_since, since, quiet_since) = match self.state {
            State::Current => (now, now, now),
            State::Astray { since } => (since, now, now),
            State::Leaving { astray_since, since, read_to: before, quiet_since } => {
                (astray_since, since, if before == read_to { quiet_since } else { now })
            }
        };
        self.state = State::Leaving { astray_since, since, read_to, quiet_since };
        (since, quiet_since)
    }

    /// Whether the old file has to be read once more, now that the new one has been seen: what was
    /// written to it before the new one was begun is then surely read.
    pub(super) fn must_drain(&mut self, next: &Following) -> bool {
        let is_growing =
            self.reader.segment().id().is_some() && !self.reader.segment().is_archive();
        let is_leaving = matches!(self.state, State::Leaving { .. });
        if !is_growing || is_leaving || next.how == RotatedHow::Truncated {
            return false;
        }
        self.leave();
        true
    }
}
