//! Holes: copytruncate under a writer that does not append (`java > log`) leaves a file whose start
//! is a hole. It is no content: it is skipped, the truncation is told, and what only the copy has
//! is read from the copy.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::{run, while_stopped};
use crate::rotation_fixture::{TAG, gap_bytes, gzip, log_lines, rotations, viewers_of_each_format};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Request, TestServer, Viewer};

/// A log whose writer has it open without `O_APPEND`, as a shell's `>` opens it.
struct Stage {
    folder: LogFolder,
    path: PathBuf,
    file: File,
    n_lines: usize,
}

impl Stage {
    fn set() -> Self {
        let folder = LogFolder::new();
        let path = folder.join("app.log");
        let file = File::create(&path).unwrap();
        Stage { folder, path, file, n_lines: 0 }
    }

    /// Writes the next lines where the writer stands.
    fn write(&mut self, n_lines: usize) {
        let text = lines(TAG, self.n_lines..self.n_lines + n_lines);
        self.file.write_all(text.as_bytes()).unwrap();
        self.n_lines += n_lines;
    }

    /// Copies the log to `app.log.1`, the older ones shifted, and empties it under its writer.
    fn copytruncate(&self) {
        for number in (1..9).rev() {
            for packed in ["", ".gz"] {
                let name = |number| self.folder.join(&format!("app.log.{number}{packed}"));
                if name(number).exists() {
                    fs::rename(name(number), name(number + 1)).unwrap();
                }
            }
        }
        let (from, to) = (self.path.to_str().unwrap(), self.folder.join("app.log.1"));
        run("cp", &["--sparse=auto", from, to.to_str().unwrap()]);
        self.file.set_len(0).unwrap();
    }

    /// Holds each viewer to have got all lines, each once, and to have been told of no gap.
    #[track_caller]
    fn expect(&self, viewers: &mut [Viewer], n_truncations: usize) {
        for viewer in viewers {
            viewer.wait_for_line(&line(TAG, self.n_lines - 1));
            viewer.read_for(Duration::from_millis(100));
            assert_numbered(&log_lines(viewer), TAG, 0..self.n_lines);
            assert_eq!(gap_bytes(viewer), [0; 0]);
            if viewer.events_named("start").count() > 0 {
                assert_eq!(rotations(viewer), vec!["truncated"; n_truncations]);
            }
        }
    }
}

#[test]
fn a_hole_is_skipped_and_its_truncation_told() {
    let mut stage = Stage::set();
    stage.write(100);
    let server = TestServer::serving(&stage.path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    stage.expect(&mut viewers, 0);
    // Between two looks: the file is as large as before, and larger.
    while_stopped(&server, || {
        stage.copytruncate();
        stage.write(20);
    });
    stage.expect(&mut viewers, 1);
    stage.write(20);
    stage.expect(&mut viewers, 1);
}

#[test]
fn a_hole_that_comes_after_the_truncation_was_seen_is_skipped() {
    let mut stage = Stage::set();
    stage.write(100);
    let server = TestServer::serving(&stage.path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    stage.expect(&mut viewers, 0);
    stage.copytruncate();
    for viewer in &mut viewers {
        viewer.read_for(Duration::from_millis(500));
    }
    stage.write(20);
    stage.expect(&mut viewers, 1);
}

#[test]
fn what_only_the_copy_of_a_file_with_a_hole_has_is_read() {
    let mut stage = Stage::set();
    stage.write(100);
    let server = TestServer::serving(&stage.path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    stage.expect(&mut viewers, 0);
    while_stopped(&server, || {
        stage.write(20);
        stage.copytruncate();
        stage.write(20);
    });
    stage.expect(&mut viewers, 1);
}

#[test]
fn each_of_several_truncations_between_two_looks_is_told_and_loses_no_line() {
    for is_packed in [false, true] {
        let mut stage = Stage::set();
        stage.write(100);
        let server = TestServer::serving(&stage.path);
        let mut viewers = viewers_of_each_format(&server, "app.log");
        stage.expect(&mut viewers, 0);
        while_stopped(&server, || {
            for _ in 0..2 {
                stage.write(20);
                stage.copytruncate();
                if is_packed {
                    gzip(&stage.folder.join("app.log.1"));
                }
            }
            stage.write(20);
        });
        stage.expect(&mut viewers, 2);
    }
}

#[test]
fn a_server_that_starts_later_shows_no_hole() {
    for is_packed in [false, true] {
        let mut stage = Stage::set();
        stage.write(100);
        let server = TestServer::serving(&stage.path);
        let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
        viewer.wait_for_lines(100);
        let cursor = viewer.lines[49].cursor.clone().unwrap();
        drop(viewer);
        // The second copy begins with a hole itself; packed, with as many zeros.
        for _ in 0..2 {
            stage.copytruncate();
            stage.write(20);
            if is_packed {
                gzip(&stage.folder.join("app.log.1"));
            }
        }
        let server = server.restart();
        let mut viewers = viewers_of_each_format(&server, "app.log");
        for viewer in &mut viewers {
            viewer.wait_for_line(&line(TAG, 139));
            assert_numbered(&log_lines(viewer), TAG, 0..140);
        }
        let finite = server.get("/logs/app.log?tail=30&follow=false");
        assert_eq!(finite.text(), lines(TAG, 110..140));
        // A viewer that comes back goes on in the copy, and after the hole.
        let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
        stage.write(5);
        back.wait_for_line(&line(TAG, 144));
        assert_numbered(&back.texts(), TAG, 50..145);
        assert_eq!(gap_bytes(&back), [0; 0]);
    }
}

#[test]
fn a_hole_punched_into_what_was_read_changes_nothing_to_anybody() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..1000));
    let server = TestServer::serving(&path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    for viewer in &mut viewers {
        viewer.wait_for_lines(1000);
    }
    let cursor = viewers[0].lines[499].cursor.clone().unwrap();
    // Whole blocks before the offset are given back, as `fallocate -p` does to save space.
    let log = path.to_str().unwrap();
    run("fallocate", &["--punch-hole", "--offset", "0", "--length", "8192", log]);
    append(&path, &lines(TAG, 1000..1010));
    for viewer in &mut viewers {
        viewer.wait_for_line(&line(TAG, 1009));
        assert_numbered(&log_lines(viewer), TAG, 0..1010);
        assert_eq!((rotations(viewer).len(), gap_bytes(viewer).len()), (0, 0));
    }
    let server = server.restart();
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line(TAG, 1009));
    assert_numbered(&back.texts(), TAG, 500..1010);
    assert_eq!(gap_bytes(&back), [0; 0]);
}
