//! The commands of `tailcast.v1`, while lines flow.

use serde_json::Value;

use super::support::{LogFolder, Socket, TestServer, numbered, pause, wait_until};

#[test]
fn a_pause_holds_lines_and_resume_goes_on_where_it_was() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all&heartbeat=1s");
    socket.wait_for_lines(5);
    let answer = socket.command(r#"{"cmd":"pause"}"#);
    assert!(answer.get("error").is_none(), "{answer}");
    log.number(5);
    // A heartbeat that tells of the new lines comes, and they do not.
    socket.wait_for(|s| s.events_named("heartbeat").any(|beat| beat["behind"] != 0));
    assert_eq!(socket.lines.len(), 5);
    socket.command(r#"{"cmd":"resume"}"#);
    socket.wait_for_lines(10);
    assert_eq!(socket.texts(), numbered(1, 10));
}

#[test]
fn a_filter_is_a_barrier() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all");
    socket.wait_for_event("start");
    log.number(50_000);
    socket.wait_for_lines(1);
    let id = socket.send(r#"{"cmd":"filter","grep":"7$"}"#);
    socket.wait_for_answer(id);
    let n_before = socket.lines.len();
    let n_first = n_before + (n_before + 1..=50_000).filter(|n| n % 10 == 7).count();
    socket.wait_for_lines(n_first);
    // Nothing is missing under the old rule, and nothing under it follows the answer.
    assert_eq!(socket.texts()[..n_before], numbered(1, n_before));
    assert!(socket.texts()[n_before..].iter().all(|line| line.ends_with('7')));
    // A filter replaces the whole one before it.
    socket.command(r#"{"cmd":"filter","exclude":"7$"}"#);
    log.number(10);
    socket.wait_for_lines(n_first + 9);
    assert!(socket.texts()[n_first..].iter().all(|line| !line.ends_with('7')));
    socket.command(r#"{"cmd":"filter"}"#);
    log.number(10);
    socket.wait_for_lines(n_first + 9 + 10);
    assert_eq!(socket.texts()[n_first + 9..], numbered(50_011, 50_020));
}

#[test]
fn a_filter_by_level_knows_what_went_before() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log");
    log.line("2026-11-21T10:00:00Z ERROR it burns");
    socket.wait_for_lines(1);
    socket.command(r#"{"cmd":"filter","level":"error"}"#);
    log.line("    at this place");
    log.line("2026-11-21T10:00:01Z INFO fine");
    log.line("    at that place");
    log.line("2026-11-21T10:00:02Z ERROR again");
    socket.wait_for_lines(3);
    assert_eq!(socket.texts()[1..], ["    at this place", "2026-11-21T10:00:02Z ERROR again"]);
}

#[test]
fn seek_goes_where_a_url_would() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all");
    for n in 0..60 {
        log.line(&format!("2026-11-21T10:{n:02}:00Z minute {n}"));
    }
    socket.wait_for_lines(60);
    let third = socket.lines[2]["cursor"].clone();
    let mut seek = |fields: Value, n_lines: usize| {
        let mut command = fields;
        command["cmd"] = "seek".into();
        let answer = socket.command(&command.to_string());
        assert!(answer.get("error").is_none(), "{answer}");
        let n_before = socket.lines.len();
        socket.wait_for_lines(n_before + n_lines);
        socket.texts()[n_before..].iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()
    };
    let minutes = |first: u32, last: u32| {
        (first..=last).map(|n| format!("2026-11-21T10:{n:02}:00Z minute {n}")).collect::<Vec<_>>()
    };
    assert_eq!(seek(serde_json::json!({"tail": 3}), 3), minutes(57, 59));
    assert_eq!(seek(serde_json::json!({"since": "2026-11-21T10:55:00Z"}), 5), minutes(55, 59));
    assert_eq!(seek(serde_json::json!({"from": third}), 57), minutes(3, 59));
    assert_eq!(seek(serde_json::json!({"tail": "all"}), 60), minutes(0, 59));
    log.line("2026-11-21T11:00:00Z on");
    let n_lines = socket.lines.len();
    socket.wait_for_lines(n_lines + 1);
}

#[test]
fn pages_of_older_lines_lead_to_the_oldest_across_rotation_and_packing() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(3_000);
    log.rename_to("app.log.2");
    let packed = std::process::Command::new("gzip").arg(folder.join("app.log.2")).status().unwrap();
    assert!(packed.success());
    log.reopen();
    log.number(3_000);
    log.rename_to("app.log.1");
    log.reopen();
    log.number(3_000);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=1");
    socket.wait_for_lines(1);
    let mut place = socket.batches[0].0.clone();
    let mut lines = Vec::new();
    for n_pages in 1.. {
        assert!(n_pages < 30, "it gets nowhere");
        let page = socket.command(&format!(r#"{{"cmd":"older","before":"{place}","lines":700}}"#));
        let records = page["lines"].as_array().expect("a page has lines").clone();
        assert!(records.len() <= 700);
        let texts = records.iter().map(|record| record["line"].as_str().unwrap().to_owned());
        lines.splice(0..0, texts);
        place = page["start"].as_str().unwrap().to_owned();
        if page["begin"] == true {
            break;
        }
    }
    assert_eq!(lines, numbered(1, 8_999));
    // A page obeys the filter, and a line may be opened by its place.
    socket.command(r#"{"cmd":"filter","grep":"00$"}"#);
    let before = socket.last_cursor();
    let page = socket.command(&format!(r#"{{"cmd":"older","before":"{before}","lines":3}}"#));
    let texts: Vec<_> = page["lines"].as_array().unwrap().iter().map(|r| &r["line"]).collect();
    assert_eq!(texts, ["line 8800", "line 8900", "line 9000"]);
    let from = page["start"].as_str().unwrap();
    let found = server.get(format!("/logs/app.log?follow=false&from={from}&grep=00$").as_str());
    assert_eq!(found.lines(), ["line 8800", "line 8900", "line 9000"]);
}

#[test]
fn older_lines_are_to_be_had_over_http_too() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(500);
    let server = TestServer::serving(log.path());
    let records = server.get("/logs/app.log?tail=1&follow=false&format=ndjson").records();
    let place = records[1]["cursor"].as_str().unwrap().to_owned();
    let page = server.get(format!("/logs/app.log?before={place}&tail=200&format=ndjson").as_str());
    let records = page.records();
    assert_eq!(records.len(), 202);
    assert_eq!(records[1]["line"], "line 301");
    assert_eq!(records[200]["line"], "line 500");
    assert_eq!(records[0]["begin"], false);
    let start = records[0]["cursor"].as_str().unwrap();
    let text = server.get(format!("/logs/app.log?before={start}&tail=1000").as_str());
    assert_eq!(text.lines(), numbered(1, 300));
    for wrong in ["tail=all", "follow=true", "since=5m", "tail=5000"] {
        let answer = server.get(format!("/logs/app.log?before={place}&{wrong}").as_str());
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[test]
fn sources_come_and_go_by_command() {
    let folder = LogFolder::new();
    let (mut a, mut b) = (folder.log("a.log"), folder.log("b.log"));
    a.number(2);
    b.number(20);
    let server = TestServer::serving(folder.path());
    let mut socket = Socket::open(&server, "/logs/a.log");
    socket.wait_for_lines(2);
    let answer = socket.command(r#"{"cmd":"follow","source":"b.log"}"#);
    assert_eq!(answer["sources"], serde_json::json!(["a.log", "b.log"]));
    socket.wait_for_lines(12);
    a.line("a goes on");
    socket.wait_for_lines(13);
    let answer = socket.command(r#"{"cmd":"older","lines":5,"before":"x"}"#);
    assert!(answer["error"].as_str().unwrap().contains("`before`"), "{answer}");
    let answer = socket.command(r#"{"cmd":"unfollow","source":"a.log"}"#);
    assert_eq!(answer["sources"], serde_json::json!(["b.log"]));
    a.line("unheard");
    b.line("heard");
    socket.wait_for_lines(14);
    assert_eq!(socket.texts()[12..], ["a goes on", "heard"]);
    for (command, words) in [
        (r#"{"cmd":"follow","source":"c.log"}"#, "no source is named"),
        (r#"{"cmd":"follow","source":"b.log"}"#, "followed already"),
        (r#"{"cmd":"follow","source":"../etc/passwd"}"#, "no source is named"),
        (r#"{"cmd":"unfollow","source":"a.log"}"#, "is not followed"),
    ] {
        let answer = socket.command(command);
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
}

#[test]
fn nonsense_is_answered_and_the_stream_goes_on() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log");
    socket.send_text("what?");
    socket.send_text(r#"{"cmd":"pause"}"#);
    socket.wait_for(|socket| socket.answers.len() == 2);
    for answer in &socket.answers {
        assert_eq!(answer["re"], Value::Null);
        assert!(answer["error"].as_str().unwrap().contains("expected"), "{answer}");
    }
    let answer = socket.command(r#"{"cmd":"filter","grep":"("}"#);
    assert!(answer["error"].as_str().unwrap().contains("`grep`"), "{answer}");
    log.number(1);
    socket.wait_for_lines(1);
}

#[test]
fn an_answer_goes_ahead_of_lines_that_a_slow_reader_has_not_taken() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(200_000);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all");
    wait_until("lines are on their way", || server.metric("tailcast_lines_sent_total") > 0.0);
    // It reads nothing; what is handed over comes to rest.
    let mut before = 0.0;
    wait_until("it comes to rest", || {
        pause(std::time::Duration::from_millis(300));
        let now = server.metric("tailcast_bytes_sent_total");
        std::mem::replace(&mut before, now).to_bits() == now.to_bits()
    });
    assert!(before <= 256.0 * 1024.0, "{before} bytes are handed over ahead");
    let id = socket.send(r#"{"cmd":"pause"}"#);
    socket.wait_for_answer(id);
    let n_ahead: usize = socket.lines.iter().map(|line| line.to_string().len() + 1).sum();
    assert!(n_ahead <= 256 * 1024, "{n_ahead} bytes of lines came before the answer");
    socket.command(r#"{"cmd":"resume"}"#);
    socket.wait_for_lines(200_000);
    assert_eq!(socket.texts(), numbered(1, 200_000));
}

#[test]
fn commands_are_answered_while_lines_flow() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all");
    socket.wait_for_event("start");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (log, is_over) = (&mut log, &is_over);
        scope.spawn(move || {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) && log.n_lines() < 500_000 {
                log.number(200);
                pause(std::time::Duration::from_millis(10));
            }
        });
        for round in 0..20 {
            let n_lines = socket.lines.len();
            socket.wait_for_lines(n_lines + 100);
            let place = socket.batches.last().unwrap().0.clone();
            let page =
                socket.command(&format!(r#"{{"cmd":"older","before":"{place}","lines":5}}"#));
            assert!(page["lines"].is_array(), "round {round}: {page}");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let n_lines = log.n_lines();
    socket.wait_for_lines(n_lines);
    assert_eq!(socket.texts(), numbered(1, n_lines));
}

#[test]
fn too_many_unanswered_commands_end_the_connection() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log");
    socket.wait_for_event("start");
    // It never reads, so that answers pile up. What cannot be sent any more is the point.
    let flood = format!(r#"{{"id":1,"cmd":"filter","grep":"{}("}}"#, "x".repeat(4_000));
    for _ in 0..20_000 {
        let sent =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| socket.send_text(&flood)));
        if sent.is_err() || server.n_viewers() == 0 {
            break;
        }
    }
    wait_until("it is gone", || server.n_viewers() == 0);
}
