//! Credential cache: credentials that were right a short while ago, by keyed hash, so that a program which
//! sends them with every request does not cost a slow check each time. The hash includes the address
//! that sent them: from another one they are checked again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::auth::sessions::CredentialDigest;

/// Credentials that were right.
#[derive(Debug, Default)]
pub struct CredentialCache {
    all: HashMap<CredentialDigest, (Arc<str>, Instant)>,
}

impl CredentialCache {
    /// Whether these were right, against this very hash of a password.
    #[must_use]
    pub fn has(&self, print: &CredentialDigest, hash: &Arc<str>) -> bool {
        let is_fresh =
            |(checked, at): &(Arc<str>, Instant)| checked == hash && at.elapsed() < REMEMBERED;
        self.all.get(print).is_some_and(is_fresh)
    }

    /// Notes that these were right. One user, who may come from many addresses, does not take the
    /// places of all.
    pub fn add(&mut self, print: CredentialDigest, hash: &Arc<str>) {
        let own = self.all.iter().filter(|(_, (checked, _))| checked == hash);
        if own.clone().count() >= MAX_OF_USER
            && let Some(oldest) = own.min_by_key(|(_, (_, at))| *at).map(|(print, _)| *print)
        {
            self.all.remove(&oldest);
        }
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
const MAX_OF_USER: usize = 64;
