//! The first inspection of a file: may it be read, and is it text? A file that is served is never
//! inspected again; the result for a binary file is kept until the file changes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::catalog::private_key;
use crate::catalog::skipped::{SkipReason, SpecialFile};
use crate::file::hole;
use crate::file::own_files::Identities;

/// The file whose inspection decides about a source.
#[derive(Debug, Clone)]
pub(super) struct InspectedFile {
    pub(super) path: PathBuf,
    /// A compressed sibling: whether it is text is not checked.
    pub(super) is_packed: bool,
}

/// The result of an inspection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InspectionResult {
    Serve,
    /// It does not exist.
    Gone,
    LeaveOut(SkipReason),
}

/// The results of previous inspections.
#[derive(Clone, Debug, Default)]
pub(super) struct Inspection {
    /// Files that were skipped for their content.
    known: HashMap<PathBuf, (FileVersion, SkipReason)>,
    still_known: HashMap<PathBuf, (FileVersion, SkipReason)>,
    own: Identities,
}

impl Inspection {
    /// `is_named`: the user has named this very file.
    pub(super) fn inspect(&mut self, file: &InspectedFile, is_named: bool) -> InspectionResult {
        match self.try_inspect(file, is_named) {
            Ok(verdict) => verdict,
            Err(error) => {
                SkipReason::of(&error).map_or(InspectionResult::Gone, InspectionResult::LeaveOut)
            }
        }
    }

    /// Begins a scan of the disk, on which `own` are our own files.
    pub(super) fn begin_round(&mut self, own: Identities) {
        self.own = own;
    }

    /// Forgets the files that this scan did not meet.
    pub(super) fn end_round(&mut self) {
        self.known = std::mem::take(&mut self.still_known);
    }

    fn try_inspect(
        &mut self,
        file: &InspectedFile,
        is_named: bool,
    ) -> io::Result<InspectionResult> {
        let metadata = fs::metadata(&file.path)?;
        if let Some(reason) = no_regular_file(&metadata) {
            return Ok(InspectionResult::LeaveOut(reason));
        }
        // SECURITY: checked first, however the file was named.
        if self.own.hold(&file.path, &metadata) {
            return Ok(InspectionResult::LeaveOut(SkipReason::Own));
        }
        let stamp = FileVersion::of(&metadata);
        let known = self.known.get(&file.path).filter(|(known, _)| *known == stamp);
        let reason = match known {
            Some((_, reason)) => Some(reason.clone()),
            None => no_log(file, is_named)?,
        };
        let Some(reason) = reason else { return Ok(InspectionResult::Serve) };
        self.still_known.insert(file.path.clone(), (stamp, reason.clone()));
        Ok(InspectionResult::LeaveOut(reason))
    }
}

/// Why a file with this metadata is not a log.
pub(super) fn no_regular_file(metadata: &fs::Metadata) -> Option<SkipReason> {
    let kind = metadata.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some(SkipReason::Directory)
    } else {
        Some(SkipReason::Special(special(kind)))
    }
}

/// The kind of a special file.
pub(super) fn special(kind: fs::FileType) -> SpecialFile {
    if kind.is_fifo() {
        SpecialFile::Fifo
    } else if kind.is_socket() {
        SpecialFile::Socket
    } else {
        SpecialFile::Device
    }
}

/// Why a file with this content is not a log.
fn no_log(inspected: &InspectedFile, is_named: bool) -> io::Result<Option<SkipReason>> {
    let file = open_regular(&inspected.path)?;
    if inspected.is_packed {
        return Ok(None);
    }
    // A log that was emptied under a writer that does not append begins with a hole.
    let (_start, head) = hole::head_of(&file, KEY_BYTES)?;
    let is_utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    let is_binary = !is_utf16 && head.iter().take(HEAD_BYTES).any(|byte| *byte == 0);
    if is_binary {
        return Ok(Some(SkipReason::Binary));
    }
    // SECURITY: a file that was not named explicitly is not served for being in the same folder as
    // logs.
    let is_key = !is_named && private_key::begins_in(&head);
    Ok(is_key.then_some(SkipReason::PrivateKey))
}

/// SECURITY: since it was examined the file may have been replaced by a FIFO, which must not block
/// us, or by a terminal, which must not become ours.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match no_regular_file(&file.metadata()?) {
        None => Ok(file),
        Some(reason) => Err(io::Error::other(reason.to_string())),
    }
}

/// Identity, size and modification time: it changes when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileVersion {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl FileVersion {
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
/// A key may follow its certificates.
const KEY_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: InspectionResult) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, bytes).unwrap();
        let verdict =
            Inspection::default().inspect(&InspectedFile { path, is_packed: false }, true);
        assert_eq!(verdict, expected);
    }

    #[test]
    fn a_nul_in_the_first_kib_means_binary_unless_a_utf_16_mark_leads() {
        check(b"", InspectionResult::Serve);
        check(b"line\n", InspectionResult::Serve);
        check(b"li\0ne\n", InspectionResult::LeaveOut(SkipReason::Binary));
        check(b"\xff\xfel\0i\0", InspectionResult::Serve);
        check(b"\xfe\xff\0l\0i", InspectionResult::Serve);
        let mut late = vec![b'x'; 1024];
        late.push(0);
        check(&late, InspectionResult::Serve);
        late.swap(1023, 1024);
        check(&late, InspectionResult::LeaveOut(SkipReason::Binary));
    }

    #[test]
    fn a_binary_file_is_read_again_only_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = InspectedFile { path: folder.path().join("x"), is_packed: false };
        let mut inspection = Inspection::default();
        assert_eq!(inspection.inspect(&file, true), InspectionResult::Gone);
        fs::write(&file.path, b"a\0b").unwrap();
        let modified = fs::metadata(&file.path).unwrap().modified().unwrap();
        let binary = InspectionResult::LeaveOut(SkipReason::Binary);
        assert_eq!(inspection.inspect(&file, true), binary);
        inspection.end_round();

        fs::write(&file.path, b"a b").unwrap();
        File::options().write(true).open(&file.path).unwrap().set_modified(modified).unwrap();
        assert_eq!(inspection.inspect(&file, true), binary);
        inspection.end_round();
        fs::write(&file.path, b"text").unwrap();
        assert_eq!(inspection.inspect(&file, true), InspectionResult::Serve);
    }

    #[test]
    fn a_packed_file_is_opened_and_not_judged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.1.gz");
        fs::write(&path, b"\0\0").unwrap();
        let verdict = Inspection::default().inspect(&InspectedFile { path, is_packed: true }, true);
        assert_eq!(verdict, InspectionResult::Serve);
    }
}
