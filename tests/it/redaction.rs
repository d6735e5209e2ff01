//! What rules mask is seen by nobody: in no format, by no filter, at no place of a log.

use serde_json::json;
use tailcast::cursor::{Cursor, check_of};

use super::auth_fixture::AuthFixture;
use super::process;
use super::support::{Request, Socket, TestServer};

const RULES: &str = r#"
[[default.tailcast.redact]]
pattern = 'password=(\S+)'
[[default.tailcast.redact]]
sources = "pay/*"
pattern = '"card":"([^"]*)"'
"#;

const SECRET: &str = "hunter2";

fn rotated_house() -> AuthFixture {
    let house = AuthFixture::new(RULES);
    house.log("app.log.2").write("one password=hunter2 a\n");
    house.log("app.log.1").write("two password=hunter2 b\n");
    house.log("app.log").write("three password=hunter2 c\nfour is clean\n");
    let oldest = house.join("logs/app.log.2");
    process::run("gzip", &[oldest.to_str().unwrap()]);
    house
}

const SHOWN: [&str; 4] = [
    "one password=******* a",
    "two password=******* b",
    "three password=******* c",
    "four is clean",
];

#[test]
fn a_secret_is_masked_in_every_format_of_the_history() {
    let house = rotated_house();
    let server = house.start();
    let all = "/logs/app.log?tail=all&follow=false";
    assert_eq!(server.get(all).lines(), SHOWN);
    assert_eq!(server.get("/logs/app.log?format=raw").lines(), SHOWN);
    for format in ["ndjson", "sse"] {
        let body = server.get(format!("{all}&format={format}")).text();
        assert!(!body.contains(SECRET) && body.matches("password=*******").count() == 3, "{body}");
    }
    let glob = server.get("/logs/*?tail=all&follow=false&format=ndjson").text();
    assert!(!glob.contains(SECRET), "{glob}");
    // From a text that is masked nothing moves: each cursor goes on at the next line.
    let records = server.get(format!("{all}&format=ndjson")).records();
    let lines: Vec<_> = records.iter().filter(|record| record["line"].is_string()).collect();
    for (number, line) in lines.iter().enumerate() {
        let from = line["cursor"].as_str().unwrap();
        let rest = server.get(format!("/logs/app.log?follow=false&from={from}")).lines();
        assert_eq!(rest, SHOWN[number + 1..], "after line {number}");
    }
}

#[test]
fn a_secret_is_masked_as_it_is_written() {
    let house = AuthFixture::new(RULES);
    let mut log = house.log("app.log");
    let server = house.start();
    let mut viewers = [
        server.follow("/logs/app.log"),
        server.follow(Request::ndjson("/logs/app.log")),
        server.follow(Request::sse("/logs/app.log")),
    ];
    let mut raw = server.follow("/logs/app.log?format=raw&follow=true");
    let mut socket = Socket::open(&server, "/logs/app.log");
    // In two writes, the secret cut in the middle.
    log.write("a password=hun");
    log.write("ter2 b\n");
    log.line("password=hunter2");
    for viewer in &mut viewers {
        viewer.wait_for_lines(2);
        let texts: Vec<_> = viewer.texts().into_iter().filter(|text| !text.is_empty()).collect();
        assert_eq!(texts, ["a password=******* b", "password=*******"]);
    }
    raw.wait_for(|raw| raw.body.ends_with(b"*******\n"));
    assert_eq!(raw.body, b"a password=******* b\npassword=*******\n");
    socket.wait_for_lines(2);
    assert_eq!(socket.texts(), ["a password=******* b", "password=*******"]);
    let before = socket.last_cursor();
    let older = socket.command(&json!({"cmd": "older", "before": before, "lines": 9}).to_string());
    assert_eq!(older["lines"][0]["line"], "a password=******* b");
    let page = server.get(format!("/logs/app.log?before={before}&tail=9"));
    assert!(page.text().contains("password=*******") && !page.text().contains(SECRET));
}

#[test]
fn no_filter_finds_a_letter_of_a_secret() {
    let house = rotated_house();
    let server = house.start();
    for pattern in ["hunter2", "password=h", "h.*2", "password=[a-z]"] {
        for more in ["tail=all", "tail=1", "tail=2&level=info"] {
            let path = format!("/logs/app.log?follow=false&grep={pattern}&{more}&format=ndjson");
            let records = server.get(path.as_str()).records();
            assert!(records.iter().all(|record| record["line"].is_null()), "{path}: {records:?}");
            // Nor does the place at which it begins tell where one is.
            let none = server.get(path.replace(pattern, "zzzzz")).records();
            assert_eq!(records[0]["cursor"], none[0]["cursor"], "{path}");
        }
    }
    let excluded = server.get("/logs/app.log?follow=false&tail=all&exclude=hunter2");
    assert_eq!(excluded.lines(), SHOWN);
    let shown = server.get("/logs/app.log?follow=false&tail=1&grep=password");
    assert_eq!(shown.lines(), ["three password=******* c"]);
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all&grep=hunter2");
    for command in
        [json!({"cmd": "filter", "grep": "password="}), json!({"cmd": "seek", "tail": 9})]
    {
        let answer = socket.command(&command.to_string());
        assert!(answer["error"].is_null(), "{answer}");
    }
    socket.wait_for_lines(3);
    assert!(socket.texts().iter().all(|text| !text.contains(SECRET)));
}

