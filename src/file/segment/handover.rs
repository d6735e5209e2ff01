//! Handover: how the live end went over from one content to the next, and what it reported in between.
//! Viewers who are behind go the same way: what the live end has seen cannot be told from the disk
//! afterwards, once files were emptied, cut or deleted several times.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::file::segment::Segment;
use crate::history::{EventKind, GapReason};

/// How a segment was left.
#[derive(Clone, Debug)]
pub struct Handover {
    /// Counts the handovers of a source. Who began to read later takes the files as they are now.
    pub number: u64,
    /// Up to here its content was delivered.
    pub end: u64,
    /// What was reported after that.
    pub events: Vec<EventKind>,
    /// What the live end went on in.
    pub to: Arc<Segment>,
    /// Where in it.
    pub offset: u64,
    /// [`crate::cursor::check_of`] what stands there before that; 0 where it is not known.
    pub check: u32,
    /// It holds the same content: nothing was left, and positions stay what they are.
    pub is_same: bool,
}

/// What comes after a segment; nothing as long as the live end is in it, or never was.
#[derive(Debug, Default)]
pub struct Onward {
    handover: Mutex<Option<Handover>>,
}

impl Onward {
    /// How the segment was left.
    #[must_use]
    pub fn get(&self) -> Option<Handover> {
        self.lock().clone()
    }

    /// Whether the live end went on in `segment`.
    #[must_use]
    pub fn is_to(&self, segment: &Arc<Segment>) -> bool {
        self.lock().as_ref().is_some_and(|handover| Arc::ptr_eq(&handover.to, segment))
    }

    /// Notes how it was left.
    pub fn note(&self, handover: Handover) {
        // The live end is there now. What led on from it has come to nothing, and must not lead back here.
        drop(handover.to.onward().take());
        let before = self.lock().replace(handover);
        drop(before);
    }

    /// Takes out what was noted.
    fn take(&self) -> Option<Handover> {
        self.lock().take()
    }

    /// Forgets it, if what was gone on in has a name, and nobody reads that: it can be found again.
    pub fn forget_named(&self, is_deleted: impl Fn(&Segment) -> bool) {
        let is_spare = self.get().is_some_and(|next| {
            let is_gone = next.to.is_truncated() || next.to.is_released() || is_deleted(&next.to);
            !is_gone && !next.is_read()
        });
        if is_spare {
            drop(self.take());
        }
    }

    /// Leaves out next segments whose content is gone and that nobody else reads, or can: a file may be
    /// emptied thousands of times behind one reader.
    pub fn shorten(&self) {
        loop {
            let Some(first) = self.get() else { return };
            let is_spare = first.to.is_truncated() && !first.is_read();
            if !is_spare && !first.to.is_released() {
                return;
            }
            let Some(second) = first.to.onward().get() else { return };
            *self.lock() = Some(first.and_then(second));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Handover>> {
        self.handover.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Onward {
    /// One after the other: a chain of thousands would need as many calls inside each other.
    fn drop(&mut self) {
        let mut next = self.take();
        while let Some(handover) = next {
            next = Arc::into_inner(handover.to).and_then(|segment| segment.onward().take());
        }
    }
}

impl Handover {
    /// Whether somebody has a part in what comes next, beside this copy and what is noted.
    fn is_read(&self) -> bool {
        Arc::strong_count(&self.to) > 2
    }

    /// What is lost for a reader who comes from `offset` and cannot read on.
    #[must_use]
    pub fn lost_from(&self, offset: u64) -> u64 {
        self.end.saturating_sub(offset)
    }

    /// Both, without what is between them: that is a gap.
    #[must_use]
    pub fn and_then(self, second: Handover) -> Handover {
        let lost = match self.is_same || second.is_same {
            true => 0,
            false => second.lost_from(self.offset),
        };
        let reason = match self.to.is_released() {
            true => GapReason::RotatedAway,
            false => GapReason::Truncated,
        };
        let gap = EventKind::Gap { bytes: lost, reason };
        let mut events = Vec::with_capacity(self.events.len() + second.events.len() + 1);
        for event in self.events.into_iter().chain([gap]).chain(second.events) {
            merge(&mut events, event);
        }
        Handover {
            number: second.number,
            end: if self.is_same { second.end } else { self.end },
            events,
            to: second.to,
            offset: if second.is_same { self.offset } else { second.offset },
            check: if second.is_same { self.check } else { second.check },
            is_same: self.is_same && second.is_same,
        }
    }
}

/// Adds an event; of each kind one is enough.
fn merge(events: &mut Vec<EventKind>, event: EventKind) {
    match event {
        EventKind::Gap { bytes: 0, reason: _ } => {}
        EventKind::Gap { bytes: more, reason } => {
            let same = events.iter_mut().find_map(|kept| match kept {
                EventKind::Gap { bytes, reason: own } if *own == reason => Some(bytes),
                EventKind::Gap { .. } | EventKind::Rotated(_) => None,
            });
            match same {
                Some(bytes) => *bytes += more,
                None => events.insert(0, event),
            }
        }
        EventKind::Rotated(_) => {
            events.retain(|kept| !matches!(kept, EventKind::Rotated(_)));
            events.push(event);
        }
    }
}
