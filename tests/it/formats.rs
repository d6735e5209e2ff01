//! The formats of one log: records, events, bytes; and which one a client gets.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::support::{LogFolder, Request, TestServer, wait_until};

#[test]
fn records_tell_what_their_line_tells() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.line("2026-11-21T10:00:00.250+01:00 ERROR disk \"full\"\t\\");
    log.line("no time, no level");
    let server = TestServer::serving(log.path());
    let answer = server.get(Request::ndjson("/logs/app.log?follow=false"));
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let records = answer.records();
    let cursors: Vec<_> = records.iter().map(|record| record["cursor"].as_str().unwrap()).collect();
    assert_eq!(
        records,
        [
            json!({"event": "start", "source": "app.log", "cursor": cursors[0]}),
            json!({
                "source": "app.log",
                "cursor": cursors[1],
                "time": "2026-11-21T10:00:00.250+01:00",
                "level": "error",
                "line": "2026-11-21T10:00:00.250+01:00 ERROR disk \"full\"\t\\",
            }),
            json!({"source": "app.log", "cursor": cursors[2], "line": "no time, no level"}),
            json!({"event": "end", "source": "app.log", "reason": "eof", "cursor": cursors[2]}),
        ]
    );
    assert!(cursors[0] != cursors[1] && cursors[1] != cursors[2]);
    let is_url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(cursors.iter().all(|cursor| cursor.chars().all(is_url_safe)), "{cursors:?}");
}

#[test]
fn heartbeats_tell_quiet_from_stuck() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?heartbeat=1s"));
    let heartbeat = viewer.wait_for_event("heartbeat");
    assert_eq!(heartbeat.cursor(), viewer.lines[2].cursor.as_deref());
    assert_eq!(heartbeat.data["size"], "line 1\nline 2\nline 3\n".len());
    assert_eq!(heartbeat.data["behind"], 0);
    let modified: jiff::Timestamp = heartbeat.data["modified"].as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(modified).as_secs();
    assert!((0..60).contains(&age), "{heartbeat:?}");
}

#[test]
fn text_says_an_empty_line_where_nothing_was_said_for_a_heartbeat() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow("/logs/app.log?heartbeat=1s");
    viewer.wait_for_lines(3);
    log.number(1);
    viewer.wait_for_line("line 2");
    let texts = viewer.texts();
    assert_eq!((texts[0], texts[1], texts[2]), ("line 1", "", ""));
}

#[test]
fn events_are_framed_as_the_standard_says() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.line("one");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::sse("/logs/app.log?heartbeat=1s"));
    assert_eq!(viewer.header("content-type"), Some("text/event-stream"));
    viewer.wait_for_event("heartbeat");
    let [first, line, heartbeat] = &viewer.blocks[..3] else { panic!("three blocks") };

    let lines: Vec<_> = first.lines().collect();
    let retry: u32 = lines[0].strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((2000..=4000).contains(&retry), "{first:?}");
    let start = viewer.events[0].clone();
    let id = start.id.clone().unwrap();
    assert_eq!(lines[1..3], ["event: start".to_owned(), format!("id: {id}")]);
    assert!(lines[3].starts_with("data: {\"event\":\"start\","), "{first:?}");
    assert_eq!(lines.len(), 4);
    assert_eq!(start.cursor(), Some(id.as_str()));

    let cursor = viewer.lines[0].cursor.clone().unwrap();
    let record = json!({"source": "app.log", "cursor": cursor, "line": "one"});
    let (id, data) = line.split_once('\n').unwrap();
    assert_eq!(id, format!("id: {cursor}"));
    let data: serde_json::Value =
        serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data, record);

    let lines: Vec<_> = heartbeat.lines().collect();
    assert!(lines[0].starts_with(':'), "{heartbeat:?}");
    assert_eq!(lines[1..3], ["event: heartbeat".to_owned(), format!("id: {cursor}")]);
    assert!(lines[3].starts_with("data: {\"event\":\"heartbeat\","), "{heartbeat:?}");
    assert_eq!(lines.len(), 4);
}

#[test]
fn the_same_records_come_as_events_and_as_lines() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("2026-11-21 10:00:00 WARN a\nb\r\n\nc\u{2028}d\n\x1b[31mred\x1b[0m\n");
    let server = TestServer::serving(log.path());
    let mut sse = server.follow(Request::sse("/logs/app.log?follow=false"));
    let mut ndjson = server.follow(Request::ndjson("/logs/app.log?follow=false"));
    sse.wait_for_end();
    ndjson.wait_for_end();
    for line in &mut sse.lines {
        assert_eq!(line.id.take(), line.cursor);
    }
    assert_eq!(sse.lines, ndjson.lines);
    assert_eq!(sse.wait_for_event("end").id.as_deref(), ndjson.last_cursor());
}