/// A cursor as an attacker makes it up: any offset, nothing known of what stands before.
fn forged(real: &str, offset: u64, check: u32) -> String {
    let mut cursor: Cursor = real.parse().unwrap();
    (cursor.offset, cursor.check) = (offset, check);
    let mut text = Vec::new();
    cursor.write_to(&mut text);
    String::from_utf8(text).unwrap()
}

fn last_cursor(server: &TestServer, path: &str) -> String {
    let records = server.get(path).records();
    records.last().unwrap()["cursor"].as_str().unwrap().to_owned()
}

#[test]
fn a_made_up_cursor_opens_no_secret() {
    let house = AuthFixture::new(RULES);
    let line = "x password=hunter2 {\"card\":\"4111111111111111\"} y\n";
    house.log("pay/app.log").write(line.repeat(3));
    let server = house.start();
    let real = last_cursor(&server, "/logs/pay/app.log?follow=false&format=ndjson");
    let masked = line.replace(SECRET, "*******").replace("4111111111111111", "****************");
    for offset in 0..=line.len() as u64 {
        let cursor = forged(&real, offset, 0);
        let after = server.get(format!("/logs/pay/app.log?follow=false&from={cursor}")).text();
        let expected = masked.repeat(3);
        assert_eq!(after, expected[usize::try_from(offset).unwrap()..], "from {offset}");
        let before = server.get(format!("/logs/pay/app.log?before={cursor}&tail=5")).text();
        assert!(!before.contains("hunt") && !before.contains("4111"), "before {offset}: {before}");
    }
    // Whether a letter of the secret was guessed cannot be told either: no check is compared in
    // the middle of a line.
    let inside = line.find(SECRET).unwrap() as u64 + 1;
    let true_check = check_of(&line.as_bytes()[..usize::try_from(inside).unwrap()]);
    let answers: Vec<_> = [true_check, true_check ^ 1, 2]
        .map(|check| {
            let cursor = forged(&real, inside, check);
            server.get(format!("/logs/pay/app.log?follow=false&from={cursor}")).text()
        })
        .into();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[test]
fn a_secret_is_masked_where_a_long_line_is_cut() {
    let house = AuthFixture::new(RULES);
    let filler = 256 * 1024;
    for (secret, shown) in [
        ("password=hunter2", "password=*******"),
        // Told by what comes after it, too.
        ("\"card\":\"4111111111111111\"", "\"card\":\"****************\""),
    ] {
        // The cut falls into the secret at different places.
        for before in [filler - 20, filler - 12, filler - 5, filler - 4096, filler - 4090] {
            let line =
                |secret: &str| format!("{}{secret} {}", " ".repeat(before), "z".repeat(filler));
            house.log("pay/long.log").write("");
            std::fs::write(house.join("logs/pay/long.log"), line(secret) + "\n").unwrap();
            let server = house.start();
            check_long_line(&server, &line(shown), &format!("{secret} after {before}"));
        }
    }
}

#[track_caller]
fn check_long_line(server: &TestServer, line: &str, case: &str) {
    let path = "/logs/pay/long.log?follow=false&tail=all";
    let raw = server.get(format!("{path}&format=raw"));
    assert!(raw.body == format!("{line}\n").as_bytes(), "raw: {case}");
    let records = server.get(format!("{path}&format=ndjson")).records();
    let pieces: Vec<_> = records.iter().filter(|record| record["line"].is_string()).collect();
    assert!(pieces.len() > 1, "it comes in pieces");
    let joined: String = pieces.iter().map(|piece| piece["line"].as_str().unwrap()).collect();
    assert!(joined == line, "records: {case}");
    // Each piece's place goes on at the next, masked as well.
    let from = pieces[0]["cursor"].as_str().unwrap();
    let rest = server.get(format!("/logs/pay/long.log?follow=false&format=raw&from={from}")).text();
    assert!(!rest.is_empty() && line.ends_with(rest.trim_end()), "the rest: {case}");
}

#[test]
fn a_line_that_is_not_ended_shows_no_secret() {
    let house = AuthFixture::new(RULES);
    let mut log = house.log("pay/app.log");
    log.write("whole\n{\"card\":\"4111222");
    house.log("pay/app.log.1").write("older\n{\"card\":\"4222111");
    let server = house.start();
    // It is held: what a pattern waits for may not be there yet.
    let all = "/logs/pay/app.log?tail=all&follow=false";
    let shown = "older\n{\"card\":\"*******\nwhole\n";
    assert_eq!(server.get(all).text(), shown);
    assert_eq!(
        server.get("/logs/pay/app.log?format=raw").text().replace("*{", "*\n{"),
        shown.replace("*\nw", "*w")
    );
    for format in ["ndjson", "sse"] {
        let body = server.get(format!("{all}&format={format}")).text();
        assert!(!body.contains("4111") && !body.contains("4222"), "{body}");
    }
    let records = server.get(format!("{all}&format=ndjson")).records();
    let end = records.last().unwrap()["cursor"].as_str().unwrap();
    let page = server.get(format!("/logs/pay/app.log?before={end}&tail=9")).text();
    assert!(page.contains("whole") && !page.contains("4111") && !page.contains("4222"), "{page}");
    // The end stands before it, and so nothing is lost.
    log.write("\"} done\n");
    let rest = server.get(format!("/logs/pay/app.log?follow=false&from={end}")).text();
    assert_eq!(rest, "{\"card\":\"*******\"} done\n");
    // Where nothing is masked it is sent as ever.
    house.log("app.txt").write("no end");
    house.configure("");
    let server = house.start();
    assert_eq!(server.get("/logs/app.txt?follow=false").text(), "no end");
}

#[test]
fn colours_inside_hide_no_secret() {
    let house = AuthFixture::new(RULES);
    let mut log = house.log("pay/app.log");
    for line in [
        "{\"card\":\"41\u{1b}[31m11\"}",
        "{\"ca\u{1b}[1mrd\u{1b}[0m\":\"4111\"}",
        "{\"card\":\u{1b}[32m\"4111\u{1b}[0m\"}",
        "pass\u{1b}[31mword=4111",
        "pass\u{9b}31mword=4111",
        "pass\u{1}word=4111",
        "password=\u{1b}]0;t\u{7}4111",
    ] {
        log.line(line);
    }
    let server = house.start();
    for more in ["", "&color=false", "&format=raw", "&format=ndjson", "&format=sse"] {
        let body = server.get(format!("/logs/pay/app.log?tail=all&follow=false{more}")).text();
        for line in body.lines().filter(|line| line.contains('*')) {
            assert!(!line.contains("11\"") && !line.contains("4111"), "{more}: {line:?}");
        }
        assert!(!body.contains("4111") && !body.contains("11\"}"), "{more}: {body}");
    }
    let plain = server.get("/logs/pay/app.log?tail=all&follow=false&color=false").lines();
    assert_eq!(plain[1], "{\"card\":\"****\"}");
    assert_eq!(plain[3], "password=****");
    let found = server.get("/logs/pay/app.log?tail=all&follow=false&grep=4111");
    assert_eq!(found.text(), "");
}

#[test]
fn other_encodings_and_odd_bytes_are_masked_as_well() {
    let house = AuthFixture::new(RULES);
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    house.log("wide.log").write([b"\xff\xfe".to_vec(), wide("ä password=hunter2 b\n")].concat());
    house.log("odd.log").write(b"\xff password=hun\xffter2 \xfe\n");
    let server = house.start();
    let text = server.get("/logs/wide.log?follow=false").text();
    assert_eq!(text, "ä password=******* b\n");
    let raw = server.get("/logs/wide.log?format=raw").body;
    assert_eq!(raw[2..], wide("ä password=******* b\n"));
    let raw = server.get("/logs/odd.log?format=raw").body;
    assert_eq!(raw, b"\xff password=******** \xfe\n");
}

#[test]
fn a_rule_reaches_its_sources_and_a_wrong_one_is_named() {
    let house = AuthFixture::new(RULES);
    house.log("pay/app.log").line("{\"card\":\"4111\"}");
    house.log("other.log").line("{\"card\":\"4111\"}");
    let server = house.start();
    assert_eq!(server.get("/logs/pay/app.log?follow=false").text(), "{\"card\":\"****\"}\n");
    assert_eq!(server.get("/logs/other.log?follow=false").text(), "{\"card\":\"4111\"}\n");
    // A cursor stays good although the rules have changed: its file is the same.
    let cursor = last_cursor(&server, "/logs/pay/app.log?follow=false&format=ndjson");
    house.configure("");
    let server = house.start();
    house.log("pay/app.log").line("{\"card\":\"5500\"}");
    let path = format!("/logs/pay/app.log?follow=false&from={cursor}");
    assert_eq!(server.get(path.as_str()).text(), "{\"card\":\"5500\"}\n");
    for (rule, words) in [
        ("pattern = '('", "redact[0].pattern"),
        ("pattern = ''", "redact[0].pattern"),
        ("sources = 'a'", "redact[0].pattern"),
        ("pattern = 'a'\nsources = '['", "redact[0].sources"),
    ] {
        house.configure(&format!("[[default.tailcast.redact]]\n{rule}"));
        let output = house.try_command(&["serve"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(words), "{rule}: {told}");
    }
}
