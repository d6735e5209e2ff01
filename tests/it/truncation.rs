//! Truncation: what was copied away before is read from the copy, what is gone is told, nothing
//! comes twice; and what only looks like a truncation changes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{run, while_stopped};
use crate::rotation_fixture::{TAG, gap_bytes, log_lines, rotations, viewers_of_each_format};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFile, LogFolder, Options, Request, TestServer, Viewer, pause, wait_until};

/// A log with its first ten lines read, by an NDJSON viewer.
struct Stage {
    _folder: LogFolder,
    log: LogFile,
    server: TestServer,
    viewer: Viewer,
}

impl Stage {
    fn set() -> Self {
        let (folder, log) = LogFolder::with_log("app.log");
        append(log.path(), &lines(TAG, 0..10));
        let server = TestServer::serving(log.path());
        let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
        viewer.wait_for_lines(10);
        let mut stage = Stage { _folder: folder, log, server, viewer };
        stage.settle();
        stage
    }

    /// Appends the lines of these numbers.
    fn append(&self, numbers: std::ops::Range<usize>) {
        append(self.log.path(), &lines(TAG, numbers));
    }

    /// Lets the live end come to the end of what is there, and learn its size.
    fn settle(&mut self) {
        self.viewer.read_for(Duration::from_millis(1200));
    }

    /// Holds the viewer to have got the lines up to `last`, and to have been told this.
    #[track_caller]
    fn expect(&mut self, n_lines: usize, rotations_told: &[&str], gaps_told: &[u64]) {
        self.viewer.wait_for_line(&line(TAG, n_lines - 1));
        self.viewer.read_for(Duration::from_millis(300));
        assert_numbered(&self.viewer.texts(), TAG, 0..n_lines);
        assert_eq!(rotations(&self.viewer), rotations_told);
        assert_eq!(gap_bytes(&self.viewer), gaps_told);
    }
}

#[test]
fn what_was_copied_away_is_read_from_the_copy() {
    for n_after in [2, 40] {
        let mut stage = Stage::set();
        while_stopped(&stage.server, || {
            stage.append(10..20);
            stage.log.copytruncate("app.log.1");
            // Less than was read before, or more.
            stage.append(20..20 + n_after);
        });
        stage.expect(20 + n_after, &["truncated"], &[]);
        stage.append(20 + n_after..100);
        stage.expect(100, &["truncated"], &[]);
    }
}

#[test]
fn what_was_copied_away_and_packed_is_read_from_the_copy() {
    let mut stage = Stage::set();
    while_stopped(&stage.server, || {
        stage.append(10..20);
        stage.log.copytruncate("app.log.1");
        run("gzip", &[&format!("{}.1", stage.log.path().display())]);
        stage.append(20..30);
    });
    stage.expect(30, &["truncated"], &[]);
}

#[test]
fn a_slow_viewer_reads_what_was_copied_away_from_the_copy() {
    let mut stage = Stage::set();
    let ask = Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096);
    let mut slow = stage.server.follow(ask);
    slow.wait_for_lines(10);
    // More than sockets hold and than the live end keeps.
    let n_lines = BACKLOG;
    stage.append(10..n_lines);
    stage.viewer.wait_for_lines(n_lines);
    stage.log.copytruncate("app.log.1");
    stage.append(n_lines..n_lines + n_lines);
    stage.viewer.wait_for_lines(2 * n_lines);
    // Longer than the live end keeps what it has read.
    pause(Duration::from_millis(2500));
    stage.append(2 * n_lines..2 * n_lines + 10);
    slow.wait_for_lines(2 * n_lines + 10);
    assert_numbered(&log_lines(&slow), TAG, 0..2 * n_lines + 10);
}

#[test]
fn bytes_that_were_never_read_are_told_as_a_gap() {
    let mut stage = Stage::set();
    let line_bytes = lines(TAG, 0..1).len() as u64;
    // Seen and not handed out: a line without an end is held.
    append(stage.log.path(), "half");
    stage.settle();
    stage.log.truncate();
    stage.settle();
    stage.append(10..20);
    stage.viewer.wait_for_line(&line(TAG, 19));
    assert_eq!(stage.viewer.texts()[10], "half");
    assert_eq!(rotations(&stage.viewer), ["truncated"]);
    assert_eq!(gap_bytes(&stage.viewer), [0; 0]);

    // A viewer that has read to a place and comes back after the file was emptied behind it.
    let cursor = stage.viewer.lines[14].cursor.clone().unwrap();
    let ask = format!("/logs/app.log?from={cursor}&heartbeat=1s");
    let mut back = stage.server.follow(Request::ndjson(&ask));
    back.wait_for_lines(5);
    drop(back);
    stage.log.truncate();
    stage.settle();
    stage.append(20..25);
    stage.viewer.wait_for_line(&line(TAG, 24));
    let mut back = stage.server.follow(Request::ndjson(&ask));
    back.wait_for_line(&line(TAG, 24));
    assert_eq!(gap_bytes(&back).len(), 1, "{line_bytes} {:?}", back.events);
    assert_numbered(&back.texts(), TAG, 20..25);
}

