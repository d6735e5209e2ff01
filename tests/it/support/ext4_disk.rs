//! [`Ext4Disk`]: a small ext4 file system of its own. ext4 gives an inode number again as soon as its
//! file is gone, and on a file system that nobody else uses, each time in the same order.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::programs::run;

/// A mounted file system; unmounted with the value. To be declared before the server, so that
/// nobody has a file of it open when it is unmounted.
#[derive(Debug)]
pub struct Ext4Disk {
    mount: TempDir,
    _image: TempDir,
}

impl Ext4Disk {
    /// An empty one; none, and a printed line, where the machine lets nobody mount one.
    pub fn mounted() -> Option<Self> {
        let folder = |name: &str| tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let (mount, image) = (folder("tailcast-it-ext4-"), folder("tailcast-it-image-"));
        let file = image.path().join("image");
        File::create(&file).unwrap().set_len(IMAGE_BYTES).unwrap();
        let file = file.to_str().unwrap();
        // With its journal: without one, ext4 leaves a number alone for five seconds.
        let steps: [(&str, &[&str]); 2] = [
            ("mkfs.ext4", &["-q", "-F", file]),
            // The loop device is given back when the file system is unmounted.
            ("mount", &["-o", "loop", file, mount.path().to_str().unwrap()]),
        ];
        for (program, arguments) in steps {
            if let Err(reason) = run(program, arguments) {
                eprintln!("skipped: no ext4 file system can be mounted: {reason}");
                return None;
            }
        }
        Some(Ext4Disk { mount, _image: image })
    }

    /// The path of what is named, in its top folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Its top folder.
    pub fn path(&self) -> &Path {
        self.mount.path()
    }
}

impl Drop for Ext4Disk {
    fn drop(&mut self) {
        let mount = self.mount.path().to_str().unwrap();
        // A process that is just ending may hold a file for a moment more: then it goes later.
        if run("umount", &[mount]).is_err()
            && let Err(reason) = run("umount", &["--lazy", mount])
        {
            eprintln!("{mount} cannot be unmounted: {reason}");
        }
    }
}

const IMAGE_BYTES: u64 = 16 << 20;
