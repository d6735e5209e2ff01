//! Seek: finds the position at which to begin. The last lines are found by reading backwards, a
//! time by bisecting; neither grows with the file.

use std::io;
use std::sync::Arc;

use crate::chunk::{Chunk, Ends, Generation, LineRef, MAX_PIECE_BYTES, Position};
use crate::disk::stop_if_abandoned;
use crate::file::search;
use crate::file::segment::Segment;
use crate::file::segment_reader::{Block, SegmentReader};
use crate::filter::{Filter, Inherited};
use crate::line::split::{Encoding, trim_line_end};
use crate::line::{Zone, metadata};

/// Finds the start of the last lines of a segment that pass a filter.
#[derive(Debug)]
pub struct TailSeek<'a> {
    /// Which lines count.
    pub filter: &'a Filter,
    /// The zone for times without one.
    pub zone: &'a Zone,
    /// How many lines are still to be found.
    pub n_wanted: u64,
}

impl TailSeek<'_> {
    /// Where the last `n_wanted` lines of `segment` between `lower` and `upper` begin. If there are
    /// fewer, `lower`, and `n_wanted` is how many are still missing.
    pub fn in_segment(
        &mut self,
        segment: &Arc<Segment>,
        lower: u64,
        upper: u64,
    ) -> io::Result<u64> {
        if self.n_wanted == 0 {
            return Ok(upper);
        }
        if segment.is_archive() {
            return self.in_archive(segment, lower);
        }
        let encoding = segment.encoding();
        let mut end = upper;
        let mut block_bytes = FIRST_BLOCK_BYTES;
        while end > lower {
            stop_if_abandoned()?;
            let from = end.saturating_sub(block_bytes).max(lower);
            let from = line_start(segment, encoding, from, end, lower)?;
            if self.filter.is_empty() {
                if let Some(start) = self.count_lines(segment, encoding, from, end)? {
                    return Ok(start);
                }
            } else if let Some(start) = self.count_passing(segment, from, end)? {
                return Ok(start);
            }
            end = from;
            block_bytes = (block_bytes * 4).min(MAX_BLOCK_BYTES);
        }
        Ok(lower)
    }

    /// Without a filter: counts line ends only.
    fn count_lines(
        &mut self,
        segment: &Segment,
        encoding: Encoding,
        from: u64,
        end: u64,
    ) -> io::Result<Option<u64>> {
        let mut n_lines = 0;
        let last = for_each_line_end(segment, encoding, from, end, |_line_end| n_lines += 1)?;
        // A last line without end is a line, too.
        n_lines += u64::from(last < end);
        if n_lines < self.n_wanted {
            self.n_wanted -= n_lines;
            return Ok(None);
        }
        let skipped = n_lines - self.n_wanted;
        self.n_wanted = 0;
        let (mut n_seen, mut start) = (0, from);
        for_each_line_end(segment, encoding, from, end, |line_end| {
            n_seen += 1;
            if n_seen == skipped {
                start = line_end;
            }
        })?;
        Ok(Some(start))
    }

    fn count_passing(
        &mut self,
        segment: &Arc<Segment>,
        from: u64,
        end: u64,
    ) -> io::Result<Option<u64>> {
        let mut inherited = context(segment, from, self.filter, self.zone)?;
        let mut starts = Vec::new();
        let mut reader = SegmentReader::new(Arc::clone(segment), from)?;
        loop {
            stop_if_abandoned()?;
            let chunk = match reader.next_block(CHUNK_BYTES, end)? {
                Block::Chunk(chunk) => chunk,
                Block::Truncated => break,
                Block::End => match reader.take_rest(false) {
                    Some(rest) => Arc::new(rest),
                    None => break,
                },
            };
            self.passing_starts(&chunk, &mut inherited, |start| starts.push(start))?;
        }
        let n_lines = starts.len() as u64;
        if n_lines < self.n_wanted {
            self.n_wanted -= n_lines;
            return Ok(None);
        }
        let at = usize::try_from(n_lines - self.n_wanted).unwrap_or(usize::MAX);
        self.n_wanted = 0;
        Ok(starts.get(at).copied())
    }

    /// A compressed file is read from its start: once to count, and again if not all lines are
    /// needed.
    fn in_archive(&mut self, segment: &Arc<Segment>, lower: u64) -> io::Result<u64> {
        let mut n_lines = 0;
        self.for_each_in_archive(segment, lower, |_start| {
            n_lines += 1;
            true
        })?;
        if n_lines <= self.n_wanted {
            self.n_wanted -= n_lines;
            return Ok(lower);
        }
        let (mut skipped, mut found) = (n_lines - self.n_wanted, lower);
        self.n_wanted = 0;
        self.for_each_in_archive(segment, lower, |start| {
            found = start;
            let is_wanted = skipped == 0;
            skipped = skipped.saturating_sub(1);
            !is_wanted
        })?;
        Ok(found)
    }

    /// Calls for the start of each line that passes, until the callee stops it.
    fn for_each_in_archive(
        &self,
        segment: &Arc<Segment>,
        lower: u64,
        mut found: impl FnMut(u64) -> bool,
    ) -> io::Result<()> {
        let mut inherited = Inherited::default();
        let mut reader = SegmentReader::new(Arc::clone(segment), lower)?;
        let mut has_more = true;
        while has_more {
            stop_if_abandoned()?;
            let chunk = match reader.next_block(CHUNK_BYTES, u64::MAX)? {
                Block::Chunk(chunk) => chunk,
                Block::Truncated | Block::End => match reader.take_rest(true) {
                    Some(rest) => Arc::new(rest),
                    None => break,
                },
            };
            let mut found = |start| has_more = has_more && found(start);
            self.passing_starts(&chunk, &mut inherited, &mut found)?;
        }
        Ok(())
    }

    /// Calls for the start of each line of `chunk` that passes; a piece in the middle of a line
    /// does not count again.
    fn passing_starts(
        &self,
        chunk: &Chunk,
        inherited: &mut Inherited,
        mut found: impl FnMut(u64),
    ) -> io::Result<()> {
        let selection = search::select(self.filter, chunk, inherited, self.zone)?;
        let mut start = chunk.start().offset;
        for line in chunk.lines() {
            if selection.holds(line.index) && !line.continues {
                found(start);
            }
            start = line.end_offset;
        }
        Ok(())
    }
}

