//! The headers that proxies and browsers need.

use super::support::{LogFolder, Request, TestServer};

#[test]
fn every_stream_tells_proxies_to_pass_it_on_as_it_comes() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for format in ["text", "ndjson", "sse", "raw"] {
        for follow in [true, false] {
            let path = format!("/logs/app.log?format={format}&follow={follow}");
            let viewer = server.follow(&path);
            assert_eq!(viewer.header("cache-control"), Some("no-store, no-transform"), "{path}");
            assert_eq!(viewer.header("x-accel-buffering"), Some("no"), "{path}");
            assert_eq!(viewer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(viewer.header("transfer-encoding"), Some("chunked"), "{path}");
        }
    }
}

#[test]
fn an_answer_with_nothing_more_to_come_is_not_kept_by_a_cache() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let records = server.get("/logs/app.log?follow=false&format=ndjson").records();
    let cursor = records.last().unwrap()["cursor"].as_str().unwrap();
    let answer = server.get(Request::sse(&format!("/logs/app.log?follow=false&from={cursor}")));
    assert_eq!(answer.status, 204);
    let control = answer.header("cache-control").unwrap_or_default();
    assert!(control.contains("no-store"), "{:?}", answer.headers);
    for path in ["/logs/none", "/logs/app.log?tail=x", "/api/sources", "/logs"] {
        let answer = server.get(path);
        assert!(answer.header("cache-control").unwrap().contains("no-store"), "{path}");
    }
}

#[test]
fn the_page_may_load_nothing_from_elsewhere() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let answer = server.get(Request::get("/logs/app.log").accept("text/html"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn two_requests_go_over_one_connection() {
    use std::io::{Read as _, Write as _};
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    let request = "GET /logs/app.log?follow=false HTTP/1.1\r\nHost: localhost\r\n";
    socket
        .write_all(format!("{request}\r\n{request}Connection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut answers = String::new();
    socket.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert_eq!(answers.matches("line 1\n").count(), 2, "{answers}");
}
