//! Expectation: what a viewer must have got at the end of a program. Each line once, the program's in
//! order; and bytes of lines + bytes told as gaps = bytes written.
//!
//! What cannot be known is left out of the equation here, and nowhere else. Each method of [`Excuses`]
//! is such a case, with its reason; the same cases stand in docs/limits.md.

use std::collections::BTreeSet;

use tailcast::follower::Delivery;
use tailcast::history::EventKind;

use crate::viewer::{Got, Viewer};
use crate::world::{Piece, World};

/// What a viewer need not have got, or may have been told too much of.
#[derive(Debug, Default)]
pub struct Excuses {
    /// Bytes that may be neither delivered nor told.
    untold: u64,
    /// Bytes that may be told as a gap although they were delivered.
    overtold: u64,
    /// Lines that may be missing.
    may_miss: BTreeSet<u64>,
    /// Of the bytes not told, those of late lines.
    pub late_bytes: u64,
    /// The file of its place was emptied or cut while it was away.
    is_cut: bool,
    /// It was, and has been rotated since.
    was_cut: bool,
    /// Losses while it was connected, which it may not have come to.
    pending: Vec<Pending>,
    /// Nothing of what it misses was ever seen by anybody: it need not be told at all.
    may_not_know: bool,
}

impl Excuses {
    /// The active file is being emptied in place, or cut to its first `n_kept` pieces.
    ///
    /// * Lines that were written just before (the last `n_unsure` bytes) may never have been seen by the
    ///   server: the truncation is told, and bytes only of what was seen.
    /// * A viewer who is away has a cursor, and that knows no sizes. If the file begins as it did, the
    ///   viewer is told of all that is in it as a gap, as what is new of that cannot be known.
    pub fn lose(&mut self, at: Loss<'_>, got: &Got, world: &World, is_connected: bool) {
        let unseen = unseen_bytes(got, &world.active);
        self.may_miss.extend(at.lost.iter().filter_map(|piece| piece.number));
        if is_connected {
            self.untold += unseen.min(at.n_unsure);
            self.may_not_know |= at.n_unsure == unseen_bytes(&Got::default(), &world.active);
            let (next, untold, overtold) = (world.next, unseen, at.n_kept_bytes);
            self.pending.push(Pending { next, untold, overtold, is_cut: true });
        } else {
            self.untold += unseen;
            self.overtold += at.n_kept_bytes;
            self.is_cut = true;
            // What was cut behind its place is missed by nobody.
            self.may_not_know |= at.n_kept_bytes > 0 || !got.has_any(&world.active);
        }
    }

    /// What is left of a cut file ends in lines that are all alike.
    ///
    /// * Which of them these are, nobody knows: all that is left is told as a gap, and was delivered.
    pub fn keep_alike(&mut self, n_kept_bytes: u64) {
        self.overtold += n_kept_bytes;
    }

    /// The active file was deleted.
    ///
    /// * The cursor of a viewer who is away names a file that is nowhere any more: nobody knows how long
    ///   it was. The gap is of 0 bytes.
    /// * If it was copied and emptied before, the cursor of a viewer who has not come to that names the
    ///   copy, and nothing tells that the file was filled again.
    /// * The last lines before may never have been seen, as above, by a viewer who was behind.
    pub fn lose_file(&mut self, got: &Got, world: &World, is_connected: bool, n_unsure: u64) {
        let unseen = unseen_bytes(got, &world.active);
        self.may_miss.extend(world.active.iter().filter_map(|piece| piece.number));
        self.untold += if is_connected { unseen.min(n_unsure) } else { unseen };
        if is_connected {
            let (next, untold, is_cut) = (world.next, unseen, false);
            self.pending.push(Pending { next, untold, overtold: 0, is_cut });
        } else {
            self.may_not_know = true;
        }
    }

    /// Late lines are written, and the viewer is away, or nobody has followed the log all the time.
    ///
    /// * A viewer who has come back to a newer file and not caught up is as one who is away.
    /// * No live end has kept the old file; the viewer's cursor stands in a newer one, and nothing says
    ///   what was added behind it.
    pub fn miss_late(&mut self, n_bytes: u64) {
        self.late_bytes += n_bytes;
        self.untold += n_bytes;
    }

