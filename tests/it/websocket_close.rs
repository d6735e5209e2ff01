//! How a WebSocket ends, frame by frame (RFC 6455, sections 5 and 7), and what a client may put into
//! frames: sent as bytes, as no library would send some of it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use super::support::{DEADLINE, LogFolder, Pipe, Request, TestServer, wait_until};

/// A connection whose handshake is done, by hand.
struct Raw {
    pipe: Pipe,
    received: Vec<u8>,
    /// How far frames were taken out of `received`.
    taken: usize,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
const FINAL: u8 = 0x80;

impl Raw {
    fn open(server: &TestServer, path: &str) -> Self {
        let request = Request::get(path);
        let mut pipe = Pipe::open(server.address(), &request, Duration::from_millis(100)).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.address()
        );
        pipe.write_all(head.as_bytes()).unwrap();
        let mut raw = Raw { pipe, received: Vec::new(), taken: 0 };
        let begun = Instant::now();
        let end = loop {
            let end = raw.received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            assert!(begun.elapsed() < DEADLINE, "no answer to the handshake");
            raw.read();
        };
        assert!(raw.received.starts_with(b"HTTP/1.1 101 "));
        raw.taken = end;
        raw
    }

    /// Reads once; says whether the server has closed. A reset is a failure.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        match self.pipe.read(&mut bytes) {
            Ok(0) => true,
            Ok(n_bytes) => {
                self.received.extend_from_slice(&bytes[..n_bytes]);
                false
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                false
            }
            Err(error) => panic!("the connection was not closed cleanly: {error}"),
        }
    }

    /// Sends one frame, masked; `first` is its first byte: the opcode and what stands above it.
    fn send(&mut self, first: u8, payload: &[u8]) {
        self.pipe.write_all(&masked(first, payload)).unwrap();
    }

    /// The next whole frame among what came.
    fn next_frame(&mut self) -> Option<Frame> {
        let bytes = &self.received[self.taken..];
        let [first, second, rest @ ..] = bytes else { return None };
        let (n_length, n_bytes) = match second & 0x7f {
            126 => (2, usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().unwrap()))),
            127 => (8, u64::from_be_bytes(rest.get(..8)?.try_into().unwrap()) as usize),
            short => (0, usize::from(short)),
        };
        let payload = rest.get(n_length..n_length + n_bytes)?.to_vec();
        self.taken += 2 + n_length + n_bytes;
        Some(Frame { opcode: first & 0x0f, payload })
    }

    /// Reads until a frame of this kind comes; others are passed over.
    #[track_caller]
    fn wait_for(&mut self, opcode: u8) -> Frame {
        let begun = Instant::now();
        loop {
            while let Some(frame) = self.next_frame() {
                if frame.opcode == opcode {
                    return frame;
                }
            }
            assert!(begun.elapsed() < DEADLINE, "no frame {opcode:#x}");
            assert!(!self.read(), "the server has closed before a frame {opcode:#x}");
        }
    }

    /// Reads until a message comes that holds a text.
    #[track_caller]
    fn wait_for_text(&mut self, part: &str) -> String {
        loop {
            let text = String::from_utf8(self.wait_for(TEXT).payload).unwrap();
            if text.contains(part) {
                return text;
            }
        }
    }

    /// Reads the server's close frame, and then to the end, which has to come without a reset and
    /// without another frame; returns code and words.
    #[track_caller]
    fn wait_for_close(&mut self) -> (Option<u16>, String) {
        let payload = self.wait_for(CLOSE).payload;
        let begun = Instant::now();
        while !self.read() {
            assert!(begun.elapsed() < DEADLINE, "the server does not close the connection");
        }
        assert_eq!(self.received.len(), self.taken, "nothing follows a close frame");
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        (code, String::from_utf8(payload.get(2..).unwrap_or_default().to_vec()).unwrap())
    }
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n_bytes @ 0..=125 => frame.push(0x80 | n_bytes as u8),
        n_bytes => {
            frame.push(0xfe);
            frame.extend_from_slice(&u16::try_from(n_bytes).unwrap().to_be_bytes());
        }
    }
    let mask = [7, 77, 17, 71];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn close_payload(code: u16, words: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), words].concat()
}

