//! Filtering: the lines of a chunk are filtered on the worker that runs the viewer as long as that
//! is quick. A pattern can be arbitrarily slow, so longer work moves off the workers, a few viewers
//! at a time and in turn; and a viewer whose filter keeps costing more than its share is ended.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::chunk::Chunk;
use crate::filter::{At, ChunkFilter, Filter, FilterProgress, Inherited, Selection};
use crate::follower::output::Shared;
use crate::line::Zone;

/// Filters one viewer's chunks, one after the other.
#[derive(Debug)]
pub struct Filtering {
    shared: Arc<Shared>,
    speed: Speed,
}

/// How the last chunk went.
#[derive(Clone, Copy, Debug)]
enum Speed {
    /// There was none.
    Unknown,
    /// As expected.
    Quick,
    /// It was slow: do not start the next one on a worker.
    Slow,
}

/// A filtered chunk.
#[derive(Debug)]
pub struct Filtered {
    /// The index of its source.
    pub source_index: usize,
    /// The chunk.
    pub chunk: Arc<Chunk>,
    /// Its lines that pass.
    pub selection: Selection,
    /// The inherited metadata after its lines.
    pub inherited: Inherited,
    /// The time it took off the workers.
    spent: Duration,
    /// The filter has panicked.
    pub is_lost: bool,
}

/// A chunk that is being filtered.
pub type FilterJob = BoxFuture<'static, Filtered>;

/// The state of a chunk after the first try.
pub enum FirstPass {
    /// It was quick.
    Done(Filtered),
    /// It takes longer.
    Pending(FilterJob),
}

impl Filtering {
    /// A viewer's filter.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Filtering { shared, speed: Speed::Unknown }
    }

    /// Begins with a chunk.
    pub fn begin(
        &mut self,
        source_index: usize,
        chunk: Arc<Chunk>,
        inherited: Inherited,
    ) -> FirstPass {
        let (filter, zone) = (&self.shared.filter, &self.shared.zone);
        let mut piece = Piece { sifting: ChunkFilter::new(inherited), spent: Duration::ZERO };
        let longest = match self.speed {
            Speed::Unknown => SHORT_LINE_BYTES,
            Speed::Quick => LONG_LINE_BYTES,
            Speed::Slow => 0,
        };
        let is_quick =
            filter.is_empty() || longest > 0 && piece.sift_here(filter, &chunk, zone, longest);
        if is_quick {
            return FirstPass::Done(piece.done(filter, source_index, chunk));
        }
        let (filter, zone) = (Arc::clone(filter), Arc::clone(zone));
        FirstPass::Pending(beside(filter, zone, source_index, chunk, piece).boxed())
    }

    /// Charges the time of a chunk; returns whether the viewer may continue.
    pub fn note(&mut self, filtered: &Filtered) -> bool {
        self.speed = if filtered.spent > QUICK { Speed::Slow } else { Speed::Quick };
        self.shared.allowance.spend(filtered.spent, Instant::now())
    }
}

struct Piece {
    sifting: ChunkFilter,
    spent: Duration,
}

impl Piece {
    /// Filters the chunk as far as that is quick; returns whether it is done.
    fn sift_here(&mut self, filter: &Filter, chunk: &Chunk, zone: &Zone, longest: usize) -> bool {
        let begun = Instant::now();
        let mut looked = 0;
        let sifted = filter.sift(chunk, zone, &mut self.sifting, |at| match at {
            At::Line { n_bytes, n_line_bytes } => {
                // Reading the clock costs as much as some hundred bytes of an ordinary pattern.
                let is_due = n_bytes >= looked + CLOCK_BYTES;
                looked = if is_due { n_bytes } else { looked };
                n_line_bytes <= longest && !(is_due && begun.elapsed() > QUICK)
            }
            At::Within { n_bytes: _ } => begun.elapsed() <= QUICK,
        });
        sifted == FilterProgress::All
    }

    /// Filters more of the chunk for a while; returns whether it is done.
    fn sift_beside(&mut self, filter: &Filter, chunk: &Chunk, zone: &Zone) -> bool {
        let begun = Instant::now();
        let sifted = filter.sift(chunk, zone, &mut self.sifting, |at| match at {
            At::Line { n_bytes, n_line_bytes: _ } => n_bytes == 0 || begun.elapsed() < TURN,
            At::Within { n_bytes: _ } => begun.elapsed() < LONGEST_LINE,
        });
        self.spent += begun.elapsed();
        match sifted {
            FilterProgress::All => true,
            FilterProgress::Before => false,
            // More than any viewer may spend.
            FilterProgress::Within => {
                self.spent = Duration::MAX;
                true
            }
        }
    }

    fn done(self, filter: &Filter, source_index: usize, chunk: Arc<Chunk>) -> Filtered {
        let Piece { sifting, spent } = self;
        let inherited = sifting.inherited();
        let selection = if filter.is_empty() { Selection::All } else { sifting.selection(&chunk) };
        Filtered { source_index, chunk, selection, inherited, spent, is_lost: false }
    }
}

/// Filters the rest of a chunk, turn by turn. Dropped, it stops after the current turn.
async fn beside(
    filter: Arc<Filter>,
    zone: Arc<Zone>,
    source_index: usize,
    chunk: Arc<Chunk>,
    mut piece: Piece,
) -> Filtered {
    loop {
        // First come, first served: an expensive filter gets no more turns than a cheap one.
        let permit = Arc::clone(&TURNS).acquire_owned().await;
        let (own_filter, own_zone) = (Arc::clone(&filter), Arc::clone(&zone));
        let own_chunk = Arc::clone(&chunk);
        let turn = spawn_blocking(move || {
            let is_done = piece.sift_beside(&own_filter, &own_chunk, &own_zone);
            drop(permit);
            (piece, is_done)
        });
        match turn.await {
            Ok((done, true)) => return done.done(&filter, source_index, chunk),
            Ok((back, false)) => piece = back,
            Err(error) => {
                tracing::error!(%error, "a filter has panicked");
                let (selection, inherited) = (Selection::Lines(Vec::new()), Inherited::default());
                let spent = Duration::ZERO;
                return Filtered {
                    source_index,
                    chunk,
                    selection,
                    inherited,
                    spent,
                    is_lost: true,
                };
            }
        }
    }
}

/// How many filters run off the workers at once, of all viewers: half the cores.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Arc::new(Semaphore::new((n_cores / 2).max(1)))
});

/// A chunk that takes longer moves off the workers.
const QUICK: Duration = Duration::from_millis(1);

/// The length of a turn of a viewer's filter.
const TURN: Duration = Duration::from_millis(20);

/// How long one line may take; more ends the stream.
const LONGEST_LINE: Duration = Duration::from_secs(2);

/// How many bytes are filtered between two reads of the clock.
const CLOCK_BYTES: usize = 2 * 1024;

/// A longer line is never filtered on a worker: only lines that are long for their pattern can be
/// interrupted.
const LONG_LINE_BYTES: usize = 2 * 1024;

/// The same limit before the filter is known to be quick.
const SHORT_LINE_BYTES: usize = 256;

impl std::fmt::Debug for FirstPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Pending(_) => "Goes",
        })
    }
}
