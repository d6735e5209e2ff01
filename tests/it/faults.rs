//! Faults: what the system refuses costs latency, never a line, and is told.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::process::{cpu_ticks, run};
use crate::rotation_fixture::{TAG, gzip};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Options, Request, TestServer, Viewer, pause, wait_until};

#[test]
fn a_file_whose_permission_was_taken_away_is_read_on_when_it_is_given_back() {
    let folder = LogFolder::new();
    set_mode(folder.path(), 0o755);
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    set_mode(&path, 0o644);
    let server = Options::serving([&path]).user(NOBODY).start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(10);
    // The open file stays readable; the next one is not at first.
    set_mode(&path, 0o000);
    append(&path, &lines(TAG, 10..20));
    viewer.wait_for_lines(20);
    fs::rename(&path, folder.join("app.log.1")).unwrap();
    let umask_free = folder.join("fresh");
    append(&umask_free, &lines(TAG, 20..30));
    set_mode(&umask_free, 0o000);
    fs::rename(&umask_free, &path).unwrap();
    viewer.read_for(Duration::from_millis(1500));
    assert_eq!(viewer.lines.len(), 20);
    assert_eq!(server.get("/logs/app.log?tail=1&follow=false").status, 403);
    set_mode(&path, 0o644);
    append(&path, &lines(TAG, 30..40));
    viewer.wait_for_line(&line(TAG, 39));
    assert_numbered(&viewer.texts(), TAG, 0..40);
    assert_eq!(viewer.events_named("rotated").count(), 1);
    assert_eq!(viewer.events_named("gap").count(), 0);
}

#[test]
fn a_server_without_free_descriptors_serves_whom_it_has_and_recovers() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?heartbeat=1s"));
    viewer.wait_for_lines(1);
    let pid = server.pid().to_string();
    run("prlimit", &["--pid", &pid, "--nofile=64:64"]);
    let crowd: Vec<TcpStream> =
        (0..120).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    wait_until("no descriptor is left", || server.n_descriptors() >= 63);
    log.number(99);
    viewer.wait_for_line("line 100");
    // Rotation needs descriptors, and some are kept back for it: also for what comes and goes
    // before anybody could have waited for it.
    for round in 1..=3 {
        log.rename_to(&format!("gone.{round}"));
        log.reopen();
        log.number(50);
        viewer.wait_for_line(&format!("line {}", 100 + round * 50));
    }
    drop(crowd);
    log.number(1);
    viewer.wait_for_line("line 251");
    let numbered = crate::support::numbered(1, 251);
    assert_eq!(viewer.texts(), numbered);
    assert_eq!(viewer.events_named("gap").count(), 0);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn the_first_lines_of_a_file_are_sent_though_no_descriptor_is_free() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?heartbeat=1s"));
    viewer.wait_for_event("start");
    let pid = server.pid().to_string();
    run("prlimit", &["--pid", &pid, "--nofile=64:64"]);
    let crowd: Vec<TcpStream> =
        (0..120).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    wait_until("no descriptor is left", || server.n_descriptors() >= 63);
    log.number(100);
    viewer.wait_for_line("line 100");
    drop(crowd);
    assert_eq!(viewer.texts(), crate::support::numbered(1, 100));
}

#[test]
fn without_an_inotify_instance_files_are_polled_and_that_is_told() {
    let folder = LogFolder::new();
    set_mode(folder.path(), 0o755);
    append(&folder.join("app.log"), "zero\n");
    // In a user namespace of its own the limit is the server's alone.
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    let server = Options::serving([folder.path()])
        .through(&["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"])
        .start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=1"));
    viewer.wait_for_line("zero");
    append(&folder.join("app.log"), &lines(TAG, 0..10));
    viewer.wait_for_line(&line(TAG, 9));
    assert_eq!(server.metric("tailcast_polled"), 1.0);
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().starts_with("degraded\n"), "{}", ready.text());
    fs::rename(folder.join("app.log"), folder.join("app.log.1")).unwrap();
    append(&folder.join("app.log"), &lines(TAG, 10..20));
    viewer.wait_for_line(&line(TAG, 19));
    // A file that comes later is found by looking, too.
    append(&folder.join("late.log"), "one\n");
    wait_until("it is found", || server.get("/logs").text().contains("late.log"));
    let before = cpu_ticks(&server);
    pause(Duration::from_secs(2));
    let used = cpu_ticks(&server) - before;
    assert!(used <= 20, "{used} ticks in 2 s: it spins");
}