/// The metadata that lines before `offset` pass on, for a filter that needs it.
pub fn context(
    segment: &Arc<Segment>,
    offset: u64,
    filter: &Filter,
    zone: &Zone,
) -> io::Result<Inherited> {
    if !filter.uses_metadata() {
        return Ok(Inherited::default());
    }
    Ok(Inherited::from_lines(&lines_before(segment, offset)?, zone))
}

/// Whole lines before `offset`, a few.
pub fn lines_before(segment: &Arc<Segment>, offset: u64) -> io::Result<Vec<u8>> {
    if segment.is_archive() || segment.id().is_none() || offset == 0 {
        return Ok(Vec::new());
    }
    let encoding = segment.encoding();
    let from = line_start(segment, encoding, offset.saturating_sub(CONTEXT_BYTES), offset, 0)?;
    let raw = segment.read_range(from, offset)?;
    let generation: Arc<dyn Generation> = Arc::<Segment>::clone(segment);
    let start = Position { generation, offset: from, check: 0 };
    Ok(Chunk::new(start, raw.into(), encoding, Ends::default()).text().to_vec())
}

/// The end of the last whole line before `end`. In a line too long to be held, an offset in it.
pub fn last_line_end(segment: &Segment, end: u64) -> io::Result<u64> {
    let encoding = segment.encoding();
    let unit = encoding.unit_bytes() as u64;
    let mut from = end;
    while from > 0 && end - from < MAX_PIECE_BYTES as u64 {
        let to = from;
        from = from.saturating_sub(FIRST_BLOCK_BYTES) / unit * unit;
        let block = segment.read_range(from, to)?;
        if let Some(at) = encoding.last_line_end(&block) {
            return Ok(from + at as u64);
        }
    }
    Ok(if from == 0 { 0 } else { end / unit * unit })
}

/// Calls for the offset after each line end between `from` and `end`; returns the last one, or
/// `from`. In blocks: a line may be longer than memory.
fn for_each_line_end(
    segment: &Segment,
    encoding: Encoding,
    from: u64,
    end: u64,
    mut found: impl FnMut(u64),
) -> io::Result<u64> {
    let (mut at, mut last) = (from, from);
    while at < end {
        stop_if_abandoned()?;
        let block = segment.read_range(at, end.min(at + MAX_BLOCK_BYTES))?;
        if block.is_empty() {
            break;
        }
        encoding.for_each_line_end(&block, |line_end| {
            last = at + line_end as u64;
            found(last);
        });
        at += block.len() as u64;
    }
    Ok(last)
}