#[test]
fn a_rare_filter_is_not_searched_again_after_a_heartbeat() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(500);
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::sse("/logs/app.log?heartbeat=1s&grep=nothing"));
    let heartbeat = viewer.wait_for_event("heartbeat");
    let whole = server.get(Request::ndjson("/logs/app.log?follow=false&tail=0")).records();
    assert_eq!(heartbeat.id.as_deref(), whole.last().unwrap()["cursor"].as_str());
}

#[test]
fn raw_is_the_history_as_it_is() {
    let (folder, mut log) = LogFolder::with_log("shop.log");
    let server = TestServer::serving(folder.path());
    log.write(RAW);
    let answer = server.get("/logs/shop.log?format=raw");
    assert_eq!(answer.body, RAW);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.contains("filename=\"shop.log\""), "{disposition}");
    let by_accept = server.get(Request::get("/logs/shop.log").accept("application/octet-stream"));
    assert_eq!(by_accept.body, answer.body);
}

#[test]
fn raw_unpacks_the_rotated_files_and_puts_the_oldest_first() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let mut expected = Vec::new();
    for (number, packer) in [(5, "xz"), (4, "bzip2"), (3, "zstd"), (2, "gzip"), (1, "")] {
        let content = format!("from {number}\nsecond of {number} \u{fffd}\n").repeat(300);
        expected.extend_from_slice(content.as_bytes());
        let name = format!("app.log.{number}");
        folder.write(&name, content);
        pack(packer, &folder.join(&name));
    }
    log.line("active");
    expected.extend_from_slice(b"active\n");
    let server = TestServer::serving(log.path());
    let answer = server.get("/logs/app.log?format=raw");
    assert!(answer.body == expected, "{} bytes, {} expected", answer.body.len(), expected.len());
    let text = server.get("/logs/app.log?tail=all&follow=false");
    assert!(text.body == expected, "the text differs from the bytes");
    let raw_tail = server.get("/logs/app.log?format=raw&tail=2");
    assert_eq!(raw_tail.text(), "second of 1 \u{fffd}\nactive\n");
}

#[test]
fn raw_follows_if_asked_to() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write(b"one\xff\n");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow("/logs/app.log?format=raw&follow=true&tail=0");
    log.write(b"two\xfe\n");
    viewer.wait_for(|viewer| viewer.body == b"two\xfe\n");
}

#[test]
fn every_kind_of_client_gets_its_own() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let text = "text/plain; charset=utf-8";
    for (accept, content_type) in [
        ("*/*", text),
        ("text/plain", text),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json", "application/x-ndjson"),
        ("application/jsonl", "application/x-ndjson"),
        ("text/event-stream", "text/event-stream"),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html; charset=utf-8",
        ),
        ("text/plain;q=0.1, application/json;q=0.5", "application/x-ndjson"),
        ("text/plain, application/json", text),
        ("application/json, text/plain", "application/x-ndjson"),
        ("image/png, text/event-stream", "text/event-stream"),
    ] {
        let answer = server.get(Request::get("/logs/app.log?follow=false").accept(accept));
        assert_eq!(answer.header("content-type"), Some(content_type), "{accept}");
    }
    let answer = server.get("/logs/app.log?follow=false");
    assert_eq!(answer.header("content-type"), Some(text), "without Accept");
}

#[test]
fn a_format_in_the_url_beats_accept() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for (format, content_type) in [
        ("text", "text/plain; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
        ("sse", "text/event-stream"),
        ("raw", "application/octet-stream"),
    ] {
        let path = format!("/logs/app.log?follow=false&format={format}");
        for accept in ["text/html", "image/png", "application/json"] {
            let answer = server.get(Request::get(&path).accept(accept));
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), Some(content_type), "{format}, {accept}");
        }
    }
}

#[test]
fn what_is_not_offered_is_not_acceptable() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for accept in ["image/png", "video/*", "text/plain;q=0"] {
        let answer = server.get(Request::get("/logs/app.log").accept(accept));
        assert_eq!(answer.status, 406, "{accept}");
    }
}

