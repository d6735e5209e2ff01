//! The first look into a file: may it be read, and is it text? What it finds for a file that is
//! served is never asked again; what it finds for a binary file is kept until the file changes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::catalog::left_out::{LeftOutReason, SpecialFile};
use crate::file::hole;

/// The file whose look decides about a source.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) path: PathBuf,
    /// A packed sibling: whether it is text cannot be seen.
    pub(super) is_packed: bool,
}

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Serve,
    /// It does not exist (any more).
    Gone,
    LeaveOut(LeftOutReason),
}

/// The looks so far.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    binary: HashMap<PathBuf, Stamp>,
    still_binary: HashMap<PathBuf, Stamp>,
}

impl Inspection {
    pub(super) fn look(&mut self, probe: &Probe) -> Verdict {
        match self.try_look(probe) {
            Ok(verdict) => verdict,
            Err(error) => LeftOutReason::of(&error).map_or(Verdict::Gone, Verdict::LeaveOut),
        }
    }

    /// Forgets the files that no look of this round met.
    pub(super) fn end_round(&mut self) {
        self.binary = std::mem::take(&mut self.still_binary);
    }

    fn try_look(&mut self, probe: &Probe) -> io::Result<Verdict> {
        let metadata = fs::metadata(&probe.path)?;
        if let Some(reason) = no_regular_file(&metadata) {
            return Ok(Verdict::LeaveOut(reason));
        }
        let stamp = Stamp::of(&metadata);
        let is_known = self.binary.get(&probe.path) == Some(&stamp);
        if is_known || is_binary(probe)? {
            self.still_binary.insert(probe.path.clone(), stamp);
            return Ok(Verdict::LeaveOut(LeftOutReason::Binary));
        }
        Ok(Verdict::Serve)
    }
}

/// Why something with this metadata is no log.
pub(super) fn no_regular_file(metadata: &fs::Metadata) -> Option<LeftOutReason> {
    let kind = metadata.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some(LeftOutReason::Directory)
    } else {
        Some(LeftOutReason::Special(special(kind)))
    }
}

/// The kind of what is neither a file nor a folder.
pub(super) fn special(kind: fs::FileType) -> SpecialFile {
    if kind.is_fifo() {
        SpecialFile::Fifo
    } else if kind.is_socket() {
        SpecialFile::Socket
    } else {
        SpecialFile::Device
    }
}

fn is_binary(probe: &Probe) -> io::Result<bool> {
    let file = open_regular(&probe.path)?;
    if probe.is_packed {
        return Ok(false);
    }
    // A log that was emptied under a writer that does not append begins with a hole.
    let (_start, head) = hole::head_of(&file, HEAD_BYTES)?;
    let is_utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    Ok(!is_utf16 && head.contains(&0))
}

/// SECURITY: between the look and this call the file may have been replaced by a FIFO, which must
/// not block us, or by a terminal, which must not become ours.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match no_regular_file(&file.metadata()?) {
        None => Ok(file),
        Some(reason) => Err(io::Error::other(reason.to_string())),
    }
}

/// What changes when a file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

const HEAD_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Verdict) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, bytes).unwrap();
        let verdict = Inspection::default().look(&Probe { path, is_packed: false });
        assert_eq!(verdict, expected);
    }

    #[test]
    fn a_nul_in_the_first_kib_means_binary_unless_a_utf_16_mark_leads() {
        check(b"", Verdict::Serve);
        check(b"line\n", Verdict::Serve);
        check(b"li\0ne\n", Verdict::LeaveOut(LeftOutReason::Binary));
        check(b"\xff\xfel\0i\0", Verdict::Serve);
        check(b"\xfe\xff\0l\0i", Verdict::Serve);
        let mut late = vec![b'x'; 1024];
        late.push(0);
        check(&late, Verdict::Serve);
        late.swap(1023, 1024);
        check(&late, Verdict::LeaveOut(LeftOutReason::Binary));
    }

    #[test]
    fn a_binary_file_is_read_again_only_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let probe = Probe { path: folder.path().join("x"), is_packed: false };
        let mut inspection = Inspection::default();
        assert_eq!(inspection.look(&probe), Verdict::Gone);
        fs::write(&probe.path, b"a\0b").unwrap();
        let modified = fs::metadata(&probe.path).unwrap().modified().unwrap();
        let binary = Verdict::LeaveOut(LeftOutReason::Binary);
        assert_eq!(inspection.look(&probe), binary);
        inspection.end_round();

        fs::write(&probe.path, b"a b").unwrap();
        File::options().write(true).open(&probe.path).unwrap().set_modified(modified).unwrap();
        assert_eq!(inspection.look(&probe), binary);
        inspection.end_round();
        fs::write(&probe.path, b"text").unwrap();
        assert_eq!(inspection.look(&probe), Verdict::Serve);
    }

    #[test]
    fn a_packed_file_is_opened_and_not_judged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.1.gz");
        fs::write(&path, b"\0\0").unwrap();
        let verdict = Inspection::default().look(&Probe { path, is_packed: true });
        assert_eq!(verdict, Verdict::Serve);
    }
}
