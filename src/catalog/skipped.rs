//! Entries that were found but are not served, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// An entry that the configuration covers and the catalog does not serve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkippedEntry {
    /// The name it would have as a source; without control characters.
    pub name: String,
    /// Why it is not one.
    pub reason: SkipReason,
}

impl SkippedEntry {
    /// An entry whose name would be `name`, which may contain any character.
    pub(super) fn new(name: &str, reason: SkipReason) -> Self {
        Self { name: printable(name), reason }
    }
}

/// Why an entry is not served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// This process may not read it.
    PermissionDenied,
    /// Reading it failed with this system error.
    Unreadable(String),
    /// It holds a NUL in its first KiB and no UTF-16 mark.
    Binary,
    /// A file that this server itself is configured by.
    Own,
    /// Its name begins with a dot, and it was not named explicitly.
    Hidden,
    /// A private key by its content, and it was not named explicitly.
    PrivateKey,
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
    /// The configured path is not a valid glob, with the parser's message.
    BadGlob(String),
}

impl SkipReason {
    /// Whether the process lacks a permission.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        *self == Self::PermissionDenied
    }

    /// The reason in a word or two, for a summary.
    fn kind(&self) -> &'static str {
        match self {
            Self::PermissionDenied => "not to be read",
            Self::Unreadable(_) => "unreadable",
            Self::Binary => "binary",
            Self::Own => "the server's own",
            Self::Hidden => "hidden",
            Self::PrivateKey => "private keys",
            Self::LinkOut | Self::DanglingLink | Self::LinkLoop => "links to elsewhere",
            Self::Special(_) | Self::Directory | Self::NotADirectory => "no regular files",
            Self::NameNotUtf8 | Self::NameHoldsControls => "oddly named",
            Self::NameTaken { .. } => "named as others",
            Self::TooManyEntries { .. } => "not looked at",
            Self::BadGlob(_) => "no globs",
        }
    }

    /// The reason for an I/O error on a path; `None` where the path is just gone.
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

/// What is skipped, in one sentence, by reason, with a few names each; `None` if nothing is.
#[must_use]
pub fn summary(skipped: &[SkippedEntry]) -> Option<String> {
    let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for SkippedEntry { name, reason } in skipped {
        by_kind.entry(reason.kind()).or_default().push(name);
    }
    let summary = |(kind, names): (&str, Vec<&str>)| {
        let shown: Vec<&str> = names.iter().copied().take(SHOWN_NAMES).collect();
        let more = if names.len() > SHOWN_NAMES { ", …" } else { "" };
        format!("{} {kind} ({}{more})", names.len(), shown.join(", "))
    };
    let parts: Vec<String> = by_kind.into_iter().map(summary).collect();
    let what = parts.join(", ");
    (!parts.is_empty()).then(|| format!("left out: {what}; `tailcast check` tells all, and why"))
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::Unreadable(error) => write!(f, "cannot be read: {}", printable(error)),
            Self::Binary => f.write_str("binary: a NUL byte in its first KiB"),
            Self::Own => f.write_str("a file of this server's own, which is never served"),
            Self::Hidden => {
                f.write_str("its name begins with a dot; named by its path it is served")
            }
            Self::PrivateKey => f.write_str("a private key; named by its path it is served"),
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

/// A file that is neither regular nor a folder.
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

/// How many names a summary lists for each reason.
const SHOWN_NAMES: usize = 4;

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
