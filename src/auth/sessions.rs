//! Sessions: browser logins. They are kept in memory and end with the process; only a keyed hash of
//! the secret is stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A keyed hash of a secret.
pub type CredentialDigest = [u8; 32];

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    all: HashMap<CredentialDigest, LoginSession>,
}

/// One browser session.
#[derive(Clone, Debug)]
struct LoginSession {
    user: Arc<str>,
    /// The password hash at the time of the login.
    hash: Arc<str>,
    began: Instant,
    ends: Instant,
}

impl Sessions {
    /// Adds a session; the oldest one is evicted where there are too many.
    pub fn add(
        &mut self,
        digest: CredentialDigest,
        user: &Arc<str>,
        hash: &Arc<str>,
        lifetime: Duration,
    ) {
        let began = Instant::now();
        self.all.retain(|_, session| session.ends > began);
        let own = self.all.values().filter(|session| session.user == *user).count();
        if own >= MAX_OF_USER {
            self.drop_oldest(|session| session.user == *user);
        }
        if self.all.len() >= MAX_SESSIONS {
            self.drop_oldest(|_| true);
        }
        let (user, hash) = (Arc::clone(user), Arc::clone(hash));
        self.all.insert(digest, LoginSession { user, hash, began, ends: began + lifetime });
    }

    /// The user of a valid session, and the password hash at the time of the login.
    #[must_use]
    pub fn find(&self, digest: &CredentialDigest) -> Option<(Arc<str>, Arc<str>)> {
        let session = self.all.get(digest).filter(|session| session.ends > Instant::now())?;
        Some((Arc::clone(&session.user), Arc::clone(&session.hash)))
    }

    /// Ends a session; false if there is none.
    pub fn end(&mut self, digest: &CredentialDigest) -> bool {
        self.all.remove(digest).is_some()
    }

    fn drop_oldest(&mut self, of: impl Fn(&LoginSession) -> bool) {
        let oldest = self.all.iter().filter(|(_, session)| of(session));
        let oldest = oldest.min_by_key(|(_, session)| session.began).map(|(digest, _)| *digest);
        if let Some(oldest) = oldest {
            self.all.remove(&oldest);
        }
    }
}

/// A session secret: 256 random bits, safe in a cookie.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

const MAX_SESSIONS: usize = 10_000;
const MAX_OF_USER: usize = 64;
