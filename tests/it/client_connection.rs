//! The client's connection, and what networks do to it.

use std::time::{Duration, Instant};

use super::steady_writer::SteadyWriter;
use super::support::{
    DEADLINE, FollowProcess, Identity, LogFolder, Mode, Proxy, TestServer, numbered, pause,
    wait_until,
};

fn url(address: std::net::SocketAddr, query: &str) -> String {
    format!("http://{address}/logs/app.log?{query}")
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let closed = TestServer::serving(log.path()).address();
    let proxy = Proxy::before(closed);
    let waiting = FollowProcess::start([url(closed, "")]);
    let proxied = FollowProcess::start([url(proxy.address(), "")]);
    waiting.wait_for_words("trying again in");
    assert!(waiting.said().contains("cannot connect to 127.0.0.1"), "{}", waiting.said());
    proxied.wait_for_words("trying again in");
    let server = TestServer::serving(log.path());
    proxy.point_to(server.address());
    proxied.wait_for_lines(3);
    assert!(!proxied.said().contains("reconnected"), "it is the first time: {}", proxied.said());
    assert_eq!(waiting.interrupt().code, Some(0));
}

#[test]
fn a_cut_connection_is_resumed_at_the_next_line() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([url(proxy.address(), "")]);
    follow.wait_for_lines(10);
    for round in 1..=5 {
        proxy.cut();
        log.number(100);
        follow.wait_for_lines(10 + round * 100);
        let word = "resumed, nothing missed";
        follow.wait_until(word, |follow| follow.said().matches(word).count() == round);
    }
    assert_eq!(follow.lines(), numbered(1, 510));
}

#[test]
fn a_connection_that_has_fallen_silent_is_given_up_and_resumed() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([url(proxy.address(), "heartbeat=1s")]);
    follow.wait_for_lines(10);
    proxy.set(Mode::BlackHole);
    log.number(10);
    follow.wait_for_words("nothing came for 2.5 s");
    proxy.set(Mode::Pass);
    follow.wait_for_lines(20);
    follow.wait_for_words("resumed, nothing missed");
    assert_eq!(follow.lines(), numbered(1, 20));
}

#[test]
fn a_quiet_log_is_not_taken_for_a_dead_connection() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([url(proxy.address(), "heartbeat=1s")]);
    follow.wait_for_lines(1);
    let n_accepted = proxy.n_accepted();
    pause(Duration::from_secs(5));
    log.number(1);
    follow.wait_for_lines(2);
    assert_eq!(proxy.n_accepted(), n_accepted, "{}", follow.said());
}

#[test]
fn a_slow_network_loses_nothing() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    proxy.set(Mode::Trickle);
    log.number(3_000);
    let follow = FollowProcess::start([url(proxy.address(), "tail=all&heartbeat=1s")]);
    follow.wait_for_lines(1_500);
    log.number(3_000);
    follow.wait_for_lines(6_000);
    assert_eq!(follow.lines(), numbered(1, 6_000));
    assert!(!follow.said().contains("trying again"), "{}", follow.said());
}

#[test]
fn a_reader_that_stands_still_is_waited_for_and_loses_nothing() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let writer = SteadyWriter::start(log.path(), "stalled", 20_000);
    let follow = FollowProcess::start([url(proxy.address(), "tail=all&heartbeat=1s")]);
    follow.wait_for_lines(1_000);
    let n_accepted = proxy.n_accepted();
    follow.pause();
    // Seven heartbeats; and far more is written than all buffers on the way hold.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(7) || writer.n_lines() < 140_000 {
        assert!(begun.elapsed() < DEADLINE, "the writer is too slow");
        pause(Duration::from_millis(100));
    }
    let n_lines = writer.end();
    follow.resume();
    follow.wait_for_lines(n_lines);
    assert_eq!(proxy.n_accepted(), n_accepted, "it has reconnected: {}", follow.said());
    assert!(follow.bytes() == std::fs::read(log.path()).unwrap(), "lines are missing or changed");
}

#[test]
fn a_server_that_stops_is_come_back_to() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let mut server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([url(proxy.address(), "")]);
    follow.wait_for_lines(10);
    assert!(server.terminate().success());
    follow.wait_for_words("the server is stopping");
    log.number(10);
    let server = TestServer::serving(log.path());
    proxy.point_to(server.address());
    follow.wait_for_lines(20);
    assert_eq!(follow.lines(), numbered(1, 20));
    follow.wait_for_words("resumed, nothing missed");
}

