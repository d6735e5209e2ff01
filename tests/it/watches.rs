//! Watches: an event is a hint. One that is missed costs latency, never a line.

use std::fs;
use std::time::{Duration, Instant};

use crate::process::{inotify, while_stopped};
use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Request, TestServer, pause, wait_until};

#[test]
fn a_line_of_a_quiet_log_goes_out_at_once() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow("/logs/app.log");
    let mut longest = Duration::ZERO;
    for number in 1..=5 {
        pause(Duration::from_millis(270));
        let begun = Instant::now();
        log.number(1);
        viewer.wait_for_line(&format!("line {number}"));
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_millis(250), "{longest:?}: the watch does not work");
}

#[test]
fn an_overflow_of_the_event_queue_loses_no_line() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, "");
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_event("start");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    while_stopped(&server, || {
        // Each alternation is an event of its own, equal ones in a row are one.
        for number in 0..=limit / 4 {
            let other = folder.join(&format!("{}.tmp", number % 2));
            append(&other, "x");
            fs::remove_file(other).unwrap();
        }
        append(&path, &lines(TAG, 0..10));
        append(&folder.join("late.log"), "one\n");
    });
    viewer.wait_for_line(&line(TAG, 9));
    wait_until("the new log is found", || server.get("/logs").text().contains("late.log"));
    append(&path, &lines(TAG, 10..20));
    viewer.wait_for_line(&line(TAG, 19));
    assert_numbered(&viewer.texts(), TAG, 0..20);
}

#[test]
fn a_file_that_is_written_through_another_name_is_followed() {
    let folder = LogFolder::new();
    folder.write("real/app", "");
    fs::hard_link(folder.join("real/app"), folder.join("app.log")).unwrap();
    let server = TestServer::serving(folder.join("app.log"));
    let mut viewer = server.follow(Request::ndjson("/logs/app.log"));
    viewer.wait_for_event("start");
    append(&folder.join("real/app"), &lines(TAG, 0..10));
    viewer.wait_for_line(&line(TAG, 9));
    assert_numbered(&viewer.texts(), TAG, 0..10);
}

#[test]
fn many_rotations_leave_no_watch_behind() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, "");
    let server = TestServer::serving(&path);
    let mut viewer = server.follow(Request::ndjson("/logs/app.log"));
    viewer.wait_for_event("start");
    for round in 0..40 {
        crate::rotation_fixture::shift(&path, 3);
        append(&path, &lines(TAG, round * 10..round * 10 + 10));
        pause(Duration::from_millis(60));
    }
    viewer.wait_for_line(&line(TAG, 399));
    assert_numbered(&viewer.texts(), TAG, 0..400);
    // The watches of old files go when the multiplexer is built anew.
    wait_until("old watches are let go", || inotify(&server).n_watches <= 12);
    assert!(inotify(&server).n_instances <= 3, "{:?}", inotify(&server));
    wait_until("old files are closed", || n_deleted_files(&server) <= 1);
}

fn n_deleted_files(server: &TestServer) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().ends_with("(deleted)"))
        .count()
}
