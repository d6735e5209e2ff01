//! Chronicle: which files a source was seen to have, in the order in which they were written. It
//! tells a reader that comes to a file which others have gone away unread before it. It opens
//! nothing, and forgets what lies before every file that is still there or being read.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::file::lineage::Sibling;
use crate::file::rotation::Compression;
use crate::file::segment::FileId;

/// The files seen, from old to young.
#[derive(Debug, Default)]
pub struct Chronicle {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: FileId,
    /// Packing a file, or moving it to another file system, gives it another inode and leaves this
    /// as it was.
    modified: Option<SystemTime>,
    /// Of its content; of a file that was never seen unpacked, those on disk.
    bytes: u64,
}

impl Entry {
    fn is(&self, sibling: &Sibling) -> bool {
        let is_packed = sibling.compression != Compression::None;
        // A rotated file does not shrink: a smaller one on the same inode is another. The active
        // one may have been emptied.
        let may_shrink = is_packed || sibling.is_active();
        let is_copy = self.modified.is_some()
            && self.modified == sibling.modified
            && (is_packed || self.bytes == sibling.size);
        self.id == sibling.id && (may_shrink || sibling.size >= self.bytes) || is_copy
    }
}

impl Chronicle {
    /// Notes what a folder lists, from old to young. `is_open` tells which files are being read.
    pub fn note(&mut self, siblings: &[Sibling], is_open: impl Fn(FileId) -> bool) {
        let mut next = 0;
        for sibling in siblings {
            let known = self.entries.iter().skip(next).position(|entry| entry.is(sibling));
            let at = known.map_or(next, |skipped| next + skipped);
            if known.is_none() {
                let (id, modified) = (sibling.id, sibling.modified);
                self.entries.insert(at, Entry { id, modified, bytes: sibling.size });
            } else if let Some(entry) = self.entries.get_mut(at) {
                (entry.id, entry.modified) = (sibling.id, sibling.modified);
                if sibling.compression == Compression::None {
                    entry.bytes = sibling.size;
                }
            }
            next = at + 1;
        }
        let is_needed =
            |entry: &Entry| is_open(entry.id) || siblings.iter().any(|sibling| entry.is(sibling));
        while self.entries.len() > MAX_ENTRIES
            || self.entries.front().is_some_and(|entry| !is_needed(entry))
        {
            self.entries.pop_front();
        }
    }

    /// Notes how large a file was when nobody wrote to it any more, and since when.
    pub fn note_end(&mut self, id: FileId, bytes: u64, modified: Option<SystemTime>) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.id == id) {
            (entry.bytes, entry.modified) = (bytes, modified);
        }
    }

    /// The bytes of the files between `from` and `to` that are not among `siblings` any more.
    #[must_use]
    pub fn gone_between(&self, from: FileId, to: FileId, siblings: &[Sibling]) -> u64 {
        let is_gone = |entry: &&Entry| !siblings.iter().any(|sibling| entry.is(sibling));
        let from = self.entries.iter().position(|entry| entry.id == from);
        let to = self.entries.iter().rposition(|entry| entry.id == to);
        match (from, to) {
            (Some(from), Some(to)) if from < to => {
                let between = self.entries.iter().take(to).skip(from + 1);
                between.filter(is_gone).map(|entry| entry.bytes).sum()
            }
            (Some(_) | None, Some(_) | None) => 0,
        }
    }
}

/// More than rotators keep of one log.
const MAX_ENTRIES: usize = 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::file::folders::Folders;
    use crate::file::lineage;
    use crate::file::location::Location;

    #[test]
    fn what_is_gone_between_two_files_is_told_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.log.3"), "one").unwrap();
        fs::write(path("a.log.2"), "three").unwrap();
        fs::write(path("a.log.1"), "fourteen").unwrap();
        fs::write(path("a.log"), "five").unwrap();
        let mut chronicle = Chronicle::default();
        let before = list(&path("a.log"));
        chronicle.note(&before, |_| true);
        fs::remove_file(path("a.log.3")).unwrap();
        fs::remove_file(path("a.log.2")).unwrap();
        fs::rename(path("a.log.1"), path("a.log.2")).unwrap();
        let after = list(&path("a.log"));
        chronicle.note(&after, |id| id == before[0].id);
        assert_eq!(chronicle.gone_between(before[0].id, after[0].id, &after), 5);
        chronicle.note(&after, |_| false);
        assert_eq!(chronicle.entries.len(), 2);
    }

    fn list(path: &Path) -> Vec<Sibling> {
        let path = path.to_owned();
        let location = Location { path, siblings: true, olddir: None, confined_to: None };
        lineage::list(&location, &Folders::default(), Duration::ZERO).unwrap()
    }
}
