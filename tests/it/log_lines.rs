//! What strangers can have the server write to its own log.

use std::io::{Read as _, Write as _};

use super::auth_fixture::{AuthFixture, with_token};
use super::support::{DEADLINE, LogFolder, Pipe, Request, TestServer, wait_until};

const HELD_BACK: &str = "tailcast_log_lines_held_back_total";

fn n_lines(server: &TestServer, words: &str) -> usize {
    server.log().matches(words).count()
}

#[test]
fn a_broken_handshake_is_told_of_some_times_however_often_it_comes() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    assert_eq!(server.metric(HELD_BACK), 0.0);
    let head = format!(
        "GET /logs/app.log HTTP/1.0\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address()
    );
    for _ in 0..60 {
        let request = Request::get("/logs/app.log");
        let mut pipe = Pipe::open(server.address(), &request, DEADLINE).unwrap();
        pipe.write_all(head.as_bytes()).unwrap();
        pipe.read_to_end(&mut Vec::new()).unwrap();
    }
    // The minute may end in between.
    wait_until("the others are counted", || server.metric(HELD_BACK) >= 48.0);
    assert!((1..=12).contains(&n_lines(&server, "proxy_http_version")), "{}", server.log());
}

#[test]
fn who_fails_to_get_in_again_and_again_hides_nobody_elses_failure() {
    let house = AuthFixture::new("");
    house.log("app.log");
    house.user("alice", &[]);
    let server = house.start();
    for _ in 0..200 {
        let request = with_token("/logs/app.log", "no such token").bound_to("127.0.0.3");
        assert_eq!(server.get(request).status, 401);
    }
    wait_until("the lines are written", || n_lines(&server, "client=127.0.0.3") >= 60);
    assert!(n_lines(&server, "client=127.0.0.3") <= 120, "{}", server.log());
    let other = with_token("/logs/app.log", "no such token").bound_to("127.0.0.4");
    assert_eq!(server.get(other).status, 401);
    wait_until("the other is told of", || n_lines(&server, "client=127.0.0.4") == 1);
}
