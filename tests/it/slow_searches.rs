//! Looking for lines of the past with a pattern that is slow to match: it ends with its client, and a
//! client who wants too much of it is told so.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::slow_patterns::{SLOW, hard_line, hard_lines};
use crate::support::{LogFolder, Request, Socket, TestServer, wait_until, wait_until_cpu_rests};

/// A log with a packed segment, both hard to look through; the server, and a cursor at the log's end.
fn hard_log() -> (LogFolder, TestServer, String) {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.write(hard_lines(1500));
    assert!(Command::new("gzip").arg("-k").arg(log.path()).status().unwrap().success());
    std::fs::rename(folder.join("app.log.gz"), folder.join("app.log.1.gz")).unwrap();
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=1&follow=false"));
    viewer.wait_for_end();
    let cursor = viewer.last_cursor().unwrap().to_owned();
    (folder, server, cursor)
}

fn ask(server: &TestServer, query: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "GET /logs/app.log?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

#[test]
fn a_search_that_is_slow_to_match_ends_with_its_client() {
    let (_folder, server, cursor) = hard_log();
    for query in [
        format!("tail=5&grep={SLOW}"),
        format!("tail=5&grep={SLOW}&follow=false"),
        format!("before={cursor}&grep={SLOW}&tail=5"),
        format!("tail=all&grep={SLOW}"),
    ] {
        let before = server.cpu_seconds();
        let asked: Vec<TcpStream> = (0..8).map(|_| ask(&server, &query)).collect();
        wait_until("they are at it", || server.cpu_seconds() - before > 0.5);
        drop(asked);
        let spent = wait_until_cpu_rests(&server);
        assert!(spent < FOR_NOBODY, "{query}: {spent:.2} s of CPU for nobody");
    }
}

#[test]
fn a_search_ends_with_its_client_within_a_single_line() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write(hard_line());
    log.line("the last one");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=1&follow=false"));
    viewer.wait_for_end();
    let cursor = viewer.last_cursor().unwrap().to_owned();
    for query in [
        format!("tail=5&grep={SLOW}"),
        format!("before={cursor}&grep={SLOW}&tail=5"),
        format!("tail=all&grep={SLOW}"),
    ] {
        let before = server.cpu_seconds();
        let asked = ask(&server, &query);
        wait_until("it is at it", || server.cpu_seconds() - before > 0.5);
        drop(asked);
        let spent = wait_until_cpu_rests(&server);
        // A stream has two seconds for its line.
        assert!(spent < FOR_NOBODY + 2.0, "{query}: {spent:.2} s of CPU for nobody");
    }
}

#[test]
fn a_seek_that_is_slow_to_match_ends_with_its_socket() {
    let (_folder, server, _) = hard_log();
    let before = server.cpu_seconds();
    let sockets: Vec<Socket> = (0..4)
        .map(|_| {
            let mut socket = Socket::open(&server, &format!("/logs/app.log?tail=0&grep={SLOW}"));
            socket.send(r#"{"cmd":"seek","tail":5}"#);
            socket
        })
        .collect();
    wait_until("they are at it", || server.cpu_seconds() - before > 0.5);
    drop(sockets);
    let spent = wait_until_cpu_rests(&server);
    assert!(spent < FOR_NOBODY, "{spent:.2} s of CPU for nobody");
}

#[test]
fn who_looks_back_with_a_pattern_that_is_too_expensive_is_told_so() {
    let (_folder, server, cursor) = hard_log();
    let answers = [
        format!("tail=5&grep={SLOW}&format=ndjson"),
        format!("before={cursor}&grep={SLOW}&tail=5"),
    ]
    .map(|query| ask(&server, &query))
    .map(|mut socket| {
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    let [stream, page] = answers;
    assert!(stream.starts_with("HTTP/1.1 200 "), "{stream}");
    assert!(stream.contains("\"event\":\"start\""), "{stream}");
    assert!(stream.contains("\"reason\":\"limit\""), "{stream}");
    // A quick machine gets through a part of it: that is a short page, and no error.
    let is_told = page.starts_with("HTTP/1.1 422 ") && page.contains("a simpler pattern");
    assert!(is_told || page.starts_with("HTTP/1.1 200 "), "{page}");
    wait_until("it is counted", || {
        server.metric("tailcast_viewers_closed_total{reason=\"limit\"}") >= 1.0
    });
}

#[test]
fn a_page_whose_time_is_used_up_comes_short() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write(hard_lines(4000));
    // More than is looked through at once; without a letter at which the pattern may begin.
    let matching: Vec<String> =
        (0..200).map(|number| format!("m{}55 {number:03}", "z".repeat(900))).collect();
    log.write(matching.join("\n") + "\n");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=1&follow=false"));
    viewer.wait_for_end();
    let end = viewer.last_cursor().unwrap().to_owned();
    let mut page = ask(&server, &format!("before={end}&grep={SLOW}&tail=500&format=ndjson"));
    page.set_read_timeout(Some(LONGEST)).unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let n_found = answer.matches("\"line\":").count();
    assert!((1..=matching.len()).contains(&n_found), "{n_found}");
    let newest = &matching[matching.len() - n_found..];
    assert!(newest.iter().all(|line| answer.contains(line)), "what was found in time");
    assert!(answer.contains("\"begin\":false"), "there may be more: {answer}");
}

#[test]
fn who_seeks_again_and_again_spends_from_one_allowance() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write(hard_lines(6));
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, &format!("/logs/app.log?tail=0&grep={SLOW}"));
    socket.wait_for_event("start");
    let begun = Instant::now();
    let mut n_seeks = 0;
    // Each of them takes far less than a viewer may.
    while !socket.events_named("end").any(|end| end["reason"] == "limit") {
        assert!(begun.elapsed() < LONGEST, "{n_seeks} seeks are still allowed");
        socket.send(r#"{"cmd":"seek","tail":5}"#);
        n_seeks += 1;
        socket.wait_for(|socket| {
            socket.answers.len() >= n_seeks || socket.events_named("end").next().is_some()
        });
    }
    assert!(n_seeks > 2, "ended at the seek {n_seeks}");
}

/// What clients that have left may still cost, in seconds of CPU: two cores for half a second.
const FOR_NOBODY: f64 = 1.0;

/// Twice the time in which a viewer has spent what it may, and more on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);
