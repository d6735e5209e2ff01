//! The name by which the server is called, and what pages of other sites may do.

use super::auth_fixture::{AuthFixture, as_user};
use super::support::{LogFolder, Options, Request, TestServer};
use std::io::{Read as _, Write as _};

/// Sends bytes and returns the first line of the answer.
fn raw(server: &TestServer, request: &str) -> String {
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn with_host(host: &str) -> String {
    format!("GET /api/sources HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_name_that_nobody_gave_us_is_misdirected() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = Options::serving([log.path()])
        .config("[default.tailcast]\nhosts = [\"Logs.Example.org\"]\n")
        .start();
    for host in [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "192.0.2.1:80",
        "[::1]:8000",
        "logs.example.org",
        "logs.example.org:443",
        "LOGS.example.org.",
    ] {
        let answer = raw(&server, &with_host(host));
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    for host in [
        "evil.example",
        "logs.example.org.evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f000001",
    ] {
        let answer = raw(&server, &with_host(host));
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
        assert!(answer.contains(&format!("hosts = [\"{host}\"]")), "{answer}");
        assert!(!answer.contains("app.log"), "{answer}");
    }
    for host in ["a b", "user@localhost", "localhost/x", "localhost:x", "", "[::1", "a\\b"] {
        let answer = raw(&server, &with_host(host));
        assert!(answer.starts_with("HTTP/1.1 400"), "{host}: {answer}");
    }
    // A forwarded name is a proxy's, and none is listed.
    let forwarded =
        with_host("evil.example").replace("Host:", "X-Forwarded-Host: localhost\r\nHost:");
    assert!(raw(&server, &forwarded).starts_with("HTTP/1.1 421"));
}

#[test]
fn two_hosts_or_none_make_no_request() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let end = "Connection: close\r\n\r\n";
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\n{end}"), 400),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n{end}"), 400),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n{end}"), 400),
        (format!("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n{end}"), 421),
        // A balancer's probe need not know a name.
        (format!("GET /healthz HTTP/1.0\r\n{end}"), 200),
        (format!("GET /readyz HTTP/1.1\r\nHost: evil.example\r\n{end}"), 200),
    ] {
        let answer = raw(&server, &request);
        assert_eq!(&answer[9..12], status.to_string(), "{request}: {answer}");
    }
}

#[test]
fn whoever_asks_who_comes_answers_to_any_name() {
    let house = AuthFixture::new("");
    house.log("app.log");
    house.user("alice", &[]);
    let server = house.start();
    assert!(raw(&server, &with_host("logs.example.org")).starts_with("HTTP/1.1 401"));
    let twice = with_host("a.example").replace("Host:", "Host: b.example\r\nHost:");
    assert!(raw(&server, &twice).starts_with("HTTP/1.1 400"));
}

#[test]
fn pages_of_other_origins_read_nothing_unless_they_are_listed() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let asked = |server: &TestServer, method: &str, origin: &str| {
        let request = Request::new(method, "/api/sources").header("Origin", origin);
        server.get(request.header("Access-Control-Request-Method", "GET"))
    };
    let portal = "https://portal.example.org";
    let answer = asked(&server, "GET", portal);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
    assert_eq!(asked(&server, "OPTIONS", portal).status, 405);

    let server = Options::serving([log.path()])
        .config(&format!("[default.tailcast]\norigins = [\"{portal}\"]\n"))
        .start();
    for method in ["GET", "OPTIONS"] {
        let answer = asked(&server, method, portal);
        assert!([200, 204].contains(&answer.status), "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(portal));
        assert!(answer.header("vary").unwrap().contains("Origin"));
    }
    assert!(asked(&server, "OPTIONS", portal).header("access-control-allow-headers").is_some());
    for origin in ["https://evil.example", "null", "https://portal.example.org.evil", "*"] {
        let answer = asked(&server, "GET", origin);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert!(answer.header("vary").unwrap().contains("Origin"));
    }
}

#[test]
fn every_answer_carries_what_browsers_and_caches_need() {
    let house = AuthFixture::new("frame_ancestors = [\"'self'\", \"https://portal.example.org\"]");
    house.log("app.log").line("hello");
    house.user("alice", &[]);
    let server = house.start();
    for request in [
        Request::get("/logs/app.log"),
        Request::get("/login"),
        Request::get("/login").accept("text/html"),
        Request::get("/healthz"),
        Request::get("/readyz"),
        Request::get("/none"),
        Request::get("/static/viewer.js"),
        Request::get("/static/none"),
        Request::new("DELETE", "/"),
        Request::new("OPTIONS", "/"),
        Request::get(&format!("/{}", "x".repeat(9000))),
        as_user("/", "alice"),
        as_user("/", "alice").accept("text/html"),
        as_user("/api/sources", "alice"),
        as_user("/metrics", "alice"),
        as_user("/logs/app.log?follow=false", "alice"),
        as_user("/logs/none", "alice"),
    ] {
        let answer = server.get(request.clone());
        assert!(answer.header("cache-control").is_some(), "{request:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{request:?}");
        assert!(answer.header("referrer-policy").is_some(), "{request:?}");
        assert_eq!(answer.header("x-frame-options"), None, "{request:?}");
        let policies: Vec<_> =
            answer.headers.iter().filter(|(name, _)| name == "content-security-policy").collect();
        let [(_, policy)] = policies.as_slice() else { panic!("{request:?}: {policies:?}") };
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let ancestors = "frame-ancestors 'self' https://portal.example.org";
        assert_eq!(policy.matches(ancestors).count(), 1, "{policy}");
        assert_eq!(policy.matches("frame-ancestors").count(), 1, "{policy}");
        let is_page = answer.header("content-type").is_some_and(|kind| kind.contains("html"));
        assert!(!is_page || !answer.text().contains("<script>"), "{request:?}");
    }
}
