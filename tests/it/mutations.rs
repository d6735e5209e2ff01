//! Requests and WebSocket frames with damage at random places: whatever comes in, the server neither
//! panics nor grows, and whoever reads beside gets every line. In the suite for some seconds; for longer
//! `TAILCAST_MUTATE_SECONDS=600 cargo test --test it -- mutations --nocapture`, and with the seed of a
//! failure `TAILCAST_MUTATE_SEED`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::auth_fixture::{AuthFixture, PASSWORD, basic};
use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, line, lines};
use crate::support::{LogFolder, Options, Request};

/// What came of all that was sent.
#[derive(Debug, Default)]
struct Counts {
    requests: AtomicUsize,
    conversations: AtomicUsize,
    answered: AtomicUsize,
    upgraded: AtomicUsize,
}

#[test]
fn mutated_requests_and_frames_break_nothing() {
    let seconds = setting("TAILCAST_MUTATE_SECONDS").unwrap_or(4);
    let seed = setting("TAILCAST_MUTATE_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("mutations: {seconds} s with seed {seed}");
    let (folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..200));
    folder.log("web/access.log").line("hello");
    let open = Options::serving([folder.path()])
        .config("[default.tailcast]\nmax_connections_per_second = 1000000\n")
        .start();
    let house = AuthFixture::new("max_connections_per_second = 1000000\n");
    house.log("app.log").line("hello");
    house.user("alice", &[]);
    let shut = house.start();
    let mut healthy = open.follow(Request::ndjson("/logs/app.log?tail=all"));
    let cursor = healthy.wait_for_lines(200).last_cursor().unwrap().to_owned();

    let (begun, counts) = (Instant::now(), Counts::default());
    let end = begun + Duration::from_secs(seconds);
    let mut n_lines = 200;
    let mut memory = Vec::new();
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (counts, cursor) = (&counts, cursor.as_str());
            let servers = [open.address(), shut.address()];
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed.wrapping_add(number));
                while Instant::now() < end {
                    let server = servers[usize::from(rng.u8(..5) == 0)];
                    match rng.u8(..3) {
                        0 => converse(server, cursor, &mut rng, counts),
                        _ => ask(server, cursor, &mut rng, counts),
                    }
                }
            });
        }
        while Instant::now() < end {
            append(log.path(), &lines(TAG, n_lines..n_lines + 1));
            healthy.wait_for_line(&line(TAG, n_lines));
            n_lines += 1;
            memory.push(open.status_field("VmRSS").max(shut.status_field("VmRSS")));
        }
    });
    eprintln!("mutations: {counts:?}; {n_lines} lines beside");
    for server in [&open, &shut] {
        assert!(!server.log().contains("panicked"), "{}", server.log());
        assert_eq!(server.get("/healthz").status, 200);
    }
    assert_eq!(open.metric("tailcast_panics_total").to_string(), "0");
    assert_eq!(healthy.texts().len(), n_lines, "each line once");
    let settled = memory[memory.len() / 4];
    let last = *memory.last().unwrap();
    eprintln!("mutations: {settled} KiB after a quarter of the time, {last} KiB at the end");
    assert!(last < settled + 64 * 1024, "from {settled} to {last} KiB");
    assert!(counts.answered.load(Ordering::Relaxed) > 20, "{counts:?}");
    assert!(counts.upgraded.load(Ordering::Relaxed) > 2, "{counts:?}");
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Sends a damaged request, and looks at what comes.
fn ask(server: SocketAddr, cursor: &str, rng: &mut Rng, counts: &Counts) {
    let mut request = rng.choice(requests(cursor)).unwrap().into_bytes();
    mutate(&mut request, rng);
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let answer = exchange(server, &[request], rng);
    if let Some(status) = status_of(&answer) {
        counts.answered.fetch_add(1, Ordering::Relaxed);
        assert_ne!(status, "500", "{}", String::from_utf8_lossy(&answer));
    }
}

/// Opens a WebSocket and sends damaged commands and frames.
fn converse(server: SocketAddr, cursor: &str, rng: &mut Rng, counts: &Counts) {
    let mut messages = vec![handshake().into_bytes()];
    for _ in 0..rng.usize(1..6) {
        let mut text = rng.choice(commands(cursor)).unwrap().into_bytes();
        if rng.bool() {
            mutate(&mut text, rng);
        }
        let mut sent = frame(if rng.u8(..8) == 0 { rng.u8(..16) } else { 1 }, &text);
        if rng.u8(..3) == 0 {
            mutate(&mut sent, rng);
        }
        messages.push(sent);
    }
    counts.conversations.fetch_add(1, Ordering::Relaxed);
    let answer = exchange(server, &messages, rng);
    let status = status_of(&answer);
    counts.upgraded.fetch_add(usize::from(status.as_deref() == Some("101")), Ordering::Relaxed);
    assert_ne!(status.as_deref(), Some("500"), "{}", String::from_utf8_lossy(&answer));
}

/// Sends all, a part at a time, and reads for a moment.
fn exchange(server: SocketAddr, messages: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut answer = Vec::new();
    let Ok(mut socket) = TcpStream::connect(server) else { return answer };
    socket.set_read_timeout(Some(Duration::from_millis(40))).unwrap();
    let mut buffer = vec![0; 1 << 16];
    for message in messages {
        let cut = rng.usize(..=message.len());
        for part in [&message[..cut], &message[cut..]] {
            // The server may have had enough.
            if socket.write_all(part).is_err() {
                break;
            }
        }
        if let Ok(n_bytes) = socket.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..n_bytes]);
        }
    }
    answer
}

