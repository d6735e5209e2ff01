//! Output: what a source stream yields, and what all source streams of a viewer share.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::chunk::{Chunk, Position};
use crate::disk::Allowance;
use crate::filter::Filter;
use crate::follower::wait::PendingRead;
use crate::history::EventKind;
use crate::line::Zone;
use crate::source::Gap;

/// An item of a source stream, before filtering.
#[derive(Debug)]
pub enum Output {
    /// Lines that are not filtered yet.
    Lines(Arc<Chunk>),
    /// Something happened between two lines.
    Event {
        /// What.
        kind: EventKind,
        /// The place after it.
        end: Position,
    },
    /// The source was opened; its position is known now.
    Joined,
    /// The source cannot be read for this reason.
    Unreadable(Arc<str>),
}

/// The result of advancing a source stream.
#[derive(Default)]
pub struct Advance {
    /// Items for the viewer.
    pub items: Vec<Output>,
    /// Futures to wait for.
    pub next: Vec<PendingRead>,
}

/// What all source streams of a viewer share.
#[derive(Debug)]
pub struct Shared {
    /// Which lines.
    pub filter: Arc<Filter>,
    /// The zone for times without one.
    pub zone: Arc<Zone>,
    /// Permits to open a source: so many are opened at once.
    pub openings: Arc<Semaphore>,
    /// The time that filtering may take.
    pub allowance: Arc<Allowance>,
}

impl Output {
    /// A gap, with the position after it.
    #[must_use]
    pub fn of_gap(gap: &Gap, end: Position) -> Self {
        let kind = EventKind::Gap { bytes: gap.bytes, reason: gap.reason };
        Output::Event { kind, end }
    }
}

impl fmt::Debug for Advance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advance").field("items", &self.items).finish_non_exhaustive()
    }
}
