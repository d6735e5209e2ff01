//! A disk that stops to answer holds up its own logs and nothing else.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Options, Request, StallingDisk, pause, wait_until};

#[test]
fn a_stalled_disk_holds_up_its_own_logs_and_nothing_else() {
    let disk = StallingDisk::new();
    append(&disk.behind("stalled.log"), &lines(TAG, 0..10));
    let folder = LogFolder::new();
    append(&folder.join("app.log"), &lines(TAG, 0..10));
    let server = Options::serving([disk.path(), folder.path()]).start();
    let (on_disk, healthy) = (source_name(&server, "stalled.log"), source_name(&server, "app.log"));
    let ask = |name: &str| Request::ndjson(&format!("/logs/{name}?tail=all"));
    let mut stuck = server.follow(ask(&on_disk));
    let mut quick = server.follow(ask(&healthy));
    stuck.wait_for_lines(10);
    quick.wait_for_lines(10);

    let stall = disk.stall();
    append(&disk.behind("stalled.log"), &lines(TAG, 10..20));
    disk.wait_for_waiting();
    let mut longest = Duration::ZERO;
    for number in 10..40 {
        let begun = Instant::now();
        append(&folder.join("app.log"), &lines(TAG, number..number + 1));
        quick.wait_for_line(&line(TAG, number));
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_secs(1), "{longest:?}: the safety tick at best");
    // Others begin, and some want what cannot be had: more than there are threads.
    let _waiting: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address()).unwrap();
            let request =
                format!("GET /logs/{on_disk}?tail=all HTTP/1.1\r\nHost: localhost\r\n\r\n");
            socket.write_all(request.as_bytes()).unwrap();
            socket
        })
        .collect();
    let mut late = server.follow(ask(&healthy));
    late.wait_for_lines(40);
    for path in ["/healthz", "/metrics", "/logs", "/api/sources"] {
        let begun = Instant::now();
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{path}: {:?}", begun.elapsed());
    }
    let listed = server.get("/api/sources").json();
    let sizes: Vec<u64> = listed["sources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["size"].as_u64())
        .collect();
    let size_of = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    assert_eq!(sizes.len(), 2, "{listed}");
    assert!(sizes.contains(&size_of("app.log")), "{listed}");
    // A log that is new elsewhere is found.
    append(&folder.join("new.log"), "one\n");
    wait_until("it is found", || server.get("/api/sources").text().contains("new.log"));
    wait_until("it is told", || server.get("/readyz").text().starts_with("degraded\n"));
    wait_until("it is counted", || server.metric("tailcast_stalled") >= 1.0);
    assert_eq!(stuck.lines.len(), 10);

    drop(stall);
    append(&disk.behind("stalled.log"), &lines(TAG, 20..30));
    stuck.wait_for_lines(30);
    assert_numbered(&stuck.texts(), TAG, 0..30);
    append(&folder.join("app.log"), &lines(TAG, 40..41));
    quick.wait_for_lines(41);
    assert_numbered(&quick.texts(), TAG, 0..41);
    wait_until("all is well", || server.metric("tailcast_stalled") == 0.0);
}

#[test]
fn who_asks_for_a_log_on_a_stalled_disk_is_told_so() {
    let disk = StallingDisk::new();
    append(&disk.behind("stalled.log"), &lines(TAG, 0..10));
    let server = Options::serving([disk.path()]).start();
    let mut viewer = server.follow(Request::ndjson("/logs/stalled.log?tail=all"));
    viewer.wait_for_lines(10);
    let cursor = viewer.last_cursor().unwrap().to_owned();
    let stall = disk.stall();
    append(&disk.behind("stalled.log"), &lines(TAG, 10..20));
    disk.wait_for_waiting();
    thread::scope(|scope| {
        let wants = ["?tail=all", "?follow=false", &format!("?tail=5&before={cursor}")];
        let asked = wants.map(|query| {
            let server = &server;
            let path = format!("/logs/stalled.log{query}");
            scope.spawn(move || server.get(Request::ndjson(&path)))
        });
        for answer in asked {
            let answer = answer.join().unwrap();
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            assert!(answer.text().contains("disk does not answer"), "{answer:?}");
        }
    });
    drop(stall);
    viewer.wait_for_lines(20);
    assert_eq!(server.get("/logs/stalled.log?tail=all&follow=false").lines().len(), 20);
}

#[test]
fn a_server_ends_in_time_though_a_disk_does_not_answer() {
    let disk = StallingDisk::new();
    append(&disk.behind("stalled.log"), "one\n");
    let mut server = Options::serving([disk.path()]).start();
    let mut viewer = server.follow(Request::ndjson("/logs/stalled.log?tail=all"));
    viewer.wait_for_lines(1);
    let stall = disk.stall();
    append(&disk.behind("stalled.log"), "two\n");
    disk.wait_for_waiting();
    let begun = Instant::now();
    server.signal(Signal::TERM);
    viewer.wait_for_end();
    assert_eq!(viewer.wait_for_event("end").data["reason"], "shutdown");
    // A thread that waits for the disk holds what is left of the process; no more runs in it.
    wait_until("all that can end has ended", || server.is_zombie());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    pause(Duration::from_millis(10));
    drop(stall);
    assert!(server.wait().success());
}

/// The name of the source whose file has this name.
fn source_name(server: &crate::support::TestServer, file: &str) -> String {
    let listed = server.get("/api/sources").json();
    let names = listed["sources"].as_array().unwrap().iter();
    let name = names.filter_map(|one| one["name"].as_str()).find(|name| name.ends_with(file));
    name.unwrap_or_else(|| panic!("no {file} in {listed}")).to_owned()
}