#[test]
fn a_close_is_answered_with_its_code_and_the_connection_is_closed() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    for (code, words) in [(1000, "bye"), (1001, ""), (1013, "later"), (3000, "ours"), (4999, "x")] {
        let mut raw = Raw::open(&server, "/logs/app.log?heartbeat=5m");
        raw.wait_for_text("line 3");
        raw.send(FINAL | CLOSE, &close_payload(code, words.as_bytes()));
        assert_eq!(raw.wait_for_close(), (Some(code), words.to_owned()));
    }
    let mut raw = Raw::open(&server, "/logs/app.log?heartbeat=5m");
    raw.send(FINAL | CLOSE, b"");
    assert_eq!(raw.wait_for_close(), (None, String::new()), "a close without a code");
    wait_until("nobody is left", || server.n_viewers() == 0);
    assert_eq!(server.metric("tailcast_viewers_closed_total{reason=\"client\"}"), 6.0);
}

#[test]
fn a_close_that_makes_no_sense_is_answered_with_what_is_wrong() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        let mut raw = Raw::open(&server, "/logs/app.log");
        raw.send(FINAL | CLOSE, &close_payload(code, b"x"));
        assert_eq!(raw.wait_for_close().0, Some(1002), "{code}");
    }
    for (payload, expected) in [
        (vec![3], 1002),
        (close_payload(1000, b"\xff"), 1007),
        (close_payload(1000, &[b'x'; 124]), 1002),
    ] {
        let mut raw = Raw::open(&server, "/logs/app.log");
        raw.send(FINAL | CLOSE, &payload);
        assert_eq!(raw.wait_for_close().0, Some(expected), "{payload:?}");
    }
}

#[test]
fn a_close_in_the_middle_of_lines_is_answered_after_what_was_sent() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(200_000);
    let server = TestServer::serving(log.path());
    let mut raw = Raw::open(&server, "/logs/app.log?tail=all");
    raw.wait_for_text("\"lines\"");
    // What follows the close frame is not looked at.
    raw.send(FINAL | CLOSE, &close_payload(1000, b"enough"));
    raw.send(FINAL | TEXT, br#"{"id":1,"cmd":"pause"}"#);
    raw.send(FINAL | PING, b"after the end");
    assert_eq!(raw.wait_for_close(), (Some(1000), "enough".to_owned()));
    wait_until("nobody is left", || server.n_viewers() == 0);
}

#[test]
fn what_is_unread_does_not_destroy_our_close_frame() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    // A frame that breaks the protocol, with much behind it.
    for (first, expected) in [(FINAL | 0x3, 1002), (FINAL | BINARY, 1003), (FINAL | 0x71, 1002)] {
        let mut raw = Raw::open(&server, "/logs/app.log");
        let mut bytes = masked(first, b"x");
        let behind = masked(FINAL | TEXT, &vec![b' '; 60_000]);
        (0..8).for_each(|_| bytes.extend_from_slice(&behind));
        raw.pipe.write_all(&bytes).unwrap();
        assert_eq!(raw.wait_for_close().0, Some(expected), "{first:#x}");
    }
    let mut raw = Raw::open(&server, "/logs/app.log");
    raw.send(FINAL | CLOSE, &close_payload(1000, b"bye"));
    (0..4).for_each(|_| raw.send(FINAL | TEXT, &vec![b' '; 60_000]));
    assert_eq!(raw.wait_for_close().0, Some(1000));
}

