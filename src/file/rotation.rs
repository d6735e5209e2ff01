//! Rotation: which file names are those of rotated siblings, and in which order they were written.
//!
//! Pure: it reads names and never the disk. Whether NAME exists, and who the siblings' lines
//! belong to, is decided by those who list folders.

mod date;
pub mod next;

use std::cmp::Reverse;
use std::time::SystemTime;

/// What the name of a rotated sibling tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The NAME it is a sibling of.
    pub base: String,
    /// Its place among the siblings of that NAME.
    pub age: Age,
    /// How it is packed.
    pub compression: Compression,
}

/// The place of a sibling among those of its NAME. Ascending order is from oldest to newest.
///
/// Every numbered sibling sorts before (is older than) every dated one: where both kinds are
/// found, the numbers are what a rotator left behind before `dateext` was switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    /// `.N`: the higher the number, the older.
    Numbered(Reverse<u16>),
    /// A date, with or without a time.
    Dated {
        /// Seconds since 1970-01-01 of the date as it is written, as if it were UTC; midnight
        /// where no time is told. Dates are compared with each other only.
        seconds: i64,
        /// A number beside the date. Writers of `STEM-DATE.N.EXT` (logback, lumberjack) count
        /// upwards: N + 1. A rotator that adds `.N` behind a dated name shifts: -N. None: 0.
        part: i32,
    },
    /// `-YYYYMMDDHH.backup`: what a writer had made anew while logrotate was between its rename and
    /// its create. It keeps this name while numbers shift under it: its place is told by the time
    /// of its last change, see [`order`].
    Backup {
        /// The hour in the name, as seconds like those of [`Age::Dated`].
        seconds: i64,
    },
}

/// How a segment's bytes are packed, as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// As they were written.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
}

impl Compression {
    /// Splits a file name into what it was before it was packed, and how that was done.
    #[must_use]
    pub fn split(file_name: &str) -> (&str, Self) {
        PACKED
            .iter()
            .find_map(|(suffix, kind)| Some((file_name.strip_suffix(suffix)?, *kind)))
            .unwrap_or((file_name, Self::None))
    }
}

/// Reads the name of a file (without its folder); `None` for one that was not rotated.
///
/// The forms are `NAME.N`, `NAME-DATE`, `NAME.DATE`, `STEM-DATE.EXT`, `STEM.N.EXT` and
/// `NAME-YYYYMMDDHH.backup`, each plain or packed, N being 1 to 4 digits. A number beside a date (`app-20261121.log.1.gz`,
/// `app-2026-11-21.0.log`) is read together with it, as a part of that date. Otherwise one layer is
/// read: the base of `app.log.1.1` is `app.log.1`.
#[must_use]
pub fn parse(file_name: &str) -> Option<Rotated> {
    let (unpacked, compression) = Compression::split(file_name);
    let (base, age) = backup(unpacked)
        .or_else(|| numbered(unpacked))
        .or_else(|| plainly_dated(unpacked))
        .or_else(|| numbered_before_extension(unpacked))?;
    let is_file_name = !matches!(base.as_str(), "" | "." | "..");
    is_file_name.then_some(Rotated { base, age, compression })
}

/// What tells the place of a sibling among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// What its name tells; none for a name that tells nothing, which is the oldest.
    pub age: Option<Age>,
    /// When it was last changed.
    pub changed: Option<SystemTime>,
    /// When it was made, where that is known.
    pub born: Option<SystemTime>,
}

impl Trace {
    fn is_backup(&self) -> bool {
        matches!(self.age, Some(Age::Backup { .. }))
    }

    /// Whether this was written before `backup`. In one tick of the file system's clock both may
    /// have been changed last; then the one that was made first was.
    fn is_before(&self, backup: &Trace) -> bool {
        let is_younger = self.born.zip(backup.born).is_some_and(|(own, other)| own > other);
        self.changed < backup.changed || self.changed == backup.changed && !is_younger
    }
}

