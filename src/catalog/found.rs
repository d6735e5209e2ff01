//! What one look at the disk found.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::skipped::SkippedEntry;
use crate::file::location::Location;
use crate::source::SourceName;

/// What one look at the disk found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What can be served, in the order of the configuration and of the paths below.
    pub sources: Vec<FoundSource>,
    /// What cannot.
    pub skipped: Vec<SkippedEntry>,
    /// Each directory a watch is needed on, parents of what may appear included.
    pub directories: BTreeSet<PathBuf>,
    /// Those of the directories in which only a few names matter.
    pub narrowed: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// Directories that could not be looked into: what is below them is not known to be gone.
    pub unread: Vec<PathBuf>,
}

/// A source as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSource {
    /// What it is called, for ever.
    pub name: SourceName,
    /// Where its files are.
    pub location: Location,
}

impl Found {
    /// Everything that appears in or vanishes from `directory` matters.
    pub(super) fn watch(&mut self, directory: &Path) {
        self.narrowed.remove(directory);
        self.directories.insert(directory.to_path_buf());
    }

    /// It matters when `path` appears, vanishes or leads elsewhere. Where its folder does not exist,
    /// the nearest folder that does tells when the way there is made; and each link on the way
    /// tells when it is switched.
    pub(super) fn watch_for(&mut self, path: &Path) {
        let mut child = path;
        let mut exists = false;
        while let (Some(parent), Some(name)) = (child.parent(), child.file_name()) {
            let is_edge = !exists && parent.is_dir();
            exists |= is_edge;
            if is_edge || (exists && child.is_symlink()) {
                self.watch_name(parent, name.to_owned());
            }
            child = parent;
        }
    }

    fn watch_name(&mut self, directory: &Path, name: OsString) {
        let is_new = self.directories.insert(directory.to_path_buf());
        if is_new || self.narrowed.contains_key(directory) {
            self.narrowed.entry(directory.to_path_buf()).or_default().insert(name);
        }
    }

    /// Whether `path` is below a directory that could not be looked into.
    pub(super) fn is_unread(&self, path: &Path) -> bool {
        self.unread.iter().any(|directory| path.starts_with(directory))
    }
}

/// The identity of a directory, stable for as long as it exists.
///
/// The time of its birth tells a directory from the next one with a reused inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DirectoryId {
    device: u64,
    inode: u64,
    born: Option<std::time::SystemTime>,
}

impl DirectoryId {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino(), born: metadata.created().ok() }
    }
}
