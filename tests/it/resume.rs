//! Guarantee 2: a viewer that comes back with a cursor goes on at the next line.

use super::support::{Line, LogFolder, Request, TestServer, numbered};

#[test]
fn after_any_line_the_rest_comes_and_nothing_else() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("one\n\nthree\r\nfour \u{1f980}\n\u{e9}\n");
    log.write(b"\xff\xfe broken\n");
    log.write("same\nsame\nsame\n\n\nlast\n");
    let server = TestServer::serving(log.path());
    let mut whole = server.follow(Request::ndjson("/logs/app.log?tail=all&follow=false"));
    whole.wait_for_end();
    assert_eq!(whole.lines.len(), 12);
    let start = whole.wait_for_event("start").cursor().unwrap().to_owned();
    let cursors = whole.lines.iter().map(|line| line.cursor.clone().unwrap());
    for (number, cursor) in std::iter::once(start).chain(cursors).enumerate() {
        for name in ["from", "last_event_id"] {
            let path = format!("/logs/app.log?follow=false&{name}={cursor}");
            let mut rest = server.follow(Request::ndjson(&path));
            rest.wait_for_end();
            assert_eq!(rest.lines, whole.lines[number..], "{name}, after {number} lines");
            let start = rest.wait_for_event("start");
            assert_eq!(start.cursor(), Some(cursor.as_str()), "the start is the place asked for");
        }
    }
}

#[test]
fn a_stream_cut_anywhere_goes_on_without_loss_and_without_repetition() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut seen: Vec<Line> = Vec::new();
    let mut last_id: Option<String> = None;
    for round in 0..40 {
        log.number(25);
        let mut request = Request::sse("/logs/app.log?tail=all");
        if let Some(id) = &last_id {
            request = request.header("Last-Event-ID", id);
        }
        let mut viewer = server.follow(request);
        // Cut after the start, in the middle of the backlog, or at the live end.
        let wanted = round * 7 % 50;
        log.number(25);
        if wanted == 0 {
            viewer.wait_for_event("start");
        } else {
            viewer.wait_for_lines(wanted);
        }
        seen.append(&mut viewer.lines);
        last_id = viewer.last_id.clone().or(last_id);
        if round % 2 == 0 { viewer.reset() } else { drop(viewer) }
    }
    let request = Request::sse("/logs/app.log").header("Last-Event-ID", &last_id.unwrap());
    let mut viewer = server.follow(request);
    viewer.wait_for(|viewer| seen.len() + viewer.lines.len() >= log.n_lines());
    seen.append(&mut viewer.lines);
    let texts: Vec<_> = seen.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, numbered(1, log.n_lines()));
}

#[test]
fn the_place_between_two_pieces_of_a_long_line_is_good_too() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let content = "äöü€🦀".repeat(70_000);
    log.write(format!("{content}\nnext\n"));
    let server = TestServer::serving(log.path());
    let mut whole = server.follow(Request::ndjson("/logs/app.log?tail=all&follow=false"));
    whole.wait_for_end();
    assert!(whole.lines.len() > 3, "{} pieces", whole.lines.len());
    for number in 0..whole.lines.len() {
        let cursor = whole.lines[number].cursor.as_deref().unwrap();
        let path = format!("/logs/app.log?follow=false&from={cursor}");
        let mut rest = server.follow(Request::ndjson(&path));
        rest.wait_for_end();
        assert!(rest.texts() == texts_of(&whole.lines[number + 1..]), "after piece {number}");
    }
}

#[test]
fn the_header_beats_every_place_in_the_url() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let lines: Vec<_> =
        (1..=20).map(|second| format!("2026-11-21T10:00:{second:02}Z INFO event")).collect();
    log.write(lines.join("\n") + "\n");
    let server = TestServer::serving(log.path());
    let cursors = cursors_of(&server, "/logs/app.log?tail=all&follow=false");
    for query in [
        format!("from={}", cursors[2]),
        format!("last_event_id={}", cursors[2]),
        "tail=1".to_owned(),
        "tail=0".to_owned(),
        "since=2026-11-21T10:00:18Z".to_owned(),
        "since=2026-11-22&tail=1".to_owned(),
    ] {
        let path = format!("/logs/app.log?follow=false&{query}");
        let answer = server.get(Request::get(&path).header("Last-Event-ID", &cursors[14]));
        assert_eq!(answer.lines(), lines[15..], "{query}");
    }
    let empty = Request::get("/logs/app.log?follow=false").header("Last-Event-ID", "");
    assert_eq!(server.get(empty).lines(), lines[10..]);
}

#[test]
fn an_event_source_with_nothing_more_to_come_is_told_to_stop() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let cursors = cursors_of(&server, "/logs/app.log?tail=all&follow=false");
    let get = |query: &str, cursor: &str| {
        let path = format!("/logs/app.log?{query}");
        server.get(Request::sse(&path).header("Last-Event-ID", cursor))
    };
    assert_eq!(get("follow=false", &cursors[4]).status, 204);
    assert_eq!(get("until=2020-01-01", &cursors[4]).status, 204);
    assert_eq!(get("follow=false&grep=nothing", &cursors[0]).status, 204);
    let more = get("follow=false", &cursors[3]);
    assert_eq!(more.status, 200);
    assert!(more.text().contains("line 5"));
    let first = server.get(Request::sse("/logs/app.log?follow=false&tail=0"));
    assert_eq!(first.status, 200, "this is no resume");
}

