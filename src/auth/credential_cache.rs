//! Credential cache: credentials that were right a short while ago, by keyed hash, so that a program which
//! sends them with every request does not cost a slow check each time. The hash includes the address
//! that sent them: from another one they are checked again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::auth::sessions::CredentialDigest;

/// Credentials that were verified recently.
#[derive(Debug, Default)]
pub struct CredentialCache {
    all: HashMap<CredentialDigest, (Arc<str>, Instant)>,
}

impl CredentialCache {
    /// Whether these were verified against this very password hash.
    #[must_use]
    pub fn has(&self, digest: &CredentialDigest, hash: &Arc<str>) -> bool {
        let is_fresh =
            |(checked, at): &(Arc<str>, Instant)| checked == hash && at.elapsed() < REMEMBERED;
        self.all.get(digest).is_some_and(is_fresh)
    }

    /// Adds verified credentials. The entries of one user, who may come from many addresses, are
    /// limited.
    pub fn add(&mut self, digest: CredentialDigest, hash: &Arc<str>) {
        let own = self.all.iter().filter(|(_, (checked, _))| checked == hash);
        if own.clone().count() >= MAX_OF_USER
            && let Some(oldest) = own.min_by_key(|(_, (_, at))| *at).map(|(digest, _)| *digest)
        {
            self.all.remove(&oldest);
        }
        if self.all.len() >= MAX_ENTRIES {
            self.all.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
        }
        if self.all.len() < MAX_ENTRIES {
            self.all.insert(digest, (Arc::clone(hash), Instant::now()));
        }
    }

    /// Clears the cache.
    pub fn clear(&mut self) {
        self.all.clear();
    }
}

const REMEMBERED: Duration = Duration::from_secs(300);
const MAX_ENTRIES: usize = 1024;
const MAX_OF_USER: usize = 64;
