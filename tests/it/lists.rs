//! The lists and the server's own state: `/`, `/logs`, `/api/sources`, `/healthz`, `/readyz`,
//! `/metrics`.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{LogFolder, Request, TestServer, Viewer};

#[test]
fn curl_gets_one_source_a_line_with_size_and_age() {
    let folder = LogFolder::new();
    folder.write("big.log", vec![b'\n'; 4_200_000]);
    folder.log("nginx/access.log").number(2);
    let server = TestServer::serving(folder.path());
    for path in ["/", "/logs"] {
        let answer = server.get(Request::get(path).accept("*/*"));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        let lines = answer.lines();
        assert_eq!(lines.len(), 2, "{path}");
        let words: Vec<&str> = lines[0].split_whitespace().collect();
        assert_eq!(words[..3], ["big.log", "4.2", "MB"], "{path}");
        assert!(lines[0].ends_with("s ago"), "{}", lines[0]);
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(words[..3], ["nginx/access.log", "14", "B"], "{path}");
    }
}

#[test]
fn browsers_get_a_page_that_finds_its_files_under_any_prefix() {
    let folder = LogFolder::new();
    folder.log("app.log").number(1);
    folder.log("nginx/deep/error.log").number(1);
    let server = TestServer::serving(folder.path());
    for path in ["/", "/logs", "/logs/", "/logs/app.log", "/logs/nginx/deep/error.log", "/logs/**"]
    {
        let answer = server.get(Request::get(path).accept("text/html,*/*;q=0.8"));
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let html = answer.text();
        for absolute in ["href=\"/", "src=\"/", "href='/", "src='/", "http://", "https://"] {
            assert!(!html.contains(absolute), "{path} holds {absolute}");
        }
        let base = html.split_once("<base href=\"").unwrap().1.split('"').next().unwrap();
        let folders = path.matches('/').count() - 1;
        assert_eq!(base.matches("../").count(), folders, "{base:?} leads from {path} to the root");
        assert!(base.replace("../", "").trim_start_matches("./").is_empty(), "{base:?}");
        for part in html.split(['"']).filter(|part| part.starts_with("static/")) {
            assert_eq!(server.get(format!("/{part}")).status, 200, "{part}");
        }
    }
    assert_eq!(server.n_viewers(), 0);
}

#[test]
fn the_api_tells_all_of_each_source() {
    let folder = LogFolder::new();
    folder.log("app.log").number(3);
    folder.log("app.log.1").number(1);
    folder.write("x.bin", b"\0");
    let server = TestServer::serving(folder.path());
    let viewer = server.follow(Request::ndjson("/logs/app.log"));
    let answer = server.get("/api/sources");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let list = answer.json();
    assert_eq!(keys(&list), ["left_out", "sources"]);
    let source = &list["sources"][0];
    assert_eq!(keys(source), ["modified", "name", "segments", "size", "viewers"]);
    assert_eq!(source["name"], "app.log");
    assert_eq!(source["size"], 21);
    assert_eq!(source["viewers"], 1);
    let modified: jiff::Timestamp = source["modified"].as_str().unwrap().parse().unwrap();
    assert!(jiff::Timestamp::now().duration_since(modified).as_secs().abs() < 60);
    let segments = source["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(keys(&segments[0]), ["file", "modified", "size"]);
    assert_eq!((&segments[0]["file"], &segments[0]["size"]), (&"app.log".into(), &21.into()));
    assert_eq!((&segments[1]["file"], &segments[1]["size"]), (&"app.log.1".into(), &7.into()));
    assert_eq!(keys(&list["left_out"][0]), ["name", "reason"]);
    drop(viewer);
}

#[test]
fn the_api_tells_what_becomes_of_the_list() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::sse("/api/sources"));
    assert_eq!(viewer.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(viewer.header("x-accel-buffering"), Some("no"));
    let first = viewer.wait_for(|viewer| !viewer.events.is_empty()).events[0].clone();
    let sources = first.data["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 1);
    assert_eq!(keys(&sources[0]), ["modified", "name", "size", "viewers"]);

    let other = folder.log("other.log");
    let added = viewer.wait_for_event("added");
    assert_eq!(added.data["name"], "other.log");
    assert_eq!(keys(&added.data), ["modified", "name", "size", "viewers"]);
    log.number(1);
    let is_grown = |viewer: &Viewer| {
        viewer
            .events_named("changed")
            .any(|event| event.data["name"] == "app.log" && event.data["size"] == 14)
    };
    viewer.wait_for(is_grown);
    other.delete();
    let removed = viewer.wait_for_event("removed");
    assert_eq!(removed.data["name"], "other.log");
}

#[test]
fn a_source_that_is_written_to_all_the_time_is_told_once_a_second() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::sse("/api/sources"));
    viewer.wait_for(|viewer| !viewer.events.is_empty());
    let (begun, mut told, mut n_files) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < Duration::from_millis(3500) {
        log.number(1);
        // Files that come wake the list as well.
        if begun.elapsed() > Duration::from_millis(230) * n_files {
            n_files += 1;
            folder.log(&format!("{n_files}.txt"));
        }
        viewer.read();
        let changed =
            viewer.events_named("changed").filter(|event| event.data["name"] == "app.log");
        if changed.count() > told.len() {
            told.push(begun.elapsed());
        }
    }
    assert!(viewer.events_named("added").count() > 3, "{:?}", viewer.events);
    assert!(told.len() > 1, "{told:?}");
    // The way from the server to here may take a while.
    let pauses = told.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    assert!(pauses.min().unwrap() > Duration::from_millis(700), "told at {told:?}");
}

#[test]
fn the_server_says_that_it_is_well() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(!answer.text().contains("degraded"), "{}", answer.text());
    }
}

#[test]
fn every_metric_is_there_from_the_start() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let answer = server.get("/metrics");
    let content_type = answer.header("content-type").unwrap();
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let text = answer.text();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse::<f64>().unwrap()
    };
    for name in [
        "tailcast_feeds",
        "tailcast_watches",
        "tailcast_lines_sent_total",
        "tailcast_bytes_sent_total",
        "tailcast_gap_bytes_total",
        "tailcast_rotations_total",
    ] {
        assert!(value(name).abs() < 0.5, "{name}");
    }
    for format in ["text", "ndjson", "sse", "raw", "websocket"] {
        assert!(value(&format!("tailcast_viewers{{format=\"{format}\"}}")).abs() < 0.5);
    }
    for reason in ["client", "eof", "until", "shutdown", "revoked", "limit"] {
        let name = format!("tailcast_viewers_closed_total{{reason=\"{reason}\"}}");
        assert!(value(&name).abs() < 0.5);
    }
    assert!((value("tailcast_sources") - 1.0).abs() < 0.5);
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
        assert!(value(name) >= 0.0);
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} has no type");
    }
}

#[test]
fn metrics_count_what_is_sent() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(100);
    let server = TestServer::serving(log.path());
    let answer = server.get("/logs/app.log?follow=false&tail=all");
    assert_eq!(server.metric("tailcast_lines_sent_total").to_string(), "100");
    let sent = server.metric("tailcast_bytes_sent_total").to_string();
    assert_eq!(sent, answer.body.len().to_string());
    let closed = "tailcast_viewers_closed_total{reason=\"eof\"}";
    super::support::wait_until("the end is counted", || server.metric(closed) > 0.5);
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
