//! [`StallingDisk`]: a file system that stops to answer when told to, as a network file system or a
//! failing disk does: `stat`, `open`, `read` and `readdir` wait, and those who wait cannot even be
//! killed. It shows the files of a plain folder, read-only.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, Config, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, ReplyOpen,
    Request,
};
use tempfile::TempDir;

use super::wait_until;

/// A folder on a disk that can stall.
#[derive(Debug)]
pub struct StallingDisk {
    gate: Arc<Gate>,
    session: Option<BackgroundSession>,
    mount: TempDir,
    backing: TempDir,
}

/// The disk does not answer until this is dropped. To be declared after the server, so that a test
/// that fails lets it end.
#[derive(Debug)]
#[must_use]
pub struct Stall {
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    n_waiting: usize,
}

impl StallingDisk {
    /// An empty one that answers.
    #[track_caller]
    pub fn new() -> Self {
        let folder = |name: &str| tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let (mount, backing) = (folder("tailcast-it-mount-"), folder("tailcast-it-disk-"));
        let gate = Arc::new(Gate::default());
        let files = Files {
            root: backing.path().to_owned(),
            gate: Arc::clone(&gate),
            names: Mutex::default(),
            open: Mutex::default(),
        };
        let session =
            fuser::spawn_mount(files, mount.path(), &Config::default()).unwrap_or_else(|error| {
                panic!("no FUSE file system can be mounted ({error}): root and fuse3 are needed")
            });
        StallingDisk { gate, session: Some(session), mount, backing }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    /// A file on it, as a server sees it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The same file, as its writer sees it, who does not wait.
    pub fn behind(&self, name: &str) -> PathBuf {
        self.backing.path().join(name)
    }

    /// Stops to answer.
    pub fn stall(&self) -> Stall {
        self.gate.state.lock().unwrap().is_closed = true;
        Stall { gate: Arc::clone(&self.gate) }
    }

    /// Waits until somebody waits for it.
    #[track_caller]
    pub fn wait_for_waiting(&self) {
        wait_until("somebody waits for the disk", || self.gate.state.lock().unwrap().n_waiting > 0);
    }
}

impl Drop for StallingDisk {
    fn drop(&mut self) {
        self.gate.open();
        if let Some(session) = self.session.take()
            && let Err(error) = session.umount_and_join()
        {
            eprintln!("{} cannot be unmounted: {error}", self.mount.path().display());
        }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.gate.open();
    }
}

impl Gate {
    fn open(&self) {
        self.state.lock().unwrap().is_closed = false;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.n_waiting += 1;
        while state.is_closed {
            state = self.changed.wait(state).unwrap();
        }
        state.n_waiting -= 1;
    }
}

/// The file system: one folder without folders in it. It serves one request after the other.
struct Files {
    root: PathBuf,
    gate: Arc<Gate>,
    names: Mutex<HashMap<u64, OsString>>,
    open: Mutex<HashMap<u64, File>>,
}

impl Files {
    fn path_of(&self, inode: INodeNo) -> io::Result<PathBuf> {
        if inode == INodeNo::ROOT {
            return Ok(self.root.clone());
        }
        let names = self.names.lock().unwrap();
        let name = names.get(&inode.0).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.root.join(name))
    }

    fn attributes(&self, inode: INodeNo) -> io::Result<FileAttr> {
        self.gate.pass();
        Ok(attributes(inode, &fs::metadata(self.path_of(inode)?)?))
    }

    fn find(&self, name: &OsStr) -> io::Result<FileAttr> {
        self.gate.pass();
        let metadata = fs::metadata(self.root.join(name))?;
        self.names.lock().unwrap().insert(metadata.ino(), name.to_owned());
        Ok(attributes(INodeNo(metadata.ino()), &metadata))
    }

    fn read_at(&self, handle: FileHandle, offset: u64, size: u32) -> io::Result<Vec<u8>> {
        self.gate.pass();
        let open = self.open.lock().unwrap();
        let file = open.get(&handle.0).ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; size as usize];
        let n_read = file.read_at(&mut bytes, offset)?;
        bytes.truncate(n_read);
        Ok(bytes)
    }

    fn entries(&self) -> io::Result<Vec<(u64, OsString)>> {
        self.gate.pass();
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.metadata()?.ino(), entry.file_name()))
        };
        fs::read_dir(&self.root)?.map(entry).collect()
    }
}

impl Filesystem for Files {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(name) {
            Ok(found) => reply.entry(&Duration::ZERO, &found, Generation(0)),
            Err(error) => reply.error(error.into()),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode) {
            Ok(found) => reply.attr(&Duration::ZERO, &found),
            Err(error) => reply.error(error.into()),
        }
    }

    fn open(&self, _request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.gate.pass();
        match self.path_of(inode).and_then(File::open) {
            Ok(file) => {
                let mut open = self.open.lock().unwrap();
                let number = open.len() as u64 + 1;
                open.insert(number, file);
                // What is read is not to come from a cache.
                reply.opened(FileHandle(number), FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.read_at(handle, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.entries() {
            Ok(entries) => {
                let numbered = entries.iter().zip(1..).skip(usize::try_from(offset).unwrap());
                for ((inode, name), next) in numbered {
                    if reply.add(INodeNo(*inode), next, FileType::RegularFile, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error.into()),
        }
    }
}

fn attributes(inode: INodeNo, metadata: &Metadata) -> FileAttr {
    let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    FileAttr {
        ino: inode,
        size: metadata.len(),
        blocks: metadata.blocks(),
        atime: changed,
        mtime: changed,
        ctime: changed,
        crtime: changed,
        kind: if metadata.is_dir() { FileType::Directory } else { FileType::RegularFile },
        perm: if metadata.is_dir() { 0o755 } else { 0o644 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
