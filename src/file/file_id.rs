//! File id: which file on this host, whatever its name.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use crate::cursor::{Cursor, Version, hash32};

/// Device, inode and birth time. A file system gives the inode of a deleted file to the next one
/// (ext4 does so at once), so that device and inode alone may name two files; the birth time
/// distinguishes them if the file system has one (`statx(2)`, `STATX_BTIME`), and is 0 elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
    birth_nanos: u64,
}

impl FileId {
    /// The identity in `metadata`.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let birth = metadata.created().ok();
        let since = birth.and_then(|birth| birth.duration_since(SystemTime::UNIX_EPOCH).ok());
        let birth_nanos =
            since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        FileId { device: metadata.dev(), inode: metadata.ino(), birth_nanos }
    }

    /// The device.
    #[must_use]
    pub fn device(self) -> u64 {
        self.device
    }

    /// An identity for tests that only compare them.
    #[cfg(test)]
    #[must_use]
    pub fn numbered(inode: u64) -> Self {
        FileId { device: 1, inode, birth_nanos: 0 }
    }

    /// Its hash in a cursor.
    #[must_use]
    pub fn hash(self) -> u32 {
        hash_of([self.device, self.inode, self.birth_nanos])
    }

    /// Its hash in a cursor of version 1.
    #[must_use]
    pub fn hash_v1(self) -> u32 {
        hash_of([self.device, self.inode])
    }

    /// Whether `cursor` names this file.
    #[must_use]
    pub fn is_in(self, cursor: &Cursor) -> bool {
        match cursor.generation.version {
            Version::V1 => self.hash_v1() == cursor.generation.file,
            Version::V2 => self.hash() == cursor.generation.file,
        }
    }

    /// When it was created, in nanoseconds since 1970; 0 if unknown.
    #[must_use]
    pub fn born(self) -> u64 {
        self.birth_nanos
    }

    /// Whether the file system has birth times, so that ids are unique.
    #[must_use]
    pub fn is_unique(self) -> bool {
        self.birth_nanos != 0
    }
}

fn hash_of<const N: usize>(numbers: [u64; N]) -> u32 {
    hash32(&numbers.map(u64::to_le_bytes).concat())
}
