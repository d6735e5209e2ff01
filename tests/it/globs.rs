//! A glob is as good as the sources in it: one that cannot be read, or that answers late, is told and
//! holds up none of the others, and one that comes later is never forgotten.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Message;

use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, lines};
use crate::support::{
    LogFolder, Options, Request, Socket, StallingDisk, TestServer, Viewer, wait_until,
};

#[test]
fn a_file_that_appears_in_a_busy_glob_is_not_forgotten() {
    let folder = LogFolder::new();
    folder.log("0.log").line("first");
    let server = TestServer::serving(folder.path());
    let mut socket = Socket::open(&server, "/logs/*.log?tail=all");
    socket.wait_for_lines(1);
    for number in 1..=12 {
        // Each file is the only change of the catalog until its line has come.
        folder.write(&format!("{number}.log"), format!("file {number}\n"));
        let begun = Instant::now();
        while socket.texts().last().copied() != Some(format!("file {number}").as_str()) {
            assert!(begun.elapsed() < Duration::from_secs(10), "file {number} was forgotten");
            // What the client says interrupts whatever the stream is doing.
            socket.send_message(Message::Ping("x".into()));
            socket.read();
        }
    }
}

#[test]
fn a_silent_disk_holds_up_none_of_the_others_in_a_glob() {
    let disk = StallingDisk::new();
    append(&disk.behind("stalled.log"), &lines(TAG, 0..10));
    let folder = LogFolder::new();
    append(&folder.join("app.log"), &lines(TAG, 0..10));
    let server = Options::serving([disk.path(), folder.path()]).start();
    wait_for_sources(&server, 2);
    let stall = disk.stall();
    let begun = Instant::now();
    let mut viewer = server.follow(Request::ndjson("/logs/**?tail=all"));
    viewer.wait_for_lines(10);
    append(&folder.join("app.log"), &lines(TAG, 10..11));
    viewer.wait_for_lines(11);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(viewer.lines.iter().all(|line| line.source.as_deref().unwrap().ends_with("app.log")));
    drop(stall);
    viewer.wait_for_lines(21);
    let late = viewer.lines[11..]
        .iter()
        .all(|line| line.source.as_deref().unwrap().ends_with("stalled.log"));
    assert!(late, "{:?}", viewer.lines);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_served() {
    let (folder, server) = with_one_unreadable();
    let mut ndjson = server.follow(Request::ndjson("/logs/*.log"));
    assert_told(&ndjson.wait_for_event("unreadable").data);
    ndjson.wait_for_lines(2);
    let mut sse = server.follow(Request::sse("/logs/*.log"));
    assert_told(&sse.wait_for_event("unreadable").data);
    sse.wait_for_lines(2);
    let mut socket = Socket::open(&server, "/logs/*.log");
    assert_told(&socket.wait_for_event("unreadable"));
    socket.wait_for_lines(2);
    let text = server.get("/logs/*.log?follow=false").text();
    assert_eq!(
        text,
        "==> b.log: cannot be read: Permission denied (os error 13) <==\n\
         ==> a.log <==\na\n\n==> c.log <==\nc\n"
    );
    let records = server.get(Request::ndjson("/logs/*.log?follow=false")).records();
    let end = records.last().unwrap();
    assert_eq!((&end["event"], &end["reason"]), (&"end".into(), &"error".into()), "{records:?}");

    // What becomes readable joins, where it was to begin.
    permit(&folder.join("b.log"), 0o644);
    ndjson.wait_for_lines(3);
    sse.wait_for_lines(3);
    socket.wait_for_lines(3);
    assert_eq!(ndjson.lines[2].text, "b");
    folder.log("b.log").line("more");
    ndjson.wait_for_lines(4);
    assert_eq!(ndjson.lines[3].text, "more");
    assert_eq!(ndjson.events_named("unreadable").count(), 1, "it is told once");
    let id = sse.last_id.clone().unwrap();
    assert_eq!(id.split('~').count(), 3, "{id}");
}

#[test]
fn a_stream_resumes_past_a_source_that_it_could_not_read() {
    let (folder, server) = with_one_unreadable();
    let mut viewer = server.follow(Request::sse("/logs/*.log"));
    viewer.wait_for_lines(2);
    viewer.wait_for_event("unreadable");
    let id = viewer.last_id.clone().unwrap();
    assert_eq!(id.split('~').count(), 3, "{id}");
    drop(viewer);
    permit(&folder.join("b.log"), 0o644);
    folder.log("c.log").line("c2");
    let mut viewer = server.follow(Request::sse("/logs/*.log").header("Last-Event-ID", &id));
    viewer.wait_for_lines(2);
    assert_eq!(viewer.texts(), ["b", "c2"]);
}

#[test]
fn where_no_source_can_be_read_the_answer_says_why() {
    let (folder, server) = with_one_unreadable();
    for name in ["a.log", "c.log"] {
        permit(&folder.join(name), 0);
    }
    for path in ["/logs/*.log", "/logs/b.log", "/logs/%7Ba,b%7D.log?follow=false"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(answer.text().contains("Permission denied"), "{path}: {answer:?}");
    }
}

#[test]
fn a_glob_of_more_files_than_descriptors_is_served_as_far_as_it_can_be() {
    let folder = LogFolder::new();
    let names: BTreeSet<String> = (0..200).map(|number| format!("{number:03}.log")).collect();
    for name in &names {
        folder.log(name).line(name);
    }
    let server =
        Options::serving([folder.path()]).through(&["prlimit", "--nofile=100:100"]).start();
    wait_for_sources(&server, 200);
    // A history is open only while it is read.
    let mut finite = server.follow(Request::ndjson("/logs/*.log?follow=false"));
    finite.wait_for_end();
    let got: BTreeSet<String> = finite.texts().iter().map(ToString::to_string).collect();
    assert_eq!(finite.events_named("unreadable").count(), 0);
    assert_eq!(got, names);

    let mut viewer = server.follow(Request::ndjson("/logs/*.log"));
    let sources_of = |viewer: &Viewer, event: &str| -> BTreeSet<String> {
        let events = viewer.events_named(event).map(|event| &event.data["source"]);
        events.map(|source| source.as_str().unwrap().to_owned()).collect()
    };
    let shown = |viewer: &Viewer| -> BTreeSet<String> {
        viewer.lines.iter().map(|line| line.source.clone().unwrap()).collect()
    };
    viewer.wait_for(|viewer| {
        shown(viewer).union(&sources_of(viewer, "unreadable")).count() == names.len()
    });
    assert!(shown(&viewer).len() >= 30, "{} are read", shown(&viewer).len());
    for event in viewer.events_named("unreadable") {
        let reason = event.data["reason"].as_str().unwrap();
        assert!(reason.contains("Too many open files"), "{reason}");
    }
}

/// `a.log`, `b.log` and `c.log`, of which `b.log` may not be read any more.
fn with_one_unreadable() -> (LogFolder, TestServer) {
    let folder = LogFolder::new();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    for name in ["a", "b", "c"] {
        folder.log(&format!("{name}.log")).line(name);
    }
    let server = Options::serving([folder.path()]).user(65_534).start();
    wait_for_sources(&server, 3);
    permit(&folder.join("b.log"), 0);
    (folder, server)
}

fn assert_told(event: &serde_json::Value) {
    assert_eq!(event["event"], "unreadable");
    assert_eq!(event["source"], "b.log");
    assert_eq!(event["reason"], "Permission denied (os error 13)");
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn wait_for_sources(server: &TestServer, n_sources: usize) {
    wait_until("the catalog knows all sources", || {
        server.get("/api/sources").json()["sources"].as_array().unwrap().len() == n_sources
    });
}
