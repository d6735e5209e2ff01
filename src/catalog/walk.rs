//! The walk through one root's directories: which regular files there are, and what is skipped. It
//! follows links only within the configured roots, and ends after a bounded number of entries. It
//! opens directories and nothing else.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::catalog::found::{DirectoryId, DiscoveryResult};
use crate::catalog::inspection;
use crate::catalog::naming;
use crate::catalog::roots::Root;
use crate::catalog::skipped::{SkipReason, SkippedEntry};
use crate::file::location::canonical_or_expected;

/// The regular files of one directory, sorted by name.
#[derive(Debug)]
pub(super) struct DirectoryListing {
    pub(super) directory: PathBuf,
    pub(super) files: Vec<String>,
}

/// Where links that were found may lead: into anything configured, as resolved now.
#[derive(Debug)]
pub(super) struct Confinement<'a> {
    configured: &'a [PathBuf],
    /// Resolved when the first link is met, as most folders have none.
    canonical: OnceCell<Vec<PathBuf>>,
}

impl<'a> Confinement<'a> {
    pub(super) fn new(configured: &'a [PathBuf]) -> Self {
        Self { configured, canonical: OnceCell::new() }
    }

    fn permits(&self, target: &Path) -> bool {
        let resolve = || self.configured.iter().map(|path| canonical_or_expected(path)).collect();
        self.canonical.get_or_init(resolve).iter().any(|place| target.starts_with(place))
    }
}

/// How many more entries this scan may visit.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    is_overdrawn: bool,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { left: limit, is_overdrawn: false }
    }

    /// Whether the scan was cut short.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.is_overdrawn
    }

    fn take_one(&mut self) -> bool {
        self.is_overdrawn |= self.left == 0;
        self.left = self.left.saturating_sub(1);
        !self.is_overdrawn
    }
}

/// One walk.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) root: &'a Root,
    pub(super) confinement: &'a Confinement<'a>,
    pub(super) budget: &'a mut Budget,
    pub(super) found: &'a mut DiscoveryResult,
    /// Paths that do not respond, and must not be touched.
    pub(super) silent: &'a BTreeSet<PathBuf>,
}

/// A directory still to be visited, and those that led to it.
struct Visit {
    path: PathBuf,
    through: Option<Rc<Trail>>,
}

struct Trail {
    id: DirectoryId,
    through: Option<Rc<Trail>>,
}

enum EntryKind {
    File,
    Directory,
    Other(SkipReason),
    Gone,
}

