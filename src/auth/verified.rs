//! Verified: credentials that were right a short while ago, by keyed hash, so that a program which
//! sends them with every request does not cost a slow check each time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::auth::sessions::Print;

/// Credentials that were right.
#[derive(Debug, Default)]
pub struct Verified {
    all: HashMap<Print, (Arc<str>, Instant)>,
}

impl Verified {
    /// Whether these were right, against this very hash of a password.
    #[must_use]
    pub fn has(&self, print: &Print, hash: &Arc<str>) -> bool {
        let is_fresh =
            |(checked, at): &(Arc<str>, Instant)| checked == hash && at.elapsed() < REMEMBERED;
        self.all.get(print).is_some_and(is_fresh)
    }

    /// Notes that these were right.
    pub fn add(&mut self, print: Print, hash: &Arc<str>) {
        if self.all.len() >= MAX_ENTRIES {
            self.all.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
        }
        if self.all.len() < MAX_ENTRIES {
            self.all.insert(print, (Arc::clone(hash), Instant::now()));
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.all.clear();
    }
}

const REMEMBERED: Duration = Duration::from_secs(300);
const MAX_ENTRIES: usize = 1024;
