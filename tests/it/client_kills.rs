//! The server is killed again and again while somebody follows.

use std::time::{Duration, Instant};

use super::steady_writer::SteadyWriter;
use super::support::{FollowProcess, Identity, LogFolder, Proxy, TestServer, pause};

#[test]
fn a_server_killed_every_second_for_a_minute_loses_and_doubles_no_line() {
    let (folder, log) = LogFolder::with_log("app.log");
    let identity = Identity::new();
    folder.write("ca.pem", &identity.pem);
    let mut server = TestServer::serving(log.path());
    let plain = Proxy::before(server.address());
    let encrypted = Proxy::encrypting(server.address(), &identity);
    let writer = SteadyWriter::start(log.path(), "killed", 2_000);
    let ca = folder.join("ca.pem").to_str().unwrap().to_owned();
    let follows = [
        FollowProcess::start([format!("http://{}/logs/app.log?tail=all", plain.address())]),
        FollowProcess::start([
            format!("https://localhost:{}/logs/app.log?tail=all", encrypted.address().port()),
            "--ca".into(),
            ca,
        ]),
    ];
    let begun = Instant::now();
    let mut n_kills = 0;
    while begun.elapsed() < Duration::from_secs(60) {
        pause(Duration::from_secs(1));
        // Dropping it is SIGKILL.
        drop(server);
        n_kills += 1;
        server = TestServer::serving(log.path());
        plain.point_to(server.address());
        encrypted.point_to(server.address());
    }
    let n_lines = writer.end();
    let written = std::fs::read(log.path()).unwrap();
    for follow in follows {
        follow.wait_for_lines(n_lines);
        assert!(follow.bytes() == written, "what was printed is not the file");
        let said = follow.said();
        let n_resumed = said.matches("resumed, nothing missed").count();
        eprintln!("{n_kills} kills, {n_lines} lines, resumed {n_resumed} times");
        assert!(n_resumed >= 5, "it was hardly ever connected: {said}");
        assert!(!said.contains("gap"), "{said}");
    }
}
