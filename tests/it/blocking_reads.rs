//! What blocks on a disk: no reader, source, folder or disk takes what the others need, and no read
//! outlives its client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, line, lines};
use crate::support::{
    LogFolder, Options, Request, Socket, StallingDisk, TestServer, Viewer, pause, wait_until,
    wait_until_cpu_rests,
};

#[test]
fn readers_that_have_stopped_do_not_lock_a_log_for_others() {
    let (_folder, log) = LogFolder::with_log("app.log");
    write_log(log.path(), 33_000_000);
    let server = TestServer::serving(log.path());
    let ask = Request::get("/logs/app.log?tail=all").receive_buffer(4096);
    let _stopped: Vec<Viewer> = (0..20).map(|_| server.follow(ask.clone())).collect();
    wait_until_nothing_moves(&server);
    assert_answers_at_once(&server, "/logs/app.log?tail=10&follow=false");
}

#[test]
fn sockets_that_pause_do_not_lock_a_log_for_others() {
    let (_folder, log) = LogFolder::with_log("app.log");
    write_log(log.path(), 33_000_000);
    let server = TestServer::serving(log.path());
    let mut paused: Vec<Socket> = (0..20)
        .map(|_| {
            let mut socket = Socket::open(&server, "/logs/app.log?tail=all");
            socket.command(r#"{"cmd":"pause"}"#);
            socket
        })
        .collect();
    wait_until_nothing_moves(&server);
    assert_answers_at_once(&server, "/logs/app.log?tail=10&follow=false");
    let begun = Instant::now();
    let answer = paused[0].command(r#"{"cmd":"seek","tail":3}"#);
    assert!(answer.get("error").is_none(), "{answer}");
    assert!(begun.elapsed() < PROMPT, "a seek took {:?}", begun.elapsed());
}

#[test]
fn a_silent_disk_with_many_logs_and_viewers_leaves_threads_to_a_healthy_one() {
    let disk = StallingDisk::new();
    for number in 0..45 {
        append(&disk.behind(&format!("stalled{number}.log")), &lines(TAG, 0..10));
    }
    let folder = LogFolder::new();
    append(&folder.join("app.log"), &lines(TAG, 0..10));
    let server = Options::serving([disk.path(), folder.path()]).start();
    let (on_disk, healthy) = (sources_like(&server, "stalled"), sources_like(&server, "app.log"));
    let ask = Request::ndjson(&format!("/logs/{}?tail=all", healthy[0]));
    let mut quick = server.follow(ask.clone());
    quick.wait_for_lines(10);

    let stall = disk.stall();
    let _waiting: Vec<TcpStream> = (0..700)
        .map(|number| {
            let name = &on_disk[number % on_disk.len()];
            let mut socket = TcpStream::connect(server.address()).unwrap();
            let request = format!("GET /logs/{name}?tail=all HTTP/1.1\r\nHost: localhost\r\n\r\n");
            socket.write_all(request.as_bytes()).unwrap();
            socket
        })
        .collect();
    let _glob = {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        socket.write_all(b"GET /logs/** HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        socket
    };
    disk.wait_for_waiting();
    // Each of them has its live end open, or waits for it.
    wait_until("all have asked", || server.metric("tailcast_feeds") >= 46.0);
    for number in 10..60 {
        let begun = Instant::now();
        append(&folder.join("app.log"), &lines(TAG, number..number + 1));
        quick.wait_for_line(&line(TAG, number));
        assert!(begun.elapsed() < PROMPT, "a line took {:?}", begun.elapsed());
    }
    for _ in 0..5 {
        let begun = Instant::now();
        server.follow(ask.clone()).wait_for_lines(60);
        assert!(begun.elapsed() < PROMPT, "a new reader waited {:?}", begun.elapsed());
    }
    for _ in 0..10 {
        let listed = server.get("/api/sources").json();
        assert_eq!(listed["sources"].as_array().unwrap().len(), 46);
    }
    let n_threads = server.status_field("Threads");
    assert!(n_threads < 80, "{n_threads} threads");
    drop(stall);
}

#[test]
fn a_glob_over_many_logs_on_a_silent_disk_leaves_a_healthy_log_served() {
    let disk = StallingDisk::new();
    for number in 0..500 {
        append(&disk.behind(&format!("stalled{number}.log")), &lines(TAG, 0..2));
    }
    let folder = LogFolder::new();
    append(&folder.join("app.log"), &lines(TAG, 0..10));
    let server = Options::serving([disk.path(), folder.path()]).start();
    let name = sources_like(&server, "app.log").remove(0);
    assert_eq!(sources_like(&server, "stalled").len(), 500);
    let stall = disk.stall();
    let _globs: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address()).unwrap();
            socket.write_all(b"GET /logs/**?tail=all HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            socket
        })
        .collect();
    disk.wait_for_waiting();
    let ask = Request::ndjson(&format!("/logs/{name}?tail=all"));
    for number in 10..20 {
        let begun = Instant::now();
        let mut fresh = server.follow(ask.clone());
        fresh.wait_for_lines(number);
        append(&folder.join("app.log"), &lines(TAG, number..number + 1));
        fresh.wait_for_line(&line(TAG, number));
        assert!(begun.elapsed() < PROMPT, "a healthy log took {:?}", begun.elapsed());
    }
    let n_threads = server.status_field("Threads");
    assert!(n_threads < 80, "{n_threads} threads");
    drop(stall);
}

#[test]
fn logs_without_a_file_cost_next_to_nothing_in_a_full_folder() {
    let folder = LogFolder::new();
    for number in 0..10_000 {
        folder.write(&format!("other-{number}.txt"), "");
    }
    let paths: Vec<_> = (0..60).map(|number| folder.join(&format!("app{number}.log"))).collect();
    for path in &paths {
        append(path, "one\n");
    }
    let server = Options::serving(&paths).start();
    let mut viewers: Vec<Viewer> =
        (0..60).map(|number| server.follow(&*format!("/logs/app{number}.log"))).collect();
    for viewer in &mut viewers {
        viewer.wait_for_lines(1);
    }
    for path in &paths {
        std::fs::remove_file(path).unwrap();
    }
    // While a rotator may be at work each log is looked for often; that ends.
    let share = |server: &TestServer, seconds: u64| {
        let before = server.cpu_seconds();
        pause(Duration::from_secs(seconds));
        (server.cpu_seconds() - before) / seconds as f64
    };
    let at_first = share(&server, 5);
    let then = share(&server, 4);
    eprintln!("{:.1} % of a core for 5 s, {:.1} % then", at_first * 100.0, then * 100.0);
    assert!(at_first < 0.6, "{:.0} % of a core at first", at_first * 100.0);
    assert!(then < 0.2, "{:.0} % of a core", then * 100.0);
    // They are found as ever.
    append(&paths[7], "two\n");
    viewers[7].wait_for_line("two");
}

#[test]
fn searches_end_with_their_clients() {
    let (folder, log) = LogFolder::with_log("app.log");
    write_log(log.path(), 60_000_000);
    let packed = std::process::Command::new("gzip").arg("-k").arg(log.path()).status().unwrap();
    assert!(packed.success());
    std::fs::rename(folder.join("app.log.gz"), folder.join("app.log.1.gz")).unwrap();
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=1&follow=false"));
    viewer.wait_for_end();
    let cursor = viewer.last_cursor().unwrap().to_owned();
    // A debug build takes long to filter a block: fewer have it done on the server's own workers.
    for (n_clients, query) in [
        (100, &*format!("before={cursor}&grep=rare&tail=5")),
        (100, "grep=rare&tail=5"),
        (20, "grep=rare&tail=all"),
        (20, "since=2020-01-01&grep=rare"),
        (20, "grep=rare&tail=all&follow=false&format=sse"),
    ] {
        let request = format!("GET /logs/app.log?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let asked: Vec<TcpStream> = (0..n_clients)
            .map(|_| {
                let mut socket = TcpStream::connect(server.address()).unwrap();
                socket.write_all(request.as_bytes()).unwrap();
                socket
            })
            .collect();
        let before = server.cpu_seconds();
        wait_until("they are at it", || server.cpu_seconds() - before > 0.5);
        assert_eq!(server.get("/healthz").status, 200);
        drop(asked);
        let left = Instant::now();
        let spent = wait_until_cpu_rests(&server);
        let took = left.elapsed();
        eprintln!("{query}: went on for {took:?}, {spent:.2} s of CPU");
        assert!(took < PROMPT, "{query}: went on for {took:?} for nobody");
        // Two cores for half a second, however busy the machine is.
        assert!(spent < 1.0, "{query}: {spent:.2} s of CPU for nobody");
        assert_answers_at_once(&server, "/logs/app.log?tail=10&follow=false");
    }
}

#[test]
fn who_asks_for_a_page_counts_as_a_viewer() {
    let (_folder, log) = LogFolder::with_log("app.log");
    write_log(log.path(), 60_000_000);
    let config = "[default.tailcast]\nmax_viewers = 2\n";
    let server = Options::serving([log.path()]).config(config).start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=1&follow=false"));
    viewer.wait_for_end();
    let cursor = viewer.last_cursor().unwrap().to_owned();
    drop(viewer);
    let page = format!("/logs/app.log?before={cursor}&grep=rare&tail=5");
    let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let asked: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address()).unwrap();
            socket.write_all(request.as_bytes()).unwrap();
            socket
        })
        .collect();
    let answers: Vec<String> = asked
        .into_iter()
        .map(|mut socket| {
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            answer
        })
        .collect();
    let refused = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 503 "));
    let refused: Vec<_> = refused.collect();
    assert!(refused[0].contains("2 places for viewers are taken"), "{refused:?}");
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 200 ")), "{answers:?}");
    wait_until("they are free again", || server.get("/logs/app.log?follow=false").status == 200);
}

