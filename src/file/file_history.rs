//! Chronicle: which files a source was seen to have, in the order in which they were written. It
//! shows a reader that comes to a file which others before it have gone unread. It opens
//! nothing, and forgets what lies before every file that is still there or being read.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::file::file_id::FileId;
use crate::file::lineage::Sibling;
use crate::file::rotation::Compression;

/// The files seen, from old to young.
#[derive(Debug, Default)]
pub struct FileHistory {
    entries: VecDeque<SeenFile>,
}

#[derive(Debug)]
struct SeenFile {
    id: FileId,
    /// Compressing a file, or moving it to another file system, changes its inode but not this.
    modified: Option<SystemTime>,
    /// The size of its content; of a file that was never seen uncompressed, that on disk.
    bytes: u64,
    /// It was left for the next one: what is written now is another file, even on the same inode.
    is_ended: bool,
}

impl SeenFile {
    fn is(&self, sibling: &Sibling) -> bool {
        let is_packed = sibling.compression != Compression::None;
        // A rotated file does not shrink: a smaller one on the same inode is another. The active
        // one may have been truncated.
        let is_own = match sibling.is_active() {
            true => !self.is_ended,
            false => is_packed || sibling.size >= self.bytes,
        };
        let is_copy = self.modified.is_some()
            && self.modified == sibling.modified
            && (is_packed || self.bytes == sibling.size);
        self.id == sibling.id && is_own || is_copy
    }
}

impl FileHistory {
    /// Records a folder listing, from old to young. `is_open` says which files are being read.
    pub fn note(&mut self, siblings: &[Sibling], is_open: impl Fn(FileId) -> bool) {
        let mut next = 0;
        for sibling in siblings {
            let known = (next..self.entries.len()).find(|at| self.is_at(*at, sibling));
            let at = known.unwrap_or(next);
            if known.is_none() {
                let (id, modified) = (sibling.id, sibling.modified);
                self.entries
                    .insert(at, SeenFile { id, modified, bytes: sibling.size, is_ended: false });
            } else if let Some(entry) = self.entries.get_mut(at) {
                (entry.id, entry.modified) = (sibling.id, sibling.modified);
                if sibling.compression == Compression::None {
                    entry.bytes = sibling.size;
                }
            }
            next = at + 1;
        }
        while let Some(oldest) = self.entries.front() {
            let is_needed = is_open(oldest.id) || !self.is_gone(0, siblings);
            if is_needed && self.entries.len() <= MAX_ENTRIES {
                break;
            }
            self.entries.pop_front();
        }
    }

    /// Whether the entry at an index is a file that exists. An inode is reused once its file is
    /// gone: the last entry has it.
    fn is_at(&self, at: usize, sibling: &Sibling) -> bool {
        let is_given_again = |entry: &SeenFile| {
            entry.id == sibling.id
                && self.entries.iter().skip(at + 1).any(|later| later.id == entry.id)
        };
        self.entries.get(at).is_some_and(|entry| entry.is(sibling) && !is_given_again(entry))
    }

    fn is_gone(&self, at: usize, siblings: &[Sibling]) -> bool {
        !siblings.iter().any(|sibling| self.is_at(at, sibling))
    }

    /// Records the final size and modification time of a file.
    pub fn note_end(&mut self, id: FileId, bytes: u64, modified: Option<SystemTime>) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.id == id) {
            (entry.bytes, entry.modified, entry.is_ended) = (bytes, modified, true);
        }
    }

    /// Whether a file was seen to come before the one that `is_it` selects.
    #[must_use]
    pub fn is_before(&self, id: FileId, is_it: impl Fn(FileId) -> bool) -> bool {
        let own = self.entries.iter().position(|entry| entry.id == id);
        let other = self.entries.iter().rposition(|entry| is_it(entry.id));
        matches!((own, other), (Some(own), Some(other)) if own < other)
    }

    /// The bytes of the files between `from` and `to` that are no longer among `siblings`.
    #[must_use]
    pub fn gone_between(&self, from: FileId, to: FileId, siblings: &[Sibling]) -> u64 {
        let from = self.entries.iter().position(|entry| entry.id == from);
        let to = self.entries.iter().rposition(|entry| entry.id == to);
        match (from, to) {
            (Some(from), Some(to)) if from < to => {
                let between = self.entries.iter().enumerate().take(to).skip(from + 1);
                let gone = between.filter(|(at, _)| self.is_gone(*at, siblings));
                gone.map(|(_, entry)| entry.bytes).sum()
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
        let mut file_history = FileHistory::default();
        let before = list(&path("a.log"));
        file_history.note(&before, |_| true);
        fs::remove_file(path("a.log.3")).unwrap();
        fs::remove_file(path("a.log.2")).unwrap();
        fs::rename(path("a.log.1"), path("a.log.2")).unwrap();
        let after = list(&path("a.log"));
        file_history.note(&after, |id| id == before[0].id);
        assert_eq!(file_history.gone_between(before[0].id, after[0].id, &after), 5);
        file_history.note(&after, |_| false);
        assert_eq!(file_history.entries.len(), 2);
    }

    #[test]
    fn a_file_that_got_the_inode_of_one_that_is_gone_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.log.2"), "one").unwrap();
        fs::write(path("a.log.1"), "three").unwrap();
        fs::write(path("a.log"), "seven").unwrap();
        // Two files of one size within a tick of the clock cannot be distinguished.
        for (name, age) in [("a.log.2", 3), ("a.log.1", 2), ("a.log", 1)] {
            let file = fs::File::options().append(true).open(path(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let mut files = list(&path("a.log"));
        let mut file_history = FileHistory::default();
        file_history.note(&files, |_| true);
        let (first, gone) = (files[0].id, files.remove(1));
        file_history.note_end(gone.id, gone.size, gone.modified);
        file_history.note_end(files[1].id, 5, files[1].modified);
        // The next one, of the same size.
        let mut next = files[1].clone();
        (next.id, next.modified) = (gone.id, Some(SystemTime::now()));
        files[1].age = gone.age;
        files.push(next.clone());
        file_history.note(&files, |_| true);
        assert_eq!(file_history.gone_between(first, next.id, &files), 5);
        // Also once it was rotated, and another one came.
        files[2].age = gone.age;
        file_history.note(&files, |_| true);
        assert_eq!(file_history.gone_between(first, next.id, &files), 5);
    }

    fn list(path: &Path) -> Vec<Sibling> {
        let path = path.to_owned();
        let location = Location { path, siblings: true, olddir: None, confined_to: None };
        lineage::list(&location, &Folders::default(), Duration::ZERO).unwrap()
    }
}
