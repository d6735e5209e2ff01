//! Sessions: logins of browsers. They are kept in memory and end with the process; what is kept of
//! one is a keyed hash of its secret, not the secret.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A keyed hash of a secret.
pub type CredentialDigest = [u8; 32];

/// All logins.
#[derive(Debug, Default)]
pub struct Sessions {
    all: HashMap<CredentialDigest, Session>,
}

/// One login.
#[derive(Clone, Debug)]
struct Session {
    user: Arc<str>,
    /// The hash of the password that was given.
    hash: Arc<str>,
    began: Instant,
    ends: Instant,
}

impl Sessions {
    /// Notes a login; the oldest one gives way where there are too many.
    pub fn add(
        &mut self,
        print: CredentialDigest,
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
        self.all.insert(print, Session { user, hash, began, ends: began + lifetime });
    }

    /// The user of a login that holds, and the hash of the password that was given.
    #[must_use]
    pub fn find(&self, print: &CredentialDigest) -> Option<(Arc<str>, Arc<str>)> {
        let session = self.all.get(print).filter(|session| session.ends > Instant::now())?;
        Some((Arc::clone(&session.user), Arc::clone(&session.hash)))
    }

    /// Ends a login; false if there is none.
    pub fn end(&mut self, print: &CredentialDigest) -> bool {
        self.all.remove(print).is_some()
    }

    fn drop_oldest(&mut self, of: impl Fn(&Session) -> bool) {
        let oldest = self.all.iter().filter(|(_, session)| of(session));
        let oldest = oldest.min_by_key(|(_, session)| session.began).map(|(print, _)| *print);
        if let Some(oldest) = oldest {
            self.all.remove(&oldest);
        }
    }
}

/// A secret for a login: 256 random bits, fit for a cookie.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

const MAX_SESSIONS: usize = 10_000;
const MAX_OF_USER: usize = 64;
