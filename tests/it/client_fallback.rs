//! Where no WebSocket is let through, the log is followed by NDJSON; and sockets of odd
//! servers.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::support::{
    FollowProcess, LogFolder, MisbehavingServer, TestServer, answer, numbered, pause, wait_until,
};

/// Refuses upgrades with this answer, and passes everything else on to the server.
fn refusing(server: &TestServer, refusal: &'static str) -> MisbehavingServer {
    let upstream = server.address();
    MisbehavingServer::answering(move |head, socket| {
        if head.to_ascii_lowercase().contains("upgrade: websocket") {
            answer(socket, refusal, "", "");
            return;
        }
        pass_on(head, socket, upstream);
    })
}

fn pass_on(head: &str, socket: &mut TcpStream, upstream: std::net::SocketAddr) {
    let mut server = TcpStream::connect(upstream).unwrap();
    server.write_all(head.as_bytes()).unwrap();
    // Ends when one of them does; a client that has gone is no fault of the test.
    let _passed = std::io::copy(&mut server, socket).is_ok();
    let _closed = socket.shutdown(Shutdown::Both).is_ok();
}

#[test]
fn a_refused_upgrade_is_followed_by_ndjson() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    for refusal in ["426 Upgrade Required", "200 OK", "502 Bad Gateway", "403 Forbidden"] {
        let proxy = refusing(&server, refusal);
        let follow = FollowProcess::start([proxy.url("app.log?tail=2&heartbeat=1s")]);
        follow.wait_for_lines(2);
        follow.wait_for_words("following by NDJSON");
        assert!(follow.said().contains(refusal), "{}", follow.said());
        log.number(1);
        follow.wait_for_lines(3);
        assert_eq!(server.metric("tailcast_viewers{format=\"ndjson\"}"), 1.0);
        let done = follow.interrupt();
        assert_eq!(done.code, Some(0));
        assert!(done.said.contains("--from"), "{done:?}");
        wait_until("the server lets go", || server.n_viewers() == 0);
    }
}

#[test]
fn an_upgrade_that_is_cut_is_followed_by_ndjson_too() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let upstream = server.address();
    for odd in ["", "HTTP/1.0 200 OK\r\n\r\n", "nonsense\r\n\r\n", "HTTP/1.1 101 Yes\r\n\r\n"] {
        let proxy = MisbehavingServer::answering(move |head, socket| {
            if head.to_ascii_lowercase().contains("upgrade: websocket") {
                socket.write_all(odd.as_bytes()).unwrap();
                return;
            }
            pass_on(head, socket, upstream);
        });
        let follow = FollowProcess::start([proxy.url("app.log")]);
        follow.wait_for_lines(10);
        follow.wait_for_words("following by NDJSON");
    }
}

#[test]
fn an_upgrade_over_which_nothing_comes_is_followed_by_ndjson_too() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let upstream = server.address();
    let proxy = MisbehavingServer::answering(move |head, socket| {
        if !head.to_ascii_lowercase().contains("upgrade: websocket") {
            return pass_on(head, socket, upstream);
        }
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
        });
        let accept = derive_accept_key(key.unwrap().as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: tailcast.v1\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        // Until the client has had enough.
        let _gone = std::io::copy(socket, &mut std::io::sink()).is_ok();
    });
    let follow = FollowProcess::start([proxy.url("app.log?heartbeat=1s")]);
    follow.wait_for_lines(10);
    follow.wait_for_words("no WebSocket (nothing came for 2.5 s); following by NDJSON");
}

#[test]
fn what_has_fallen_back_resumes_and_does_not_ask_for_a_websocket_each_time() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(10);
    let server = TestServer::serving(log.path());
    let proxy = refusing(&server, "426 Upgrade Required");
    let follow = FollowProcess::start([proxy.url("app.log?heartbeat=1s")]);
    follow.wait_for_lines(10);
    server.signal(rustix::process::Signal::STOP);
    follow.wait_for_words("nothing came for");
    server.signal(rustix::process::Signal::CONT);
    log.number(5);
    follow.wait_for_lines(15);
    assert_eq!(follow.lines(), numbered(1, 15));
    let upgrades = proxy.requests();
    let upgrades = upgrades.iter().filter(|head| head.to_ascii_lowercase().contains("upgrade:"));
    assert_eq!(upgrades.count(), 1, "{:?}", proxy.requests());
    assert_eq!(follow.said().matches("following by NDJSON").count(), 1, "{}", follow.said());
}