#[test]
fn a_damaged_archive_is_told_and_the_rest_of_the_history_and_the_live_end_follow() {
    for cut in [Cut::Start, Cut::Middle] {
        let folder = LogFolder::new();
        append(&folder.join("app.log.3"), &lines(TAG, 0..10));
        append(&folder.join("app.log.2"), &lines(TAG, 10..5010));
        gzip(&folder.join("app.log.2"));
        append(&folder.join("app.log.1"), &lines(TAG, 5010..5020));
        append(&folder.join("app.log"), &lines(TAG, 5020..5030));
        let packed = folder.join("app.log.2.gz");
        let whole = fs::read(&packed).unwrap();
        let left = match cut {
            Cut::Start => b"not a gzip file".to_vec(),
            Cut::Middle => whole[..whole.len() / 2].to_vec(),
        };
        fs::write(&packed, left).unwrap();
        let server = TestServer::serving(folder.join("app.log"));
        let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
        viewer.wait_for_line(&line(TAG, 5029));
        append(&folder.join("app.log"), &lines(TAG, 5030..5031));
        viewer.wait_for_line(&line(TAG, 5030));
        let reasons: Vec<_> = viewer.events_named("gap").map(|gap| &gap.data["reason"]).collect();
        assert_eq!(reasons, ["damaged"], "{cut:?}");
        // What could be unpacked is there; where it is cut, half a line.
        let texts = viewer.texts();
        let n_before = texts.iter().position(|text| *text == line(TAG, 5010)).unwrap();
        let n_whole = if n_before > 10 { n_before - 1 } else { n_before };
        assert_numbered(&texts[..n_whole], TAG, 0..n_whole);
        assert_numbered(&texts[n_before..], TAG, 5010..5031);
        assert_eq!(n_whole > 10, matches!(cut, Cut::Middle), "{n_whole}");
        // Asked for as the last lines, those behind the damage are told to be missing.
        let mut tail = server.follow(Request::ndjson("/logs/app.log?tail=100"));
        tail.wait_for_lines(21);
        assert_numbered(&tail.texts(), TAG, 5010..5031);
        assert_eq!(tail.wait_for_event("gap").data["reason"], "damaged");
    }
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Start,
    Middle,
}

#[test]
fn a_folder_that_is_removed_and_made_anew_is_followed_again() {
    let folder = LogFolder::new();
    let logs = folder.join("logs");
    append(&path_in(&logs), &lines(TAG, 0..10));
    let server = TestServer::serving(&logs);
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(10);
    fs::remove_dir_all(&logs).unwrap();
    pause(Duration::from_millis(1200));
    let before = cpu_ticks(&server);
    pause(Duration::from_secs(2));
    let used = cpu_ticks(&server) - before;
    assert!(used <= 20, "{used} ticks in 2 s: it spins");
    append(&path_in(&logs), &lines(TAG, 10..20));
    viewer.wait_for_line(&line(TAG, 19));
    fs::rename(&logs, folder.join("away")).unwrap();
    append(&path_in(&logs), &lines(TAG, 20..30));
    viewer.wait_for_line(&line(TAG, 29));
    append(&path_in(&logs), &lines(TAG, 30..40));
    viewer.wait_for_line(&line(TAG, 39));
    assert_numbered(&viewer.texts(), TAG, 0..40);
}

#[test]
fn a_client_that_sends_half_a_request_disturbs_nobody() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut half: Vec<TcpStream> = Vec::new();
    for _ in 0..50 {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        std::io::Write::write_all(&mut socket, b"GET /logs/app.log HT").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        half.push(socket);
    }
    let mut viewer: Viewer = server.follow("/logs/app.log");
    append(log.path(), "one\n");
    viewer.wait_for_line("one");
    for socket in &mut half {
        assert!(socket.read(&mut [0; 16]).is_err(), "no answer to half a request");
    }
}

fn path_in(logs: &Path) -> std::path::PathBuf {
    fs::create_dir_all(logs).unwrap();
    logs.join("app.log")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A user without any rights.
const NOBODY: u32 = 65534;
