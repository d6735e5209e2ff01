//! A server that is told to stop says goodbye, and is gone in time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, lines};
use crate::support::{LogFolder, Options, Request, TestServer, Viewer, pause, wait_until};

#[test]
fn a_thousand_streams_are_ended_with_a_goodbye_within_five_seconds() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(20);
    let mut server = TestServer::serving(log.path());
    let formats = ["text", "ndjson", "sse"];
    let ask = |number: usize| format!("/logs/app.log?tail=1&format={}", formats[number % 3]);
    let mut viewers: Vec<Viewer> = (0..999).map(|number| server.follow(&*ask(number))).collect();
    for viewer in &mut viewers {
        viewer.wait_for_lines(1);
    }
    let told = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    for (number, viewer) in viewers.iter_mut().enumerate() {
        viewer.wait_for_end();
        assert!(!viewer.was_cut(), "a stream ends as HTTP has it");
        if number % 3 > 0 {
            let ends: Vec<_> = viewer.events_named("end").collect();
            assert_eq!(ends.len(), 1);
            assert_eq!(ends[0].data["reason"], "shutdown");
            assert!(ends[0].cursor().is_some(), "a viewer can go on where it was");
        }
    }
}

#[test]
fn a_reader_that_takes_nothing_does_not_hold_the_server_up() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(300_000);
    let mut server = TestServer::serving(log.path());
    let _stalled = stalled_viewer(&server);
    let told = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(300_000);
    let mut server = TestServer::serving(log.path());
    let _stalled = stalled_viewer(&server);
    server.signal(Signal::TERM);
    pause(Duration::from_millis(100));
    let again = Instant::now();
    server.signal(Signal::TERM);
    assert_ne!(server.wait().code(), Some(0), "not all was said");
    assert!(again.elapsed() < Duration::from_millis(900), "{:?}", again.elapsed());
}

#[test]
fn an_idle_server_without_viewers_uses_no_cpu() {
    let folder = LogFolder::new();
    for number in 0..50 {
        folder.write(&format!("{number}.log"), "a line\n");
    }
    let server = Options::serving([folder.path()]).start();
    pause(Duration::from_millis(500));
    let before = server.metric("process_cpu_seconds_total");
    pause(Duration::from_secs(3));
    let used = server.metric("process_cpu_seconds_total") - before;
    assert!(used <= 0.03, "{used} s of CPU in 3 s");
}

#[test]
fn an_idle_connection_does_not_hold_up_the_shutdown() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let mut server = TestServer::serving(log.path());
    let _silent: Vec<TcpStream> =
        (0..5).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let _kept: Vec<TcpStream> = (0..5)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address()).unwrap();
            socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            assert!(socket.read(&mut [0; 512]).unwrap() > 0);
            socket
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
}

#[test]
fn readyz_refuses_while_the_server_closes() {
    let (_folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..300_000));
    let mut server = TestServer::serving(log.path());
    assert_eq!(server.get("/readyz").status, 200);
    // Somebody who takes nothing keeps it closing for a while.
    let _stalled = stalled_viewer(&server);
    server.signal(Signal::TERM);
    wait_until("it is closing", || server.log().contains("shutting down"));
    assert_eq!(server.get("/readyz").status, 503);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn an_interrupt_ends_it_like_a_termination() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let mut server = Options::serving([log.path()]).start();
    let mut viewer = server.follow(Request::sse("/logs/app.log"));
    viewer.wait_for_event("start");
    server.signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    viewer.wait_for_end();
    assert_eq!(viewer.wait_for_event("end").data["reason"], "shutdown");
}

/// A viewer that has stopped reading; the server can write no more to it.
#[track_caller]
fn stalled_viewer(server: &TestServer) -> Viewer {
    let ask = Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096);
    let mut viewer = server.follow(ask);
    viewer.wait_for_lines(1);
    let sent = || server.metric("tailcast_bytes_sent_total");
    let mut before = sent();
    wait_until("nothing more fits", || {
        pause(Duration::from_millis(300));
        std::mem::replace(&mut before, sent()) == before
    });
    viewer
}

/// After this time the process is gone, whatever clients do.
const GRACE: Duration = Duration::from_secs(5);
