//! Reload: reads rules, users and tokens again when one of their files changes, or on a signal. If
//! they cannot be read everything stays as it was, which is logged once.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use crate::auth::policy::Policy;
use crate::auth::{Auth, lock};
use crate::config::AccessConfig;

/// Reads the configuration again; blocking. The error is a sentence.
pub type ReadConfig = Arc<dyn Fn() -> Result<AccessConfig, String> + Send + Sync>;

/// Inode, size and modification time: they differ for another content.
type FileStat = Option<(u64, u64, Option<SystemTime>)>;

impl Auth {
    /// Keeps the policy up to date until it is cancelled. `hangups` are the signals for it.
    pub async fn run(
        self: Arc<Self>,
        mut hangups: Signal,
        read: ReadConfig,
        cancel: CancellationToken,
    ) {
        let mut seen = self.look().await;
        loop {
            let is_hangup = tokio::select! {
                () = cancel.cancelled() => return,
                hangup = hangups.recv() => hangup.is_some(),
                () = tokio::time::sleep(LOOK_PAUSE) => false,
            };
            let now = self.look().await;
            if !is_hangup && now == seen {
                continue;
            }
            seen = now;
            let (auth, read) = (Arc::clone(&self), Arc::clone(&read));
            let reading = tokio::task::spawn_blocking(move || auth.reload(&*read));
            match reading.await {
                Ok(Ok(())) => {
                    tracing::info!("users, tokens and rules were read again");
                    seen = self.look().await;
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "users, tokens and rules stay as they were");
                }
                Err(error) => tracing::error!(%error, "users, tokens and rules were not read"),
            }
        }
    }

    fn reload(&self, read: &dyn Fn() -> Result<AccessConfig, String>) -> Result<(), String> {
        let config = read()?;
        let mut policy = Policy::load(&config).map_err(|error| error.to_string())?;
        {
            let mut current = self.policy.write().unwrap_or_else(PoisonError::into_inner);
            // SECURITY: a file that is gone must not disable authentication.
            policy.requires_auth |= current.requires_auth;
            *current = Arc::new(policy);
        }
        *lock(&self.config) = config;
        lock(&self.verified).clear();
        self.changes.send_modify(|version| *version += 1);
        Ok(())
    }

    async fn look(self: &Arc<Self>) -> Vec<FileStat> {
        let auth = Arc::clone(self);
        let look = move || {
            let config = lock(&auth.config);
            let files = [Some(&config.users_file), Some(&config.tokens_file)];
            let files = files.into_iter().chain([config.config_file.as_ref()]);
            files.map(|file| file.and_then(|file| stamp(file))).collect()
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(stamps) => stamps,
            Err(error) => {
                tracing::error!(%error, "the files of users and tokens were not looked at");
                Vec::new()
            }
        }
    }
}

fn stamp(file: &Path) -> FileStat {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.modified().ok()))
}

/// The interval between checks of the files.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