#[test]
fn a_cursor_outlives_the_server() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow(Request::sse("/logs/app.log?tail=all"));
    viewer.wait_for_lines(5);
    let server = server.restart();
    log.number(5);
    let request = Request::sse("/logs/app.log").header("Last-Event-ID", &viewer.last_id.unwrap());
    let mut viewer = server.follow(request);
    log.number(1);
    viewer.wait_for_lines(6);
    assert_eq!(viewer.texts(), numbered(6, 11));
    assert_eq!(viewer.events.len(), 1, "{:?}", viewer.events);
}

#[test]
fn a_cursor_of_a_young_log_is_good_when_the_log_has_grown() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let empty = cursor_after(&server, "/logs/app.log");
    log.number(1);
    let young = cursor_after(&server, "/logs/app.log");
    log.number(1000);
    for (cursor, first) in [(empty, 1), (young, 2)] {
        let answer = server.get(format!("/logs/app.log?follow=false&from={cursor}"));
        assert_eq!(answer.lines(), numbered(first, 1001));
    }
}

#[test]
fn a_damaged_cursor_is_refused() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    let cursor = cursor_after(&server, "/logs/app.log");
    let mut damaged = vec![String::new(), "x".to_owned(), cursor[1..].to_owned()];
    damaged.push(format!("{cursor}A"));
    damaged.push(format!("{cursor}~"));
    damaged.push("A".repeat(cursor.len()));
    damaged.push("%00%ff".to_owned());
    for at in 0..cursor.len() {
        let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
        damaged.push(format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]));
    }
    for damaged in damaged {
        let path = format!("/logs/app.log?follow=false&from={damaged}");
        let answer = server.get(Request::get(&path).accept("application/json"));
        assert_eq!(answer.status, 400, "{damaged}");
        assert_eq!(answer.json()["parameter"], "from", "{damaged}");
        if !damaged.is_empty() && !damaged.contains('%') {
            let request = Request::sse("/logs/app.log").header("Last-Event-ID", &damaged);
            assert_eq!(server.get(request).status, 400, "{damaged} as a header");
        }
    }
}

#[test]
fn a_cursor_of_another_version_is_refused_by_its_version() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    // The first character holds six bits of the version.
    let cursor = format!("_{}", &cursor_after(&server, "/logs/app.log")[1..]);
    let answer = server.get(format!("/logs/app.log?from={cursor}"));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("version"), "{}", answer.text());
}

#[test]
fn a_cursor_of_another_source_is_refused() {
    let folder = LogFolder::new();
    let (mut a, mut b) = (folder.log("a.log"), folder.log("b.log"));
    a.number(3);
    b.number(3);
    let server = TestServer::serving(folder.path());
    let cursor = cursor_after(&server, "/logs/a.log");
    let answer = server.get(format!("/logs/b.log?from={cursor}"));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("`from`"), "{}", answer.text());
    let header = Request::sse("/logs/b.log").header("Last-Event-ID", &cursor);
    assert_eq!(server.get(header).status, 400);
    let of_many = server.get(format!("/logs/a.log?from={cursor}~{cursor}"));
    assert_eq!(of_many.status, 400);
}

#[test]
fn a_cursor_into_a_file_that_is_gone_leads_to_a_gap_and_the_oldest_line() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let cursors = cursors_of(&server, "/logs/app.log?tail=all&follow=false");
    log.delete();
    log.reopen();
    log.line("of a new file");
    let path = format!("/logs/app.log?follow=false&from={}", cursors[4]);
    let mut viewer = server.follow(Request::ndjson(&path));
    viewer.wait_for_end();
    assert_eq!(viewer.texts(), ["of a new file"]);
    let gaps: Vec<_> = viewer.events_named("gap").collect();
    assert_eq!(gaps.len(), 1, "{:?}", viewer.events);
    assert_eq!(gaps[0].data["source"], "app.log");
    let reason = gaps[0].data["reason"].as_str().unwrap();
    assert!(["truncated", "rotated_away", "deleted"].contains(&reason), "{reason}");
    assert!(gaps[0].data["bytes"].is_u64());

    let text = server.get(&path).text();
    let (gap, lines) = text.split_once('\n').unwrap();
    assert!(gap.starts_with("==> app.log: gap of ") && gap.ends_with(" <=="), "{gap}");
    assert_eq!(lines, "of a new file\n");
}

#[test]
fn a_cursor_behind_the_end_of_a_truncated_file_leads_to_a_gap() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(100);
    let server = TestServer::serving(log.path());
    let cursor = cursor_after(&server, "/logs/app.log");
    log.truncate();
    log.line("afresh");
    let path = format!("/logs/app.log?follow=false&from={cursor}");
    let mut viewer = server.follow(Request::ndjson(&path));
    viewer.wait_for_end();
    assert_eq!(viewer.texts(), ["afresh"]);
    assert_eq!(viewer.events_named("gap").count(), 1, "{:?}", viewer.events);
}

fn texts_of(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

/// The cursors of the lines of a finite stream.
#[track_caller]
fn cursors_of(server: &TestServer, path: &str) -> Vec<String> {
    let mut viewer = server.follow(Request::ndjson(path));
    viewer.wait_for_end();
    viewer.lines.into_iter().map(|line| line.cursor.unwrap()).collect()
}

/// The place after all that is there.
#[track_caller]
fn cursor_after(server: &TestServer, path: &str) -> String {
    let path = format!("{path}?tail=0&follow=false");
    let mut viewer = server.follow(Request::ndjson(&path));
    viewer.wait_for_end();
    viewer.last_cursor().unwrap().to_owned()
}
