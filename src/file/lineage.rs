//! Lineage: the files of a source in the order in which they were written, told by their names, and
//! which of them follows which, told by their identity.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::file::file_id::FileId;
use crate::file::folders::Folders;
use crate::file::location::Location;
use crate::file::rotation::next::{self, Listed, Seen};
use crate::file::rotation::{self, Age, Compression, Rotated, Trace};
use crate::file::segment::{NANOS_A_MILLI, nanos_of};

/// One file of a source, as the folder lists it.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Where it is.
    pub path: PathBuf,
    /// Device and inode.
    pub id: FileId,
    /// Bytes on disk.
    pub size: u64,
    /// When it was last written to.
    pub modified: Option<SystemTime>,
    /// When it was made, where the file system tells; packing makes a file anew.
    pub born: Option<SystemTime>,
    /// None for the active file.
    pub age: Option<Age>,
    /// Whether and how it is packed.
    pub compression: Compression,
}

impl Sibling {
    /// Whether this is the file that is written to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.age.is_none()
    }

    /// Whether it is packed.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.compression != Compression::None
    }

    fn trace(&self) -> Trace {
        Trace { age: self.age, changed: self.modified, born: self.born }
    }

    fn new(path: PathBuf, metadata: &Metadata, age: Option<Age>, compression: Compression) -> Self {
        Sibling {
            path,
            id: FileId::of(metadata),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            born: metadata.created().ok().filter(|_| compression == Compression::None),
            age,
            compression,
        }
    }
}

/// The file that is written to, if it is there and a regular file.
pub fn active(location: &Location) -> io::Result<Option<Sibling>> {
    match fs::metadata(&location.path) {
        Ok(metadata) if metadata.is_file() => {
            Ok(Some(Sibling::new(location.path.clone(), &metadata, None, Compression::None)))
        }
        Ok(_other_kind) => Ok(None),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All files of the source, from old to young; the active one is the last. The folder may be read
/// from what was known of it `max_age` ago.
///
/// A rotator renames while the folder is read, and a file that moves may be seen twice or not at
/// all: a fresh list counts once two in a row agree. Where names never stop moving it is an error
/// of the kind [`is_absence`], and may be tried again.
pub fn list(location: &Location, folders: &Folders, max_age: Duration) -> io::Result<Vec<Sibling>> {
    let mut siblings = list_once(location, folders, max_age)?;
    if !max_age.is_zero() {
        return Ok(siblings);
    }
    for _ in 0..MAX_LOOKS {
        let again = list_once(location, folders, max_age)?;
        let is_same = siblings.len() == again.len()
            && siblings.iter().zip(&again).all(|(a, b)| a.id == b.id && a.path == b.path);
        if is_same {
            return Ok(again);
        }
        siblings = again;
        std::thread::yield_now();
    }
    let text = format!("the files of {} are being renamed all the time", location.path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}

fn list_once(
    location: &Location,
    folders: &Folders,
    max_age: Duration,
) -> io::Result<Vec<Sibling>> {
    let mut siblings = Vec::new();
    if location.siblings
        && let Some(name) = location.path.file_name().and_then(|name| name.to_str())
    {
        let own_folders = location.path.parent().into_iter().chain(location.olddir.as_deref());
        for folder in own_folders {
            let listing = folders.list(folder, max_age)?;
            for (path, rotated) in listing.get(name).into_iter().flatten() {
                siblings.extend(sibling_at(path, rotated)?);
            }
        }
    }
    siblings.sort_by(|a, b| a.age.cmp(&b.age).then(b.is_packed().cmp(&a.is_packed())));
    let mut siblings = rotation::order(siblings, Sibling::trace);
    let active = active(location)?;
    // A file that is renamed while the folder is read has been seen under both names; the older one is
    // the new one.
    let mut seen: HashSet<FileId> = active.iter().map(|active| active.id).collect();
    siblings.retain(|sibling| seen.insert(sibling.id));
    siblings.extend(active);
    Ok(siblings)
}

/// Leaves out packed files that have a plain one of the same number or date beside them, if they are
/// `alike` it: while a file is being packed it is there twice, and the plain one is surely whole. A
/// packed one of other lines was left over, and is older.
pub fn drop_twins(
    siblings: Vec<Sibling>,
    mut alike: impl FnMut(&Sibling, &Sibling) -> io::Result<bool>,
) -> io::Result<Vec<Sibling>> {
    let mut kept: Vec<Sibling> = Vec::with_capacity(siblings.len());
    for sibling in siblings {
        if !sibling.is_active() && !sibling.is_packed() {
            while let Some(packed) = kept.last()
                && packed.age == sibling.age
                && packed.is_packed()
                && alike(packed, &sibling)?
            {
                kept.pop();
            }
        }
        kept.push(sibling);
    }
    Ok(kept)
}

/// A rotated file, if it is (still) there and a regular file.
fn sibling_at(path: &Path, rotated: &Rotated) -> io::Result<Option<Sibling>> {
    // SECURITY: not followed if it is a link; nobody has named it.
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let (age, compression) = (Some(rotated.age), rotated.compression);
            Ok(Some(Sibling::new(path.to_owned(), &metadata, age, compression)))
        }
        Ok(_other_kind) => Ok(None),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the choice of the next file looks at.
#[must_use]
pub fn listed(siblings: &[Sibling]) -> Vec<Listed> {
    let listed = |sibling: &Sibling| Listed {
        id: sibling.id,
        is_active: sibling.is_active(),
        size: sibling.size,
        written: latest_written(sibling),
        came: sibling.born.map_or(0, nanos_of).max(sibling.modified.map_or(0, nanos_of)),
        is_packed: sibling.is_packed(),
    };
    siblings.iter().map(listed).collect()
}

/// The oldest file with content that was written to after the time in a cursor, in milliseconds since
/// 1970; the active one is, whatever its time.
#[must_use]
pub fn first_written_after(siblings: &[Sibling], millis: u64) -> Option<usize> {
    let end_of_milli = millis.saturating_mul(NANOS_A_MILLI).saturating_add(NANOS_A_MILLI - 1);
    let seen = Seen { n_read: 0, known: &[], known_until: 0 };
    next::first_written_after(&listed(siblings), end_of_milli, &seen)
}

/// The latest time at which a file may have been written to, in nanoseconds since 1970. Some packers
/// (bzip2) keep the time of what they pack in whole seconds.
#[must_use]
pub fn latest_written(sibling: &Sibling) -> u64 {
    let written = sibling.modified.map_or(0, nanos_of);
    let is_whole = sibling.modified.is_some_and(|time| {
        time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0)
    });
    if sibling.is_packed() && is_whole { written + 999_999_999 } else { written }
}

/// Whether the error says that there is no such file.
#[must_use]
pub fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Looks at a folder in which names never stop moving. A rotator that shifts a hundred names on a busy
/// machine takes some dozens.
const MAX_LOOKS: usize = 64;
