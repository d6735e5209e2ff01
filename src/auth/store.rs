//! Store: a file of records, one JSON object a line, which the commands write and the server reads.
//! It is replaced atomically, so that it is never read half-written.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a file of records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A system error.
    #[error("{}: cannot {what}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operation.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A line is not a record. Its content is not shown: it may be a secret.
    #[error(
        "{}: line {line} is not a record as `tailcast` writes it: {problem} at column {column}",
        .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The kind of error.
        problem: &'static str,
    },
}

/// All records; empty if there is no file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, StoreError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(path, "read it")(error)),
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| StoreError::Malformed {
                path: path.to_owned(),
                line: number + 1,
                column: error.column(),
                problem: match error.classify() {
                    serde_json::error::Category::Data => "a field is wrong or missing",
                    serde_json::error::Category::Syntax
                    | serde_json::error::Category::Eof
                    | serde_json::error::Category::Io => "no JSON",
                },
            })
        })
        .collect()
}

/// Changes the records and writes them, readable by the owner alone where the file is new. Commands
/// that run at the same time wait for each other.
pub fn change<T: DeserializeOwned + Serialize, R>(
    path: &Path,
    change: impl FnOnce(&mut Vec<T>) -> R,
) -> Result<R, StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let lock = File::open(folder).map_err(io_error(path, "open its folder"))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| io_error(path, "lock its folder")(error.into()))?;
    let mut records = read(path)?;
    let done = change(&mut records);
    write(path, folder, &records)?;
    Ok(done)
}

fn write<T: Serialize>(path: &Path, folder: &Path, records: &[T]) -> Result<(), StoreError> {
    let failed = |what| io_error(path, what);
    let mut fresh =
        tempfile::NamedTempFile::new_in(folder).map_err(failed("create a file beside it"))?;
    for record in records {
        let mut line =
            serde_json::to_vec(record).map_err(|error| failed("write it")(error.into()))?;
        line.push(b'\n');
        fresh.write_all(&line).map_err(failed("write it"))?;
    }
    // An administrator may have made it readable for the server's group.
    let mode = fs::metadata(path).map_or(PRIVATE, |metadata| metadata.permissions().mode());
    let permissions = Permissions::from_mode(mode);
    fresh.as_file().set_permissions(permissions).map_err(failed("set its permissions"))?;
    if let Ok(before) = fs::metadata(path) {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Only root can change the owner; any other user is the owner already.
        if let Err(error) = fchown(fresh.as_file(), Some(before.uid()), Some(before.gid())) {
            tracing::debug!(%error, "the file's owner is not kept");
        }
    }
    fresh.as_file().sync_all().map_err(failed("write it"))?;
    fresh.persist(path).map_err(|error| failed("replace it")(error.error))?;
    Ok(())
}

fn io_error(path: &Path, what: &'static str) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path: path.clone(), what, source }
}

const PRIVATE: u32 = 0o600;
