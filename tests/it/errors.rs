//! What a client is told when it cannot have what it asked for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::support::{Answer, LogFolder, Options, Request, TestServer, wait_until};

#[test]
fn an_unknown_source_is_answered_with_names_near_to_it() {
    let folder = LogFolder::new();
    for name in ["nginx/access.log", "nginx/error.log", "postgres.log"] {
        folder.log(name).number(1);
    }
    let server = TestServer::serving(folder.path());
    let answer = server.get("/logs/nginx/acces.log");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("nginx/access.log"), "{}", answer.text());
    assert!(!answer.text().contains("postgres"), "{}", answer.text());
    let answer = server.get(Request::get("/logs/access.log").accept("application/json"));
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["near"][0], "nginx/access.log");
    let answer = server.get("/logs/something-quite-different");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("something-quite-different"), "{}", answer.text());
}

#[test]
fn programs_get_a_problem_and_people_a_sentence() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for accept in ["application/json", "application/x-ndjson", "text/event-stream"] {
        for (path, status) in [("/logs/app.log?tail=x", 400), ("/logs/none", 404), ("/none", 404)] {
            let answer = server.get(Request::get(path).accept(accept));
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{accept}");
            let problem = answer.json();
            assert_eq!(problem["status"], status);
            assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
            assert!(problem["title"].is_string() && problem["type"].is_string(), "{problem}");
        }
    }
    for request in [Request::get("/logs/none"), Request::get("/logs/none").accept("*/*")] {
        let answer = server.get(request);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.lines().len(), 1, "{}", answer.text());
    }
}

#[test]
fn a_wrong_parameter_is_named_with_what_was_expected() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for (query, parameter, expected) in [
        ("tail=x", "tail", "all"),
        ("tail=-1", "tail", "all"),
        ("tail=", "tail", "all"),
        ("tail=18446744073709551616", "tail", "all"),
        ("since=x", "since", "2026-11-21"),
        ("since=", "since", "2026-11-21"),
        ("since=2026-02-30", "since", "2026-11-21"),
        ("until=25:00", "until", "2026-11-21"),
        ("until=5x", "until", ""),
        ("from=x", "from", "characters"),
        ("last_event_id=x", "last_event_id", "characters"),
        ("follow=maybe", "follow", "true or false"),
        ("follow", "follow", "true or false"),
        ("grep=(", "grep", "regular expression"),
        ("exclude=%5B", "exclude", "regular expression"),
        ("grep=%ff", "grep", "UTF-8"),
        ("level=loud", "level", "warn"),
        ("heartbeat=500ms", "heartbeat", "1s"),
        ("heartbeat=6m", "heartbeat", "5m"),
        ("heartbeat=x", "heartbeat", ""),
        ("timestamps=x", "timestamps", "true or false"),
        ("color=red", "color", "true or false"),
        ("format=xml", "format", "ndjson"),
        ("tial=5", "tial", "tail"),
        ("Tail=5", "Tail", "tail"),
        ("tail=1&tail=2", "tail", "once"),
        ("tail=1&tail=1", "tail", "once"),
        ("grep=a&%67rep=b", "grep", "once"),
    ] {
        let path = format!("/logs/app.log?{query}");
        let answer = server.get(Request::get(&path).accept("application/json"));
        assert_eq!(answer.status, 400, "{query}");
        let problem = answer.json();
        assert_eq!(problem["parameter"], parameter, "{query}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("`{parameter}`")), "{query}: {detail}");
        assert!(detail.contains(expected), "{query}: {detail}");
        let sentence = server.get(&path);
        assert_eq!((sentence.status, sentence.text()), (400, format!("{detail}\n")), "{query}");
    }
}

#[test]
fn a_place_to_begin_is_named_once() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let records = server.get("/logs/app.log?follow=false&format=ndjson").records();
    let cursor = records[0]["cursor"].as_str().unwrap();
    for other in ["tail=5", "since=5m", "tail=5&since=5m", &format!("last_event_id={cursor}")] {
        let answer = server.get(format!("/logs/app.log?from={cursor}&{other}"));
        assert_eq!(answer.status, 400, "{other}");
        assert!(answer.text().contains("`from`"), "{}", answer.text());
    }
}

#[test]
fn a_pattern_that_is_too_large_is_refused_quickly() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let begun = Instant::now();
    for pattern in [
        "%5CpL%7B1000%7D%7B1000%7D".to_owned(),
        "((((a%7B100%7D)%7B100%7D)%7B100%7D)%7B100%7D)%7B100%7D".to_owned(),
        "a".repeat(5000),
        "(".repeat(3000),
    ] {
        let answer = server.get(format!("/logs/app.log?grep={pattern}"));
        assert_eq!(answer.status, 400, "{pattern}");
        assert!(answer.text().contains("`grep`") && answer.text().len() < 500, "{}", answer.text());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "took {:?}", begun.elapsed());
}

