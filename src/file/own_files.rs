//! Own files: those with the server's users, tokens, keys and configuration. None of them is ever a
//! log, by whatever name it is reached.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::file_id::FileId;

/// The paths of our own files, whether they exist or not. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles(Arc<[PathBuf]>);

/// The identities of our own files at one moment.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    files: OwnFiles,
    ids: HashSet<FileId>,
}

impl OwnFiles {
    /// The files at these paths.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        OwnFiles(paths.into())
    }

    /// Their current identities; a file that is replaced has another one.
    #[must_use]
    pub fn identities(&self) -> Identities {
        let metadata = self.0.iter().filter_map(|path| fs::metadata(path).ok());
        let ids = metadata.map(|metadata| FileId::of(&metadata)).collect();
        Identities { files: self.clone(), ids }
    }

    /// Whether an open file is currently one of them.
    #[must_use]
    pub fn hold(&self, id: Option<FileId>) -> bool {
        id.is_some_and(|id| self.identities().ids.contains(&id))
    }
}

impl Identities {
    /// Whether the file at `path` is one of them: by identity, as links may lead there, and by
    /// path, as it may have been created just now.
    #[must_use]
    pub fn hold(&self, path: &Path, metadata: &Metadata) -> bool {
        self.ids.contains(&FileId::of(metadata)) || self.files.0.iter().any(|own| own == path)
    }
}
