//! `WebSocket`s behind doors: the same rights, at the handshake, in each command, and later.

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use super::auth_fixture::{AuthFixture, PASSWORD, basic};
use super::support::{Socket, TestServer};

const RULES: &str = "
origins = [\"https://portal.example.org\"]
trusted_proxies = [\"127.0.0.1\"]
[[default.tailcast.rule]]
users = [\"alice\"]
sources = [\"a*.log\"]
";

fn house() -> AuthFixture {
    let house = AuthFixture::new(RULES);
    house.log("a1.log").number(3);
    house.log("b1.log").line("secret");
    house.user("alice", &[]);
    house
}

fn open(
    server: &TestServer,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, (u16, String)> {
    Socket::open_with(server, path, headers).map_err(|error| {
        let Error::Http(response) = *error else { panic!("refused over HTTP: {error}") };
        let body = response.body().clone().unwrap_or_default();
        (response.status().as_u16(), String::from_utf8(body).unwrap())
    })
}

#[test]
fn a_socket_opens_for_whom_it_may_and_follows_what_they_may_read() {
    let house = house();
    let server = house.start();
    let alice = basic("alice", PASSWORD);
    let own = ("authorization", alice.as_str());
    for path in ["/logs/a1.log", "/logs/b1.log", "/logs/*", "/logs/none"] {
        let (status, words) = open(&server, path, &[]).unwrap_err();
        assert_eq!(status, 401, "{path}: {words}");
    }
    let (status, words) = open(&server, "/logs/b1.log", &[own]).unwrap_err();
    assert!(status == 404 && !words.contains("did you mean `b1"), "{words}");
    assert_eq!(open(&server, "/logs/b*", &[own]).unwrap_err().0, 404);

    let mut socket = open(&server, "/logs/*.log", &[own]).unwrap();
    socket.wait_for_lines(3);
    for (command, unknown) in [
        (json!({"cmd": "follow", "source": "b1.log"}), "b1.log"),
        (json!({"cmd": "follow", "source": "none.log"}), "none.log"),
    ] {
        let answer = socket.command(&command.to_string());
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("no source is named `{unknown}`")), "{error}");
        assert!(!error.contains("mean `b1.log`"), "{error}");
    }
    let cursor = socket.lines[2]["cursor"].as_str().unwrap().to_owned();
    let answer = socket.command(
        &json!({"cmd": "older", "before": cursor, "lines": 5, "source": "b1.log"}).to_string(),
    );
    assert!(answer["error"].is_string(), "{answer}");
    house.log("b2.log").line("new, and not hers");
    house.log("a2.log").line("new, and hers");
    socket.wait_for_lines(4);
    assert!(socket.lines.iter().all(|line| line["source"] != "b2.log"), "{:?}", socket.lines);
}

#[test]
fn a_socket_that_loses_its_right_is_closed_also_while_it_is_paused() {
    let house = house();
    let server = house.start();
    let alice = basic("alice", PASSWORD);
    let own = ("authorization", alice.as_str());
    let mut idle = open(&server, "/logs/a1.log", &[own]).unwrap();
    let mut paused = open(&server, "/logs/a1.log", &[own]).unwrap();
    idle.wait_for_lines(3);
    paused.wait_for_lines(3);
    paused.command(&json!({"cmd": "pause"}).to_string());
    house.configure(&RULES.replace("a*.log", "z.log"));
    for socket in [&mut idle, &mut paused] {
        socket.wait_for(|socket| socket.closed.is_some());
        assert_eq!(socket.events.last().unwrap()["reason"], "revoked");
        let (code, words) = socket.closed.clone().unwrap();
        assert!(u16::from(code) == 1008 && words.contains("may not be read"), "{words}");
    }
}

#[test]
fn pages_of_other_sites_open_no_socket() {
    let house = house();
    let server = house.start();
    let alice = basic("alice", PASSWORD);
    let own = ("authorization", alice.as_str());
    let origin = |origin: &str| open(&server, "/logs/a1.log", &[own, ("origin", origin)]).map(drop);
    for evil in [
        "https://evil.example",
        "null",
        "https://portal.example.org.evil.example",
        "https://portal.example.org:8443",
        "http://portal.example.org",
        "https://evil.example#portal.example.org",
    ] {
        let (status, words) = origin(evil).unwrap_err();
        assert_eq!(status, 403, "{evil}: {words}");
    }
    origin("https://portal.example.org").unwrap();
    origin(&format!("http://{}", server.address())).unwrap();
    // Behind a proxy that passes another `Host` on, what it tells of the name counts.
    let forwarded =
        [own, ("origin", "https://logs.example.org"), ("x-forwarded-host", "logs.example.org")];
    open(&server, "/logs/a1.log", &forwarded).unwrap();
    house.configure(&RULES.replace("127.0.0.1", "10.0.0.1"));
    let server = house.start();
    assert_eq!(open(&server, "/logs/a1.log", &forwarded).unwrap_err().0, 403);
}
