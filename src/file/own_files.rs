//! Own files: what the server itself keeps its users, tokens, keys and configuration in. None of it is
//! ever a log, by whatever name it is reached.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::file_id::FileId;

/// The paths of our own files, whether they exist or not. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles(Arc<[PathBuf]>);

/// What our own files are at one moment.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    files: OwnFiles,
    ids: HashSet<FileId>,
}

impl OwnFiles {
    /// Those at these paths.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        OwnFiles(paths.into())
    }

    /// What they are now; a file that is written anew is another one.
    #[must_use]
    pub fn identities(&self) -> Identities {
        let metadata = self.0.iter().filter_map(|path| fs::metadata(path).ok());
        let ids = metadata.map(|metadata| FileId::of(&metadata)).collect();
        Identities { files: self.clone(), ids }
    }

    /// Whether an open file is one of them now.
    #[must_use]
    pub fn hold(&self, id: Option<FileId>) -> bool {
        id.is_some_and(|id| self.identities().ids.contains(&id))
    }
}

impl Identities {
    /// Whether what is at `path` is one of them: by identity, as links may lead there, and by its
    /// path, as it may have been made just now.
    #[must_use]
    pub fn hold(&self, path: &Path, metadata: &Metadata) -> bool {
        self.ids.contains(&FileId::of(metadata)) || self.files.0.iter().any(|own| own == path)
    }
}
