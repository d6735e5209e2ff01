//! Liveness: which of the configured roots respond. A scan blocks for as long as the disk does; so
//! a root that does not respond is left as it was, and the others are scanned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{Instant, timeout_at};

use crate::disk::{Disks, Lane};

/// Probes whether paths respond. Each path has one probe at a time, and a device has few threads
/// that wait for it, however long it is silent and however many paths are on it.
#[derive(Debug)]
pub(super) struct Liveness {
    disks: Arc<Disks>,
    pending: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// Dropped when a path has responded, in whatever way.
struct Answered {
    pending: Arc<Mutex<BTreeSet<PathBuf>>>,
    place: PathBuf,
}

impl Liveness {
    /// Probes on the threads of these devices.
    pub(super) fn new(disks: Arc<Disks>) -> Self {
        Liveness { disks, pending: Arc::default() }
    }

    /// `places` and the mounts below them: one that does not respond would hold up a scan, too.
    pub(super) fn with_mounts(&self, places: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mounts = places.iter().flat_map(|place| self.disks.mounts_below(place));
        mounts.chain(places.iter().cloned()).collect()
    }

    /// Those of `places` that do not respond.
    pub(super) async fn silent(&self, places: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut probes = Vec::new();
        for place in &places {
            if lock(&self.pending).insert(place.clone()) {
                let answered =
                    Answered { pending: Arc::clone(&self.pending), place: place.clone() };
                // An error is a response, too.
                let ask = move || probe_path(&answered.place);
                probes.push(self.disks.access(place).call(Lane::Look, ask));
            }
        }
        let until = Instant::now() + PATIENCE;
        for mut pending in probes {
            if timeout_at(until, &mut pending).await.is_err() {
                // It continues on a thread of its device.
                pending.let_run();
            }
        }
        lock(&self.pending).intersection(&places).cloned().collect()
    }
}

/// Reads a path like a scan does: metadata alone may come from a cache (FUSE and NFS keep it for
/// seconds) while the disk does not respond.
fn probe_path(place: &Path) -> io::Result<()> {
    let kind = fs::metadata(place)?;
    if kind.is_dir() {
        fs::read_dir(place)?.next().transpose().map(drop)
    } else if kind.is_file() {
        fs::File::open(place).map(drop)
    } else {
        Ok(())
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        lock(&self.pending).remove(&self.place);
    }
}

fn lock(pending: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A healthy disk under load answers within this.
const PATIENCE: Duration = Duration::from_secs(1);
