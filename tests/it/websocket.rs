//! The WebSocket stream: what comes, how it is closed, and what is left behind.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use serde_json::Value;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::support::{LogFolder, Options, Request, Socket, TestServer, numbered, wait_until};

#[test]
fn a_socket_gets_start_the_past_and_what_is_written() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(20);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=5");
    assert_eq!(socket.response.headers()["sec-websocket-protocol"], "tailcast.v1");
    socket.wait_for_lines(5);
    assert_eq!(socket.events[0]["event"], "start");
    assert_eq!(socket.events[0]["source"], "app.log");
    log.line("2026-11-21T10:00:00Z ERROR it burns");
    socket.wait_for_lines(6);
    let line = socket.lines[5].clone();
    assert_eq!(line["level"], "error");
    assert_eq!(line["source"], "app.log");
    assert_eq!(line["time"], "2026-11-21T10:00:00Z");
    // `start` is the place before a batch's first line.
    let (start, n_lines) = socket.batches.last().unwrap().clone();
    assert_eq!(n_lines, 1);
    let page = format!("/logs/app.log?follow=false&from={start}");
    assert_eq!(server.get(page.as_str()).lines(), ["2026-11-21T10:00:00Z ERROR it burns"]);
    assert_eq!(offset(&start), offset(socket.lines[4]["cursor"].as_str().unwrap()));
}

/// Of more than 16 sources the stream begins with the first; the others join it.
#[test]
fn lines_of_many_sources_do_not_wait_for_a_heartbeat() {
    let folder = LogFolder::new();
    for number in 0..20 {
        folder.log(&format!("{number}.log")).line(&format!("number={number}"));
    }
    let server = Options::serving([folder.path()])
        .config("[default.tailcast]\nheartbeat = \"5m\"\n")
        .start();
    let mut socket = Socket::open(&server, "/logs/**?tail=1");
    socket.wait_for_lines(20);
}

#[test]
fn a_client_that_names_no_protocol_is_spoken_to_all_the_same() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open_with(&server, "/logs/app.log", &[]).unwrap();
    assert!(!socket.response.headers().contains_key("sec-websocket-protocol"));
    socket.wait_for_lines(1);
}

#[test]
fn a_refused_handshake_says_why() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let own = format!("http://{}", server.address());
    let refused = |path: &str, headers: &[(&'static str, &str)]| {
        let refusal = *Socket::open_with(&server, path, headers).expect_err("it is refused");
        let Error::Http(response) = refusal else { panic!("refused over HTTP: {refusal}") };
        let body = response.body().clone().unwrap_or_default();
        (response.status().as_u16(), String::from_utf8(body).unwrap())
    };
    let (status, words) = refused("/logs/app.log", &[("sec-websocket-protocol", "chat")]);
    assert_eq!(status, 400);
    assert!(words.contains("tailcast.v1"), "{words}");
    let (status, words) = refused("/logs/app.log", &[("origin", "https://evil.example")]);
    assert_eq!(status, 403);
    for part in ["https://evil.example", &server.address().to_string(), "proxy_set_header Host"] {
        assert!(words.contains(part), "{words}");
    }
    let (status, words) = refused("/logs/ap.log", &[]);
    assert_eq!(status, 404);
    assert!(words.contains("app.log"), "{words}");
    let (status, words) = refused("/logs/app.log?gerp=x", &[]);
    assert_eq!(status, 400);
    assert!(words.contains("gerp"), "{words}");
    assert!(Socket::open_with(&server, "/logs/app.log", &[("origin", &own)]).is_ok());
    wait_until("nobody is left", || server.n_viewers() == 0);
}

#[test]
fn a_handshake_that_lost_its_upgrade_gets_the_lines_that_nginx_needs() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for request in [
        Request::get("/logs/app.log").header("Sec-WebSocket-Key", key),
        Request::get("/logs/app.log")
            .header("Sec-WebSocket-Key", key)
            .header("Upgrade", "websocket"),
    ] {
        let answer = server.get(request);
        assert_eq!(answer.status, 426);
        assert!(answer.text().contains("proxy_set_header Upgrade $http_upgrade"));
    }
}

#[test]
fn a_stream_that_does_not_follow_ends_and_is_closed() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(30_000);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all&follow=false");
    let (code, _words) = socket.wait_for_close();
    assert_eq!(code, 1000);
    assert_eq!(socket.texts(), numbered(1, 30_000));
    let end = socket.wait_for_event_at_end();
    assert_eq!(end["reason"], "eof");
    assert_eq!(offset(end["cursor"].as_str().unwrap()), offset(&socket.last_cursor()));
    assert!(socket.greatest <= 512 * 1024);
}

#[test]
fn a_dropped_socket_resumes_at_the_next_line() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(100);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all");
    socket.wait_for_lines(100);
    let cursor = socket.last_cursor();
    drop(socket);
    log.number(100);
    let mut socket = Socket::open(&server, &format!("/logs/app.log?from={cursor}"));
    socket.wait_for_lines(100);
    assert_eq!(socket.texts(), numbered(101, 200));
}

