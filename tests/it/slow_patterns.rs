//! A pattern that is slow to match costs its viewer, and nobody else.

use std::time::{Duration, Instant};

use crate::support::{LogFolder, Request, Socket, TestServer, wait_until};

/// Keeps a set of some thousand states at each byte of [`hard_lines`].
pub const SLOW: &str = "(?-u:%5Ba-m%5D.%7B900%7D%5B5-9%5D%5B5-9%5D)";

#[test]
fn a_slow_pattern_does_not_hold_up_the_server() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let slow = format!("/logs/app.log?tail=0&grep={SLOW}&format=ndjson&heartbeat=1s");
    let mut viewers: Vec<_> = (0..2).map(|_| server.follow(slow.as_str())).collect();
    let mut socket = Socket::open(&server, &format!("/logs/app.log?tail=0&grep={SLOW}"));
    let mut quick = server.follow(Request::ndjson("/logs/app.log?tail=0"));
    for viewer in &mut viewers {
        viewer.wait_for_event("start");
    }
    socket.wait_for_event("start");
    quick.wait_for_event("start");
    let text = hard_lines(300);
    log.write(&text);
    let written = Instant::now();
    let mut longest = Duration::ZERO;
    while written.elapsed() < Duration::from_secs(4) {
        let begun = Instant::now();
        assert_eq!(server.get("/healthz").status, 200);
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    quick.wait_for_lines(text.lines().count());
}

#[test]
fn a_stream_whose_pattern_is_too_expensive_ends_with_limit() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let slow = format!("/logs/app.log?tail=all&grep={SLOW}&format=ndjson&heartbeat=1s");
    let mut viewer = server.follow(slow.as_str());
    viewer.wait_for_event("start");
    log.write(hard_lines(3000));
    let begun = Instant::now();
    while !viewer.has_ended() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on");
        viewer.read();
    }
    assert_eq!(viewer.wait_for_event("end").data["reason"], "limit");
    assert!(viewer.events_named("heartbeat").count() > 0, "it was told that it is alive");
    wait_until("it is counted", || {
        server.metric("tailcast_viewers_closed_total{reason=\"limit\"}") >= 1.0
    });
}

#[test]
fn a_stream_ends_with_limit_within_a_single_line() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let slow = format!("/logs/app.log?tail=0&grep={SLOW}&format=ndjson&heartbeat=1s");
    let mut viewer = server.follow(slow.as_str());
    viewer.wait_for_event("start");
    log.write(hard_line());
    assert_eq!(viewer.wait_for_event("end").data["reason"], "limit");
}

/// One of 200 KB: the pattern takes a minute for it.
pub fn hard_line() -> String {
    hard_lines(133).replace('\n', "") + "\n"
}

/// Lines of 1,500 bytes of changing letters.
pub fn hard_lines(n_lines: usize) -> String {
    let mut state = 7_u32;
    let mut letter = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from((state >> 24) % 26).unwrap())
    };
    (0..n_lines).map(|_| (0..1500).map(|_| letter()).chain(['\n']).collect::<String>()).collect()
}
