//! Resume: a viewer that comes back with a cursor goes on at the next line, wherever its file is.

use std::fs;
use std::time::Duration;

use crate::process::run;
use crate::rotation_fixture::{TAG, gap_bytes, gzip, rotations, shift};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Options, Request, TestServer, Viewer, pause};

/// A log of ten lines, and the cursor after the fifth.
fn log_and_cursor() -> (LogFolder, TestServer, String) {
    let folder = LogFolder::new();
    append(&folder.join("app.log"), &lines(TAG, 0..10));
    let server = TestServer::serving(folder.join("app.log"));
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(10);
    let cursor = viewer.lines[4].cursor.clone().unwrap();
    (folder, server, cursor)
}

/// Comes back, as a client of records and as an `EventSource`, and has to get the lines from 5 on.
#[track_caller]
fn comes_back(server: &TestServer, cursor: &str, n_lines: usize) {
    let by_url = Request::ndjson(&format!("/logs/app.log?from={cursor}"));
    let by_header = Request::sse("/logs/app.log").header("Last-Event-ID", cursor);
    for ask in [by_url, by_header] {
        let mut viewer = server.follow(ask);
        viewer.wait_for_line(&line(TAG, n_lines - 1));
        assert_numbered(&viewer.texts(), TAG, 5..n_lines);
        assert_eq!(gap_bytes(&viewer), [0; 0]);
    }
}

#[test]
fn a_viewer_goes_on_after_a_rotation() {
    let (folder, server, cursor) = log_and_cursor();
    shift(&folder.join("app.log"), 5);
    append(&folder.join("app.log"), &lines(TAG, 10..20));
    comes_back(&server, &cursor, 20);
}

#[test]
fn a_viewer_goes_on_in_a_packed_file() {
    for program in ["gzip", "bzip2", "xz"] {
        let (folder, server, cursor) = log_and_cursor();
        shift(&folder.join("app.log"), 5);
        run(program, &[folder.join("app.log.1").to_str().unwrap()]);
        append(&folder.join("app.log"), &lines(TAG, 10..20));
        comes_back(&server, &cursor, 20);
    }
}

#[test]
fn a_viewer_goes_on_after_several_rotations_and_a_restart() {
    let (folder, server, cursor) = log_and_cursor();
    let path = folder.join("app.log");
    for round in 1..5 {
        shift(&path, 9);
        append(&path, &lines(TAG, round * 10..round * 10 + 10));
        if round > 1 {
            gzip(&folder.join("app.log.2"));
        }
    }
    let server = server.restart();
    comes_back(&server, &cursor, 50);
}

#[test]
fn a_viewer_goes_on_after_copytruncate() {
    let (folder, server, cursor) = log_and_cursor();
    fs::copy(folder.join("app.log"), folder.join("app.log.1")).unwrap();
    fs::write(folder.join("app.log"), lines(TAG, 10..30)).unwrap();
    comes_back(&server, &cursor, 30);
    gzip(&folder.join("app.log.1"));
    comes_back(&server, &cursor, 30);
}

#[test]
fn a_viewer_goes_on_in_the_olddir() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    let olddir = folder.join("old");
    fs::create_dir(&olddir).unwrap();
    let config = format!(
        "[[default.tailcast.source]]\nname = \"app.log\"\npaths = [{path:?}]\nolddir = {olddir:?}\n"
    );
    let server = Options::default().config(&config).start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(10);
    let cursor = viewer.lines[4].cursor.clone().unwrap();
    fs::rename(&path, olddir.join("app.log.1")).unwrap();
    append(&path, &lines(TAG, 10..20));
    comes_back(&server, &cursor, 20);
    viewer.wait_for_line(&line(TAG, 19));
    assert_eq!(rotations(&viewer), ["renamed"]);
}

