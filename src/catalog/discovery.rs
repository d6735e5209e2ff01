//! Discovery: from the configuration and the disk to the sources that can be served.
//!
//! It looks when it is asked to and remembers little; what was served before is passed in. It does not
//! know when to look (`watch`), nor who reads what it found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::inspection::{InspectedFile, Inspection, InspectionResult};
use crate::catalog::naming;
use crate::catalog::roots::{self, Root};
use crate::catalog::siblings::{Candidate, Grouping};
use crate::catalog::skipped::{SkipReason, SkippedEntry};
use crate::catalog::walk::{Budget, Confinement, DirectoryListing, Walk};
use crate::config::SourceSpec;
use crate::file::location::{Location, canonical_or_expected};
use crate::file::own_files::OwnFiles;
use crate::file::rotation;
use crate::source::SourceName;

pub use crate::catalog::found::{DiscoveryResult, FoundSource};

/// Finds the sources of a configuration.
#[derive(Clone, Debug)]
pub struct Discovery {
    roots: Vec<Root>,
    broken: Vec<SkippedEntry>,
    /// Where links that are found may lead to.
    configured: Arc<[PathBuf]>,
    inspection: Inspection,
    own: OwnFiles,
    entry_limit: usize,
}

impl Discovery {
    /// Reads the configuration. Whether a path is a directory or a file is decided here, as are the
    /// names; neither changes later. For a path that does not exist yet it is decided once it does.
    #[must_use]
    pub fn new(specs: &[SourceSpec]) -> Self {
        let (roots, broken) = roots::plan(specs);
        let configured = configured_places(&roots);
        let inspection = Inspection::default();
        let own = OwnFiles::default();
        Self { roots, broken, configured, inspection, own, entry_limit: ENTRY_LIMIT }
    }

    /// None of these is a source.
    #[must_use]
    pub(super) fn without(self, own: OwnFiles) -> Self {
        Self { own, ..self }
    }

    /// The paths that a scan visits.
    pub(super) fn places(&self) -> BTreeSet<PathBuf> {
        self.roots.iter().map(|root| root.place().to_path_buf()).collect()
    }

    /// Scans the disk; it blocks. A source for which `is_served` (its name, its active file) is
    /// true is not inspected again: it is found for as long as a file of it exists.
    pub fn scan(&mut self, is_served: impl Fn(&SourceName, &Path) -> bool) -> DiscoveryResult {
        self.scan_but(&BTreeSet::new(), is_served)
    }

    /// The same without the roots that do not respond; their contents count as not read.
    pub(super) fn scan_but(
        &mut self,
        silent: &BTreeSet<PathBuf>,
        is_served: impl Fn(&SourceName, &Path) -> bool,
    ) -> DiscoveryResult {
        for root in &mut self.roots {
            if !silent.contains(root.place()) {
                root.settle();
            }
        }
        self.inspection.begin_round(self.own.identities());
        let mut scan = DiskScan {
            roots: &self.roots,
            configured: &self.configured,
            confinement: &Confinement::new(&self.configured),
            silent,
            is_served: &is_served,
            inspection: &mut self.inspection,
            budget: Budget::new(self.entry_limit),
            taken: BTreeMap::new(),
            found: DiscoveryResult { skipped: self.broken.clone(), ..DiscoveryResult::default() },
        };
        for root in &self.roots {
            if silent.contains(root.place()) {
                scan.found.unread.push(root.path.clone());
            } else if root.is_file() {
                scan.file(root);
            } else {
                scan.directory(root);
            }
        }
        let (mut found, is_cut) = (scan.found, scan.budget.is_overdrawn());
        if is_cut {
            let reason = SkipReason::TooManyEntries { limit: self.entry_limit };
            found.skipped.push(SkippedEntry::new("…", reason));
        }
        self.inspection.end_round();
        found
    }
}

/// One scan of the disk.
struct DiskScan<'a> {
    roots: &'a [Root],
    configured: &'a Arc<[PathBuf]>,
    confinement: &'a Confinement<'a>,
    silent: &'a BTreeSet<PathBuf>,
    is_served: &'a dyn Fn(&SourceName, &Path) -> bool,
    inspection: &'a mut Inspection,
    budget: Budget,
    taken: BTreeMap<SourceName, PathBuf>,
    found: DiscoveryResult,
}

