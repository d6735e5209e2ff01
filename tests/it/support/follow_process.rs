//! [`FollowProcess`]: `tailcast follow` as a process of its own, its output read by us, or not.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::{Options, wait_until};

/// A running `tailcast follow`; ended with the value.
#[derive(Debug)]
pub struct FollowProcess {
    child: Child,
    page: Arc<Page>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    pipe: OwnedFd,
    _folder: tempfile::TempDir,
}

/// What was read of its standard output.
#[derive(Debug, Default)]
struct Page {
    bytes: Mutex<Vec<u8>>,
    is_paused: Mutex<bool>,
    resumed: Condvar,
}

impl FollowProcess {
    /// Follows with these arguments.
    #[track_caller]
    pub fn start<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::start_with(arguments, &Options::default())
    }

    /// Follows with these arguments, in this environment.
    #[track_caller]
    pub fn start_with<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
        options: &Options,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = options.command(&["follow"], folder.path());
        command.args(arguments.into_iter().map(Into::into));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pipe = child.stdout.as_ref().unwrap().as_fd().try_clone_to_owned().unwrap();
        let page = Arc::new(Page::default());
        let stderr = Arc::new(Mutex::new(String::new()));
        let (mut out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (own_page, own_stderr) = (Arc::clone(&page), Arc::clone(&stderr));
        let out_reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                own_page.wait_while_paused();
                let n_bytes = out.read(&mut buffer).unwrap();
                if n_bytes == 0 {
                    return;
                }
                own_page.bytes.lock().unwrap().extend_from_slice(&buffer[..n_bytes]);
            }
        });
        let err_reader = std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let mut text = own_stderr.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        FollowProcess {
            child,
            page,
            stderr,
            readers: vec![out_reader, err_reader],
            pipe,
            _folder: folder,
        }
    }

    /// Runs to its end.
    #[track_caller]
    pub fn run<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Finished {
        Self::start(arguments).finish()
    }

    /// What has come on its standard output.
    pub fn bytes(&self) -> Vec<u8> {
        self.page.bytes.lock().unwrap().clone()
    }

    /// How many bytes have come.
    pub fn n_bytes(&self) -> usize {
        self.page.bytes.lock().unwrap().len()
    }

    /// What has come on its standard output, as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// How many bytes it has printed that were not read.
    pub fn n_unread(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.pipe).unwrap()
    }

    /// The lines that have come.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// What it has said on standard error.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Reads nothing more of what it prints; up to 64 KiB may have been read beyond that.
    pub fn pause(&self) {
        *self.page.is_paused.lock().unwrap() = true;
    }

    /// Reads on.
    pub fn resume(&self) {
        *self.page.is_paused.lock().unwrap() = false;
        self.page.resumed.notify_all();
    }

    /// Waits until so many lines have come.
    #[track_caller]
    pub fn wait_for_lines(&self, n_lines: usize) {
        self.wait_until("lines are printed", |process| {
            memchr::memchr_iter(b'\n', &process.page.bytes.lock().unwrap()).count() >= n_lines
        });
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn wait_for_words(&self, words: &str) {
        self.wait_until(words, |process| process.said().contains(words));
    }

    /// Waits until the condition holds.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_until(&format!("{what}; {}", "see standard error below"), || condition(self));
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop, as Ctrl-C does, and waits for its end.
    #[track_caller]
    pub fn interrupt(self) -> Finished {
        self.signal(Signal::INT);
        self.finish()
    }

    /// Whether it has ended, and how.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let mut status = None;
        wait_until("tailcast follow ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.resume();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let code = status.unwrap().code();
        Finished { code, bytes: self.bytes(), said: self.said() }
    }
}

impl Page {
    fn wait_while_paused(&self) {
        let mut is_paused = self.is_paused.lock().unwrap();
        while *is_paused {
            is_paused = self.resumed.wait(is_paused).unwrap();
        }
    }
}

impl Drop for FollowProcess {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let killed = self.child.kill();
        let waited = self.child.wait();
        self.resume();
        if std::thread::panicking() {
            let said = self.said();
            eprintln!(
                "tailcast follow ({killed:?}, {waited:?}) printed {} bytes and said:\n{said}",
                self.n_bytes()
            );
        }
    }
}

/// One that has ended.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub bytes: Vec<u8>,
    pub said: String,
}

impl Finished {
    /// What it printed, as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// What it printed, line by line.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// The place that it says to go on from.
    #[track_caller]
    pub fn cursor(&self) -> String {
        let (_, after) = self.said.rsplit_once("--from ").unwrap_or_else(|| panic!("{self:?}"));
        after.split_whitespace().next().unwrap().to_owned()
    }
}

/// Runs `tailcast ls` to its end.
pub fn ls(arguments: &[&str], folder: &Path) -> std::process::Output {
    Options::default().command(&["ls"], folder).args(arguments).output().unwrap()
}
