//! Filtering: the lines of a chunk are looked at where they are wanted, on a worker that serves others
//! as well, as long as that is quick. A pattern can be as slow as its writer likes, so what takes
//! longer goes on beside the workers, a few viewers at a time and in turn; and a viewer whose filter
//! goes on costing more than its share is ended.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::chunk::Chunk;
use crate::filter::{At, Filter, Inherited, Selection, Sifted, Sifting};
use crate::follower::output::Shared;
use crate::line::Zone;

/// Looks through one viewer's chunks, one after the other.
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
    /// It took long: the next one need not be begun on a worker.
    Slow,
}

/// A chunk that was looked through.
#[derive(Debug)]
pub struct Filtered {
    /// Of which track.
    pub track: usize,
    /// The chunk.
    pub chunk: Arc<Chunk>,
    /// Its lines that pass.
    pub selection: Selection,
    /// What its lines have told.
    pub inherited: Inherited,
    /// What it took beside the workers.
    spent: Duration,
    /// The filter was lost by a panic.
    pub is_lost: bool,
}

/// A chunk that is being looked through.
pub type FilterJob = BoxFuture<'static, Filtered>;

/// What has become of a chunk so far.
pub enum Begun {
    /// It was quick.
    Done(Filtered),
    /// It takes longer.
    Goes(FilterJob),
}

impl Filtering {
    /// A viewer's filter.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Filtering { shared, speed: Speed::Unknown }
    }

    /// Begins with a chunk.
    pub fn begin(&mut self, track: usize, chunk: Arc<Chunk>, inherited: Inherited) -> Begun {
        let (filter, zone) = (&self.shared.filter, &self.shared.zone);
        let mut piece = Piece { sifting: Sifting::new(inherited), spent: Duration::ZERO };
        let longest = match self.speed {
            Speed::Unknown => SHORT_LINE_BYTES,
            Speed::Quick => LONG_LINE_BYTES,
            Speed::Slow => 0,
        };
        let is_quick =
            filter.is_empty() || longest > 0 && piece.sift_here(filter, &chunk, zone, longest);
        if is_quick {
            return Begun::Done(piece.done(filter, track, chunk));
        }
        let (filter, zone) = (Arc::clone(filter), Arc::clone(zone));
        Begun::Goes(beside(filter, zone, track, chunk, piece).boxed())
    }

    /// Notes what a chunk took; whether the viewer may go on.
    pub fn note(&mut self, filtered: &Filtered) -> bool {
        self.speed = if filtered.spent > QUICK { Speed::Slow } else { Speed::Quick };
        self.shared.allowance.spend(filtered.spent, Instant::now())
    }
}

struct Piece {
    sifting: Sifting,
    spent: Duration,
}

impl Piece {
    /// Looks through the chunk as far as that is quick; whether it is done.
    fn sift_here(&mut self, filter: &Filter, chunk: &Chunk, zone: &Zone, longest: usize) -> bool {
        let begun = Instant::now();
        let mut looked = 0;
        let sifted = filter.sift(chunk, zone, &mut self.sifting, |at| match at {
            At::Line { n_bytes, n_line_bytes } => {
                // A look at the clock costs as much as some hundred bytes of an ordinary pattern.
                let is_due = n_bytes >= looked + CLOCK_BYTES;
                looked = if is_due { n_bytes } else { looked };
                n_line_bytes <= longest && !(is_due && begun.elapsed() > QUICK)
            }
            At::Within { n_bytes: _ } => begun.elapsed() <= QUICK,
        });
        sifted == Sifted::All
    }

    /// Looks through more of the chunk for a while; whether it is done.
    fn sift_beside(&mut self, filter: &Filter, chunk: &Chunk, zone: &Zone) -> bool {
        let begun = Instant::now();
        let sifted = filter.sift(chunk, zone, &mut self.sifting, |at| match at {
            At::Line { n_bytes, n_line_bytes: _ } => n_bytes == 0 || begun.elapsed() < TURN,
            At::Within { n_bytes: _ } => begun.elapsed() < LONGEST_LINE,
        });
        self.spent += begun.elapsed();
        match sifted {
            Sifted::All => true,
            Sifted::Before => false,
            // More than anybody may spend.
            Sifted::Within => {
                self.spent = Duration::MAX;
                true
            }
        }
    }

    fn done(self, filter: &Filter, track: usize, chunk: Arc<Chunk>) -> Filtered {
        let Piece { sifting, spent } = self;
        let inherited = sifting.inherited();
        let selection = if filter.is_empty() { Selection::All } else { sifting.selection(&chunk) };
        Filtered { track, chunk, selection, inherited, spent, is_lost: false }
    }
}

/// Looks through what is left of a chunk, turn by turn. Dropped, it stops with the turn.
async fn beside(
    filter: Arc<Filter>,
    zone: Arc<Zone>,
    track: usize,
    chunk: Arc<Chunk>,
    mut piece: Piece,
) -> Filtered {
    loop {
        // First come, first served: who wants much gets no more turns than who wants little.
        let permit = Arc::clone(&TURNS).acquire_owned().await;
        let (own_filter, own_zone) = (Arc::clone(&filter), Arc::clone(&zone));
        let own_chunk = Arc::clone(&chunk);
        let turn = spawn_blocking(move || {
            let is_done = piece.sift_beside(&own_filter, &own_chunk, &own_zone);
            drop(permit);
            (piece, is_done)
        });
        match turn.await {
            Ok((done, true)) => return done.done(&filter, track, chunk),
            Ok((back, false)) => piece = back,
            Err(error) => {
                tracing::error!(%error, "a filter has panicked");
                let (selection, inherited) = (Selection::Lines(Vec::new()), Inherited::default());
                let spent = Duration::ZERO;
                return Filtered { track, chunk, selection, inherited, spent, is_lost: true };
            }
        }
    }
}

/// So many filters run beside the workers at once, of all viewers: half the cores.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Arc::new(Semaphore::new((n_cores / 2).max(1)))
});

/// A chunk that takes longer goes on beside the workers.
const QUICK: Duration = Duration::from_millis(1);

/// For so long a viewer's filter runs at a time.
const TURN: Duration = Duration::from_millis(20);

/// What one line may take; more ends the stream.
const LONGEST_LINE: Duration = Duration::from_secs(2);

/// After so many bytes the clock is looked at.
const CLOCK_BYTES: usize = 2 * 1024;

/// A longer line is never looked at on a worker: it may be left only where it is long for its pattern.
const LONG_LINE_BYTES: usize = 2 * 1024;

/// Nor is one longer than this before the filter is known to be quick.
const SHORT_LINE_BYTES: usize = 256;

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Goes(_) => "Goes",
        })
    }
}