fn status_of(answer: &[u8]) -> Option<String> {
    let line = answer.strip_prefix(b"HTTP/1.1 ")?;
    Some(String::from_utf8_lossy(line.get(..3)?).into_owned())
}

/// A client's frame, masked with zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        frame.push(0x80 | length);
    } else {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        frame.push(0x80 | 0x7e);
        frame.extend_from_slice(&length.to_be_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Damages a message at one to four places.
fn mutate(message: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(..=message.len());
        let to = (at + rng.usize(..40)).min(message.len());
        match rng.u8(..8) {
            0 if at < message.len() => message[at] = rng.u8(..),
            1 if at < message.len() => message[at] ^= 1 << rng.u8(..8),
            2 => drop(message.drain(at..to)),
            3 => {
                let copy = message[at..to].repeat(rng.usize(1..50));
                message.splice(at..at, copy);
            }
            4 => message.truncate(at),
            5 => {
                let long = vec![rng.u8(..); rng.usize(1..20_000)];
                message.splice(at..at, long);
            }
            _ => {
                let odd = rng.choice(ODD).unwrap();
                message.splice(at..to, odd.iter().copied());
            }
        }
    }
}

fn requests(cursor: &str) -> Vec<String> {
    let mut all = Vec::new();
    for path in [
        "/",
        "/logs",
        "/logs/app.log?tail=5&follow=false",
        "/logs/app.log?tail=all&grep=7&follow=false&format=ndjson",
        "/logs/app.log?since=15m&until=now&level=warn&format=sse&heartbeat=1s",
        "/logs/web/access.log?exclude=a(b|c)*d&tail=3&color=false&timestamps=utc",
        "/logs/{app,web/*}.log?tail=1&format=ndjson",
        "/logs/**?tail=1",
        "/api/sources",
        "/healthz",
        "/readyz",
        "/metrics",
        "/static/viewer.js",
        "/login?next=logs/app.log",
    ] {
        all.push(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"));
    }
    for query in [
        format!("from={cursor}&follow=false&format=ndjson"),
        format!("before={cursor}&tail=5&format=ndjson"),
        format!("last_event_id={cursor}&format=sse"),
    ] {
        all.push(format!(
            "GET /logs/app.log?{query} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {cursor}\r\n\r\n"
        ));
    }
    let headers = format!(
        "Host: localhost\r\nAuthorization: {}\r\nCookie: tailcast_session=abc; a=b\r\nRange: bytes=0-9\r\n\
         Accept-Encoding: gzip, br\r\nX-Forwarded-For: 203.0.113.9\r\nOrigin: http://localhost",
        basic("alice", PASSWORD)
    );
    all.push(format!("GET /logs/app.log?tail=1&follow=false HTTP/1.1\r\n{headers}\r\n\r\n"));
    all.push(format!("HEAD /logs/app.log HTTP/1.0\r\n{headers}\r\n\r\n"));
    let form = "name=alice&password=no&next=logs/app.log";
    let kind = "Content-Type: application/x-www-form-urlencoded";
    all.push(format!(
        "POST /login HTTP/1.1\r\n{headers}\r\n{kind}\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    let mut chunked = format!(
        "POST /login HTTP/1.1\r\n{headers}\r\n{kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for part in [&form[..7], &form[7..]] {
        write!(chunked, "{:x}\r\n{part}\r\n", part.len()).unwrap();
    }
    all.push(chunked + "0\r\n\r\n");
    all.push(handshake());
    all
}

fn handshake() -> String {
    let path = "/logs/app.log?tail=2";
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: tailcast.v1\r\nAuthorization: {}\r\n\r\n",
        basic("alice", PASSWORD)
    )
}

fn commands(cursor: &str) -> Vec<String> {
    [
        r#"{"id":1,"cmd":"pause"}"#.to_owned(),
        r#"{"id":2,"cmd":"resume"}"#.to_owned(),
        r#"{"id":3,"cmd":"filter","grep":"a|b","exclude":"c","level":"warn"}"#.to_owned(),
        r#"{"id":4,"cmd":"seek","tail":5}"#.to_owned(),
        r#"{"id":5,"cmd":"seek","since":"15m"}"#.to_owned(),
        format!(r#"{{"id":6,"cmd":"seek","from":"{cursor}"}}"#),
        format!(r#"{{"id":7,"cmd":"older","before":"{cursor}","lines":5}}"#),
        r#"{"id":8,"cmd":"follow","source":"web/access.log"}"#.to_owned(),
        r#"{"id":9,"cmd":"unfollow","source":"app.log"}"#.to_owned(),
    ]
    .into()
}

/// What parsers trip over.
const ODD: [&[u8]; 24] = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"%00",
    b"%",
    b"%ff",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"..%2f",
    b"%2e%2e/",
    b"{{{{{{{{{{{{{{{{{{{{",
    b"[",
    b"-1",
    b"18446744073709551616",
    b"9999999999999999999999",
    b"ffffffffffffffff\r\n",
    b"(?:a{1000}){1000}",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 18446744073709551615\r\n",
    b"HTTP/1.0",
    b"~~~~",
    b"\xe2\x80\xa8",
    b"Upgrade: websocket\r\n",
];
