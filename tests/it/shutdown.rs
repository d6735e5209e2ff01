//! A server that is told to stop says goodbye, and is gone in time.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{LogFolder, Options, Request, TestServer, Viewer, pause};

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
    log.number(500_000);
    let mut server = TestServer::serving(log.path());
    let mut stalled = server.follow(Request::get("/logs/app.log?tail=all").receive_buffer(4096));
    stalled.wait_for_lines(1);
    let told = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(500_000);
    let mut server = TestServer::serving(log.path());
    let mut stalled = server.follow(Request::get("/logs/app.log?tail=all").receive_buffer(4096));
    stalled.wait_for_lines(1);
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