#[test]
fn a_slow_viewer_is_told_how_much_it_has_missed() {
    let mut stage = Stage::set();
    let ask = Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096);
    let mut slow = stage.server.follow(ask);
    slow.wait_for_lines(10);
    let n_lines = BACKLOG;
    stage.append(10..n_lines);
    stage.viewer.wait_for_lines(n_lines);
    pause(Duration::from_millis(2500));
    stage.log.truncate();
    stage.settle();
    stage.append(n_lines..n_lines + 10);
    let last = line(TAG, n_lines + 9);
    slow.wait_for(|slow| slow.lines.last().is_some_and(|line| line.text == last));
    let (before, after) = slow.lines.split_at(slow.lines.len() - 10);
    let after: Vec<&str> = after.iter().map(|line| line.text.as_str()).collect();
    assert_numbered(&after, TAG, n_lines..n_lines + 10);
    // What it has got, a piece of a line perhaps, and what is gone are all that was written.
    let got = before.iter().map(|line| line.text.clone() + if line.partial { "" } else { "\n" });
    let got: String = got.collect();
    let written = lines(TAG, 0..n_lines);
    assert!(written.starts_with(&got) && got.len() < written.len(), "it was to be behind");
    assert_eq!(gap_bytes(&slow), [(written.len() - got.len()) as u64]);
    assert_eq!(rotations(&slow), ["truncated"]);
}

#[test]
fn a_file_that_was_emptied_and_has_outgrown_the_place_is_read_from_its_start() {
    let mut stage = Stage::set();
    while_stopped(&stage.server, || {
        stage.log.truncate();
        stage.append(10..100);
    });
    stage.expect(100, &["truncated"], &[]);
}

#[test]
fn a_truncation_is_told_in_text_as_nothing_and_loses_no_later_line() {
    let (_folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..10));
    let server = TestServer::serving(log.path());
    let mut viewers = viewers_of_each_format(&server, "app.log");
    for viewer in &mut viewers {
        viewer.wait_for_lines(10);
    }
    log.truncate();
    append(log.path(), &lines(TAG, 10..20));
    for viewer in &mut viewers {
        viewer.wait_for_line(&line(TAG, 19));
        assert_numbered(&log_lines(viewer), TAG, 0..20);
    }
}

#[test]
fn a_hole_behind_the_reader_changes_nothing() {
    let mut stage = Stage::set();
    let cursor = stage.viewer.lines[9].cursor.clone().unwrap();
    let size = fs::metadata(stage.log.path()).unwrap().len().to_string();
    let path = stage.log.path().to_str().unwrap();
    run("fallocate", &["--punch-hole", "--offset", "0", "--length", &size, path]);
    stage.settle();
    stage.append(10..20);
    stage.expect(20, &[], &[]);
    // Nor to a viewer that comes back.
    let ask = format!("/logs/app.log?from={cursor}");
    let mut back = stage.server.follow(Request::ndjson(&ask));
    back.wait_for_line(&line(TAG, 19));
    assert_numbered(&back.texts(), TAG, 10..20);
    assert_eq!(gap_bytes(&back), [0; 0]);
}

#[test]
fn another_file_on_the_same_inode_is_another_file() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    let server = Options::serving([&path]).variable("TAILCAST_LINGER", "0s").start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all&heartbeat=1s"));
    viewer.wait_for_lines(10);
    let cursor = viewer.lines[4].cursor.clone().unwrap();
    drop(viewer);
    wait_until("nobody holds the file", || server.n_open(&path) == 0);
    let inode = fs::metadata(&path).unwrap().ino();
    // The lines differ at their start alone, so that what stands before the place is alike.
    for attempt in 0.. {
        fs::remove_file(&path).unwrap();
        append(&path, &lines("ppa", 0..10));
        if fs::metadata(&path).unwrap().ino() == inode {
            break;
        }
        if attempt == 50 {
            // The file system (tmpfs) gives no number twice: there is nothing to confuse.
            return;
        }
    }
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line("ppa", 9));
    assert_numbered(&back.texts(), "ppa", 0..10);
    assert_eq!(back.events_named("gap").count(), 1, "{:?}", back.events);
}

#[test]
fn a_deleted_file_whose_inode_is_used_again_loses_no_line() {
    let mut stage = Stage::set();
    for round in 1..4 {
        stage.server.signal(Signal::STOP);
        stage.log.delete();
        stage.log.reopen();
        stage.append(round * 10..round * 10 + 10);
        stage.server.signal(Signal::CONT);
        stage.viewer.wait_for_line(&line(TAG, round * 10 + 9));
    }
    stage.expect(40, &["replaced"; 3], &[]);
}

#[test]
fn a_fifo_in_the_place_of_a_file_holds_nobody() {
    let mut stage = Stage::set();
    let path = stage.log.path().to_str().unwrap().to_owned();
    stage.log.rename_to("app.log.1");
    run("mkfifo", &[&path]);
    stage.settle();
    assert_eq!(stage.server.get("/healthz").status, 200);
    let mut second = stage.server.follow(Request::ndjson("/logs/app.log?tail=2"));
    second.wait_for_lines(2);
    fs::remove_file(&path).unwrap();
    stage.append(10..20);
    stage.expect(20, &["renamed"], &[]);
    second.wait_for_line(&line(TAG, 19));
    assert_numbered(&second.texts(), TAG, 8..20);
}

#[test]
fn a_folder_in_the_place_of_a_file_ends_nothing() {
    let mut stage = Stage::set();
    stage.log.delete();
    fs::create_dir(stage.log.path()).unwrap();
    stage.settle();
    assert_eq!(stage.server.get("/healthz").status, 200);
    fs::remove_dir(stage.log.path()).unwrap();
    stage.append(10..20);
    stage.expect(20, &["replaced"], &[]);
}

/// Lines of a viewer that is to fall behind: more than sockets hold.
const BACKLOG: usize = 60_000;