#[test]
fn head_answers_with_the_head_alone_and_is_no_viewer() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    for format in ["text", "ndjson", "sse", "raw"] {
        let path = format!("/logs/app.log?format={format}");
        let answer = server.get(Request::new("HEAD", &path));
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{format}");
        assert_eq!(answer.header("x-accel-buffering"), Some("no"), "{format}");
    }
    assert_eq!(server.n_viewers(), 0);
    assert_eq!(server.metric("tailcast_feeds").to_string(), "0");
    assert_eq!(server.metric("tailcast_viewers_closed_total{reason=\"client\"}").to_string(), "0");
    assert_eq!(server.metric("tailcast_lines_sent_total").to_string(), "0");
}

#[test]
fn viewers_are_counted_by_format() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for format in ["text", "ndjson", "sse", "raw"] {
        let path = format!("/logs/app.log?heartbeat=1s&follow=true&format={format}");
        let viewer = server.follow(path);
        let metric = format!("tailcast_viewers{{format=\"{format}\"}}");
        wait_until("the viewer is counted", || server.metric(&metric) > 0.0);
        assert_eq!(server.n_viewers(), 1, "{format}");
        drop(viewer);
        if format == "raw" {
            // Bytes have no heartbeat: it takes a write to notice.
            continue;
        }
        wait_until("the viewer is gone", || server.n_viewers() == 0);
    }
}

#[test]
fn times_are_put_before_text_if_asked_for() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("early\n{\"time\":\"2026-11-21T10:00:00Z\",\"msg\":\"a\"}\n  at b\n");
    let server = TestServer::serving(log.path());
    let answer = server.get("/logs/app.log?follow=false&timestamps=true");
    let lines = answer.lines();
    assert!(lines[0].ends_with("early"), "{lines:?}");
    assert_eq!(lines[1], "2026-11-21T10:00:00Z {\"time\":\"2026-11-21T10:00:00Z\",\"msg\":\"a\"}");
    assert!(lines[2].starts_with("2026-11-21T10:00:00Z "), "{lines:?}");
}

#[test]
fn colours_are_taken_out_of_text_if_asked_for() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.line("\x1b[1;31mERROR\x1b[0m failed");
    let server = TestServer::serving(log.path());
    let coloured = server.get("/logs/app.log?follow=false");
    assert_eq!(coloured.text(), "\x1b[1;31mERROR\x1b[0m failed\n");
    let plain = server.get("/logs/app.log?follow=false&color=false");
    assert_eq!(plain.text(), "ERROR failed\n");
}

#[test]
fn taking_colours_out_joins_no_lines() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let odd: [&[u8]; 10] = [
        b"one \x1b]0;a title without an end",
        b"two \x1bPa device string",
        b"three \x1b",
        b"four \x1b[31",
        b"five \x1bXa string",
        b"six \xc2\x9d0;a title",
        b"seven \xc2\x90a device string",
        b"eight \x9d0;a title",
        b"nine \x1b_an order\r",
        b"ten \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ end",
    ];
    for line in odd {
        log.write([line, b"\n"].concat());
    }
    let server = TestServer::serving(log.path());
    let plain = server.get("/logs/app.log?follow=false&tail=all&color=false");
    let plain = String::from_utf8(plain.body).unwrap();
    let lines: Vec<&str> = plain.split_terminator('\n').collect();
    assert_eq!(lines.len(), odd.len(), "{lines:?}");
    let numbers = "one two three four five six seven eight nine ten";
    for (line, number) in lines.iter().zip(numbers.split(' ')) {
        assert!(line.starts_with(number), "{lines:?}");
        assert!(!line.contains(['\x1b', '\u{9d}', '\u{90}', '\x07']), "{line:?}");
    }
    assert_eq!(lines[0], "one 0;a title without an end", "no text is lost");
    assert_eq!(lines[9], "ten link end");
    let page = server.get("/logs/app.log?follow=false&tail=all&color=false&timestamps=true");
    assert_eq!(page.text().lines().count(), odd.len());
}

const RAW: &[u8] = b"active\r\nfirst\r\n\xff\xfe w\xc3\xa4hrung\0\n\nno end";

/// Packs a file in place; `tests/run` sees to it that the programs are there.
#[track_caller]
fn pack(program: &str, path: &Path) {
    if program.is_empty() {
        return;
    }
    let mut command = Command::new(program);
    if program == "zstd" {
        command.arg("--rm");
    }
    let status = command.args(["-q", "-f"]).arg(path).status();
    let status = status.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    assert!(status.success(), "{program} has failed");
}