impl DiskScan<'_> {
    /// A file that the user named: it is a source whether it exists or not.
    fn file(&mut self, root: &Root) {
        self.found.watch_for(&root.path);
        let siblings = !is_rotated(&root.path);
        let olddir = root.path.parent().and_then(|parent| root.olddir_of(parent));
        let (path, probe) =
            (root.path.clone(), InspectedFile { path: root.path.clone(), is_packed: false });
        let olddir = olddir.filter(|_| siblings);
        let location = Location { path, siblings, olddir, confined_to: None };
        match naming::checked(&root.label) {
            Ok(name) => self.offer(name, location, &probe),
            Err(reason) => self.leave_out(&root.label, reason),
        }
    }

    /// A directory or a glob.
    fn directory(&mut self, root: &Root) {
        self.found.watch_for(&root.path);
        let spec = self.roots.iter().filter(|other| other.spec == root.spec).collect();
        let grouping = Grouping { root, spec };
        let shared = root.olddir.as_deref().filter(|olddir| olddir.is_absolute());
        let mut file_names = BTreeSet::new();
        for listing in self.walk(root).run() {
            let own = if shared.is_none() { root.olddir_of(&listing.directory) } else { None };
            let rotated_away = own.and_then(|olddir| self.walk(root).list(&olddir));
            for candidate in grouping.candidates(&listing, rotated_away.as_ref()) {
                if shared.is_some() {
                    file_names.extend(candidate.path.file_name().map(ToOwned::to_owned));
                }
                self.candidate(root, candidate);
            }
        }
        let Some(olddir) = shared else { return };
        // An olddir shared by many folders does not show which one a file came from: where no
        // folder has a log of that name, the file is attributed to the topmost one.
        self.found.watch_for(olddir);
        let rotated_away = self.walk(root).list(olddir);
        let top = DirectoryListing { directory: root.path.clone(), files: Vec::new() };
        for candidate in grouping.candidates(&top, rotated_away.as_ref()) {
            let is_elsewhere =
                candidate.path.file_name().is_some_and(|name| file_names.contains(name));
            if !is_elsewhere {
                self.candidate(root, candidate);
            }
        }
    }

    fn walk<'b>(&'b mut self, root: &'b Root) -> Walk<'b> {
        let (budget, found) = (&mut self.budget, &mut self.found);
        Walk { root, confinement: self.confinement, budget, found, silent: self.silent }
    }

    fn candidate(&mut self, root: &Root, candidate: Candidate) {
        let Candidate { path, siblings, probe } = candidate;
        let below = path.strip_prefix(&root.path).unwrap_or(&path);
        let name = match naming::name_below(&root.label, below) {
            Ok(name) => name,
            Err(reason) => return self.leave_out(&root.shown_name(&path), reason),
        };
        let olddir = path.parent().and_then(|parent| root.olddir_of(parent)).filter(|_| siblings);
        let confined_to = Some(Arc::clone(self.configured));
        self.offer(name, Location { path, siblings, olddir, confined_to }, &probe);
    }

    /// The first file that has a name keeps it, whether it is served or skipped: otherwise the name
    /// would move between files as their contents change.
    fn offer(&mut self, name: SourceName, location: Location, probe: &InspectedFile) {
        if let Some(by) = self.taken.get(&name) {
            if *by != location.path {
                let (path, by) = (location.path, by.clone());
                self.leave_out(name.as_str(), SkipReason::NameTaken { path, by });
            }
            return;
        }
        self.taken.insert(name.clone(), location.path.clone());
        let is_served = (self.is_served)(&name, &location.path);
        match if is_served {
            InspectionResult::Serve
        } else {
            self.inspection.inspect(probe, location.confined_to.is_none())
        } {
            InspectionResult::LeaveOut(reason) => self.leave_out(name.as_str(), reason),
            InspectionResult::Gone if location.confined_to.is_some() => {}
            InspectionResult::Serve | InspectionResult::Gone => {
                self.found.sources.push(FoundSource { name, location });
            }
        }
    }

    fn leave_out(&mut self, name: &str, reason: SkipReason) {
        self.found.skipped.push(SkippedEntry::new(name, reason));
    }
}

/// Everything that the user named, as it was written and as it is resolved now.
fn configured_places(roots: &[Root]) -> Arc<[PathBuf]> {
    let olddirs = roots.iter().filter_map(|root| root.olddir_of(&root.path));
    let written = roots.iter().map(|root| root.path.clone()).chain(olddirs);
    let places: BTreeSet<PathBuf> =
        written.flat_map(|path| [canonical_or_expected(&path), path]).collect();
    places.into_iter().collect()
}

fn is_rotated(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| rotation::parse(name).is_some())
}

const ENTRY_LIMIT: usize = 100_000;

#[cfg(test)]
mod tests;
