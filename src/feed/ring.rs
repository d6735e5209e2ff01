//! Ring: the recent chunks and events of a live end. Items are numbered from the feed's start, so
//! that a viewer holds nothing but the number of its next one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chunk::{Chunk, LateRange, Position, is_same};
use crate::feed::late::LateLog;
use crate::history::Event;

/// An item of a live end.
#[derive(Clone, Debug)]
pub enum RingItem {
    /// Lines.
    Chunk(Arc<Chunk>),
    /// Something that happened between two lines.
    Event(Event),
}

/// The recent items, without a hole between them.
#[derive(Debug)]
pub struct Ring {
    items: VecDeque<StoredItem>,
    /// The number of the first item kept.
    first: u64,
    /// The place after the last item.
    end: Position,
    late: LateLog,
    /// Bytes of all kept chunks, at most [`RING_BYTES`] and one round.
    kept_bytes: usize,
}

/// Where a position lies in relation to a ring.
#[derive(Clone, Debug, PartialEq)]
pub enum RingPosition {
    /// The item with this number begins there (or will, once it is there).
    At(u64),
    /// The item with this number begins before and ends after it.
    Inside(u64),
    /// Before everything kept, in another generation, or beyond what has been read: to be read from
    /// the history, and not beyond the ring's end.
    Elsewhere,
}

/// The items from a number on.
#[derive(Clone, Debug)]
pub enum RingRead {
    /// These, without a hole.
    Items {
        /// The items.
        items: Vec<RingItem>,
        /// There are more.
        has_more: bool,
    },
    /// There are none yet.
    Nothing,
    /// The requested item was evicted.
    Evicted,
}

#[derive(Debug)]
struct StoredItem {
    item: RingItem,
    since: Instant,
}

impl RingItem {
    fn start(&self) -> &Position {
        match self {
            Self::Chunk(chunk) => chunk.start(),
            Self::Event(event) => &event.start,
        }
    }

    /// The place after the item.
    #[must_use]
    pub fn end(&self) -> Position {
        match self {
            Self::Chunk(chunk) => chunk.end(),
            Self::Event(event) => event.end.clone(),
        }
    }

    /// Where the lines are, if they are late.
    #[must_use]
    pub fn late(&self) -> Option<&LateRange> {
        match self {
            Self::Chunk(chunk) => chunk.late(),
            Self::Event(_) => None,
        }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.raw().len(),
            Self::Event(_) => 0,
        }
    }
}

impl Ring {
    /// An empty ring at `end`.
    #[must_use]
    pub fn new(end: Position) -> Self {
        let (items, late) = Default::default();
        Ring { items, first: 0, end, late, kept_bytes: 0 }
    }

    /// Adds the next item and evicts what exceeds the limit.
    pub fn push(&mut self, item: RingItem) {
        if let Some(range) = item.late() {
            self.late.note(range);
        }
        self.end = item.end();
        self.kept_bytes += item.n_bytes();
        self.items.push_back(StoredItem { item, since: Instant::now() });
        while self.kept_bytes > RING_BYTES {
            self.pop();
        }
    }

    /// Evicts items that every viewer at the live end has had for long.
    pub fn drop_older_than(&mut self, age: Duration) {
        let is_old = |kept: &StoredItem| kept.since.elapsed() > age;
        while self.items.front().is_some_and(is_old) {
            self.pop();
        }
        if self.items.is_empty() {
            self.items.shrink_to_fit();
        }
    }

    /// Where `position` lies.
    #[must_use]
    pub fn find(&self, position: &Position) -> RingPosition {
        let after_last = self.first + self.items.len() as u64;
        if *position == self.end {
            return RingPosition::At(after_last);
        }
        for (kept, number) in self.items.iter().zip(self.first..) {
            // A viewer that arrives at this position may have received them before.
            if kept.item.late().is_some() {
                continue;
            }
            if kept.item.start() == position {
                return RingPosition::At(number);
            }
            if is_inside(&kept.item, position) {
                return RingPosition::Inside(number);
            }
        }
        RingPosition::Elsewhere
    }

    /// The items from `number` on, as many as fit into `max_bytes`, at least one.
    #[must_use]
    pub fn take(&self, number: u64, max_bytes: usize) -> RingRead {
        let Some(skipped) = number.checked_sub(self.first) else { return RingRead::Evicted };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut n_bytes = 0;
        let fits = |kept: &&StoredItem| {
            let is_first = n_bytes == 0;
            n_bytes += kept.item.n_bytes();
            is_first || n_bytes <= max_bytes
        };
        let items: Vec<RingItem> = self
            .items
            .iter()
            .skip(skipped)
            .take_while(fits)
            .map(|kept| kept.item.clone())
            .collect();
        let has_more = skipped + items.len() < self.items.len();
        if items.is_empty() { RingRead::Nothing } else { RingRead::Items { items, has_more } }
    }

    /// The place after the last item.
    #[must_use]
    pub fn end(&self) -> &Position {
        &self.end
    }

    /// The late lines that went through it.
    #[must_use]
    pub fn late(&self) -> &LateLog {
        &self.late
    }

    fn pop(&mut self) {
        if let Some(kept) = self.items.pop_front() {
            self.first += 1;
            self.kept_bytes -= kept.item.n_bytes();
        }
    }
}

fn is_inside(item: &RingItem, position: &Position) -> bool {
    match item {
        RingItem::Event(_) => false,
        RingItem::Chunk(chunk) => {
            let start = chunk.start();
            is_same(&start.generation, &position.generation)
                && (start.offset..start.offset + chunk.raw().len() as u64)
                    .contains(&position.offset)
        }
    }
}

/// The size of a busy feed's ring, so that viewers which are slightly late need not read the file.
const RING_BYTES: usize = 8 << 20;
