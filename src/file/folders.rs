//! Folders: which rotated files lie in them, by the name they are siblings of. A list of 5,000
//! sources of one folder reads that folder once.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::file::lineage::is_absence;
use crate::file::rotation::{self, Rotated};

/// The rotated files of a folder, by the name they are siblings of.
pub type Listing = HashMap<String, Vec<(PathBuf, Rotated)>>;

/// Folders that were read a moment ago.
#[derive(Debug, Default)]
pub struct Folders {
    kept: Mutex<HashMap<PathBuf, (Instant, Arc<Listing>)>>,
}

impl Folders {
    /// What is in a folder, as it was at most `max_age` ago. Empty if there is no such folder.
    pub fn list(&self, folder: &Path, max_age: Duration) -> io::Result<Arc<Listing>> {
        if !max_age.is_zero()
            && let Some((read, listing)) = self.lock().get(folder)
            && read.elapsed() <= max_age
        {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(read(folder)?);
        if !max_age.is_zero() {
            let mut kept = self.lock();
            kept.retain(|_, (read, _)| read.elapsed() <= max_age);
            kept.insert(folder.to_owned(), (Instant::now(), Arc::clone(&listing)));
        }
        Ok(listing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (Instant, Arc<Listing>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
