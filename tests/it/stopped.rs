//! Time for which the server itself did not run is held against nobody.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{LogFolder, Options, Socket, pause};

/// More than two heartbeats of a second, and than the stall limit.
const STOP: Duration = Duration::from_secs(5);

#[test]
fn a_client_that_answers_every_ping_is_not_silent_because_the_server_was_stopped() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = Options::serving([log.path()]).variable("TAILCAST_STALL_LIMIT", "3s").start();
    let mut socket = Socket::open(&server, "/logs/app.log?heartbeat=1s");
    socket.wait_for(|socket| socket.events_named("heartbeat").count() >= 2);
    for round in 0..3 {
        // What was asked has been answered when the server stops.
        read_for(&mut socket, Duration::from_millis(300));
        server.signal(Signal::STOP);
        read_for(&mut socket, STOP);
        server.signal(Signal::CONT);
        let n_heartbeats = socket.events_named("heartbeat").count();
        log.line(&format!("after stop {round}"));
        socket.wait_for_lines(round + 1);
        socket.wait_for(|socket| socket.events_named("heartbeat").count() >= n_heartbeats + 4);
    }
    assert_eq!(socket.closed, None);
}

#[test]
fn a_client_that_answers_no_ping_is_closed_though_the_server_was_stopped() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = Options::serving([log.path()]).start();
    let mut socket = Socket::open(&server, "/logs/app.log?heartbeat=1s");
    socket.wait_for_event("start");
    server.signal(Signal::STOP);
    pause(STOP);
    server.signal(Signal::CONT);
    let continued = Instant::now();
    crate::support::wait_until("the silent client is closed", || {
        server.metric("tailcast_viewers_closed_total{reason=\"silent\"}") >= 1.0
    });
    assert!(continued.elapsed() < Duration::from_secs(5), "{:?}", continued.elapsed());
    drop(socket);
}

fn read_for(socket: &mut Socket, time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        socket.read();
    }
}
