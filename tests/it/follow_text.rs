//! Following one log as text: what is there, what comes, and lines that are not like others.

use std::time::Duration;

use super::support::{Connection, LogFile, LogFolder, Request, TestServer, numbered};

#[test]
fn the_last_ten_lines_come_first_and_then_each_new_one() {
    let (_folder, mut log, server) = served("app.log");
    log.number(25);
    let mut viewer = server.follow("/logs/app.log");
    viewer.wait_for_lines(10);
    assert_eq!(viewer.texts(), numbered(16, 25));
    log.number(1);
    viewer.wait_for_lines(11);
    log.number(30);
    viewer.wait_for_line("line 56");
    assert_eq!(viewer.texts(), numbered(16, 56));
}

#[test]
fn tail_says_how_many_lines_of_the_past_come() {
    let (_folder, mut log, server) = served("app.log");
    log.number(25);
    for (tail, first) in [("0", 26), ("1", 25), ("24", 2), ("25", 1), ("26", 1), ("all", 1)] {
        let answer = server.get(format!("/logs/app.log?follow=false&tail={tail}"));
        assert_eq!(answer.lines(), numbered(first, 25), "tail={tail}");
    }
    let answer = server.get("/logs/app.log?follow=false&tail=18446744073709551615");
    assert_eq!(answer.lines(), numbered(1, 25));
}

#[test]
fn tail_0_begins_with_what_comes() {
    let (_folder, mut log, server) = served("app.log");
    log.number(5);
    let mut viewer = server.follow("/logs/app.log?tail=0");
    log.number(1);
    viewer.wait_for_lines(1);
    assert_eq!(viewer.texts(), ["line 6"]);
}

#[test]
fn many_lines_come_each_once_while_they_are_written() {
    let (_folder, mut log, server) = served("app.log");
    log.number(3000);
    let mut viewer = server.follow("/logs/app.log?tail=all");
    for _ in 0..100 {
        log.number(70);
        viewer.read();
    }
    viewer.wait_for_lines(10_000);
    assert_eq!(viewer.texts(), numbered(1, 10_000));
}

#[test]
fn a_line_without_its_end_is_held_until_it_is_whole() {
    let (_folder, mut log, server) = served("app.log");
    log.write("first\nhalf a");
    let mut viewer = server.follow("/logs/app.log");
    viewer.wait_for_lines(1).read_for(Duration::from_millis(1300));
    assert_eq!(viewer.texts(), ["first"]);
    log.write(" li");
    viewer.read_for(Duration::from_millis(200));
    log.write("ne\nnext\n");
    viewer.wait_for_lines(3);
    assert_eq!(viewer.texts(), ["first", "half a line", "next"]);
}

#[test]
fn a_line_without_its_end_is_sent_at_the_end_of_a_finite_stream() {
    let (_folder, mut log, server) = served("app.log");
    log.write("first\nhalf a line");
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?follow=false"));
    viewer.wait_for_end();
    assert_eq!(viewer.texts(), ["first", "half a line"]);
    assert_eq!((viewer.lines[0].partial, viewer.lines[1].partial), (false, true));
    let end = viewer.wait_for_event("end");
    assert_eq!(end.data["reason"], "eof");
    assert_eq!(end.cursor(), viewer.lines[1].cursor.as_deref());

    log.write(", ended\nnext\n");
    let cursor = end.cursor().unwrap();
    let rest = server.get(format!("/logs/app.log?follow=false&from={cursor}"));
    assert_eq!(rest.lines(), [", ended", "next"]);
}

#[test]
fn a_finite_stream_waits_for_a_line_that_is_being_written() {
    let (_folder, mut log, server) = served("app.log");
    log.write("half");
    let mut viewer = server.follow("/logs/app.log?follow=false&format=ndjson");
    viewer.wait_for_event("start");
    viewer.read_for(Duration::from_millis(300));
    assert!(!viewer.has_ended(), "the line was taken for whole at once");
    log.write(" and half\n");
    viewer.wait_for_end();
    assert_eq!(viewer.texts(), ["half and half"]);
    assert!(!viewer.lines[0].partial);
}

