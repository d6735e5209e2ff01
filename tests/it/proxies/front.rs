//! [`Front`]: a running proxy, on a free port of an address of its own, in a folder of its own, and
//! never with root's rights.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Error;

use super::certificate::Certificate;
use super::program::Surroundings;
use super::site::Site;
use crate::support::{Answer, DEADLINE, Request, Socket, Tls, Viewer, pause, wait_until};

/// A running proxy; ended with the value.
#[derive(Debug)]
pub struct Front {
    site: Site,
    upstream: SocketAddr,
    address: SocketAddr,
    status: SocketAddr,
    certificate: Certificate,
    generation: usize,
    child: Child,
    folder: TempDir,
}

impl Front {
    /// Starts a proxy before `upstream`, and waits for it to serve.
    #[track_caller]
    pub fn start(site: Site, upstream: SocketAddr) -> Self {
        let folder = tempfile::Builder::new().prefix("tailcast-it-front-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let ip = own_address();
        let (address, status) = free_ports(ip);
        let certificate = Certificate::of(&[site.host.unwrap_or("localhost"), &ip.to_string()]);
        let generation = 1;
        let config = write_files(&site, &certificate, folder.path(), address, upstream);
        write_config(&site, &config, folder.path(), status, generation);
        let child = spawn(&site, folder.path());
        let mut front =
            Front { site, upstream, address, status, certificate, generation, child, folder };
        front.wait_until_serving();
        front
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate, as a file.
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The host that requests name, if that is not its address.
    pub fn host(&self) -> Option<&'static str> {
        self.site.host
    }

    /// The URL of Tailcast's front page.
    pub fn url(&self) -> String {
        let scheme = if self.site.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{}/", self.address, self.site.prefix)
    }

    /// A request as a client of this site sends it: below its path, for its host, over TLS.
    pub fn request(&self, request: impl Into<Request>) -> Request {
        let mut request = request.into().below(self.site.prefix);
        if let Some(host) = self.site.host {
            request = request.header("Host", host);
        }
        if self.site.is_tls {
            let name = self.site.host.unwrap_or("localhost").to_owned();
            request = request.over(Tls { config: Arc::clone(&self.certificate.client), name });
        }
        request
    }

    /// Opens a WebSocket.
    pub fn socket(&self, request: impl Into<Request>) -> Result<Socket, Box<Error>> {
        Socket::attempt(self.address, &self.request(request))
    }

    /// Asks, and leaves the stream open; what went wrong on the way is an error.
    pub fn attempt(&self, request: impl Into<Request>) -> io::Result<Viewer> {
        Viewer::attempt(self.address, &self.request(request))
    }

    /// Asks, and reads the answer to its end.
    #[track_caller]
    pub fn get(&self, request: impl Into<Request>) -> Answer {
        Answer::to(self.address, &self.request(request))
    }

    /// Asks, and leaves the stream open.
    #[track_caller]
    pub fn follow(&self, request: impl Into<Request>) -> Viewer {
        let viewer = Viewer::open(self.address, &self.request(request));
        assert_eq!(viewer.status, 200, "{viewer:?}");
        viewer
    }

    /// Has it read its configuration again, and waits until it answers by the new one.
    #[track_caller]
    pub fn reload(&mut self) {
        self.generation += 1;
        self.write_config();
        if let Some(signal) = self.site.program.reload_signal() {
            kill_process(self.pid(), signal).unwrap();
        } else {
            let mut command = self.site.program.reload_command(&self.config_path());
            let output = as_nobody(&mut command, self.folder.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        self.wait_until_serving();
    }

    /// Ends it, and starts it again at the same address.
    #[track_caller]
    pub fn restart(&mut self) {
        self.end();
        self.generation += 1;
        self.write_config();
        self.child = spawn(&self.site, self.folder.path());
        self.wait_until_serving();
    }

    /// What it has said.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name));
        ["output", "errors"].iter().filter_map(|name| read(name).ok()).collect()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn write_config(&self) {
        let folder = self.folder.path();
        let config =
            write_files(&self.site, &self.certificate, folder, self.address, self.upstream);
        write_config(&self.site, &config, folder, self.status, self.generation);
    }

    #[track_caller]
    fn wait_until_serving(&mut self) {
        let begun = Instant::now();
        while !self.is_serving() {
            let exit = self.child.try_wait().unwrap();
            assert!(exit.is_none(), "the proxy has ended: {exit:?}\n{}", self.log());
            assert!(begun.elapsed() < DEADLINE, "the proxy does not serve\n{}", self.log());
            pause(Duration::from_millis(20));
        }
    }

    fn is_serving(&self) -> bool {
        let generation = generation_at(self.status).ok();
        generation.is_some_and(|generation| generation == self.generation.to_string())
            && TcpStream::connect(self.address).is_ok()
    }

    /// Ends the program as its service manager would.
    #[track_caller]
    fn end(&mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        wait_until("the proxy has ended", || self.child.try_wait().unwrap().is_some());
    }
}

impl Drop for Front {
    /// Asks it to end, so that it takes its own processes with it. If that takes long (Apache waits
    /// for its streams), the whole group is ended, which the first process leads.
    fn drop(&mut self) {
        let asked = kill_process(self.pid(), Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < FAREWELL && matches!(self.child.try_wait(), Ok(None)) {
            pause(Duration::from_millis(10));
        }
        let killed = kill_process_group(self.pid(), Signal::KILL);
        let waited = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the proxy ({asked:?}, {killed:?}, {waited:?}) said:\n{}", self.log());
        }
    }
}

/// Writes the certificate, and returns the site with all places filled in.
fn write_files(
    site: &Site,
    certificate: &Certificate,
    folder: &Path,
    address: SocketAddr,
    upstream: SocketAddr,
) -> String {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let both = format!("{}{}", certificate.pem, certificate.key);
    site.text
        .replace("{listen}", &address.to_string())
        .replace("{ip}", &address.ip().to_string())
        .replace("{port}", &address.port().to_string())
        .replace("{upstream}", &upstream.to_string())
        .replace("{certificate}", &write("certificate.pem", &certificate.pem))
        .replace("{key}", &write("key.pem", &certificate.key))
        .replace("{both}", &write("both.pem", &both))
}

fn write_config(site: &Site, text: &str, folder: &Path, status: SocketAddr, generation: usize) {
    let surroundings = Surroundings { folder, status, generation };
    fs::write(folder.join("config"), site.program.around(text, &surroundings)).unwrap();
}

#[track_caller]
fn spawn(site: &Site, folder: &Path) -> Child {
    let output = fs::OpenOptions::new().create(true).append(true).open(folder.join("output"));
    let output = output.unwrap();
    let mut command = Command::new(site.program.file());
    command.args(site.program.arguments(&folder.join("config"))).process_group(0);
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    // HAProxy goes back to where it was begun, and whoever it runs as may not enter ours.
    command.current_dir(folder);
    as_nobody(&mut command, folder).spawn().unwrap()
}

/// Takes root's rights from the command, and gives the folder to whom it runs as.
fn as_nobody<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    if !geteuid().is_root() {
        return command;
    }
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    command.uid(NOBODY).gid(NOBODY)
}

/// An address of the loopback range that no other test has, so that a port found free stays free.
fn own_address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % 250 + 1;
    let [_, _, high, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, u8::try_from(number).unwrap(), high, low.clamp(1, 254)))
}

/// What the proxy says of its configuration. One that is about to go may take a request and not
/// answer it.
fn generation_at(status: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect(status)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.write_all(format!("GET / HTTP/1.0\r\nHost: {status}\r\n\r\n").as_bytes())?;
    let answer = io::read_to_string(socket)?;
    Ok(answer.split_once("\r\n\r\n").unwrap_or_default().1.trim().to_owned())
}

/// Two that are free; held together, so that they differ.
fn free_ports(ip: IpAddr) -> (SocketAddr, SocketAddr) {
    let both = [(); 2].map(|()| TcpListener::bind((ip, 0)).unwrap());
    let [first, second] = both.map(|listener| listener.local_addr().unwrap());
    (first, second)
}

/// How long a program may take to end before it is made to.
const FAREWELL: Duration = Duration::from_secs(1);
const NOBODY: u32 = 65534;
