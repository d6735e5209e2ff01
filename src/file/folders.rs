//! Folders: which rotated files lie in them, by the name they are siblings of. Many sources of one
//! folder ask for the same at about the same time, and again and again: a folder is read once for all
//! callers that ask meanwhile, and not again for as long as its modification time is the same.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::file::folders::stamp::FolderStamp;
use crate::file::lineage::is_absence;
use crate::file::rotation::{self, Rotated};

mod stamp;

/// The rotated files of a folder, by the name they are siblings of.
pub type Listing = HashMap<String, Vec<(PathBuf, Rotated)>>;

/// The last listing of each folder.
#[derive(Debug, Default)]
pub struct Folders {
    kept: Mutex<HashMap<PathBuf, Arc<Folder>>>,
}

/// The last listing of one folder.
#[derive(Debug, Default)]
struct Folder {
    state: Mutex<FolderState>,
    has_ended: Condvar,
}

#[derive(Debug, Default)]
struct FolderState {
    last: Option<FolderReading>,
    /// How many readings have begun.
    n_begun: u64,
    is_being_read: bool,
    last_used: Option<Instant>,
}

/// The result of a reading.
#[derive(Clone, Debug)]
struct FolderReading {
    /// Its number among the folder's readings.
    number: u64,
    begun: Instant,
    listing: Arc<Listing>,
    /// The folder's stamp before the reading; `None` if it cannot be trusted.
    stamp: Option<FolderStamp>,
}

/// A reading in progress. However it ends, its waiters continue.
struct ReadingGuard<'a> {
    folder: &'a Folder,
    number: u64,
}

impl Folders {
    /// The listing of a folder, at most `max_age` old. Empty if there is no such folder. Blocking.
    /// With a `max_age` of zero it is read after the call began, unless the folder has not changed
    /// since.
    pub fn list(&self, folder: &Path, max_age: Duration) -> io::Result<Arc<Listing>> {
        let kept = self.folder(folder);
        if let Some(listing) = kept.known(max_age) {
            return Ok(listing);
        }
        kept.read_after_now(folder)
    }

    fn folder(&self, path: &Path) -> Arc<Folder> {
        let mut kept = lock(&self.kept);
        if let Some(folder) = kept.get(path) {
            return Arc::clone(folder);
        }
        // A good time to drop the ones no longer used, and all if they are many.
        kept.retain(|_, folder| !folder.is_forgotten());
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        Arc::clone(kept.entry(path.to_owned()).or_default())
    }
}

impl Folder {
    /// A recent listing.
    fn known(&self, max_age: Duration) -> Option<Arc<Listing>> {
        let state = lock(&self.state);
        let known = state.last.as_ref().filter(|known| known.begun.elapsed() <= max_age)?;
        (!max_age.is_zero()).then(|| Arc::clone(&known.listing))
    }

    /// The current listing: the last one if nothing has changed since, else that of a reading which
    /// begins after the call. One caller reads, the others wait for it.
    fn read_after_now(&self, path: &Path) -> io::Result<Arc<Listing>> {
        let mut state = lock(&self.state);
        state.last_used = Some(Instant::now());
        let (n_begun, known) = (state.n_begun, state.last.clone());
        drop(state);
        let unchanged = known.filter(|known| {
            known.stamp.as_ref().is_some_and(|stamp| FolderStamp::of(path).as_ref() == Some(stamp))
        });
        if let Some(known) = unchanged {
            return Ok(known.listing);
        }
        let mut state = lock(&self.state);
        loop {
            if let Some(known) = state.last.as_ref().filter(|known| known.number > n_begun) {
                return Ok(Arc::clone(&known.listing));
            }
            if !state.is_being_read {
                break;
            }
            state = self.has_ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_being_read = true;
        state.n_begun += 1;
        let reading = ReadingGuard { folder: self, number: state.n_begun };
        drop(state);
        reading.read(path)
    }

    fn is_forgotten(&self) -> bool {
        let state = lock(&self.state);
        let last_used = state.last_used.or(state.last.as_ref().map(|known| known.begun));
        !state.is_being_read && last_used.is_none_or(|last_used| last_used.elapsed() > KEPT_UNASKED)
    }
}

impl ReadingGuard<'_> {
    fn read(self, path: &Path) -> io::Result<Arc<Listing>> {
        let begun = Instant::now();
        let stamp = FolderStamp::of(path).map(|stamp| stamp.with_kind(path));
        let listing = Arc::new(read(path)?);
        // A folder that changed within a tick of the clock may change again under the same time.
        let stamp = stamp.filter(FolderStamp::was_settled);
        let known =
            FolderReading { number: self.number, begun, listing: Arc::clone(&listing), stamp };
        lock(&self.folder.state).last = Some(known);
        Ok(listing)
    }
}

impl Drop for ReadingGuard<'_> {
    fn drop(&mut self) {
        lock(&self.folder.state).is_being_read = false;
        self.folder.has_ended.notify_all();
    }
}

fn read(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absence(&error) => return Ok(listing),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if let Some(rotated) = entry.file_name().to_str().and_then(rotation::parse) {
            listing.entry(rotated.base.clone()).or_default().push((entry.path(), rotated));
        }
    }
    Ok(listing)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many folders are cached.
const MAX_KEPT: usize = 1024;

/// A folder that was not requested for this time is dropped.
const KEPT_UNASKED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
