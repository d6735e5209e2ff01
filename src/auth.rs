//! Auth: who asks, and what they may read. It knows names, secrets and globs; neither HTTP nor
//! sources. Secrets never leave it: not into logs, errors or metrics.

pub mod password;
pub mod policy;
pub mod reload;
pub mod sessions;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod users;
pub mod verified;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::policy::{Policy, PolicyError};
use crate::auth::sessions::{Print, Sessions};
use crate::auth::throttle::Throttle;
use crate::auth::verified::Verified;
use crate::config::AccessConfig;

/// Somebody who was let in, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody is asked.
    Anyone,
    /// A person.
    User(Visitor),
    /// A program.
    Token {
        /// The token's id; no secret.
        id: String,
        /// What rules call it.
        name: String,
        /// The hash of what was shown.
        hash: Arc<str>,
    },
}

/// A person who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The user's name.
    pub name: Arc<str>,
    /// By what.
    pub way: Way,
}

/// How a person was let in. What a password was checked against is kept, so that another password
/// ends what the old one has opened.
#[derive(Clone, PartialEq, Eq)]
pub enum Way {
    /// A password in this request.
    Password {
        /// The password's hash.
        hash: Arc<str>,
    },
    /// A login in this browser.
    Session {
        /// Which one.
        print: Print,
        /// The password's hash.
        hash: Arc<str>,
    },
    /// The word of a proxy.
    Header {
        /// The groups that it told.
        groups: Vec<String>,
    },
    /// A certificate.
    Certificate,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What was shown is not right.
    #[error("the credentials are not right")]
    Wrong,
    /// Too many wrong ones came before.
    #[error("too many failed attempts")]
    TooOften(Duration),
    /// Too many are being looked at.
    #[error("too many passwords are being checked just now")]
    Busy,
    /// The system has failed.
    #[error("the credentials could not be checked")]
    Failed,
}