    /// The viewer leaves.
    ///
    /// * Late lines that it has not got stand at places in a newer file: which of them it has had is told
    ///   by no cursor.
    /// * What was emptied or cut before it had come there, was so while it was away.
    /// * A place at the very start of a file names how that begins, and nothing else: where files begin
    ///   alike, this may be another one.
    pub fn leave(&mut self, got: &Got, world: &World) {
        let last = world.active.iter().rev().find_map(|piece| piece.number);
        if world.has_banner() && last.is_some_and(|last| !got.has(last)) {
            // Where it stands is not known here: it may be the start of any file that it has not read.
            self.may_miss.extend((0..world.next).filter(|number| !got.has(*number)));
            let unseen = world.written_bytes.saturating_sub(got.bytes + got.gap_bytes);
            self.untold += unseen;
        }
        let come = got.late_bytes + got.late_gap_bytes + self.late_bytes;
        self.miss_late(world.late_bytes.saturating_sub(come));
        for pending in std::mem::take(&mut self.pending) {
            if got.numbers.last().is_none_or(|last| *last < pending.next) {
                self.untold += pending.untold;
                self.overtold += pending.overtold;
                self.is_cut |= pending.is_cut;
                self.may_not_know |= pending.overtold > 0 || !pending.is_cut;
            }
        }
    }

    /// It leaves when it has got this.
    ///
    /// * A gap is between two positions, and has the first of them: whoever comes back there gets it again.
    pub fn leave_at(&mut self, last: &Delivery) {
        if let Delivery::Event { source_index: 0, kind: EventKind::Gap { bytes, .. } } = last {
            self.overtold += bytes;
        }
    }

    /// A file was renamed, or copied and emptied.
    ///
    /// * If it was cut before while the viewer was away, all that it holds may be told as a gap. Of a copy
    ///   nobody knows whether it is of what was cut, or of what came then: its bytes are not told.
    pub fn rotate(&mut self, world: &World, is_copied: bool) {
        if self.is_cut {
            self.may_miss.extend(world.rotated.iter().filter_map(|piece| piece.number));
            let n_bytes: u64 = world.rotated.iter().map(|piece| piece.n_bytes).sum();
            self.untold += if is_copied { n_bytes } else { 0 };
            self.is_cut = is_copied;
            self.was_cut = true;
        }
    }

    /// The viewer comes back. Whether its file may have been cut: what is in it now may be told as a gap.
    pub fn come_back(&mut self, world: &World) -> bool {
        if self.is_cut {
            self.may_miss.extend(world.active.iter().filter_map(|piece| piece.number));
        }
        std::mem::take(&mut self.was_cut) | std::mem::take(&mut self.is_cut)
    }

    /// A viewer that is behind (stopped) where a line is cut in its middle.
    ///
    /// * Whether the half that is left is the end of what was, or the beginning of what comes.
    pub fn halve_line(&mut self, n_bytes: u64) {
        self.untold += n_bytes;
        self.overtold += n_bytes;
    }
}

/// A loss that a viewer may not have come to.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// The number of the first line after it.
    next: u64,
    untold: u64,
    overtold: u64,
    /// The file was emptied or cut, and not deleted.
    is_cut: bool,
}

/// What is lost of the active file.
#[derive(Clone, Copy, Debug)]
pub struct Loss<'a> {
    pub lost: &'a [Piece],
    pub n_kept_bytes: u64,
    /// Bytes of the last lines, that the server may not have seen.
    pub n_unsure: u64,
}

/// Bytes of pieces that a viewer has not surely got.
fn unseen_bytes(got: &Got, pieces: &[Piece]) -> u64 {
    let last = pieces.iter().rposition(|piece| piece.number.is_some_and(|it| got.has(it)));
    let unseen = pieces.iter().skip(last.map_or(0, |last| last + 1));
    unseen.map(|piece| piece.n_bytes).sum()
}

/// Holds a viewer that has caught up to what it must have got.
pub fn check(viewer: &Viewer, world: &World) {
    let (got, excuses) = (&viewer.got, &viewer.excuses);
    got.check_order();
    let seen: BTreeSet<u64> = got.numbers.iter().copied().collect();
    let missing: Vec<u64> = (0..world.next).filter(|number| !seen.contains(number)).collect();
    let is_excused = missing.iter().all(|number| excuses.may_miss.contains(number));
    assert!(is_excused, "lost: {missing:?}; {excuses:?}");
    let is_told = missing.is_empty() || got.n_words > 0 || excuses.may_not_know;
    assert!(is_told, "lost without a word: {missing:?}");
    let told = got.bytes + got.gap_bytes;
    let range =
        world.written_bytes.saturating_sub(excuses.untold)..=world.written_bytes + excuses.overtold;
    assert!(
        range.contains(&told),
        "{} bytes delivered + {} told as gaps = {told}, not {range:?}; missing {missing:?}; {excuses:?}",
        got.bytes,
        got.gap_bytes,
    );
}