impl Walk<'_> {
    /// Visits the root and what is below it; directories come before what is in them.
    pub(super) fn run(mut self) -> Vec<DirectoryListing> {
        let mut listings = Vec::new();
        let mut visits = vec![Visit { path: self.root.path.clone(), through: None }];
        while let Some(visit) = visits.pop() {
            if self.budget.is_overdrawn() || self.silent.contains(&visit.path) {
                self.found.unread.push(visit.path);
                continue;
            }
            match self.visit(&visit, &mut visits) {
                Ok(listing) => listings.extend(listing),
                Err(error) => self.cannot_read(&visit.path, &error),
            }
        }
        listings
    }

    /// Lists `directory` alone, without what is below it: an olddir.
    pub(super) fn list(mut self, directory: &Path) -> Option<DirectoryListing> {
        let visit = Visit { path: directory.to_path_buf(), through: None };
        match self.visit(&visit, &mut Vec::new()) {
            Ok(listing) => listing,
            Err(error) => {
                self.cannot_read(directory, &error);
                None
            }
        }
    }

    fn visit(
        &mut self,
        visit: &Visit,
        visits: &mut Vec<Visit>,
    ) -> io::Result<Option<DirectoryListing>> {
        let id = DirectoryId::of(&fs::metadata(&visit.path)?);
        let mut above = visit.through.as_deref();
        while let Some(trail) = above {
            if trail.id == id {
                self.leave_out(&visit.path, SkipReason::LinkLoop);
                return Ok(None);
            }
            above = trail.through.as_deref();
        }
        let entries = self.entries_of(&visit.path)?;
        self.found.watch(&visit.path);
        let through = Rc::new(Trail { id, through: visit.through.clone() });
        let mut files = Vec::new();
        for entry in entries.iter().rev() {
            if self.is_hidden(&visit.path, &entry.file_name()) {
                continue;
            }
            let path = visit.path.join(entry.file_name());
            match self.kind_of(entry, &path) {
                EntryKind::File => files.extend(self.file_name(entry, &path)),
                EntryKind::Directory if self.enters(&visit.path, &path) => {
                    visits.push(Visit { path, through: Some(Rc::clone(&through)) });
                }
                EntryKind::Other(reason) if self.matters(&path) => self.leave_out(&path, reason),
                EntryKind::Directory | EntryKind::Other(_) | EntryKind::Gone => {}
            }
        }
        files.reverse();
        Ok(Some(DirectoryListing { directory: visit.path.clone(), files }))
    }

    /// Skips dot-files that were not asked for: settings and secrets, not logs.
    fn is_hidden(&mut self, directory: &Path, name: &OsStr) -> bool {
        let path = directory.join(name);
        let is_olddir = self.root.olddir_of(directory).is_some_and(|olddir| olddir == path);
        if !name.as_bytes().starts_with(b".") || is_olddir || self.root.means_hidden(name) {
            return false;
        }
        if self.matters(&path) {
            self.leave_out(&path, SkipReason::Hidden);
        }
        true
    }

    /// The entries of a directory sorted by name, so that two scans of the same disk agree; no more
    /// than the budget allows.
    fn entries_of(&mut self, directory: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory)? {
            if !self.budget.take_one() {
                self.found.unread.push(directory.to_path_buf());
                break;
            }
            entries.push(entry?);
        }
        entries.sort_by_key(DirEntry::file_name);
        Ok(entries)
    }

    fn kind_of(&self, entry: &DirEntry, path: &Path) -> EntryKind {
        let kind = entry.file_type().and_then(|kind| {
            let is_link = kind.is_symlink();
            Ok((is_link, if is_link { fs::metadata(path)?.file_type() } else { kind }))
        });
        match kind {
            Ok((true, _)) if !self.leads_inside(path) => EntryKind::Other(SkipReason::LinkOut),
            Ok((_, kind)) if kind.is_file() => EntryKind::File,
            Ok((_, kind)) if kind.is_dir() => EntryKind::Directory,
            Ok((_, kind)) => EntryKind::Other(SkipReason::Special(inspection::special(kind))),
            Err(error) => match SkipReason::of(&error) {
                Some(reason) => EntryKind::Other(reason),
                None if path.is_symlink() => EntryKind::Other(SkipReason::DanglingLink),
                None => EntryKind::Gone,
            },
        }
    }

    /// SECURITY: a link that was found, unlike one that the user named, may have been created by a
    /// writer of the logs to read what only we can read.
    fn leads_inside(&self, link: &Path) -> bool {
        link.canonicalize().is_ok_and(|target| self.confinement.permits(&target))
    }

    fn file_name(&mut self, entry: &DirEntry, path: &Path) -> Option<String> {
        let name = entry.file_name().into_string().ok();
        if name.is_none() && self.root.covers(path) {
            self.leave_out(path, SkipReason::NameNotUtf8);
        }
        name
    }

    fn enters(&mut self, parent: &Path, directory: &Path) -> bool {
        let is_olddir = self.root.olddir_of(parent).is_some_and(|olddir| olddir == directory);
        if is_olddir || !self.root.may_hold(directory) {
            return false;
        }
        match naming::name_below("", Path::new(directory.file_name().unwrap_or_default())) {
            Ok(_) => true,
            Err(reason) => {
                self.leave_out(directory, reason);
                false
            }
        }
    }

    /// Whether an entry beyond the budget would have been a source, or a directory of sources.
    fn matters(&self, path: &Path) -> bool {
        self.root.covers(path) || (path.is_dir() && self.root.may_hold(path))
    }

    fn cannot_read(&mut self, directory: &Path, error: &io::Error) {
        let Some(reason) = SkipReason::of(error) else { return };
        if reason != SkipReason::NotADirectory {
            self.found.unread.push(directory.to_path_buf());
        }
        self.leave_out(directory, reason);
    }

    fn leave_out(&mut self, path: &Path, reason: SkipReason) {
        self.found.skipped.push(SkippedEntry::new(&self.root.shown_name(path), reason));
    }
}