/// The first line start at or after `from`; if there is none before `end`, one before `from`.
fn line_start(
    segment: &Segment,
    encoding: Encoding,
    from: u64,
    end: u64,
    lower: u64,
) -> io::Result<u64> {
    let unit = encoding.unit_bytes() as u64;
    let mut from = from.max(lower) / unit * unit;
    let mut searched_to = end;
    while from > lower {
        stop_if_abandoned()?;
        // One unit earlier: a line may begin right at `from`.
        let block = segment.read_range(from - unit, searched_to.max(from))?;
        let mut first = None;
        encoding.for_each_line_end(&block, |line_end| {
            first.get_or_insert(line_end as u64);
        });
        match first.map(|line_end| from - unit + line_end) {
            Some(start) if start < end => return Ok(start),
            Some(_) | None => {
                searched_to = from;
                from = from.saturating_sub(MAX_BLOCK_BYTES).max(lower) / unit * unit;
            }
        }
    }
    Ok(lower)
}

/// Where to begin for lines of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinceStart {
    /// The first position.
    pub offset: u64,
    /// What lies before it and passes regardless: the lines before any with a time.
    pub head: u64,
}

/// A place before the first line that may be written at `since` or later, in nanoseconds since
/// 1970. Lines that are out of order by little are still after it. A file that tells no times gives
/// its start.
pub fn since(segment: &Arc<Segment>, since: i64, end: u64, zone: &Zone) -> io::Result<SinceStart> {
    if segment.is_archive() || segment.id().is_none() {
        return Ok(SinceStart { offset: 0, head: 0 });
    }
    let encoding = segment.encoding();
    let (mut before, mut after) = (0, end);
    while after - before > BISECT_BYTES {
        stop_if_abandoned()?;
        let middle = before + (after - before) / 2;
        match first_time(segment, encoding, middle, after, zone)? {
            Some((_, time)) if time < since => before = middle,
            Some(_) | None => after = middle,
        }
    }
    let offset = line_start(segment, encoding, before.saturating_sub(DISORDER_BYTES), end, 0)?;
    let head = match offset {
        0 => 0,
        _ => first_time(segment, encoding, 0, offset, zone)?.map_or(0, |(start, _)| start),
    };
    if head == 0 {
        return Ok(SinceStart { offset, head });
    }
    // After the head nothing is known about the lines before; so it continues at one with its own
    // time.
    let timed = first_time(segment, encoding, offset, end, zone)?;
    Ok(SinceStart { offset: timed.map_or(offset, |(start, _)| start), head })
}

/// The first line after `from` with a time: its start, and the time.
fn first_time(
    segment: &Arc<Segment>,
    encoding: Encoding,
    from: u64,
    end: u64,
    zone: &Zone,
) -> io::Result<Option<(u64, i64)>> {
    let start = from / encoding.unit_bytes() as u64 * encoding.unit_bytes() as u64;
    let mut reader = SegmentReader::new(Arc::clone(segment), start)?;
    let limit = end.min(start + PROBE_BYTES);
    let time_of = |line: &LineRef<'_>| {
        if line.continues { None } else { metadata(trim_line_end(line.text), zone).time }
    };
    while let Block::Chunk(chunk) = reader.next_block(FIRST_PROBE_BYTES, limit)? {
        let mut line_start = chunk.start().offset;
        for line in chunk.lines() {
            if let Some(time) = time_of(&line) {
                return Ok(Some((line_start, time.unix_nanos())));
            }
            line_start = line.end_offset;
        }
    }
    Ok(None)
}

const FIRST_BLOCK_BYTES: u64 = 16 * 1024;
const MAX_BLOCK_BYTES: u64 = 1 << 20;
const CHUNK_BYTES: usize = 256 * 1024;

/// How far to look back for a level or time that a line inherits.
const CONTEXT_BYTES: u64 = 64 * 1024;

/// A bisection ends in a stretch of this size.
const BISECT_BYTES: u64 = 64 * 1024;

/// By how much lines may be out of order.
const DISORDER_BYTES: u64 = 128 * 1024;

/// How far to look for a line with a time.
const PROBE_BYTES: u64 = 1 << 20;
const FIRST_PROBE_BYTES: usize = 16 * 1024;
