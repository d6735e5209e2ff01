//! Live: how a source stream switches to the ring, and what it takes from there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::feed::FeedGuard;
use crate::feed::ring::{RingItem, RingPosition, RingRead};
use crate::follower::output::{Advance, Output};
use crate::follower::source_stream::{Phase, SourceStream};
use crate::follower::wait;
use crate::history::{EventKind, GapReason};

impl SourceStream {
    /// Switches to the ring if the stream has reached it.
    pub(super) fn has_joined(&mut self, out: &mut Advance) -> bool {
        let Some(guard) = &self.guard else { return false };
        let next = match guard.find(&self.read_to) {
            Some(RingPosition::At(next)) => next,
            Some(RingPosition::Inside(at)) => {
                let RingRead::Items { items, has_more: _ } = guard.take(at, 1) else {
                    return false;
                };
                let Some(RingItem::Chunk(chunk)) = items.into_iter().next() else { return false };
                self.take_chunk(Arc::new(chunk.after(self.read_to.offset)), out);
                at + 1
            }
            Some(RingPosition::Elsewhere) | None => return false,
        };
        self.phase = if self.is_ending { Phase::Done } else { Phase::Live(next) };
        self.tell_missed_late(out);
        true
    }

    /// Late lines that went through the ring while this stream was behind are lost for it.
    fn tell_missed_late(&mut self, out: &mut Advance) {
        let Some(guard) = &self.guard else { return };
        let bytes = guard.missed_late(&mut self.passed);
        if bytes > 0 {
            let kind = EventKind::Gap { bytes, reason: GapReason::Late };
            out.items.push(Output::Event { kind, end: self.read_to.clone() });
        }
    }

    pub(super) fn wait_live(&self, out: &mut Advance) {
        if let (Phase::Live(_), Some(guard)) = (&self.phase, &self.guard) {
            let mut changes = guard.changes();
            // Items that were added since the ring was read must not be missed.
            changes.mark_changed();
            out.next.push(wait::changed(self.number, changes));
        }
    }

    pub(super) fn take_live(&mut self, mut changes: watch::Receiver<u64>, out: &mut Advance) {
        changes.mark_unchanged();
        let (Phase::Live(next), Some(guard)) = (&self.phase, &self.guard) else { return };
        let next = *next;
        match guard.take(next, TAKE_BYTES) {
            RingRead::Items { items, has_more } => {
                self.phase = Phase::Live(next + items.len() as u64);
                for item in items {
                    self.take_item(item, out);
                }
                // A feed that has ended adds nothing more.
                if has_more || self.guard.as_ref().is_some_and(FeedGuard::is_closed) {
                    changes.mark_changed();
                }
                out.next.push(wait::changed(self.number, changes));
            }
            RingRead::Nothing if guard.is_closed() => {
                self.guard = Some(Arc::clone(&self.source).subscribe());
                self.phase = Phase::Reading;
                out.next.push(self.reopen(wait::PAUSE));
            }
            RingRead::Nothing => out.next.push(wait::changed(self.number, changes)),
            RingRead::Evicted => {
                self.phase = Phase::Reading;
                out.next.push(self.reopen(Duration::ZERO));
            }
        }
    }

    fn take_item(&mut self, item: RingItem, out: &mut Advance) {
        match item {
            RingItem::Chunk(chunk) => self.take_chunk(chunk, out),
            RingItem::Event(event) => {
                self.come_to(event.end.clone());
                out.items.push(Output::Event { kind: event.kind, end: event.end });
            }
        }
    }
}

/// What a viewer takes from the ring at a time.
const TAKE_BYTES: usize = 256 * 1024;
