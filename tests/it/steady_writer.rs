//! A program that writes numbered lines at a steady rate, so that what arrives can be told from
//! what should.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{pause, wait_until};

/// Writes until it is ended.
#[derive(Debug)]
pub struct SteadyWriter {
    desk: Arc<Mutex<Desk>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Desk {
    path: PathBuf,
    file: File,
    tag: &'static str,
    n_lines: usize,
    is_ended: bool,
}

/// The line of a number, as the program `tag` writes it.
pub fn line(tag: &str, number: usize) -> String {
    format!("{tag} {number:07} is a line like any other")
}

/// The lines of these numbers, with their ends.
pub fn lines(tag: &str, numbers: Range<usize>) -> String {
    numbers.map(|number| line(tag, number) + "\n").collect()
}

/// Appends to the file at `path`, which is created where there is none.
#[track_caller]
pub fn append(path: &Path, text: &str) {
    appender(path).write_all(text.as_bytes()).unwrap();
}

/// Holds `got` to be the lines of `numbers`, each once and in order.
#[track_caller]
pub fn assert_numbered(got: &[&str], tag: &str, numbers: Range<usize>) {
    let (first, n_lines) = (numbers.start, numbers.len());
    for (wanted, got) in numbers.map(|number| line(tag, number)).zip(got) {
        assert_eq!(*got, wanted, "of {n_lines} lines from {first} on");
    }
    assert_eq!(got.len(), n_lines, "lines of {tag} from {first} on");
}

impl SteadyWriter {
    /// Begins with line 0 at the end of `path`. The lines carry `tag`.
    pub fn start(path: &Path, tag: &'static str, lines_per_second: u32) -> Self {
        let (path, file) = (path.to_owned(), appender(path));
        let desk = Arc::new(Mutex::new(Desk { path, file, tag, n_lines: 0, is_ended: false }));
        let own = Arc::clone(&desk);
        let thread = std::thread::spawn(move || write_steadily(&own, lines_per_second));
        SteadyWriter { desk, thread: Some(thread) }
    }

    /// Goes over to the file that is at the path now, which is created where there is none.
    pub fn reopen(&self) {
        self.reopen_after(|| {});
    }

    /// Does something to the file between two lines, and goes over to what is at the path then.
    pub fn reopen_after(&self, work: impl FnOnce()) {
        let mut desk = self.desk.lock().unwrap();
        work();
        desk.file = appender(&desk.path);
    }

    /// Does something to the file between two lines.
    pub fn between_lines(&self, work: impl FnOnce()) {
        let _desk = self.desk.lock().unwrap();
        work();
    }

    /// Waits until as many more lines were written.
    #[track_caller]
    pub fn write_more(&self, n_lines: usize) {
        let goal = self.n_lines() + n_lines;
        wait_until("lines are written", || self.n_lines() >= goal);
    }

    /// Lines written so far.
    pub fn n_lines(&self) -> usize {
        self.desk.lock().unwrap().n_lines
    }

    /// Writes nothing more; returns how many lines were written.
    pub fn end(&self) -> usize {
        let mut desk = self.desk.lock().unwrap();
        desk.is_ended = true;
        desk.n_lines
    }
}

impl Drop for SteadyWriter {
    fn drop(&mut self) {
        if let Ok(mut desk) = self.desk.lock() {
            desk.is_ended = true;
        }
        // A thread that has panicked has said so, and its lines are missing.
        self.thread.take().map(JoinHandle::join);
    }
}

fn write_steadily(desk: &Mutex<Desk>, lines_per_second: u32) {
    let begun = Instant::now();
    loop {
        {
            let mut desk = desk.lock().unwrap();
            if desk.is_ended {
                return;
            }
            let due = (begun.elapsed() * lines_per_second).as_secs();
            let due = usize::try_from(due).unwrap();
            let fresh = lines(desk.tag, desk.n_lines..due);
            desk.file.write_all(fresh.as_bytes()).unwrap();
            desk.n_lines = due;
        }
        pause(TICK);
    }
}

fn appender(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

const TICK: Duration = Duration::from_millis(2);