#[test]
fn a_carriage_return_before_the_line_feed_belongs_to_the_line_end() {
    let (_folder, mut log, server) = served("app.log");
    log.write("one\r\ntwo\r\n\r\nthree\n");
    let mut viewer = server.follow(Request::ndjson("/logs/app.log"));
    viewer.wait_for_lines(4);
    assert_eq!(viewer.texts(), ["one", "two", "", "three"]);
    log.write("four\r");
    viewer.read_for(Duration::from_millis(200));
    log.write("\n");
    viewer.wait_for_lines(5);
    assert_eq!(viewer.texts()[4], "four");
}

#[test]
fn carriage_returns_alone_end_no_line() {
    let (_folder, mut log, server) = served("app.log");
    let bar: String = (0..=100).map(|percent| format!("\r{percent} %")).collect();
    log.write(format!("{bar}\ndone\n"));
    let mut viewer = server.follow(Request::ndjson("/logs/app.log"));
    viewer.wait_for_lines(2);
    assert_eq!(viewer.texts(), [bar.as_str(), "done"]);
}

#[test]
fn odd_characters_end_no_line_and_pass_unchanged() {
    let (_folder, mut log, server) = served("app.log");
    log.line("text first, so that it is a log");
    log.line(&"x".repeat(1024));
    for odd in ["a\0b", "a\u{2028}b\u{2029}c", "a\u{85}b\u{b}c\u{c}d", "\u{feff}a", "🦀\u{202e}x"]
    {
        log.line(odd);
        for format in ["text", "ndjson"] {
            let path = format!("/logs/app.log?tail=1&follow=false&format={format}");
            let mut viewer = server.follow(path);
            viewer.wait_for_end();
            assert_eq!(viewer.texts(), [odd], "{format}");
        }
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_in_text_and_untouched_in_raw() {
    let (_folder, mut log, server) = served("app.log");
    let bytes = b"caf\xe9 \xff\xfe\n\xc3\n\xe2\x82\nna\xc3\xafve\n";
    log.write(bytes);
    let replaced = ["caf\u{fffd} \u{fffd}\u{fffd}", "\u{fffd}", "\u{fffd}", "naïve"];
    for format in ["text", "ndjson", "sse"] {
        let mut viewer = server.follow(format!("/logs/app.log?follow=false&format={format}"));
        viewer.wait_for_end();
        assert_eq!(viewer.texts(), replaced, "{format}");
    }
    assert_eq!(server.get("/logs/app.log?format=raw").body, bytes);
}

#[test]
fn utf_16_with_a_mark_is_decoded() {
    let text = "erste Zeile\r\nzweite: grün, 🦀, ਊ\n\nvierte\n";
    let lines = ["erste Zeile", "zweite: grün, 🦀, ਊ", "", "vierte"];
    for (name, encode) in [("le.log", utf_16_le as fn(&str) -> Vec<u8>), ("be.log", utf_16_be)] {
        let folder = LogFolder::new();
        let content = encode(&format!("\u{feff}{text}"));
        folder.write(name, &content);
        let mut log = folder.log(name);
        let server = TestServer::serving(log.path());
        let mut viewer = server.follow(Request::ndjson(&format!("/logs/{name}")));
        viewer.wait_for_lines(4);
        assert_eq!(viewer.texts(), lines, "{name}");
        // Two halves of a unit, and of a pair of units.
        for part in encode("live 🦀\n").chunks(3) {
            log.write(part);
            viewer.read_for(Duration::from_millis(40));
        }
        viewer.wait_for_lines(5);
        assert_eq!(viewer.texts()[4], "live 🦀", "{name}");
        let cursor = viewer.lines[2].cursor.clone().unwrap();
        let rest = server.get(format!("/logs/{name}?follow=false&from={cursor}"));
        assert_eq!(rest.lines(), ["vierte", "live 🦀"], "{name}");
        let raw = server.get(format!("/logs/{name}?format=raw"));
        assert_eq!(raw.body, [content, encode("live 🦀\n")].concat(), "{name}");
    }
}

#[test]
fn a_long_line_comes_in_pieces_that_are_the_line_when_joined() {
    let (_folder, mut log, server) = served("app.log");
    let old = "an odd start é".to_owned() + &"äöü€🦀".repeat(100_000);
    let new = "another".to_owned() + &"🦀€üöä".repeat(100_000);
    log.write(format!("{old}\nbetween\n"));
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_line("between");
    log.write(format!("{new}\nlast\n"));
    viewer.wait_for_line("last");
    let mut joined = vec![String::new()];
    for line in &viewer.lines {
        joined.last_mut().unwrap().push_str(&line.text);
        if !line.partial {
            joined.push(String::new());
        }
    }
    assert!(joined == [&old, "between", &new, "last", ""], "not the lines that were written");
    assert!(viewer.lines.len() > 8, "{} pieces", viewer.lines.len());
    // The text has no line end between the pieces.
    let text = server.get("/logs/app.log?tail=all&follow=false").text();
    assert!(text == format!("{old}\nbetween\n{new}\nlast\n"), "not the text that was written");
}

#[test]
fn a_line_of_100_megabytes_passes_in_bounded_memory() {
    let (_folder, mut log, server) = served("app.log");
    let megabyte = "0123456789abcdef".repeat(1 << 16);
    log.line("before");
    server.get("/logs/app.log?follow=false");
    let before = server.status_field("VmHWM");
    (0..50).for_each(|_| log.write(&megabyte));
    let request = Request::get("/logs/app.log?tail=all");
    let mut connection = Connection::open(server.address(), &request);
    let mut body = Vec::new();
    let mut read_to = |n_bytes: usize| {
        let mut total = 0;
        while total < n_bytes {
            let part = connection.read();
            assert!(connection.end.is_none(), "the stream has ended");
            total += part.len();
            body.extend(part);
        }
        std::mem::take(&mut body)
    };
    // The last piece of the first half is held as long as it may be whole.
    let mut got = read_to(49 << 20);
    for _ in 0..50 {
        log.write(&megabyte);
        got.extend(read_to(1 << 20));
    }
    log.write("\nnext\n");
    let length = "before\n".len() + (100 << 20) + "\nnext\n".len();
    got.extend(read_to(length - got.len()));
    assert!(got.ends_with(b"cdef\nnext\n"), "the next line is not intact");
    let mut line = got[b"before\n".len()..].split(|byte| *byte == b'\n').next().unwrap();
    while let Some(rest) = line.strip_prefix(megabyte.as_bytes()) {
        line = rest;
    }
    assert!(line.is_empty(), "the long line is not intact");
    let grown = server.status_field("VmHWM") - before;
    assert!(grown < 32 << 10, "grown by {grown} KiB");
}

#[test]
fn empty_lines_are_lines() {
    let (_folder, mut log, server) = served("app.log");
    log.write("\n\n\n\n");
    assert_eq!(server.get("/logs/app.log?follow=false&tail=3").text(), "\n\n\n");
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?follow=false&tail=all"));
    viewer.wait_for_end();
    assert_eq!(viewer.texts(), [""; 4]);
}

#[test]
fn an_empty_log_has_no_lines_until_the_first_is_written() {
    let (_folder, mut log, server) = served("app.log");
    assert_eq!(server.get("/logs/app.log?follow=false").text(), "");
    let mut viewer = server.follow(Request::ndjson("/logs/app.log"));
    viewer.wait_for_event("start");
    log.number(2);
    viewer.wait_for_lines(2);
    assert_eq!(viewer.texts(), numbered(1, 2));
}

#[test]
fn a_named_file_that_is_not_there_yet_is_followed_when_it_appears() {
    let folder = LogFolder::new();
    let server = TestServer::serving(folder.join("later.log"));
    assert_eq!(server.get("/logs/later.log?follow=false").text(), "");
    let mut viewer = server.follow(Request::ndjson("/logs/later.log"));
    viewer.wait_for_event("start");
    let mut log = folder.log("later.log");
    log.number(20);
    viewer.wait_for_lines(20);
    assert_eq!(viewer.texts(), numbered(1, 20));
    assert_eq!(viewer.events_named("gap").count(), 0);
}

#[test]
fn a_named_file_is_followed_when_its_folder_appears() {
    let folder = LogFolder::new();
    let server = TestServer::serving(folder.join("deep/er/later.log"));
    let mut viewer = server.follow(Request::ndjson("/logs/later.log"));
    viewer.wait_for_event("start");
    let mut log = folder.log("deep/er/later.log");
    log.number(3);
    viewer.wait_for_lines(3);
    assert_eq!(viewer.texts(), numbered(1, 3));
}

fn served(name: &str) -> (LogFolder, LogFile, TestServer) {
    let (folder, log) = LogFolder::with_log(name);
    let server = TestServer::serving(log.path());
    (folder, log, server)
}

fn utf_16_le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn utf_16_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}