#[test]
fn what_is_no_log_of_ours_is_named() {
    let page = MisbehavingServer::answering(|_head, socket| {
        answer(socket, "200 OK", "Content-Type: text/html\r\n", "<html>");
    });
    let follow = FollowProcess::start([page.url("app.log")]);
    follow.wait_for_words("is this a log of a Tailcast server?");
    let elsewhere = MisbehavingServer::answering(|_head, socket| {
        answer(socket, "301 Moved Permanently", "Location: https://x/logs/app.log\r\n", "");
    });
    let follow = FollowProcess::start([elsewhere.url("app.log")]);
    follow.wait_for_words("it is at https://x/logs/app.log");
}

const START: &str = r#"{"event":"start","source":"app.log","cursor":"C0"}"#;

fn send(socket: &mut WebSocket<TcpStream>, text: &str) {
    // A client that has gone is no fault of the test.
    let _told = socket.send(Message::text(text)).is_ok();
}

fn lines(numbers: std::ops::RangeInclusive<usize>) -> String {
    let records: Vec<String> = numbers
        .map(|n| format!(r#"{{"source":"app.log","cursor":"C{n}","line":"line {n}"}}"#))
        .collect();
    format!(r#"{{"lines":[{}],"start":"C0"}}"#, records.join(","))
}

#[test]
fn a_websocket_goes_on_after_whatever_ends_it() {
    let server = MisbehavingServer::speaking(|uri, socket| {
        let from = uri.split(['?', '&']).find_map(|pair| pair.strip_prefix("from=C"));
        let last: usize = from.map_or(0, |number| number.parse().unwrap());
        send(socket, &START.replace("C0", &format!("C{last}")));
        send(socket, r#"{"event":"of the future","source":"x"}"#);
        send(socket, &lines(last + 1..=last + 2));
        match last {
            0 => {
                let reason = CloseFrame { code: 1001.into(), reason: "stopping".into() };
                let _closed = socket.close(Some(reason)).is_ok();
                while socket.read().is_ok() {}
            }
            // Without a word.
            2 => {}
            4 => send(socket, "nonsense"),
            6 => {
                let _told = socket.send(Message::binary(vec![1, 2])).is_ok();
                pause(Duration::from_secs(1));
            }
            8 => {
                send(
                    socket,
                    r#"{"event":"end","source":"app.log","reason":"shutdown","cursor":"C10"}"#,
                );
            }
            _ => {
                send(
                    socket,
                    r#"{"event":"end","source":"app.log","reason":"revoked","cursor":"C12"}"#,
                );
                pause(Duration::from_secs(1));
            }
        }
    });
    let done = FollowProcess::run([server.url("app.log")]);
    assert_eq!(done.lines(), numbered(1, 12));
    assert_eq!(done.code, Some(1), "revoked: {done:?}");
    for words in ["1001, stopping", "was cut", "no record", "binary", "is stopping", "revoked"] {
        assert!(done.said.contains(words), "{words}: {done:?}");
    }
    assert_eq!(done.cursor(), "C12");
}

#[test]
fn a_refusal_later_on_ends_it_only_where_it_is_for_good() {
    for (status, is_end) in [("404 Not Found", false), ("401 Unauthorized", true)] {
        let n_asked = std::sync::atomic::AtomicUsize::new(0);
        let server = MisbehavingServer::answering(move |_head, socket| {
            let kind = "Content-Type: application/x-ndjson\r\n";
            let number = n_asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match number {
                // The upgrade, then the stream, then what comes later.
                0 => answer(socket, "426 Upgrade Required", "", ""),
                1 => {
                    let line = r#"{"source":"app.log","cursor":"C1","line":"one"}"#;
                    answer(socket, "200 OK", kind, &format!("{START}\n{line}\n"));
                }
                2 => answer(socket, status, "", ""),
                _ => {
                    let end = r#"{"event":"end","source":"app.log","reason":"eof","cursor":"C1"}"#;
                    answer(socket, "200 OK", kind, &format!("{START}\n{end}\n"));
                }
            }
        });
        let done = FollowProcess::run([server.url("app.log")]);
        assert_eq!(done.code, Some(i32::from(is_end)), "{status}: {done:?}");
        assert_eq!(done.lines(), ["one"]);
        assert!(done.said.contains(status), "{done:?}");
        let resumed = &server.requests()[2];
        assert!(resumed.contains("from=C1") && !resumed.contains("tail="), "{resumed}");
    }
}
