//! Release: when viewers have gone, by whatever road, nothing of them is left.

use std::time::Duration;

use crate::process::{Inotify, cpu_ticks, inotify};
use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, line, lines};
use crate::support::{LogFolder, Options, Request, TestServer, Viewer, pause, wait_until};

/// What a server holds.
#[derive(Debug, PartialEq)]
struct Held {
    n_descriptors: usize,
    inotify: Inotify,
    n_viewers: usize,
    n_feeds: f64,
    n_watches: f64,
}

fn held(server: &TestServer) -> Held {
    Held {
        n_viewers: server.n_viewers(),
        n_feeds: server.metric("tailcast_feeds"),
        n_watches: server.metric("tailcast_watches"),
        inotify: inotify(server),
        n_descriptors: server.n_descriptors(),
    }
}

#[track_caller]
fn wait_until_back_at(server: &TestServer, before: &Held) {
    let mut now = held(server);
    let begun = std::time::Instant::now();
    while now != *before {
        assert!(begun.elapsed() < RELEASE, "{now:?}, and before {before:?}");
        pause(Duration::from_millis(100));
        now = held(server);
    }
}

#[test]
fn all_is_released_when_viewers_close() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    wait_until("the folder is watched", || inotify(&server).n_watches > 0);
    let before = held(&server);
    let mut viewers = viewers(&server, 20);
    assert_eq!(server.n_viewers(), 20);
    append(log.path(), "one\n");
    for viewer in &mut viewers {
        viewer.wait_for_line("one");
    }
    assert_eq!(server.n_open(log.path()), 1, "one open file for all viewers");
    assert_eq!(server.metric("tailcast_watches"), 1.0);
    drop(viewers);
    wait_until_back_at(&server, &before);
    assert_eq!(server.n_open(log.path()), 0);
    assert_eq!(server.metric("tailcast_viewers_closed_total{reason=\"client\"}"), 20.0);
}

#[test]
fn all_is_released_when_viewers_reset() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    wait_until("the folder is watched", || inotify(&server).n_watches > 0);
    let before = held(&server);
    viewers(&server, 20).into_iter().for_each(Viewer::reset);
    wait_until_back_at(&server, &before);
}

#[test]
fn clients_that_connect_and_leave_leave_nothing() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let come_and_go = || {
        for _ in 0..10 {
            drop(viewers(&server, 30));
        }
        wait_until("they have gone", || server.n_viewers() == 0);
    };
    // So that what is made once, and kept, is there before: the allocator's arenas, above all.
    (0..3).for_each(|_| come_and_go());
    let before = server.status_field("VmRSS");
    (0..3).for_each(|_| come_and_go());
    let grown = server.status_field("VmRSS").saturating_sub(before);
    // 900 zombies would hold some 30 MiB.
    assert!(grown < 10 * 1024, "{grown} KiB more than before");
    assert_eq!(server.metric("tailcast_viewers_closed_total{reason=\"client\"}"), 1800.0);
}

#[test]
fn five_hundred_files_use_few_inotify_instances_and_leave_no_watch() {
    let folder = LogFolder::new();
    for number in 0..N_FILES {
        append(&folder.join(&format!("{number}.log")), "zero\n");
    }
    let server = TestServer::serving(folder.path());
    wait_until("the folder is watched", || inotify(&server).n_watches > 0);
    let before = held(&server);
    let mut viewer = server.follow(Request::ndjson("/logs/*?tail=1&heartbeat=1s"));
    viewer.wait_for_lines(N_FILES);
    wait_until("all are watched", || server.metric("tailcast_watches") == N_FILES as f64);
    for number in 0..N_FILES {
        append(&folder.join(&format!("{number}.log")), "one\n");
    }
    viewer.wait_for_lines(2 * N_FILES);
    assert!(inotify(&server).n_instances <= 3, "{:?}", inotify(&server));
    assert_eq!(server.metric("tailcast_polled"), 0.0);
    drop(viewer);
    wait_until_back_at(&server, &before);
}

#[test]
fn a_thousand_viewers_cost_one_read() {
    let (_folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..100));
    let server = TestServer::serving(log.path());
    let ask = Request::get("/logs/app.log?tail=0&heartbeat=5m");
    let mut viewers: Vec<Viewer> = (0..N_VIEWERS).map(|_| server.follow(ask.clone())).collect();
    wait_until("all have come", || server.n_viewers() == N_VIEWERS);
    let before = server.metric("tailcast_bytes_read_total");
    let fresh = lines(TAG, 100..1100);
    append(log.path(), &fresh);
    for viewer in &mut viewers {
        viewer.wait_for_line(&line(TAG, 1099));
        assert_eq!(viewer.lines.len(), 1000);
    }
    let read = server.metric("tailcast_bytes_read_total") - before;
    assert_eq!(read, fresh.len() as f64);
    assert_eq!(server.n_open(log.path()), 1);
}

#[test]
fn a_server_that_nobody_looks_at_does_nothing() {
    let folder = LogFolder::new();
    for number in 0..50 {
        append(&folder.join(&format!("{number}.log")), "zero\n");
    }
    let server = Options::serving([folder.path()]).variable("TAILCAST_LINGER", "0s").start();
    let mut viewer = server.follow("/logs/1.log?heartbeat=1s");
    viewer.wait_for_line("zero");
    drop(viewer);
    wait_until("it has gone", || server.metric("tailcast_feeds") == 0.0);
    pause(Duration::from_secs(1));
    let before = cpu_ticks(&server);
    pause(Duration::from_secs(3));
    let used = cpu_ticks(&server) - before;
    assert!(used <= 2, "{used} ticks in 3 s");
}

#[track_caller]
fn viewers(server: &TestServer, n_viewers: usize) -> Vec<Viewer> {
    let formats = ["text", "ndjson", "sse"].iter().cycle().take(n_viewers);
    formats
        .map(|format| server.follow(format!("/logs/app.log?heartbeat=1s&format={format}")))
        .collect()
}

const N_FILES: usize = 500;
const N_VIEWERS: usize = 1000;

/// A heartbeat (1 s) until it is noticed, the linger (10 s), and the watches a moment later.
const RELEASE: Duration = Duration::from_secs(16);
