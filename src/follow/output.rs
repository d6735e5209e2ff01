//! Output: standard output, written without ever blocking in a write.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::fs::{FileType, fstat};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::unix::pipe;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Where lines are written.
#[derive(Debug)]
pub enum LineOutput {
    /// A pipe, reopened: its non-blocking mode is then ours alone, and not shared with other
    /// processes. How much was written is known to the byte.
    Pipe(pipe::Sender),
    /// A file, or a device that accepts everything: a write does not block.
    File(File),
    /// A terminal, or a socket: written on a thread, where it may block.
    Other(tokio::fs::File),
}

impl LineOutput {
    /// Standard output. It has to be called on a runtime.
    pub fn stdout() -> io::Result<Self> {
        let stdout = io::stdout();
        let kind = FileType::from_raw_mode(fstat(&stdout)?.st_mode);
        if kind == FileType::Fifo {
            let opened = pipe::OpenOptions::new().open_sender("/proc/self/fd/1");
            match opened {
                Ok(sender) => return Ok(Self::Pipe(sender)),
                // Where that is not allowed (another user's pipe, no /proc) the original descriptor
                // is used.
                Err(error) => tracing::debug!(%error, "standard output cannot be opened anew"),
            }
        }
        let copy = File::from(stdout.as_fd().try_clone_to_owned()?);
        let is_device = kind == FileType::CharacterDevice && !copy.is_terminal();
        if kind == FileType::RegularFile || is_device {
            return Ok(Self::File(copy));
        }
        Ok(Self::Other(tokio::fs::File::from_std(copy)))
    }

    /// Writes all, or until `cancel`; the number of bytes that are known to be written.
    pub async fn write(
        &mut self,
        bytes: &[u8],
        cancel: &CancellationToken,
    ) -> (usize, io::Result<()>) {
        match self {
            Self::Pipe(sender) => write_pipe(sender, bytes, cancel).await,
            Self::File(file) => match file.write_all(bytes) {
                Ok(()) => (bytes.len(), Ok(())),
                Err(error) => (0, Err(error)),
            },
            Self::Other(file) => {
                let whole = async {
                    file.write_all(bytes).await?;
                    file.flush().await
                };
                tokio::select! {
                    written = whole => match written {
                        Ok(()) => (bytes.len(), Ok(())),
                        Err(error) => (0, Err(error)),
                    },
                    () = cancelled_a_while_ago(cancel) => (0, Ok(())),
                }
            }
        }
    }

    /// Resolves when the reader is gone, even while nothing is written.
    pub async fn closed(&self) -> io::Error {
        match self {
            Self::Pipe(sender) => match sender.ready(Interest::ERROR).await {
                Ok(_nobody_reads) => ErrorKind::BrokenPipe.into(),
                Err(error) => error,
            },
            Self::File(_) | Self::Other(_) => std::future::pending().await,
        }
    }
}

async fn write_pipe(
    sender: &pipe::Sender,
    bytes: &[u8],
    cancel: &CancellationToken,
) -> (usize, io::Result<()>) {
    let mut n_written = 0;
    while let Some(rest) = bytes.get(n_written..).filter(|rest| !rest.is_empty()) {
        match sender.try_write(rest) {
            Ok(n_bytes) => n_written += n_bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let ready = tokio::select! {
                    ready = sender.writable() => ready,
                    () = cancelled_a_while_ago(cancel) => return (n_written, Ok(())),
                };
                if let Err(error) = ready {
                    return (n_written, Err(error));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (n_written, Err(error)),
        }
    }
    (n_written, Ok(()))
}

/// An active reader gets the rest of the current write; a stopped one is not waited for.
async fn cancelled_a_while_ago(cancel: &CancellationToken) {
    cancel.cancelled().await;
    let never = std::future::pending::<()>();
    let _elapsed = timeout(GRACE, never).await;
}

const GRACE: Duration = Duration::from_millis(500);