#[test]
fn a_glob_is_followed_and_newcomers_join() {
    let folder = LogFolder::new();
    let (mut a, mut b) = (folder.log("a.log"), folder.log("b.log"));
    a.line("from a");
    b.line("from b");
    let server = TestServer::serving(folder.path());
    let mut socket = Socket::open(&server, "/logs/*.log");
    socket.wait_for_lines(2);
    assert_eq!(socket.events[0]["sources"], serde_json::json!(["a.log", "b.log"]));
    let mut c = folder.log("c.log");
    c.line("from c");
    socket.wait_for_lines(3);
    a.line("more from a");
    socket.wait_for_lines(4);
    let told: Vec<_> = socket
        .lines
        .iter()
        .map(|line| (line["source"].as_str().unwrap(), line["line"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("a.log", "from a"), ("b.log", "from b"), ("c.log", "from c"), ("a.log", "more from a")]
    );
    // The start of a batch is the place of the whole stream.
    let (start, _) = socket.batches.last().unwrap().clone();
    assert_eq!(start.split('~').count(), 3);
    let mut again = Socket::open(&server, &format!("/logs/*.log?from={start}"));
    again.wait_for_lines(1);
    assert_eq!(again.texts(), ["more from a"]);
}

#[test]
fn lines_of_any_length_and_content_pass_in_bounded_messages() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    // Control characters take six bytes of JSON each: one whole piece of them fits no message.
    let long = "x".repeat(10 << 20) + &"\u{1}".repeat(300 << 10);
    log.line(&long);
    log.write(b"not \xff\xfe text\n");
    log.line("tab\t, quote\", back\\slash, \u{2028}, nul\0, esc\u{1b}[31m");
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?tail=all&follow=false");
    socket.wait_for_close();
    assert!(socket.greatest <= 512 * 1024, "{}", socket.greatest);
    let (mut lines, mut whole) = (Vec::new(), String::new());
    for record in &socket.lines {
        whole.push_str(record["line"].as_str().unwrap());
        if record.get("partial").is_none() {
            lines.push(std::mem::take(&mut whole));
        }
    }
    assert_eq!(lines.len(), 3);
    assert!(lines[0] == long, "the long line is another");
    assert_eq!(lines[1], "not \u{fffd}\u{fffd} text");
    assert_eq!(lines[2], "tab\t, quote\", back\\slash, \u{2028}, nul\0, esc\u{1b}[31m");
    // A place between two pieces of a record that had to be cut is a place like any other.
    let n_pieces = socket.lines.len() - 5;
    let cursor = socket.lines[n_pieces - 1]["cursor"].as_str().unwrap().to_owned();
    let text = |record: &Value| record["line"].as_str().unwrap().to_owned();
    let n_before: usize = socket.lines[..n_pieces].iter().map(|record| text(record).len()).sum();
    assert!(n_before > 10 << 20, "a place among the control characters");
    let mut rest = Socket::open(&server, &format!("/logs/app.log?from={cursor}&follow=false"));
    rest.wait_for_close();
    let end = rest.lines.iter().position(|record| record.get("partial").is_none()).unwrap();
    let joined: String = rest.lines[..=end].iter().map(|r| r["line"].as_str().unwrap()).collect();
    assert!(joined == long[n_before..], "the rest of the long line is another");
}

#[test]
fn heartbeats_tell_how_far_was_read_while_nothing_passes() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log?heartbeat=1s&grep=never&tail=all");
    let first = socket.wait_for_event("heartbeat");
    log.number(10);
    let size = log.path().metadata().unwrap().len();
    socket.wait_for(|socket| {
        socket.events_named("heartbeat").any(|beat| beat["size"] == size && beat["behind"] == 0)
    });
    let last = socket.wait_for_event("heartbeat");
    assert_ne!(first["cursor"], last["cursor"]);
    let place = last["cursor"].as_str().unwrap();
    let rest = server.get(format!("/logs/app.log?follow=false&from={place}").as_str());
    assert_eq!(rest.lines(), Vec::<String>::new());
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_how() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let closed_after = |break_it: &dyn Fn(&mut Socket)| {
        let mut socket = Socket::open(&server, "/logs/app.log");
        socket.wait_for_event("start");
        break_it(&mut socket);
        socket.wait_for_close()
    };
    let (code, words) =
        closed_after(&|s| s.send_message(Message::Binary(Bytes::from_static(b"x"))));
    assert_eq!(code, 1003, "{words}");
    let (code, words) = closed_after(&|s| s.send_text(&" ".repeat(64 * 1024 + 1)));
    assert_eq!(code, 1009, "{words}");
    // A masked text frame with the byte FF.
    let frame = |bytes: &'static [u8]| move |s: &mut Socket| s.stream().write_all(bytes).unwrap();
    let (code, words) = closed_after(&frame(&[0x81, 0x81, 0, 0, 0, 0, 0xff]));
    assert_eq!(code, 1007, "{words}");
    // A reserved opcode, an unmasked frame.
    let (code, words) = closed_after(&frame(&[0x83, 0x80, 0, 0, 0, 0]));
    assert_eq!(code, 1002, "{words}");
    let (code, words) = closed_after(&frame(&[0x81, 0x01, b'x']));
    assert_eq!(code, 1002, "{words}");
    assert!(!words.is_empty());
    wait_until("nobody is left", || server.n_viewers() == 0);
}