#[test]
fn a_place_that_is_gone_is_told_as_a_gap() {
    let (folder, server, cursor) = log_and_cursor();
    let path = folder.join("app.log");
    fs::remove_file(&path).unwrap();
    append(&path, &lines("other", 0..3));
    // The live end of the first viewer still holds the file; a server of its own does not.
    let server = server.restart();
    let mut viewer = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    viewer.wait_for_line(&line("other", 2));
    assert_eq!(viewer.events_named("gap").count(), 1);
    assert_numbered(&viewer.texts(), "other", 0..3);
}

#[test]
fn a_viewer_that_reads_a_backlog_slowly_loses_nothing_to_rotations_under_it() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..BACKLOG));
    let server = TestServer::serving(&path);
    let mut viewer = slow_viewer(&server);
    viewer.wait_for_lines(10);
    for round in 1..4 {
        shift(&path, 9);
        append(&path, &lines(TAG, round * BACKLOG..(round + 1) * BACKLOG));
        if round > 1 {
            gzip(&folder.join("app.log.2"));
        }
        viewer.read();
        pause(Duration::from_millis(400));
    }
    viewer.wait_for_lines(4 * BACKLOG);
    assert_numbered(&viewer.texts(), TAG, 0..4 * BACKLOG);
    assert_eq!(rotations(&viewer).len(), 3);
    assert_eq!(gap_bytes(&viewer), [0; 0]);
}

#[test]
fn a_slow_viewer_is_told_of_files_that_were_rotated_away_unread() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..BACKLOG));
    let server = TestServer::serving(&path);
    let mut quick = server.follow(Request::ndjson("/logs/app.log?tail=0"));
    quick.wait_for_event("start");
    let mut viewer = slow_viewer(&server);
    viewer.wait_for_lines(10);
    for round in 1..7 {
        shift(&path, 2);
        append(&path, &lines(TAG, round * BACKLOG..(round + 1) * BACKLOG));
        // So that the live end has seen each of them.
        quick.wait_for_lines(round * BACKLOG);
    }
    viewer.wait_for_lines(6 * BACKLOG);
    // Its own file it held; two are there, and the live end keeps four that may get late lines; the one
    // between is gone.
    let got = viewer.texts();
    assert_numbered(&got[..BACKLOG], TAG, 0..BACKLOG);
    assert_numbered(&got[BACKLOG..], TAG, 2 * BACKLOG..7 * BACKLOG);
    let n_gone = lines(TAG, BACKLOG..2 * BACKLOG).len() as u64;
    assert_eq!(gap_bytes(&viewer).iter().sum::<u64>(), n_gone);
}

/// A viewer whose socket takes little, so that it stays behind while it is not read.
#[track_caller]
fn slow_viewer(server: &TestServer) -> Viewer {
    server.follow(Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096))
}

/// Lines a file: more than sockets hold.
const BACKLOG: usize = 60_000;

/// The cursor of an empty file knows nothing of what came into it but the time.
#[test]
fn a_viewer_of_an_empty_file_goes_on_after_it_was_filled_rotated_and_packed() {
    for program in ["gzip", "bzip2", "xz"] {
        let folder = LogFolder::new();
        let path = folder.join("app.log");
        // An older file that has been seen.
        append(&path, &lines("old", 0..5));
        shift(&path, 9);
        gzip(&folder.join("app.log.1"));
        pause(Duration::from_millis(20));
        append(&path, "");
        let server = TestServer::serving(&path);
        let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=0"));
        let cursor = viewer.wait_for_event("start").cursor().unwrap().to_owned();
        drop(viewer);
        pause(Duration::from_millis(20));
        append(&path, &lines(TAG, 0..10));
        shift(&path, 9);
        run(program, &[folder.join("app.log.1").to_str().unwrap()]);
        append(&path, &lines(TAG, 10..20));
        let server = server.restart();
        let mut viewer = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
        viewer.wait_for_line(&line(TAG, 19));
        assert_numbered(&viewer.texts(), TAG, 0..20);
        assert_eq!(gap_bytes(&viewer), [0; 0]);
    }
}
