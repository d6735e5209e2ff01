//! Next: which file of a source follows the one that was read. Pure: it is told what the folder lists
//! and what was seen, and opens nothing. Its cases stand as data in `tests/cases`.
//!
//! Files are told by identity, by the order of their names, by when they were written to, and by what
//! they hold; never by events.

use std::io;

use crate::file::file_id::FileId;
use crate::history::RotatedHow;

/// What is known of the content that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The file; none where there was no file yet.
    pub id: Option<FileId>,
    /// When it was last written to, in nanoseconds since 1970; of no file, when it was looked for.
    pub written: u64,
    /// The file was emptied: what is in it now is another content.
    pub is_emptied: bool,
}

/// A file as the folder lists it. The list goes from old to young; the active file is its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which file it is.
    pub id: FileId,
    /// It is the one that is written to.
    pub is_active: bool,
    /// Bytes on disk.
    pub size: u64,
    /// The latest time at which it may have been written to, in nanoseconds since 1970.
    pub written: u64,
    /// When it came at the earliest: it was made or last written to then, in nanoseconds since 1970. A
    /// packed file has the time of what it was made of.
    pub came: u64,
    /// It is packed.
    pub is_packed: bool,
}

/// What was seen before.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// How many files of the list, from the oldest on, were read before this one.
    pub n_read: usize,
    /// The files that were listed when this one was opened; empty where that was not noted.
    pub known: &'a [FileId],
    /// When the last of those was made or written to, as [`Listed::came`].
    pub known_until: u64,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The file is still the one that is written to.
    Stay,
    /// Nothing yet.
    Nothing,
    /// The file at this place of the list.
    At {
        /// Counted from 0.
        index: usize,
        /// How that came.
        how: RotatedHow,
    },
}

/// Which file of `listing` follows the one that was `read`. `holds` tells whether a file holds the
/// content that was read (all of it; of an emptied file as far as it was read): it may have to open or
/// unpack the file, and is only asked where that decides.
pub fn next(
    read: &Read,
    listing: &[Listed],
    seen: &Seen<'_>,
    mut holds: impl FnMut(usize) -> io::Result<bool>,
) -> io::Result<Next> {
    let own = listing.iter().position(|file| Some(file.id) == read.id);
    let is_own_active = own.and_then(|own| listing.get(own)).is_some_and(|file| file.is_active);
    if is_own_active && !read.is_emptied {
        return Ok(Next::Stay);
    }
    if let Some(own) = own.filter(|_| !read.is_emptied) {
        return Ok(at(listing, Some(own + 1), RotatedHow::Renamed));
    }
    let mut later = first_written_after(listing, read.written, seen);
    // A copy of what was read (or what it was packed to) holds nothing new.
    while let Some(copy) = later
        && listing.get(copy).is_some_and(|file| !file.is_active)
        && holds(copy)?
    {
        later = Some(copy + 1).filter(|next| *next < listing.len());
    }
    if read.id.is_none() {
        return Ok(at(listing, later, RotatedHow::Replaced));
    }
    // What was emptied goes on under its own identity, by whatever name; unless it was filled, copied
    // and emptied again between two looks.
    if let Some(own) = own {
        let first = later.map_or(own, |later| later.min(own));
        return Ok(at(listing, Some(first), RotatedHow::Truncated));
    }
    // It may have been packed, or moved to another file system.
    for index in (seen.n_read..listing.len()).rev() {
        let is_rotated = listing.get(index).is_some_and(|file| !file.is_active);
        if is_rotated && holds(index)? {
            return Ok(at(listing, Some(index + 1), RotatedHow::Renamed));
        }
    }
    Ok(at(listing, later, RotatedHow::Replaced))
}

/// The oldest file with content that was written to after a time; the active one is, whatever its
/// time. The clock of a file system may tick each 4 ms: what was written within the same tick counts
/// if it was not known before.
#[must_use]
pub fn first_written_after(listing: &[Listed], written: u64, seen: &Seen<'_>) -> Option<usize> {
    let is_new = |file: &Listed| !seen.known.is_empty() && !seen.known.contains(&file.id);
    let is_later = |file: &Listed| {
        let is_younger = file.written > written || file.written == written && is_new(file);
        file.is_active || file.size > 0 && is_younger
    };
    let unread = listing.get(seen.n_read..).unwrap_or_default();
    unread.iter().position(is_later).map(|index| index + seen.n_read)
}

/// The first file with content that came after a file had been opened, and stands before it: a copy of
/// what was in it then, or in the one before. None where it was not noted what was known.
#[must_use]
pub fn first_new_before(listing: &[Listed], id: Option<FileId>, seen: &Seen<'_>) -> Option<usize> {
    let own = listing.iter().position(|file| Some(file.id) == id)?;
    // What was known may have been packed meanwhile; it keeps its time.
    let is_later = |file: &Listed| {
        file.came > seen.known_until || file.came == seen.known_until && !file.is_packed
    };
    let is_new =
        |file: &Listed| !seen.known.is_empty() && !seen.known.contains(&file.id) && is_later(file);
    let unread = listing.get(seen.n_read..own).unwrap_or_default();
    let first = unread.iter().position(|file| file.size > 0 && !file.is_active && is_new(file));
    first.map(|index| index + seen.n_read)
}

fn at(listing: &[Listed], index: Option<usize>, how: RotatedHow) -> Next {
    match index.filter(|index| *index < listing.len()) {
        Some(index) => Next::At { index, how },
        None => Next::Nothing,
    }
}

#[cfg(test)]
mod tests;
