//! Reach: which of the configured places answer. A look at the disk waits for as long as the disk
//! does; so a place that does not answer is left as it was, and the others are looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{Instant, timeout_at};

use crate::disk::{Disks, Lane};

/// Asks places whether they are there. Each is asked once at a time, and a device has few threads that
/// wait for it, however long it says nothing and however many places are on it.
#[derive(Debug)]
pub(super) struct Reach {
    disks: Arc<Disks>,
    asked: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// The place has answered, in whatever way.
struct Answered {
    asked: Arc<Mutex<BTreeSet<PathBuf>>>,
    place: PathBuf,
}

impl Reach {
    /// Asks on these devices' threads.
    pub(super) fn new(disks: Arc<Disks>) -> Self {
        Reach { disks, asked: Arc::default() }
    }

    /// `places`, and what is mounted below them: what does not answer there would hold up a look, too.
    pub(super) fn with_mounts(&self, places: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mounts = places.iter().flat_map(|place| self.disks.mounts_below(place));
        mounts.chain(places.iter().cloned()).collect()
    }

    /// Those of `places` that do not answer.
    pub(super) async fn silent(&self, places: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut asking = Vec::new();
        for place in &places {
            if lock(&self.asked).insert(place.clone()) {
                let answered = Answered { asked: Arc::clone(&self.asked), place: place.clone() };
                // That it does not exist is an answer, too.
                let ask = move || look_into(&answered.place);
                asking.push(self.disks.access(place).call(Lane::Look, ask));
            }
        }
        let until = Instant::now() + PATIENCE;
        for mut asked in asking {
            if timeout_at(until, &mut asked).await.is_err() {
                // It goes on on a thread of its device.
                asked.let_run();
            }
        }
        lock(&self.asked).intersection(&places).cloned().collect()
    }
}

/// Looks at a place as a look at the disk does: what is known of it may be told from a cache (FUSE and NFS
/// keep it for seconds) while its disk says nothing.
fn look_into(place: &Path) -> io::Result<()> {
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
        lock(&self.asked).remove(&self.place);
    }
}

fn lock(asked: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A healthy disk under load answers within this.
const PATIENCE: Duration = Duration::from_secs(1);
