//! A folder of logs that a test writes as an application and a rotator would.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that is gone with the value.
#[derive(Debug)]
pub struct LogFolder {
    folder: TempDir,
}

/// A log that is open for appending, as an application has it.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    n_lines: usize,
}

impl LogFolder {
    /// An empty folder.
    pub fn new() -> Self {
        LogFolder { folder: tempfile::Builder::new().prefix("tailcast-it-").tempdir().unwrap() }
    }

    /// The folder with one empty log in it.
    pub fn with_log(name: &str) -> (Self, LogFile) {
        let folder = Self::new();
        let log = folder.log(name);
        (folder, log)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of what is named, relative to the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Opens or creates a log, and the folders above it.
    pub fn log(&self, name: &str) -> LogFile {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = open(&path);
        LogFile { path, file, n_lines: 0 }
    }

    /// Writes a whole file at once.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

impl LogFile {
    /// Where it was created.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends bytes in one write.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.file.write_all(bytes.as_ref()).unwrap();
    }

    /// Appends a line.
    pub fn line(&mut self, text: &str) {
        self.write(format!("{text}\n"));
    }

    /// Appends `n_lines` lines `line 1`, `line 2` and so on, in one write; goes on where it stopped.
    pub fn number(&mut self, n_lines: usize) {
        let first = self.n_lines + 1;
        self.n_lines += n_lines;
        let text: String =
            (first..=self.n_lines).map(|number| format!("line {number}\n")).collect();
        self.write(text);
    }

    /// How many lines were numbered.
    pub fn n_lines(&self) -> usize {
        self.n_lines
    }

    /// Renames the file; what is written now goes to it under its new name.
    pub fn rename_to(&self, name: &str) {
        fs::rename(&self.path, self.path.with_file_name(name)).unwrap();
    }

    /// Opens the file under its own name again, creating it if it is not there.
    pub fn reopen(&mut self) {
        self.file = open(&self.path);
    }

    /// Copies what is there to `name`, and empties the file.
    pub fn copytruncate(&self, name: &str) {
        fs::copy(&self.path, self.path.with_file_name(name)).unwrap();
        self.truncate();
    }

    /// Empties the file.
    pub fn truncate(&self) {
        self.file.set_len(0).unwrap();
    }

    /// Deletes the file; what is written now goes nowhere.
    pub fn delete(&self) {
        fs::remove_file(&self.path).unwrap();
    }
}

/// `line FIRST` to `line LAST`, as [`LogFile::number`] writes them.
pub fn numbered(first: usize, last: usize) -> Vec<String> {
    (first..=last).map(|number| format!("line {number}")).collect()
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}
