//! [`TestServer`]: the real program as a process of its own, on a free port.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Answer, Request, Viewer, wait_until};

/// A running server; ended with the value.
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    options: Options,
    _folder: TempDir,
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    config: Option<String>,
    user: Option<u32>,
    groups: Vec<u32>,
    launcher: Vec<String>,
}

impl Options {
    /// With these sources.
    pub fn serving<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let arguments = paths.into_iter().map(|path| path.as_ref().as_os_str().to_owned());
        Options { arguments: arguments.collect(), ..Self::default() }
    }

    /// Adds an argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes this text to a file and passes it by `--config`.
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// Runs it as this user and group, without any rights; only root can do that.
    pub fn user(mut self, id: u32) -> Self {
        self.user = Some(id);
        self
    }

    /// Lets the user be in these groups beside its own.
    pub fn groups(mut self, ids: &[u32]) -> Self {
        self.groups = ids.to_vec();
        self
    }

    /// Has it started by another program, whose own arguments come first.
    pub fn through(mut self, launcher: &[&str]) -> Self {
        self.launcher = launcher.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The program, to be run in an empty folder and without our own environment's settings.
    pub fn command(&self, before: &[&str], folder: &Path) -> Command {
        let program = env!("CARGO_BIN_EXE_tailcast");
        let mut command = match self.user {
            None => match self.launcher.split_first() {
                None => Command::new(program),
                Some((launcher, words)) => {
                    let mut command = Command::new(launcher);
                    command.args(words).arg(program);
                    command
                }
            },
            Some(id) => {
                let mut command = Command::new("setpriv");
                command.args([
                    format!("--reuid={id}"),
                    format!("--regid={id}"),
                    self.groups_argument(),
                    "--no-new-privs".to_owned(),
                    "--bounding-set=-all".to_owned(),
                ]);
                command.arg(reachable(program));
                command
            }
        };
        let settings = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("TAILCAST_") || name.starts_with("ROCKET_")
        });
        settings.for_each(|name| {
            command.env_remove(name);
        });
        command.args(before).args(&self.arguments).current_dir(folder).stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(config) = &self.config {
            let path = folder.join("test.toml");
            fs::File::create(&path).unwrap().write_all(config.as_bytes()).unwrap();
            command.arg("--config").arg(path);
        }
        command
    }

    fn groups_argument(&self) -> String {
        let ids: Vec<String> = self.groups.iter().map(ToString::to_string).collect();
        match ids.as_slice() {
            [] => "--clear-groups".to_owned(),
            ids => format!("--groups={}", ids.join(",")),
        }
    }

    /// Starts the server and waits for it to serve.
    #[track_caller]
    pub fn start(self) -> TestServer {
        let folder = work_folder();
        let mut command = self.command(&[], folder.path());
        command.args(["-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut address = None;
        wait_until("the server serves", || {
            address = address_in(&log.lock().unwrap());
            let exit = child.try_wait().unwrap();
            assert!(exit.is_none(), "the server has ended: {exit:?}\n{}", log.lock().unwrap());
            address.is_some()
        });
        TestServer { child, address: address.unwrap(), log, options: self, _folder: folder }
    }
}

impl TestServer {
    /// Serves one file, folder or glob.
    #[track_caller]
    pub fn serving(path: impl AsRef<Path>) -> Self {
        Options::serving([path]).start()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks, and reads the answer to its end.
    #[track_caller]
    pub fn get(&self, request: impl Into<Request>) -> Answer {
        Answer::to(self.address, &request.into())
    }

    /// Asks, and leaves the stream open.
    #[track_caller]
    pub fn follow(&self, request: impl Into<Request>) -> Viewer {
        let viewer = Viewer::open(self.address, &request.into());
        assert_eq!(viewer.status, 200, "{viewer:?}");
        viewer
    }

    /// What it has written to its standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A metric's value, named as in `/metrics`, labels included.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no metric {name} in\n{text}")).parse().unwrap()
    }

    /// How many viewers there are in all formats.
    #[track_caller]
    pub fn n_viewers(&self) -> usize {
        let text = self.get("/metrics").text();
        let values = text.lines().filter_map(|line| {
            line.strip_prefix("tailcast_viewers{")?.split_once(' ').map(|(_, value)| value)
        });
        values.map(|value| value.parse::<usize>().unwrap()).sum()
    }

    /// A number of `/proc/PID/status`, such as `VmHWM` (KiB).
    #[track_caller]
    pub fn status_field(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(&format!("{name}:")));
        line.unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The time for which it has kept cores busy, in seconds.
    #[track_caller]
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, after) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = after.split(' ').collect();
        // `utime` and `stime` (proc_pid_stat(5)), in ticks.
        let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    /// How many descriptors it has open on this path.
    pub fn n_open(&self, path: &Path) -> usize {
        let links = fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        links
            .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
            .filter(|to| to == path)
            .count()
    }

    /// How many descriptors it has open.
    pub fn n_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether it has ended but for threads that the system does not let go of.
    pub fn is_zombie(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat.rsplit_once(") ").is_some_and(|(_, after)| after.starts_with('Z'))
    }

    /// Asks it to end (`SIGTERM`) and waits for it.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the server has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Ends it and starts another with the same options, on another port.
    #[track_caller]
    pub fn restart(mut self) -> Self {
        self.terminate();
        self.options.clone().start()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let killed = self.child.kill();
        let waited = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server ({killed:?}, {waited:?}) said:\n{}", self.log());
        }
    }
}

/// Runs the program to its end, as `tailcast COMMAND…`.
pub fn run(before: &[&str], options: &Options) -> Output {
    let folder = work_folder();
    options.command(before, folder.path()).output().unwrap()
}

/// An empty folder to run in, which any user may enter.
fn work_folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    let everybody: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    builder.prefix("tailcast-it-run-").permissions(everybody).tempdir().unwrap()
}

/// Reads what a server says, in a thread that ends with it.
fn collect(stderr: ChildStderr) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let theirs = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = theirs.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
    log
}

fn address_in(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.starts_with("tailcast: serving "))?;
    line.split_once("://")?.1.strip_suffix('/')?.parse().ok()
}

/// A copy of a program where every user can reach it; the folder of the build may be below one that
/// only its owner may enter.
fn reachable(program: &str) -> &'static Path {
    static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_folder, copy) = COPY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = folder.path().join("tailcast");
        // By another process: one of ours, being started just now, could hold the copy open.
        assert!(Command::new("cp").arg(program).arg(&copy).status().unwrap().success());
        (folder, copy)
    });
    copy
}