#[test]
fn no_request_reaches_what_is_not_in_the_catalog() {
    let folder = LogFolder::new();
    folder.log("secret.txt").line("secret");
    folder.log("logs/app.log").number(1);
    folder.log("logs/sub/deep.log").number(1);
    let server = TestServer::serving(folder.join("logs"));
    let absolute = folder.join("secret.txt");
    let absolute = absolute.to_str().unwrap();
    let encoded = absolute.replace('/', "%2f");
    let mut paths: Vec<String> = [
        "/logs/../secret.txt",
        "/logs/sub/../../secret.txt",
        "/logs/sub/../app.log",
        "/logs/./app.log",
        "/logs/%2e%2e/secret.txt",
        "/logs/%2E%2E/secret.txt",
        "/logs/.%2e/secret.txt",
        "/logs/%252e%252e/secret.txt",
        "/logs/..%2fsecret.txt",
        "/logs/..%2Fsecret.txt",
        "/logs/sub%2fdeep.log",
        "/logs/..%5csecret.txt",
        "/logs/sub%5cdeep.log",
        "/logs/app.log%00",
        "/logs/app.log%00.txt",
        "/logs/app.log%0a",
        "/logs/%c0%ae%c0%ae/secret.txt",
        "/logs/%ff",
        "/logs//app.log",
        "/logs/sub//deep.log",
        "/logs/app.log/",
        "/logs/sub",
        "/logs/secret.txt",
        "/logs/~root/app.log",
        "/logs//etc/passwd",
        "/logs/%2fetc%2fpasswd",
        "/etc/passwd",
        "//etc/passwd",
        "/../etc/passwd",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/..%2fCargo.toml",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(format!("/logs/{absolute}"));
    paths.push(format!("/logs/{encoded}"));
    paths.push(format!("/logs{absolute}"));
    for path in paths {
        let answer = server.get(&path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("secret\n"), "{path}");
        assert!(!answer.text().contains('\0'), "{path}");
    }
    // These are no URLs at all.
    for path in ["/logs/..\\secret.txt", "/logs/a b", "/logs/\u{e4}"] {
        let answer = server.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    // A glob is matched with names, not with files.
    for glob in ["../*", "%2e%2e/*", "/*", "*/../*", "..%2f*"] {
        let answer = server.get(format!("/logs/{glob}?follow=false"));
        assert_eq!(answer.status, 404, "{glob}: {}", answer.text());
    }
}

#[test]
fn only_get_and_head_are_allowed() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["/logs/app.log", "/", "/api/sources", "/metrics"] {
            let request = Request::new(method, path).header("Content-Length", "0");
            let answer = server.get(request);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
}

#[test]
fn a_websocket_handshake_that_lost_its_upgrade_is_told_the_cure() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let request = Request::get("/logs/app.log")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    let answer = server.get(request);
    assert_eq!(answer.status, 426);
    let text = answer.text();
    for line in ["proxy_http_version 1.1", "proxy_set_header Upgrade $http_upgrade", "Connection"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_forbidden() {
    const NOBODY: u32 = 65534;
    let folder = LogFolder::new();
    folder.log("open.log").number(1);
    folder.log("closed.log").number(1);
    let closed = folder.join("closed.log");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.join("open.log"), Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let mut options = Options::serving([folder.path()]);
    if rustix::process::geteuid().is_root() {
        // Root may read everything: this takes another user, and `setpriv` to become it.
        options = options.user(NOBODY);
    }
    let server = options.start();
    assert_eq!(server.get("/logs/open.log?follow=false").status, 200);
    let answer = server.get("/logs/closed.log");
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("permission"), "{}", answer.text());
    let left_out = server.get("/api/sources").json()["left_out"].clone();
    assert_eq!(left_out[0]["name"], "closed.log", "{left_out}");
    assert!(left_out[0]["reason"].as_str().unwrap().contains("permission"), "{left_out}");
}

#[test]
fn a_named_file_that_may_not_be_read_is_forbidden_and_is_read_once_it_may() {
    const NOBODY: u32 = 65534;
    let folder = LogFolder::new();
    folder.log("app.log").number(1);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.join("app.log"), Permissions::from_mode(0o000)).unwrap();
    let mut options = Options::serving([folder.join("app.log")]);
    if rustix::process::geteuid().is_root() {
        options = options.user(NOBODY);
    }
    let server = options.start();
    assert_eq!(server.get("/logs/app.log").status, 403);
    fs::set_permissions(folder.join("app.log"), Permissions::from_mode(0o644)).unwrap();
    let mut answer: Option<Answer> = None;
    wait_until("the file is served", || {
        // Something that happens in the folder lets the catalog look again.
        folder.log("other").number(1);
        let now = server.get("/logs/app.log?follow=false");
        let is_served = now.status == 200;
        answer = Some(now);
        fs::remove_file(folder.join("other")).unwrap();
        is_served
    });
    assert_eq!(answer.unwrap().text(), "line 1\n");
}