/// Sorts siblings from oldest to newest.
///
/// Names tell the order of all but backups. A backup was made after the file that the same run of
/// logrotate had renamed, and before any line of the next one: it comes after the last sibling
/// that was not changed after it.
pub fn order<T>(siblings: Vec<T>, trace: impl Fn(&T) -> Trace) -> Vec<T> {
    let is_backup = |sibling: &T| trace(sibling).is_backup();
    let (mut backups, mut ordered): (Vec<T>, Vec<T>) = siblings.into_iter().partition(is_backup);
    ordered.sort_by_key(|sibling| trace(sibling).age);
    backups.sort_by_key(|backup| (trace(backup).changed, trace(backup).age));
    for backup in backups {
        let own = trace(&backup);
        let before = ordered.iter().rposition(|sibling| trace(sibling).is_before(&own));
        ordered.insert(before.map_or(0, |at| at + 1), backup);
    }
    ordered
}

/// `NAME-YYYYMMDDHH.backup`, as logrotate names it and nobody else: other dates before `.backup` are
/// those of `STEM-DATE.EXT`.
fn backup(text: &str) -> Option<(String, Age)> {
    let (name, date) = text.strip_suffix(".backup")?.rsplit_once('-')?;
    let seconds = date::hour(date)?;
    (!name.is_empty()).then(|| (name.to_owned(), Age::Backup { seconds }))
}

/// `NAME.N`, where NAME may hold a date.
fn numbered(text: &str) -> Option<(String, Age)> {
    let (name, digits) = text.rsplit_once('.')?;
    let number = number(digits)?;
    match dated(name) {
        Some((base, seconds)) => Some((base, Age::Dated { seconds, part: -i32::from(number) })),
        None => Some((name.to_owned(), Age::Numbered(Reverse(number)))),
    }
}

fn plainly_dated(text: &str) -> Option<(String, Age)> {
    let (base, seconds) = dated(text)?;
    Some((base, Age::Dated { seconds, part: 0 }))
}

/// `STEM.N.EXT`, where STEM may end in a date.
fn numbered_before_extension(text: &str) -> Option<(String, Age)> {
    let (head, extension) = split_extension(text)?;
    let (stem, digits) = head.rsplit_once('.')?;
    let number = number(digits)?;
    match split_date(stem, &['-']) {
        Some((stem, seconds)) => {
            let age = Age::Dated { seconds, part: i32::from(number) + 1 };
            Some((format!("{stem}.{extension}"), age))
        }
        None if stem.is_empty() => None,
        None => Some((format!("{stem}.{extension}"), Age::Numbered(Reverse(number)))),
    }
}

/// `NAME-DATE`, `NAME.DATE` or `STEM-DATE.EXT`.
fn dated(text: &str) -> Option<(String, i64)> {
    if let Some((name, seconds)) = split_date(text, &['-', '.']) {
        return Some((name.to_owned(), seconds));
    }
    let (head, extension) = split_extension(text)?;
    let (stem, seconds) = split_date(head, &['-'])?;
    Some((format!("{stem}.{extension}"), seconds))
}

/// What stands before the leftmost separator that only a date follows. Leftmost, as a date holds
/// separators itself.
fn split_date<'a>(text: &'a str, separators: &[char]) -> Option<(&'a str, i64)> {
    text.match_indices(separators).find_map(|(at, _)| {
        let (name, date) = (text.get(..at)?, text.get(at + 1..)?);
        let seconds = date::seconds(date)?;
        (!name.is_empty()).then_some((name, seconds))
    })
}

/// An extension starts with a letter, so that no part of a version or an address is one.
fn split_extension(text: &str) -> Option<(&str, &str)> {
    let (head, extension) = text.rsplit_once('.')?;
    let is_word = extension.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_word && extension.starts_with(char::is_alphabetic)).then_some((head, extension))
}

fn number(digits: &str) -> Option<u16> {
    let fits = (1..=MAX_DIGITS).contains(&digits.len());
    if fits && digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

const MAX_DIGITS: usize = 4;

const PACKED: [(&str, Compression); 4] = [
    (".gz", Compression::Gzip),
    (".zst", Compression::Zstd),
    (".bz2", Compression::Bzip2),
    (".xz", Compression::Xz),
];

#[cfg(test)]
mod tests;
