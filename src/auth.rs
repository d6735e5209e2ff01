//! Auth: authentication, and which sources a user or token may read. It knows names, secrets and globs;
//! neither HTTP nor sources. Secrets never leave it: not into logs, errors or metrics.
//!
//! `policy` is what the files say at one moment, and makes every decision; `reload` reads them again when
//! they change, and `reach` is what a user or token may read, equal for all who may read the same. `users`,
//! `tokens` and `store` are the files, `password` is argon2id. `credential_cache` remembers credentials that
//! were right a short while ago, `sessions` the logins of browsers. `throttle` slows guessing down, and in
//! `waiting` logins queue for a check.

pub mod credential_cache;
pub mod password;
pub mod policy;
pub mod readable;
pub mod reload;
pub mod sessions;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod users;
mod waiting;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::credential_cache::CredentialCache;
use crate::auth::policy::{Policy, PolicyError};
use crate::auth::sessions::{CredentialDigest, Sessions};
use crate::auth::throttle::{LoginAttempt, Throttle};
use crate::auth::waiting::{CheckQueue, CheckQueueGuard};
use crate::config::AccessConfig;

/// An authenticated client, and how it authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// No authentication is required.
    Anyone,
    /// A user.
    User(AuthenticatedUser),
    /// A program with a token.
    Token {
        /// The token's id; not secret.
        id: String,
        /// Its name in rules.
        name: String,
        /// The hash of the secret.
        hash: Arc<str>,
    },
}

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatedUser {
    /// The user's name.
    pub name: Arc<str>,
    /// The method of authentication.
    pub method: AuthMethod,
}

/// How a user authenticated. The hash that a password was checked against is kept, so that a
/// changed password ends the streams that the old one opened.
#[derive(Clone, PartialEq, Eq)]
pub enum AuthMethod {
    /// A password in this request.
    Password {
        /// The password's hash.
        hash: Arc<str>,
    },
    /// A browser session.
    Session {
        /// The digest of its secret.
        digest: CredentialDigest,
        /// The password's hash.
        hash: Arc<str>,
    },
    /// A header of a trusted proxy.
    Header {
        /// The groups that it named.
        groups: Vec<String>,
    },
    /// A client certificate.
    Certificate,
}

/// Why authentication failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The credentials are wrong.
    #[error("the credentials are not right")]
    Wrong,
    /// The credentials are right, but have expired.
    #[error("the token has expired")]
    Expired,
    /// Too many failed attempts came before.
    #[error("too many failed attempts")]
    TooOften(Duration),
    /// Too many checks are in progress.
    #[error("too many passwords are being checked just now")]
    Busy,
    /// A system error.
    #[error("the credentials could not be checked")]
    Failed,
}

/// Authentication, and the current sessions.
pub struct Auth {
    config: Mutex<AccessConfig>,
    policy: RwLock<Arc<Policy>>,
    changes: watch::Sender<u64>,
    /// A key of this process; stored digests of secrets are useless elsewhere.
    key: [u8; 32],
    sessions: Mutex<Sessions>,
    verified: Mutex<CredentialCache>,
    throttle: Mutex<Throttle>,
    checks: Arc<Semaphore>,
    waiting: Mutex<CheckQueue>,
}

