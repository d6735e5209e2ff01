//! Clients that are not ours: the libraries that programs in other languages use.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::support::{LogFolder, Socket, TestServer, numbered, wait_until};

/// A client in a process of its own, which ends with it.
struct Client {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Client {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be run, see tests/run: {error}"));
        let lines = BufReader::new(child.stdout.take().unwrap());
        Client { child, lines }
    }

    /// The library `websockets` of Python, as Debian packages it.
    fn python(url: &str, last: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/foreign/follow.py");
        Self::start(Command::new("/usr/bin/python3").args([script, url, last]))
    }

    /// The library `ws` of Node, as Debian packages it.
    fn node(url: &str, last: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/foreign/follow.js");
        let mut command = Command::new("node");
        Self::start(command.env("NODE_PATH", "/usr/share/nodejs").args([script, url, last]))
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn read_lines(&mut self, n_lines: usize) -> Vec<String> {
        (0..n_lines).map(|_| self.read_line()).collect()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

fn follows_every_line(start: fn(&str, &str) -> Client) {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(100);
    let server = TestServer::serving(log.path());
    let url = format!("ws://{}/logs/app.log?tail=all", server.address());
    let mut client = start(&url, "line 20100");
    assert_eq!(client.read_lines(100), numbered(1, 100));
    for _ in 0..20 {
        log.line("unwanted");
        log.number(1_000);
    }
    assert_eq!(client.read_lines(20_000), numbered(101, 20_100));
    assert!(client.child.wait().unwrap().success());
    wait_until("it is released", || server.n_viewers() == 0);
}

#[test]
fn pythons_websockets_follows_every_line() {
    follows_every_line(Client::python);
}

#[test]
fn nodes_ws_follows_every_line() {
    follows_every_line(Client::node);
}

#[test]
fn a_stopped_client_is_released_and_the_others_never_notice() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let url = format!("ws://{}/logs/app.log?tail=all&heartbeat=1s", server.address());
    let mut stopped = Client::python(&url, "line 999999");
    assert_eq!(stopped.read_line(), "line 1");
    let mut other = Socket::open(&server, "/logs/app.log?tail=all&heartbeat=1s");
    stopped.signal(Signal::STOP);
    // Lines that nobody takes pile up in the kernel, up to a point.
    other.wait_for(|_| {
        if log.n_lines() < 100_000 {
            log.number(1_000);
        }
        server.metric("tailcast_viewers_closed_total{reason=\"silent\"}") >= 1.0
    });
    assert_eq!(server.n_viewers(), 1);
    let n_lines = log.n_lines();
    other.wait_for_lines(n_lines);
    assert_eq!(other.texts(), numbered(1, n_lines));
}
