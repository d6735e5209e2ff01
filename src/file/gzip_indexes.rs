//! Gzip indexes: a cache for the whole process, of the files that were read last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::file::file_id::FileId;
use crate::file::gzip::GzipIndex;

/// The indexes of the files that were read last.
#[derive(Debug, Default)]
pub struct GzipIndexes {
    /// The one used last is the last.
    kept: Mutex<Vec<(Key, Arc<GzipIndex>)>>,
}

/// A compressed file is not written to; if it is, it counts as another one.
type Key = (FileId, u64, Option<SystemTime>);

impl GzipIndexes {
    /// The index of a file, which may still be empty.
    #[must_use]
    pub fn of(&self, id: FileId, size: u64, modified: Option<SystemTime>) -> Arc<GzipIndex> {
        let key = (id, size, modified);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match kept.iter().position(|(other, _)| *other == key) {
            Some(at) => kept.remove(at).1,
            None => Arc::default(),
        };
        // Most files are only opened; only an index with points costs memory.
        let n_filled = kept.iter().filter(|(_, index)| !index.is_empty()).count();
        let is_victim =
            |(_, index): &(Key, Arc<GzipIndex>)| n_filled < MAX_FILLED || !index.is_empty();
        if (n_filled >= MAX_FILLED || kept.len() >= MAX_INDEXES)
            && let Some(at) = kept.iter().position(is_victim)
        {
            kept.remove(at);
        }
        kept.push((key, Arc::clone(&index)));
        index
    }
}

/// How many indexes with points are kept: at most 4.2 MiB each.
const MAX_FILLED: usize = 8;
const MAX_INDEXES: usize = 1024;