impl Auth {
    /// Reads the files that `config` names.
    pub fn open(config: AccessConfig) -> Result<Arc<Self>, PolicyError> {
        let policy = Policy::load(&config)?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| store::StoreError::Io {
            path: config.users_file.clone(),
            what: "make a key beside it",
            source: error.into(),
        })?;
        let (sessions, verified, throttle) = Default::default();
        Ok(Arc::new(Auth {
            config: Mutex::new(config),
            policy: RwLock::new(Arc::new(policy)),
            changes: watch::Sender::new(0),
            key,
            sessions,
            verified,
            throttle,
            checks: Arc::new(Semaphore::new(MAX_CHECKS)),
            waiting: Mutex::default(),
        }))
    }

    /// The current policy.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Grows whenever a principal may have lost a permission.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether the principal's credentials are still valid.
    #[must_use]
    pub fn admits(&self, principal: &Principal) -> bool {
        let is_logged_in = match principal {
            Principal::User(AuthenticatedUser {
                name: _,
                method: AuthMethod::Session { digest, hash: _ },
            }) => lock(&self.sessions).find(digest).is_some(),
            Principal::User(_) | Principal::Anyone | Principal::Token { .. } => true,
        };
        is_logged_in && self.policy().admits(principal)
    }

    /// Checks a name and a password. `address` is `None` if it stands for many clients.
    pub async fn check_password(
        &self,
        name: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<AuthenticatedUser, AuthError> {
        let digest = self.digest(&[name.as_bytes(), password.as_bytes(), &bytes_of(address)]);
        let attempt = LoginAttempt { address, name, digest };
        let hash = self.policy().hash_of(name);
        if let Some(visitor) = self.without_check(&attempt, hash.as_ref())? {
            return Ok(visitor);
        }
        if password.len() > users::MAX_PASSWORD_BYTES {
            return Err(self.note_failure(&attempt));
        }
        let permit = self.permit(address).await?;
        // The same credentials may have been checked meanwhile, or the limit reached.
        if let Some(visitor) = self.without_check(&attempt, hash.as_ref())? {
            return Ok(visitor);
        }
        let (shown, checked) = (password.to_owned(), hash.clone());
        let checking = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            password::is_password(&shown, checked.as_deref())
        });
        let is_right = checking.await.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            AuthError::Failed
        })?;
        match hash.filter(|_| is_right) {
            Some(hash) => {
                lock(&self.throttle).note_success(&attempt, Instant::now());
                lock(&self.verified).add(digest, &hash);
                Ok(visitor(name, &hash))
            }
            None => Err(self.note_failure(&attempt)),
        }
    }

    /// SECURITY: a throttled client learns nothing, not even from the cache; and cached credentials
    /// are valid only from the address that they came from. `hash`: that of the user's password.
    fn without_check(
        &self,
        attempt: &LoginAttempt<'_>,
        hash: Option<&Arc<str>>,
    ) -> Result<Option<AuthenticatedUser>, AuthError> {
        if let Some(left) = lock(&self.throttle).wait(attempt, Instant::now()) {
            return Err(AuthError::TooOften(left));
        }
        let is_verified = |hash: &&Arc<str>| lock(&self.verified).has(&attempt.digest, hash);
        Ok(hash.filter(is_verified).map(|hash| visitor(attempt.name, hash)))
    }

    /// Checks a token. Wrong ones are not throttled: 256 random bits cannot be guessed, and a
    /// program that uses an old one would lock out every client at its address.
    pub fn check_token(&self, text: &str) -> Result<Principal, AuthError> {
        let policy = self.policy();
        let token = tokens::id_of(text).and_then(|id| policy.token(id));
        let token = token.filter(|token| token.is_text(text)).ok_or(AuthError::Wrong)?;
        if token.has_expired() {
            return Err(AuthError::Expired);
        }
        let (id, name) = (token.id.clone(), token.name.clone());
        Ok(Principal::Token { id, name, hash: Arc::from(token.hash.as_str()) })
    }

    /// Begins a browser session; returns its secret, which is stored nowhere else.
    pub fn log_in(&self, visitor: &AuthenticatedUser) -> Result<String, AuthError> {
        let hash = match &visitor.method {
            AuthMethod::Password { hash } | AuthMethod::Session { hash, digest: _ } => hash,
            AuthMethod::Header { .. } | AuthMethod::Certificate => return Err(AuthError::Failed),
        };
        let secret = sessions::new_secret().map_err(|error| {
            tracing::error!(%error, "a login could not be begun");
            AuthError::Failed
        })?;
        let (digest, lifetime) =
            (self.digest(&[secret.as_bytes()]), self.policy().session_lifetime);
        lock(&self.sessions).add(digest, &visitor.name, hash, lifetime);
        tracing::info!(user = %visitor.name, "logged in");
        Ok(secret)
    }

    /// The user of a session, if it is valid.
    #[must_use]
    pub fn session(&self, secret: &str) -> Option<Principal> {
        let digest = self.digest(&[secret.as_bytes()]);
        let (name, hash) = lock(&self.sessions).find(&digest)?;
        let principal = Principal::User(AuthenticatedUser {
            name,
            method: AuthMethod::Session { digest, hash },
        });
        self.policy().admits(&principal).then_some(principal)
    }

    /// Ends a session.
    pub fn log_out(&self, secret: &str) {
        if lock(&self.sessions).end(&self.digest(&[secret.as_bytes()])) {
            self.changes.send_modify(|version| *version += 1);
        }
    }

    /// At most [`MAX_CHECKS`] passwords are checked at once: each takes 19 MiB and a core.
    async fn permit(&self, address: Option<IpAddr>) -> Result<OwnedSemaphorePermit, AuthError> {
        let waiting = CheckQueueGuard::new(&self.waiting, address).ok_or(AuthError::Busy)?;
        let permit = Arc::clone(&self.checks).acquire_owned();
        let permit = tokio::time::timeout(CHECK_PATIENCE, permit).await;
        drop(waiting);
        permit.ok().and_then(Result::ok).ok_or(AuthError::Busy)
    }

    fn note_failure(&self, attempt: &LoginAttempt<'_>) -> AuthError {
        lock(&self.throttle).note_failure(attempt, Instant::now());
        AuthError::Wrong
    }

    /// A keyed hash of secrets; a length before each keeps them apart.
    fn digest(&self, parts: &[&[u8]]) -> CredentialDigest {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            // HMAC accepts keys of any length.
            return [0; 32];
        };
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn visitor(name: &str, hash: &Arc<str>) -> AuthenticatedUser {
    AuthenticatedUser {
        name: Arc::from(name),
        method: AuthMethod::Password { hash: Arc::clone(hash) },
    }
}

fn bytes_of(address: Option<IpAddr>) -> Vec<u8> {
    match address {
        None => Vec::new(),
        Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
        Some(IpAddr::V6(v6)) => v6.octets().to_vec(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

impl std::fmt::Debug for AuthMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::Session { .. } => "Session",
            Self::Header { .. } => "Header",
            Self::Certificate => "Certificate",
        })
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::User(visitor) => write!(f, "user {}", visitor.name),
            Self::Token { id, .. } => write!(f, "token {id}"),
        }
    }
}

const MAX_CHECKS: usize = 2;
const CHECK_PATIENCE: Duration = Duration::from_secs(5);