#[test]
fn a_message_may_come_in_fragments_with_pings_between() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut raw = Raw::open(&server, "/logs/app.log");
    let command = r#"{"id":"ä€𝄞","cmd":"pause"}"#.as_bytes();
    // Every byte in a frame of its own: characters are cut, too.
    for (at, byte) in command.iter().enumerate() {
        let opcode = if at == 0 { TEXT } else { CONTINUATION };
        let end = if at + 1 == command.len() { FINAL } else { 0 };
        raw.send(end | opcode, &[*byte]);
        if at % 8 == 3 {
            raw.send(FINAL | PING, &[at as u8]);
            assert_eq!(raw.wait_for(PONG).payload, [at as u8]);
        }
    }
    assert!(raw.wait_for_text("\"re\":").contains("ä€𝄞"));
    // An empty message in three empty frames, and an unasked pong, are nothing to mind.
    raw.send(TEXT, b"");
    raw.send(CONTINUATION, b"");
    raw.send(FINAL | PONG, b"unasked");
    raw.send(FINAL | CONTINUATION, b"");
    assert!(raw.wait_for_text("\"re\":null").contains("error"));
    raw.send(FINAL | CLOSE, &close_payload(1000, b""));
    assert_eq!(raw.wait_for_close().0, Some(1000));
}

type Frames = Vec<(u8, Vec<u8>)>;

#[test]
fn frames_that_break_the_protocol_are_told_by_code() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let cases: Vec<(&str, Frames, u16)> = vec![
        ("a reserved bit", vec![(FINAL | 0x40 | TEXT, b"{}".to_vec())], 1002),
        ("a reserved bit of a ping", vec![(FINAL | 0x10 | PING, vec![])], 1002),
        ("a reserved opcode", vec![(FINAL | 0x5, vec![])], 1002),
        ("a reserved control opcode", vec![(FINAL | 0xb, vec![])], 1002),
        ("a long ping", vec![(FINAL | PING, vec![0; 126])], 1002),
        ("a ping in fragments", vec![(PING, b"a".to_vec())], 1002),
        ("a rest of nothing", vec![(FINAL | CONTINUATION, b"a".to_vec())], 1002),
        ("a rest of nothing, unfinished", vec![(CONTINUATION, b"a".to_vec())], 1002),
        (
            "a message within another",
            vec![(TEXT, b"a".to_vec()), (FINAL | TEXT, b"b".to_vec())],
            1002,
        ),
        ("text that is none", vec![(FINAL | TEXT, vec![b'a', 0xff])], 1007),
        ("a surrogate", vec![(FINAL | TEXT, vec![0xed, 0xa0, 0x80])], 1007),
        ("overlong", vec![(FINAL | TEXT, vec![0xc0, 0xaf])], 1007),
        ("beyond Unicode", vec![(FINAL | TEXT, vec![0xf4, 0x90, 0x80, 0x80])], 1007),
        (
            "a cut character at the end",
            vec![(TEXT, vec![b'a', 0xe2]), (FINAL | CONTINUATION, vec![0x82])],
            1007,
        ),
        ("binary", vec![(FINAL | BINARY, b"{}".to_vec())], 1003),
        (
            "a long message in short frames",
            vec![(TEXT, vec![b' '; 60_000]), (CONTINUATION, vec![b' '; 60_000])],
            1009,
        ),
    ];
    for (what, frames, expected) in cases {
        let mut raw = Raw::open(&server, "/logs/app.log");
        for (first, payload) in &frames {
            raw.send(*first, payload);
        }
        let (code, words) = raw.wait_for_close();
        assert_eq!(code, Some(expected), "{what}: {words}");
        assert!(!words.is_empty(), "{what}");
    }
}

/// Rocket does not tell which version was spoken: the client sees an answer and an end, and the log
/// says why.
#[test]
fn an_upgrade_over_http_1_0_is_told_of_in_the_log() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let request = Request::get("/logs/app.log");
    let mut pipe = Pipe::open(server.address(), &request, DEADLINE).unwrap();
    let head = format!(
        "GET /logs/app.log HTTP/1.0\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address()
    );
    pipe.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    pipe.read_to_end(&mut answer).unwrap();
    wait_until("the log says why", || server.log().contains("proxy_http_version 1.1"));
    assert_eq!(server.n_viewers(), 0);
}