#[test]
fn what_was_lost_meanwhile_is_a_gap_and_said() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([url(proxy.address(), "")]);
    follow.wait_for_lines(10);
    proxy.set(Mode::BlackHole);
    proxy.cut();
    drop(server);
    log.delete();
    log.reopen();
    log.line("of another file");
    let server = TestServer::serving(log.path());
    proxy.point_to(server.address());
    proxy.set(Mode::Pass);
    follow.wait_for_words("resumed after a gap");
    follow.wait_for_words("app.log: gap: ");
    follow.wait_for_lines(11);
    assert_eq!(follow.lines().last().map(String::as_str), Some("of another file"));
}

#[test]
fn a_glob_is_resumed_source_by_source() {
    let folder = LogFolder::new();
    let (mut one, mut two) = (folder.log("one.log"), folder.log("two.log"));
    one.number(3);
    two.number(3);
    let server = TestServer::serving(folder.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([format!("http://{}/logs/*.log", proxy.address())]);
    follow.wait_for_lines(6);
    one.number(2);
    let mut late = folder.log("three.log");
    late.number(2);
    follow.wait_for_lines(10);
    proxy.cut();
    two.number(1);
    late.number(1);
    follow.wait_for_lines(12);
    let mut lines = follow.lines();
    lines.sort();
    let of = |name: &str, n: usize| {
        numbered(1, n).into_iter().map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
    };
    assert_eq!(lines, [of("one.log", 5), of("three.log", 3), of("two.log", 4)].concat());
}

#[test]
fn a_source_that_has_vanished_does_not_hold_up_the_others() {
    let folder = LogFolder::new();
    let (mut one, mut two) = (folder.log("one.log"), folder.log("two.log"));
    one.number(1);
    two.number(1);
    let server = TestServer::serving(folder.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([format!("http://{}/logs/*.log", proxy.address())]);
    follow.wait_for_lines(2);
    proxy.set(Mode::BlackHole);
    proxy.cut();
    drop(server);
    two.delete();
    let server = TestServer::serving(folder.path());
    proxy.point_to(server.address());
    one.number(1);
    proxy.set(Mode::Pass);
    follow.wait_for_lines(3);
    assert_eq!(follow.lines().last().map(String::as_str), Some("one.log: line 2"));
}

#[test]
fn a_stream_of_too_many_sources_is_honest_about_it() {
    let folder = LogFolder::new();
    let mut logs: Vec<_> = (0..17).map(|n| folder.log(&format!("{n}.log"))).collect();
    for log in &mut logs {
        log.number(1);
    }
    let server = TestServer::serving(folder.path());
    let proxy = Proxy::before(server.address());
    let follow = FollowProcess::start([format!("http://{}/logs/*.log", proxy.address())]);
    follow.wait_for_lines(17);
    proxy.cut();
    follow.wait_for_words("lines may have been missed");
    logs[0].number(1);
    follow.wait_for_lines(18);
    assert_eq!(follow.lines().last().map(String::as_str), Some("0.log: line 2"), "none twice");
}

#[test]
fn tls_is_verified() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    let identity = Identity::new();
    let proxy = Proxy::encrypting(server.address(), &identity);
    folder.write("ca.pem", &identity.pem);
    folder.write("other.pem", Identity::new().pem);
    let (ca, other) = (folder.join("ca.pem"), folder.join("other.pem"));
    let ca_flag = ["--ca", ca.to_str().unwrap()];
    let port = proxy.address().port();
    for scheme in ["https", "wss"] {
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("{scheme}://{host}:{port}/logs/app.log");
            let follow = FollowProcess::start([url.as_str()].into_iter().chain(ca_flag));
            follow.wait_for_lines(3);
            proxy.cut();
            log.number(1);
            follow.wait_for_lines(4);
        }
        log.truncate();
        log = folder.log("app.log");
        log.number(3);
        wait_until("the server lets go", || server.n_viewers() == 0);
    }
    let url = format!("https://localhost:{port}/logs/app.log");
    let wrong = FollowProcess::run([url.as_str(), "--ca", other.to_str().unwrap()]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.said.contains("not trusted") && wrong.said.contains("--ca"), "{wrong:?}");
    let unknown = FollowProcess::run([url.as_str()]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(wrong.bytes.is_empty() && unknown.bytes.is_empty());
}
