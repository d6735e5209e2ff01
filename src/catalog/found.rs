//! The result of one scan of the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::skipped::SkippedEntry;
use crate::file::location::Location;
use crate::source::SourceName;

/// The result of one scan of the disk.
#[derive(Debug, Clone, Default)]
pub struct DiscoveryResult {
    /// The sources, in the order of the configuration and of the paths below.
    pub sources: Vec<FoundSource>,
    /// Entries that cannot be served.
    pub skipped: Vec<SkippedEntry>,
    /// Each directory that needs a watch, including parents of paths that may appear.
    pub directories: BTreeSet<PathBuf>,
    /// For some of the directories: the only names in them that matter.
    pub narrowed: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// Directories that could not be read: what is below them is not known to be gone.
    pub unread: Vec<PathBuf>,
}

/// A source that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSource {
    /// Its permanent name.
    pub name: SourceName,
    /// Where its files are.
    pub location: Location,
}

impl DiscoveryResult {
    /// Everything that appears in or vanishes from `directory` matters.
    pub(super) fn watch(&mut self, directory: &Path) {
        self.narrowed.remove(directory);
        self.directories.insert(directory.to_path_buf());
    }

    /// It matters when `path` appears, vanishes or leads elsewhere. Where its folder does not
    /// exist, the nearest existing folder is watched for its creation, and each link on the path
    /// for a switch.
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

    /// Whether `path` is below a directory that could not be read.
    pub(super) fn is_unread(&self, path: &Path) -> bool {
        self.unread.iter().any(|directory| path.starts_with(directory))
    }
}

/// The identity of a directory, stable for as long as it exists.
///
/// Its birth time distinguishes a directory from a later one with the same inode number.
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
