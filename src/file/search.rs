//! Search: filters older lines on a thread for blocking calls. A pattern can be arbitrarily slow,
//! so abandonment is checked at each line, and within long ones, and the time is charged to the
//! viewer.

use std::io;
use std::time::{Duration, Instant};

use crate::chunk::Chunk;
use crate::disk::{spend, stop_if_abandoned};
use crate::filter::{At, ChunkFilter, Filter, Inherited, Selection};
use crate::line::Zone;

/// The lines of `chunk` that pass; updates `inherited` from them. An error once the call is
/// abandoned, or its allowance is spent ([`crate::disk::AllowanceSpent`]).
pub fn select(
    filter: &Filter,
    chunk: &Chunk,
    inherited: &mut Inherited,
    zone: &Zone,
) -> io::Result<Selection> {
    if filter.is_empty() {
        return Ok(Selection::All);
    }
    let mut sifting = ChunkFilter::new(*inherited);
    let mut meter = Meter { counted: Instant::now(), n_bytes: 0 };
    let mut may_go_on = Ok(());
    let looked = filter.sift(chunk, zone, &mut sifting, |at| {
        may_go_on = match at {
            At::Line { n_bytes, n_line_bytes: _ } if n_bytes < meter.n_bytes + CLOCK_BYTES => {
                stop_if_abandoned()
            }
            // A check within a line means that it is slow already.
            At::Line { n_bytes, n_line_bytes: _ } | At::Within { n_bytes } => meter.count(n_bytes),
        };
        may_go_on.is_ok()
    });
    tracing::trace!(?looked, "a chunk was searched");
    may_go_on?;
    meter.count(chunk.text().len())?;
    *inherited = sifting.inherited();
    Ok(sifting.selection(chunk))
}

struct Meter {
    counted: Instant,
    n_bytes: usize,
}

impl Meter {
    /// Charges for what was searched since the last time. The time of an ordinary pattern is free.
    fn count(&mut self, n_bytes: usize) -> io::Result<()> {
        stop_if_abandoned()?;
        let now = Instant::now();
        let looked = n_bytes.saturating_sub(self.n_bytes);
        let free = FREE_A_KIB.saturating_mul(u32::try_from(looked / 1024).unwrap_or(u32::MAX));
        let spent = now.saturating_duration_since(self.counted).saturating_sub(free);
        *self = Meter { counted: now, n_bytes };
        Ok(spend(spent)?)
    }
}

/// How many bytes are searched between two reads of the clock.
const CLOCK_BYTES: usize = 2 * 1024;

/// 64 MB a second, far slower than ordinary patterns.
const FREE_A_KIB: Duration = Duration::from_micros(16);
