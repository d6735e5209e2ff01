//! Mounts: which device a path is on, by the system's mount table. Examining the path itself would
//! block on a disk that does not respond.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::makedev;

/// The mount table, cached for a moment.
#[derive(Debug, Default)]
pub struct Mounts {
    by_point: BTreeMap<PathBuf, Mount>,
    read: Option<Instant>,
}

/// One mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mount {
    /// As in `st_dev`.
    device: u64,
    /// It is a network or FUSE file system.
    is_remote: bool,
}

impl Mounts {
    /// The number of the device that `path` is on; 0 if the table cannot be read.
    pub fn device_of(&mut self, path: &Path) -> u64 {
        self.mount_of(path).map_or(0, |mount| mount.device)
    }

    /// Whether other hosts may write at `path` without an event here, and may be why it does not
    /// respond.
    pub fn is_remote(&mut self, path: &Path) -> bool {
        self.mount_of(path).is_some_and(|mount| mount.is_remote)
    }

    /// The mount points below `root`.
    pub fn below(&mut self, root: &Path) -> Vec<PathBuf> {
        self.refresh();
        let is_below = |point: &&PathBuf| point.starts_with(root) && *point != root;
        self.by_point.keys().filter(is_below).cloned().collect()
    }

    fn mount_of(&mut self, path: &Path) -> Option<Mount> {
        self.refresh();
        let path = std::path::absolute(path).unwrap_or_else(|_no_folder| path.to_owned());
        path.ancestors().find_map(|folder| self.by_point.get(folder)).copied()
    }

    fn refresh(&mut self) {
        if self.read.is_some_and(|read| read.elapsed() < MAX_AGE) {
            return;
        }
        self.read = Some(Instant::now());
        match std::fs::read("/proc/self/mountinfo") {
            Ok(table) => self.by_point = parse(&table),
            Err(error) => tracing::warn!(%error, "the table of mounts cannot be read"),
        }
    }
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw` (`proc_pid_mountinfo(5)`). Of
/// several mounts on one mount point the last is on top.
fn parse(table: &[u8]) -> BTreeMap<PathBuf, Mount> {
    table.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<(PathBuf, Mount)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let device = makedev(major.parse().ok()?, minor.parse().ok()?);
    let point = unescaped(fields.nth(1)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let kind = std::str::from_utf8(kind).ok()?;
    let is_remote = REMOTE.contains(&kind) || kind.starts_with("fuse");
    Some((PathBuf::from(OsString::from_vec(point)), Mount { device, is_remote }))
}

/// Blanks, tabs, line ends and backslashes are escaped in octal.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, code) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            (byte, _) => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out
}

/// The table may have changed after this time.
const MAX_AGE: Duration = Duration::from_secs(2);

/// File systems on which other hosts' writes cause no events here; also all of FUSE.
const REMOTE: [&str; 13] = [
    "nfs",
    "nfs4",
    "smbfs",
    "cifs",
    "smb3",
    "9p",
    "virtiofs",
    "afs",
    "ceph",
    "lustre",
    "vboxsf",
    "ncpfs",
    "glusterfs",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_point_above_a_path_tells_its_device() {
        let table = b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
            30 22 0:40 / /var/log/far\\040away rw master:3 shared:9 - fuse.sshfs host rw\n\
            31 22 8:2 /deep /var rw - xfs /dev/sda2 rw\n\
            32 30 8:3 / /var/log/far\\040away/near rw - ext4 /dev/sda3 rw\n";
        let mut mounts = Mounts { by_point: parse(table), read: Some(Instant::now()) };
        for (path, device) in [
            ("/etc/passwd", makedev(8, 1)),
            ("/var/log/app.log", makedev(8, 2)),
            ("/var/log/far away/app.log", makedev(0, 40)),
            ("/var/log/far away/near/app.log", makedev(8, 3)),
            ("/variant/app.log", makedev(8, 1)),
        ] {
            assert_eq!(mounts.device_of(Path::new(path)), device, "{path}");
        }
        assert!(mounts.is_remote(Path::new("/var/log/far away/app.log")));
        assert!(!mounts.is_remote(Path::new("/var/log/app.log")));
        let below = mounts.below(Path::new("/var/log"));
        assert_eq!(below, ["/var/log/far away", "/var/log/far away/near"].map(PathBuf::from));
    }

    #[test]
    fn the_table_of_this_system_can_be_read() {
        use std::os::unix::fs::MetadataExt as _;
        let device = std::fs::metadata("/proc").unwrap().dev();
        assert_eq!(Mounts::default().device_of(Path::new("/proc/self/status")), device);
    }
}
