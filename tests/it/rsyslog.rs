//! The real rsyslogd writes and the real logrotate rotates, with a HUP after it as distributions
//! set it up: each line arrives once, in order.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::run;
use crate::rotation_fixture::{TAG, gap_bytes, log_lines, rotations, viewers_of_each_format};
use crate::steady_writer::{assert_numbered, line};
use crate::support::{LogFolder, TestServer, Viewer, pause, wait_until};

#[test]
fn rsyslog_with_dated_and_packed_files_loses_no_line() {
    rotated("create 0640 root root\ndateext\ndateformat -%Y%m%d-%s\ncompress\ndelaycompress");
}

#[test]
fn rsyslog_with_numbered_files_that_are_created_late_loses_no_line() {
    rotated("nocreate\nsharedscripts\ncompress\ndelaycompress");
}

/// Rotates three times while lines are sent, with these options of logrotate.
#[track_caller]
fn rotated(options: &str) {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    let syslog = Rsyslog::start(&folder, &path);
    let server = TestServer::serving(&path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    let hup = format!("kill -HUP {}", syslog.child.id());
    let conf = format!(
        "{} {{\nsu root root\nsize 1\nrotate 9\n{options}\npostrotate\n{hup}\nendscript\n}}\n",
        path.display()
    );
    let (config, state) = (folder.join("logrotate.conf"), folder.join("logrotate.state"));
    fs::write(&config, conf).unwrap();
    let arguments = ["-f", "-s", state.to_str().unwrap(), config.to_str().unwrap()];
    let mut n_lines = 0;
    for round in 0..4 {
        if round > 0 {
            std::thread::scope(|scope| {
                let rotator = scope.spawn(|| run("/usr/sbin/logrotate", &arguments));
                // Lines go on meanwhile.
                while !rotator.is_finished() {
                    n_lines = syslog.send(n_lines, 1);
                }
            });
        }
        // A dated name with seconds needs another second.
        for _ in 0..24 {
            n_lines = syslog.send(n_lines, 50);
            pause(Duration::from_millis(50));
        }
        // All were written, and the file is there to be rotated.
        wait_until("rsyslog has written", || fs::metadata(&path).is_ok_and(|file| file.len() > 0));
    }
    for viewer in &mut viewers {
        viewer.wait_for(|viewer| viewer.texts().iter().any(|text| text.ends_with(&last(n_lines))));
        assert_numbered(&messages(viewer), TAG, 0..n_lines);
        assert_eq!(gap_bytes(viewer), Vec::<u64>::new());
    }
    assert_eq!(rotations(&viewers[0]), ["renamed"; 3]);
    let mut later = server.follow("/logs/app.log?tail=all&follow=false");
    later.wait_for_end();
    assert_numbered(&messages(&later), TAG, 0..n_lines);
    let packed = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "gz")
    });
    assert_eq!(packed.count(), 2, "all but the last are packed");
}

fn last(n_lines: usize) -> String {
    line(TAG, n_lines - 1)
}

/// What stands behind the time, the host and the tag.
fn messages(viewer: &Viewer) -> Vec<&str> {
    let message = |text: &'_ str| text.find(" t: ").map(|at| at + " t: ".len());
    log_lines(viewer).into_iter().map(|text| &text[message(text).unwrap_or(0)..]).collect()
}

/// A syslog daemon of our own, with its own socket.
struct Rsyslog {
    child: Child,
    socket: UnixDatagram,
}

impl Rsyslog {
    #[track_caller]
    fn start(folder: &LogFolder, log: &Path) -> Self {
        let (config, socket): (PathBuf, PathBuf) =
            (folder.join("rsyslog.conf"), folder.join("dev"));
        let text = format!(
            r#"module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{}" RateLimit.Interval="0" UseSpecialParser="on")
action(type="omfile" file="{}" template="RSYSLOG_FileFormat")
"#,
            socket.display(),
            log.display()
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("/usr/sbin/rsyslogd")
            .arg("-n")
            .arg("-f")
            .arg(&config)
            .arg("-i")
            .arg(folder.join("rsyslog.pid"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("rsyslogd cannot be run ({error}); install rsyslog"));
        let own = UnixDatagram::unbound().unwrap();
        wait_until("rsyslogd takes messages", || own.connect(&socket).is_ok());
        Rsyslog { child, socket: own }
    }

    /// Sends the next lines; waits where the daemon is behind. Returns the number of the next one.
    fn send(&self, first: usize, n_lines: usize) -> usize {
        for number in first..first + n_lines {
            let message = format!("<14>Nov 21 10:00:00 t: {}", line(TAG, number));
            self.socket.send(message.as_bytes()).unwrap();
        }
        first + n_lines
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let killed = self.child.kill();
        let waited = self.child.wait();
        if std::thread::panicking() {
            eprintln!("rsyslogd: {killed:?}, {waited:?}");
        }
    }
}
