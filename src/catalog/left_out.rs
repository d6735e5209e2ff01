//! What was found and is not served, and why.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Something that the configuration reaches and the catalog does not serve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The name it would have as a source; without control characters.
    pub name: String,
    /// Why it is none.
    pub reason: LeftOutReason,
}

impl LeftOut {
    /// Something that would be called `name`, which may hold anything.
    pub(super) fn new(name: &str, reason: LeftOutReason) -> Self {
        Self { name: printable(name), reason }
    }
}

/// Why something is not served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutReason {
    /// This process may not read it.
    PermissionDenied,
    /// Reading it failed in another way, told in the system's words.
    Unreadable(String),
    /// It holds a NUL in its first KiB and no UTF-16 mark.
    Binary,
    /// A link to something outside of everything configured.
    LinkOut,
    /// A link to something that does not exist.
    DanglingLink,
    /// A link to a folder it is in, or to itself.
    LinkLoop,
    /// Neither a file nor a folder; it was not opened.
    Special(SpecialFile),
    /// A folder where a file is expected.
    Directory,
    /// A file where a folder is expected.
    NotADirectory,
    /// Its name is not UTF-8.
    NameNotUtf8,
    /// Its name holds control characters.
    NameHoldsControls,
    /// Another file, configured earlier, has the same name.
    NameTaken {
        /// The file that was left out.
        path: PathBuf,
        /// The file that has the name.
        by: PathBuf,
    },
    /// The search ended before everything was seen.
    TooManyEntries {
        /// How many files and folders are looked at.
        limit: usize,
    },
    /// The configured path is not a glob that makes sense, told in the parser's words.
    BadGlob(String),
}

impl LeftOutReason {
    /// Whether the process lacks a right.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        *self == Self::PermissionDenied
    }

    /// What a failed look at a path means; `None` where the path is just gone.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        if error.kind() == io::ErrorKind::NotFound {
            None
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Some(Self::PermissionDenied)
        } else if error.kind() == io::ErrorKind::NotADirectory {
            Some(Self::NotADirectory)
        } else if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            Some(Self::LinkLoop)
        } else {
            Some(Self::Unreadable(error.to_string()))
        }
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::Unreadable(error) => write!(f, "cannot be read: {}", printable(error)),
            Self::Binary => f.write_str("binary: a NUL byte in its first KiB"),
            Self::LinkOut => f.write_str("links out of what is configured"),
            Self::DanglingLink => f.write_str("links to a file that does not exist"),
            Self::LinkLoop => f.write_str("links in a circle"),
            Self::Special(kind) => write!(f, "not a regular file but {kind}"),
            Self::Directory => f.write_str("not a regular file but a directory"),
            Self::NotADirectory => f.write_str("not a directory"),
            Self::NameNotUtf8 => f.write_str("its name is not UTF-8"),
            Self::NameHoldsControls => f.write_str("its name holds control characters"),
            Self::NameTaken { path, by } => {
                let (path, by) = (path.to_string_lossy(), by.to_string_lossy());
                let (path, by) = (printable(&path), printable(&by));
                write!(f, "{path} has the name of {by}, which is configured first")
            }
            Self::TooManyEntries { limit } => {
                write!(f, "more than {limit} files and folders, the rest is not looked at")
            }
            Self::BadGlob(error) => write!(f, "not a glob: {}", printable(error)),
        }
    }
}

/// What a path leads to that is neither a file nor a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecialFile {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
}

impl fmt::Display for SpecialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// `text` with its control characters escaped.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
