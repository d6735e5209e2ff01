//! Answer: a whole answer, head and body.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;

use super::connection::{Connection, End};
use super::{DEADLINE, Request};

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Asks, and reads to the end of the answer.
    #[track_caller]
    pub fn to(address: SocketAddr, request: &Request) -> Self {
        let begun = Instant::now();
        let mut connection = Connection::open(address, request);
        let mut body = connection.read();
        while connection.end.is_none() {
            body.extend(connection.read());
            assert!(
                begun.elapsed() < DEADLINE,
                "the answer to {request:?} has no end; so far: {:?}",
                String::from_utf8_lossy(&body)
            );
        }
        body.extend(connection.read());
        assert_eq!(connection.end, Some(End::Complete), "the answer was cut");
        Answer { status: connection.status, headers: connection.headers, body }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be UTF-8.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body's lines.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("no JSON ({error}): {:?}", String::from_utf8_lossy(&self.body))
        })
    }

    /// The body as one JSON value a line.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
