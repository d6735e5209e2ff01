//! Groups the files of a directory into sources: an active file with its rotated siblings, siblings
//! whose active file is gone, and files without siblings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::catalog::inspection::InspectedFile;
use crate::catalog::roots::Root;
use crate::catalog::walk::DirectoryListing;
use crate::file::rotation::{self, Age, Compression, Rotated};

/// A source, unless the inspection of its file rules it out.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The active file; it need not exist.
    pub(super) path: PathBuf,
    /// Whether rotated siblings belong to it.
    pub(super) siblings: bool,
    pub(super) probe: InspectedFile,
}

/// The rules of one root.
#[derive(Debug)]
pub(super) struct Grouping<'a> {
    pub(super) root: &'a Root,
    /// Every root of the same configured source, this one too.
    pub(super) spec: Vec<&'a Root>,
}

#[derive(Debug, Default)]
struct SiblingGroup {
    is_active: bool,
    is_rotated: bool,
    newest: Option<(Age, InspectedFile)>,
}

impl Grouping<'_> {
    /// The sources of `listing`; `rotated_away` is what its olddir holds.
    pub(super) fn candidates(
        &self,
        listing: &DirectoryListing,
        rotated_away: Option<&DirectoryListing>,
    ) -> Vec<Candidate> {
        let mut logs: BTreeMap<String, SiblingGroup> = BTreeMap::new();
        let directory = &listing.directory;
        for file in &listing.files {
            let path = directory.join(file);
            if let Some(rotated) = self.sibling(directory, file) {
                logs.entry(rotated.base.clone()).or_default().add_sibling(&rotated, path);
            } else if self.root.covers(&path) {
                let log = logs.entry(file.clone()).or_default();
                log.is_active = true;
                log.is_rotated = rotation::parse(file).is_some();
            }
        }
        for (old, file) in
            rotated_away.iter().flat_map(|old| old.files.iter().map(|file| (*old, file)))
        {
            if let Some(rotated) = self.sibling(directory, file) {
                let path = old.directory.join(file);
                logs.entry(rotated.base.clone()).or_default().add_sibling(&rotated, path);
            }
        }
        logs.into_iter()
            .filter_map(|(name, log)| self.candidate(directory.join(name), log))
            .collect()
    }

    /// Parses `file` as a sibling, if the NAME it belongs to is covered as well. A NAME that itself
    /// looks rotated is not a source, so a name that was rotated twice belongs to none.
    fn sibling(&self, directory: &Path, file: &str) -> Option<Rotated> {
        let rotated = rotation::parse(file)?;
        let path = directory.join(&rotated.base);
        let is_covered = self.spec.iter().any(|root| root.covers(&path));
        (is_covered && rotation::parse(&rotated.base).is_none()).then_some(rotated)
    }

    fn candidate(&self, path: PathBuf, log: SiblingGroup) -> Option<Candidate> {
        if log.is_active {
            let probe = InspectedFile { path: path.clone(), is_packed: false };
            return Some(Candidate { path, siblings: !log.is_rotated, probe });
        }
        // Where only another root of the same source covers NAME, that one makes it a source.
        let (_, probe) = log.newest.filter(|_| self.root.covers(&path))?;
        Some(Candidate { path, siblings: true, probe })
    }
}

impl SiblingGroup {
    fn add_sibling(&mut self, rotated: &Rotated, path: PathBuf) {
        let is_newer = self.newest.as_ref().is_none_or(|(age, _)| *age < rotated.age);
        if is_newer {
            let is_packed = rotated.compression != Compression::None;
            self.newest = Some((rotated.age, InspectedFile { path, is_packed }));
        }
    }
}
