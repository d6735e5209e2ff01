//! Stamp: a folder's identity and its time of change. While it stays the same nothing was created,
//! renamed or removed in the folder; but only if the file system maintains that time by a clock of
//! this host, and the last change is older than a tick of that clock.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A folder's identity and time of change.
#[derive(Clone, Debug)]
pub(super) struct FolderStamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// When the stamp was taken.
    taken: SystemTime,
    keeps_time: bool,
}

impl PartialEq for FolderStamp {
    fn eq(&self, other: &Self) -> bool {
        let all = |stamp: &Self| (stamp.device, stamp.inode, stamp.modified, stamp.changed);
        all(self) == all(other)
    }
}

impl FolderStamp {
    /// The stamp of the folder at `path`. `None` if there is none, or it cannot be examined.
    pub(super) fn of(path: &Path) -> Option<Self> {
        // Taken before the examination: a change in between then makes it look younger, not older.
        let taken = SystemTime::now();
        let metadata = fs::metadata(path).ok()?;
        Some(FolderStamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            taken,
            keeps_time: false,
        })
    }

    /// The same, with the type of the file system: once for each reading.
    pub(super) fn with_kind(mut self, path: &Path) -> Self {
        let kind = File::open(path).and_then(|folder| Ok(rustix::fs::fstatfs(&folder)?));
        self.keeps_time =
            kind.is_ok_and(|kind| KEEP_TIME.iter().any(|known| i128::from(kind.f_type) == *known));
        self
    }

    /// Whether any change after this stamp was taken is certain to have changed it.
    pub(super) fn was_settled(&self) -> bool {
        let latest = self.modified.max(self.changed);
        let (seconds, nanos) = latest;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else {
            return false;
        };
        let tick = if nanos == 0 { COARSE_TICK } else { TICK };
        let Some(settled) =
            SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos) + tick)
        else {
            return false;
        };
        self.keeps_time && settled < self.taken
    }
}

/// The clock of file systems ticks each 1 to 10 ms, as the kernel is configured.
const TICK: Duration = Duration::from_millis(30);

/// Times in whole seconds may come from a file system with a resolution of one or two seconds.
const COARSE_TICK: Duration = Duration::from_millis(2100);

/// ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs (`linux/magic.h`): local, and
/// with a folder's modification time as in POSIX. For others (network, FUSE, FAT) that is not
/// known.
const KEEP_TIME: [i128; 8] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x794c_7630,
    0xf2f5_2010,
    0x2fc1_2fc1,
    0xca45_1a4e,
];
