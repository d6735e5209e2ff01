//! Reach: which of the configured places answer. A look at the disk waits for as long as the disk
//! does; so a place that does not answer is left as it was, and the others are looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

/// Asks places whether they are there. Each is asked once at a time, so that at most one thread
/// waits for it, however long it says nothing.
#[derive(Debug, Default)]
pub(super) struct Reach {
    asked: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// The place has answered, in whatever way.
struct Answered {
    asked: Arc<Mutex<BTreeSet<PathBuf>>>,
    place: PathBuf,
}

impl Reach {
    /// Those of `places` that do not answer.
    pub(super) async fn silent(&self, places: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut asking = JoinSet::new();
        for place in &places {
            if lock(&self.asked).insert(place.clone()) {
                let answered = Answered { asked: Arc::clone(&self.asked), place: place.clone() };
                // That it does not exist is an answer, too.
                asking.spawn_blocking(move || fs::metadata(&answered.place).map(drop));
            }
        }
        let all = async { while asking.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            // They go on, each in its thread.
            asking.detach_all();
        }
        lock(&self.asked).intersection(&places).cloned().collect()
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