/// Who may come in, and who has.
pub struct Auth {
    config: Mutex<AccessConfig>,
    policy: RwLock<Arc<Policy>>,
    changes: watch::Sender<u64>,
    /// Of this process; what is kept of secrets is of no use elsewhere.
    key: [u8; 32],
    sessions: Mutex<Sessions>,
    verified: Mutex<Verified>,
    throttle: Mutex<Throttle>,
    checks: Arc<Semaphore>,
    n_waiting: AtomicUsize,
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
            n_waiting: AtomicUsize::new(0),
        }))
    }

    /// What holds now.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Grows whenever somebody may have lost a right.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether what let somebody in still would.
    #[must_use]
    pub fn admits(&self, who: &Who) -> bool {
        let is_logged_in = match who {
            Who::User(Visitor { name: _, way: Way::Session { print, hash: _ } }) => {
                lock(&self.sessions).find(print).is_some()
            }
            Who::User(_) | Who::Anyone | Who::Token { .. } => true,
        };
        is_logged_in && self.policy().admits(who)
    }

    /// Checks a name and a password. `address` is none where it stands for many clients.
    pub async fn check_password(
        &self,
        name: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Visitor, Refusal> {
        let print = self.print(&[name.as_bytes(), password.as_bytes()]);
        let policy = self.policy();
        let visitor =
            |hash: Arc<str>| Visitor { name: Arc::from(name), way: Way::Password { hash } };
        let hash = policy.hash_of(name);
        if let Some(hash) = hash.as_ref().filter(|hash| lock(&self.verified).has(&print, hash)) {
            return Ok(visitor(Arc::clone(hash)));
        }
        self.refuse_if_too_often(address, Some(name))?;
        if password.len() > users::MAX_PASSWORD_BYTES {
            return Err(self.note_failure(address, Some(name)));
        }
        let permit = self.permit().await?;
        // Somebody may have shown the same ones meanwhile, or failed too often.
        if let Some(hash) = hash.as_ref().filter(|hash| lock(&self.verified).has(&print, hash)) {
            return Ok(visitor(Arc::clone(hash)));
        }
        self.refuse_if_too_often(address, Some(name))?;
        let (shown, checked) = (password.to_owned(), hash.clone());
        let checking = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            password::is_password(&shown, checked.as_deref())
        });
        let is_right = checking.await.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            Refusal::Failed
        })?;
        match hash.filter(|_| is_right) {
            Some(hash) => {
                lock(&self.throttle).note_success(address, name);
                lock(&self.verified).add(print, &hash);
                Ok(visitor(hash))
            }
            None => Err(self.note_failure(address, Some(name))),
        }
    }

    /// Checks a token.
    pub fn check_token(&self, text: &str, address: Option<IpAddr>) -> Result<Who, Refusal> {
        let policy = self.policy();
        let token = tokens::id_of(text).and_then(|id| policy.token(id));
        let is_right = |token: &&tokens::Token| token.is_text(text) && !token.has_expired();
        if let Some(token) = token.filter(is_right) {
            let (id, name) = (token.id.clone(), token.name.clone());
            return Ok(Who::Token { id, name, hash: Arc::from(token.hash.as_str()) });
        }
        self.refuse_if_too_often(address, None)?;
        Err(self.note_failure(address, None))
    }

    /// Begins a login in a browser; returns its secret, which is kept nowhere else.
    pub fn log_in(&self, visitor: &Visitor) -> Result<String, Refusal> {
        let hash = match &visitor.way {
            Way::Password { hash } | Way::Session { hash, print: _ } => hash,
            Way::Header { .. } | Way::Certificate => return Err(Refusal::Failed),
        };
        let secret = sessions::new_secret().map_err(|error| {
            tracing::error!(%error, "a login could not be begun");
            Refusal::Failed
        })?;
        let (print, lifetime) = (self.print(&[secret.as_bytes()]), self.policy().session_lifetime);
        lock(&self.sessions).add(print, &visitor.name, hash, lifetime);
        tracing::info!(user = %visitor.name, "logged in");
        Ok(secret)
    }

    /// The user of a login, if it holds.
    #[must_use]
    pub fn session(&self, secret: &str) -> Option<Who> {
        let print = self.print(&[secret.as_bytes()]);
        let (name, hash) = lock(&self.sessions).find(&print)?;
        let who = Who::User(Visitor { name, way: Way::Session { print, hash } });
        self.policy().admits(&who).then_some(who)
    }

    /// Ends a login.
    pub fn log_out(&self, secret: &str) {
        if lock(&self.sessions).end(&self.print(&[secret.as_bytes()])) {
            self.changes.send_modify(|version| *version += 1);
        }
    }

    /// At most [`MAX_CHECKS`] passwords are checked at once: each takes 19 MiB and a core.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let waiting = WaitingGuard::new(&self.n_waiting).ok_or(Refusal::Busy)?;
        let permit = Arc::clone(&self.checks).acquire_owned();
        let permit = tokio::time::timeout(CHECK_PATIENCE, permit).await;
        drop(waiting);
        permit.ok().and_then(Result::ok).ok_or(Refusal::Busy)
    }

    fn refuse_if_too_often(
        &self,
        address: Option<IpAddr>,
        name: Option<&str>,
    ) -> Result<(), Refusal> {
        lock(&self.throttle).wait(address, name).map_or(Ok(()), |left| Err(Refusal::TooOften(left)))
    }

    fn note_failure(&self, address: Option<IpAddr>, name: Option<&str>) -> Refusal {
        lock(&self.throttle).note_failure(address, name);
        Refusal::Wrong
    }

    /// A keyed hash of secrets; a length before each keeps them apart.
    fn print(&self, parts: &[&[u8]]) -> Print {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            // Keys of any length are taken.
            return [0; 32];
        };
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// A place among those who wait.
struct WaitingGuard<'a>(&'a AtomicUsize);

impl<'a> WaitingGuard<'a> {
    fn new(n_waiting: &'a AtomicUsize) -> Option<Self> {
        let fits = |n: usize| (n < MAX_WAITING).then_some(n + 1);
        let taken = n_waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.is_ok().then_some(WaitingGuard(n_waiting))
    }
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
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

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::Session { .. } => "Session",
            Self::Header { .. } => "Header",
            Self::Certificate => "Certificate",
        })
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::User(visitor) => write!(f, "user {}", visitor.name),
            Self::Token { id, .. } => write!(f, "token {id}"),
        }
    }
}

const MAX_CHECKS: usize = 2;
const MAX_WAITING: usize = 32;
const CHECK_PATIENCE: Duration = Duration::from_secs(5);
