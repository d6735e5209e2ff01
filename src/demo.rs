//! `tailcast serve --demo`: the logs of a made-up shop, for a first look.
//!
//! Three logs in a temporary folder show the same requests, with an hour of past and then live:
//! `shop/web.log` (nginx), `shop/api.log` (JSON) and `shop/worker.log` (text, in colours). Every
//! forty seconds something goes wrong. This module writes files and knows nothing of who reads.

mod dice;
mod entry;
mod incident;
mod shop;
#[cfg(test)]
mod tests;
mod visit;
mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::fs::{File, OpenOptions, rename};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::entry::{LogEntry, ShopLog};
use self::shop::Shop;

/// A demonstration: a folder of logs, removed when this is dropped.
#[derive(Debug)]
pub struct Demo {
    folder: TempDir,
    shop: Shop,
}

impl Demo {
    /// Creates the folder and writes the past hour.
    pub fn create() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tailcast-demo-").tempdir()?;
        let now = now();
        let mut shop = Shop::new(now);
        let mut texts = ShopLog::ALL.map(|log| (log, String::new()));
        while shop.next_at() < now
            && let Some(entry) = shop.take()
        {
            for (_, text) in texts.iter_mut().filter(|(log, _)| *log == entry.log) {
                text.extend([entry.text.as_str(), "\n"]);
            }
        }
        for (log, text) in texts {
            let path = folder.path().join(log.file());
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, text)?;
        }
        Ok(Self { folder, shop })
    }

    /// The folder, to be served as a whole.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps writing until `cancel`, then removes the folder. An error ends it as well.
    ///
    /// Dropping the future removes the folder too.
    pub async fn run(mut self, cancel: CancellationToken) -> io::Result<()> {
        let mut files = Vec::new();
        for log in ShopLog::ALL {
            files.push((log, LogFile::open(self.folder.path().join(log.file())).await?));
        }
        while cancel.run_until_cancelled(self.wait_for_next()).await.is_some() {
            let Some(LogEntry { log, mut text, .. }) = self.shop.take() else { break };
            text.push('\n');
            for (_, file) in files.iter_mut().filter(|(name, _)| *name == log) {
                file.write(&text).await?;
            }
        }
        drop(files);
        self.folder.close()
    }

    /// Waits until the next entry is due. Cancel-safe: the entry is not taken.
    async fn wait_for_next(&mut self) {
        let now = now();
        if self.shop.next_at() + LATEST < now {
            self.shop.skip_to(now);
        }
        let wait = u64::try_from(self.shop.next_at() - now).unwrap_or(0);
        sleep(Duration::from_millis(wait)).await;
    }
}

/// A log that is written to, with one rotated sibling, so that a demonstration may run for days.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    n_bytes: u64,
}

impl LogFile {
    async fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&path).await?;
        let n_bytes = file.metadata().await?.len();
        Ok(Self { path, file, n_bytes })
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        if self.n_bytes > ROTATE_BYTES {
            rename(&self.path, self.path.with_extension("log.1")).await?;
            *self = Self::open(self.path.clone()).await?;
        }
        self.file.write_all(text.as_bytes()).await?;
        self.n_bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.file.flush().await
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// An entry later than this, in milliseconds, is not made up for: the host slept.
const LATEST: i64 = 5_000;
/// A log above this size is rotated.
const ROTATE_BYTES: u64 = 1024 * 1024;