#[test]
fn a_closed_connection_is_released_at_once() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server =
        Options::serving([log.path()]).config("[default.tailcast]\nlinger = \"1s\"\n").start();
    // Heartbeats are minutes apart: nothing but the close itself can tell.
    for road in ["close", "fin", "reset"] {
        let mut socket = Socket::open(&server, "/logs/app.log?heartbeat=5m");
        socket.wait_for_lines(3);
        assert_eq!(server.n_viewers(), 1);
        match road {
            "close" => socket.send_message(Message::Close(None)),
            "fin" => socket.stream().shutdown(Shutdown::Write).unwrap(),
            _ => {
                let stream = socket2::SockRef::from(&*socket.stream());
                stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                drop(socket);
            }
        }
        wait_until(road, || server.n_viewers() == 0);
    }
    wait_until("the file is closed", || server.n_open(log.path()) == 0);
    assert_eq!(server.metric("tailcast_viewers_closed_total{reason=\"client\"}"), 3.0);
}

#[test]
fn a_client_that_falls_silent_is_closed_and_others_do_not_notice() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut silent = Socket::open(&server, "/logs/app.log?heartbeat=1s");
    silent.wait_for_event("start");
    let mut other = Socket::open(&server, "/logs/app.log?heartbeat=1s");
    // It takes all bytes, and says nothing: its library answers no ping that it has not read.
    let mut stream = silent.stream().try_clone().unwrap();
    let drain = std::thread::spawn(move || {
        stream.set_read_timeout(None).unwrap();
        let mut taken = Vec::new();
        stream.read_to_end(&mut taken).map(|_| taken)
    });
    other.wait_for(|_| server.n_viewers() == 1);
    let taken = drain.join().unwrap().unwrap();
    let words = "nothing was heard for two heartbeats";
    let close: Vec<u8> = [&1001_u16.to_be_bytes(), words.as_bytes()].concat();
    assert!(taken.windows(close.len()).any(|window| window == close), "code and words are told");
    assert_eq!(server.metric("tailcast_viewers_closed_total{reason=\"silent\"}"), 1.0);
    log.number(5);
    other.wait_for_lines(5);
}

#[test]
fn shutdown_tells_every_socket() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let mut server = TestServer::serving(log.path());
    let mut socket = Socket::open(&server, "/logs/app.log");
    let mut paused = Socket::open(&server, "/logs/app.log");
    socket.wait_for_lines(3);
    paused.wait_for_lines(3).command(r#"{"cmd":"pause"}"#);
    log.number(1);
    socket.wait_for_lines(4);
    let status = std::thread::scope(|scope| {
        let ending = scope.spawn(|| server.terminate());
        for socket in [&mut socket, &mut paused] {
            let (code, _words) = socket.wait_for_close();
            assert_eq!(code, 1001);
            let end = socket.wait_for_event_at_end();
            assert_eq!(end["reason"], "shutdown");
            let (end, last) = (end["cursor"].as_str().unwrap(), socket.last_cursor());
            assert_eq!(offset(end), offset(&last), "on from the last line sent");
        }
        ending.join().unwrap()
    });
    assert!(status.success(), "{status}");
}

#[test]
fn a_slow_reader_slows_nobody_and_loses_nothing() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut slow = Socket::open(&server, "/logs/app.log?tail=all");
    slow.wait_for_event("start");
    let mut fast = Socket::open(&server, "/logs/app.log?tail=all");
    for _ in 0..50 {
        log.number(2_000);
        let n_lines = log.n_lines();
        fast.wait_for_lines(n_lines);
    }
    slow.wait_for_lines(100_000);
    assert_eq!(slow.texts(), numbered(1, 100_000));
    // What has piled up comes in large batches.
    let largest = slow.batches.iter().map(|(_, n_lines)| *n_lines).max().unwrap();
    assert!(largest > 100, "{largest}");
}

/// The offset in a cursor: the rest of it may know more of a file that has grown.
fn offset(cursor: &str) -> &str {
    &cursor[28..36]
}

impl Socket {
    /// The last record, after the connection has ended.
    #[track_caller]
    fn wait_for_event_at_end(&self) -> Value {
        self.events_named("end").last().expect("there is an `end`").clone()
    }
}