/// A client has not got what it asked for when it took longer than this. Far less than what the
/// faults behind these tests took, and far more than a busy machine needs.
const PROMPT: Duration = Duration::from_secs(3);

/// Writes a log of about so many bytes.
fn write_log(path: &Path, n_bytes: usize) {
    let n_lines = n_bytes / (line(TAG, 0).len() + 1);
    append(path, &lines(TAG, 0..n_lines));
}

/// Waits until the server hands nothing more to anybody.
#[track_caller]
fn wait_until_nothing_moves(server: &TestServer) {
    let mut before = -1.0;
    wait_until("nothing moves", || {
        pause(Duration::from_millis(500));
        let now = server.metric("tailcast_bytes_read_total");
        std::mem::replace(&mut before, now) == now
    });
}

#[track_caller]
fn assert_answers_at_once(server: &TestServer, path: &str) {
    let begun = Instant::now();
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.lines().len(), 10, "{answer:?}");
    assert!(begun.elapsed() < PROMPT, "{path} took {:?}", begun.elapsed());
}

/// The names of the sources in which this text occurs.
fn sources_like(server: &TestServer, text: &str) -> Vec<String> {
    let listed = server.get("/api/sources").json();
    let names = listed["sources"].as_array().unwrap().iter();
    let names = names.filter_map(|one| one["name"].as_str()).filter(|name| name.contains(text));
    names.map(str::to_owned).collect()
}
