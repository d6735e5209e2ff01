//! Held file: an open log file. A deleted file keeps its disk space for as long as it is open, so
//! the number of those kept for slow readers is bounded, and the oldest is closed under its
//! readers.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::metrics::Metrics;

/// An open file.
#[derive(Debug)]
pub struct HeldFile {
    state: Mutex<HeldState>,
}

#[derive(Debug)]
struct HeldState {
    file: Option<Arc<File>>,
    /// The size and modification time of a file that was closed.
    last: (u64, Option<SystemTime>),
    counted: Option<CountedGuard>,
}

/// Counts a deleted file that is kept open.
#[derive(Debug)]
struct CountedGuard(Arc<Metrics>);

impl Drop for CountedGuard {
    fn drop(&mut self) {
        self.0.deleted_files_held.dec();
    }
}

/// Why a file can no longer be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("was deleted, and is not kept for readers any more")]
struct Released;

/// Whether an error says that its file was deleted and closed.
#[must_use]
pub fn is_released(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Released>)
}

impl HeldFile {
    /// Holds `file`.
    #[must_use]
    pub fn new(file: File) -> Self {
        let (last, counted) = Default::default();
        HeldFile { state: Mutex::new(HeldState { file: Some(Arc::new(file)), last, counted }) }
    }

    /// The file; [`is_released`] once it was closed.
    pub fn get(&self) -> io::Result<Arc<File>> {
        match &self.lock().file {
            Some(file) => Ok(Arc::clone(file)),
            None => Err(io::Error::other(Released)),
        }
    }

    /// Its size and modification time; of a closed file, the last known ones.
    pub fn size_and_change(&self) -> io::Result<(u64, Option<SystemTime>)> {
        let file = match &*self.lock() {
            HeldState { file: Some(file), .. } => Arc::clone(file),
            HeldState { file: None, last, .. } => return Ok(*last),
        };
        let metadata = file.metadata()?;
        Ok((metadata.len(), metadata.modified().ok()))
    }

    /// Whether it is open but was deleted; from then on it is counted.
    pub fn is_deleted(&self, metrics: &Arc<Metrics>) -> bool {
        let mut state = self.lock();
        let metadata = state.file.as_ref().and_then(|file| file.metadata().ok());
        let is_deleted = metadata.is_some_and(|metadata| metadata.nlink() == 0);
        if is_deleted && state.counted.is_none() {
            metrics.deleted_files_held.inc();
            state.counted = Some(CountedGuard(Arc::clone(metrics)));
        }
        is_deleted
    }

    /// Closes it under its readers.
    pub fn release(&self) {
        let last = self.size_and_change().unwrap_or_default();
        let mut state = self.lock();
        (state.file, state.last, state.counted) = (None, last, None);
    }

    fn lock(&self) -> MutexGuard<'_, HeldState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
