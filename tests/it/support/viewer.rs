//! Viewer: a client that follows a stream and folds it into lines and events.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::connection::{Connection, End, find};
use super::gunzip::Gunzip;
use super::{DEADLINE, Request};

/// A client of one stream. What has come is in its fields; [`Viewer::wait_for`] lets more come.
/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Viewer {
    connection: Connection,
    format: Format,
    /// Unpacks what a proxy has packed.
    gunzip: Option<Gunzip>,
    /// What has come and is no whole line or block yet.
    pending: Vec<u8>,
    pub status: u16,
    /// The lines of the log. Of text: all lines of the body, marks and heartbeats among them.
    pub lines: Vec<Line>,
    /// What is no line: `start`, `gap`, `rotated`, `heartbeat`, `end`.
    pub events: Vec<Event>,
    /// The blocks of an SSE stream as they came, without the empty line that ends them.
    pub blocks: Vec<String>,
    /// All bytes of a raw stream, or of an answer that is no stream.
    pub body: Vec<u8>,
    /// What an `EventSource` would send as `Last-Event-ID`.
    pub last_id: Option<String>,
}

/// A line as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Of records.
    pub source: Option<String>,
    /// Of records: the place just after it.
    pub cursor: Option<String>,
    pub time: Option<String>,
    pub level: Option<String>,
    pub text: String,
    pub partial: bool,
    /// Of SSE.
    pub id: Option<String>,
}

/// A record that is no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    /// Of SSE.
    pub id: Option<String>,
    pub data: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Ndjson,
    Sse,
    Bytes,
}

impl Viewer {
    /// Sends the request and waits for the answer's head.
    #[track_caller]
    pub fn open(address: SocketAddr, request: &Request) -> Self {
        Self::attempt(address, request).unwrap()
    }

    /// As [`Viewer::open`]; that there is nobody, or no answer, is an error.
    pub fn attempt(address: SocketAddr, request: &Request) -> io::Result<Self> {
        let connection = Connection::attempt(address, request)?;
        let content_type = connection.header("content-type").unwrap_or_default();
        let format = match content_type.split(';').next().unwrap_or_default() {
            "text/plain" => Format::Text,
            "application/x-ndjson" => Format::Ndjson,
            "text/event-stream" => Format::Sse,
            _ => Format::Bytes,
        };
        let is_packed = connection.header("content-encoding") == Some("gzip");
        Ok(Viewer {
            status: connection.status,
            connection,
            format,
            gunzip: is_packed.then(Gunzip::default),
            pending: Vec::new(),
            lines: Vec::new(),
            events: Vec::new(),
            blocks: Vec::new(),
            body: Vec::new(),
            last_id: None,
        })
    }

    /// Reads until the condition holds for what has come.
    #[track_caller]
    pub fn wait_for(&mut self, mut condition: impl FnMut(&Self) -> bool) -> &mut Self {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < DEADLINE, "waited in vain; {}", self.summary());
            assert!(self.connection.end.is_none(), "the stream has ended; {}", self.summary());
            self.read();
        }
        self
    }

    /// Reads until there are this many lines.
    #[track_caller]
    pub fn wait_for_lines(&mut self, n_lines: usize) -> &mut Self {
        self.wait_for(|viewer| viewer.lines.len() >= n_lines)
    }

    /// Reads until there is a line of this text.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) -> &mut Self {
        self.wait_for(|viewer| viewer.lines.iter().any(|line| line.text == text))
    }

    /// Reads until an event of this name has come, and returns the last of them.
    #[track_caller]
    pub fn wait_for_event(&mut self, name: &str) -> Event {
        self.wait_for(|viewer| viewer.events_named(name).next().is_some());
        self.events_named(name).last().unwrap().clone()
    }

    /// Reads to the end of the stream, which must not be cut.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> &mut Self {
        let begun = Instant::now();
        while self.connection.end.is_none() {
            assert!(begun.elapsed() < DEADLINE, "the stream has no end; {}", self.summary());
            self.read();
        }
        self.read();
        assert_eq!(self.connection.end, Some(End::Complete), "{}", self.summary());
        self
    }

    /// Reads for as long, for what is not to come.
    pub fn read_for(&mut self, time: Duration) -> &mut Self {
        let begun = Instant::now();
        while begun.elapsed() < time && self.connection.end.is_none() {
            self.read();
        }
        self
    }

    /// Whether the stream has ended, by whatever road.
    pub fn has_ended(&self) -> bool {
        self.connection.end.is_some()
    }

    /// Whether the stream was cut: closed without its last chunk.
    pub fn was_cut(&self) -> bool {
        self.connection.end == Some(End::Cut)
    }

    /// The texts of the lines.
    pub fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// The events of one name.
    pub fn events_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.name == name)
    }

    /// The cursor of the record that came last, line or event, if it has one.
    pub fn last_cursor(&self) -> Option<&str> {
        let of_end = self.events_named("end").last().and_then(Event::cursor);
        let of_line = self.lines.last().and_then(|line| line.cursor.as_deref());
        of_end.or(of_line).or_else(|| self.events.last().and_then(Event::cursor))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.connection.header(name)
    }

    /// Closes with a reset (`SO_LINGER` 0) rather than a farewell.
    pub fn reset(self) {
        self.connection.reset();
    }

    /// The client's socket, to do with it what a client does not.
    pub fn socket(&self) -> &TcpStream {
        self.connection.socket()
    }

    /// Takes what has come, waiting a moment if there is nothing. Nothing is read between calls:
    /// a viewer that is left alone has stopped reading.
    pub fn read(&mut self) {
        let mut bytes = self.connection.read();
        if let Some(gunzip) = &mut self.gunzip {
            bytes = gunzip.unpack(&bytes);
        }
        if self.format == Format::Bytes {
            self.body.extend(bytes);
            return;
        }
        self.pending.extend(bytes);
        let separator: &[u8] = if self.format == Format::Sse { b"\n\n" } else { b"\n" };
        let mut taken = 0;
        while let Some(length) = find(&self.pending[taken..], separator) {
            let part = self.pending[taken..taken + length].to_vec();
            taken += length + separator.len();
            self.take(String::from_utf8(part).expect("a stream is UTF-8"));
        }
        self.pending.drain(..taken);
    }

    fn take(&mut self, part: String) {
        match self.format {
            Format::Text => self.lines.push(Line::of_text(part)),
            Format::Ndjson => {
                let record: Value = serde_json::from_str(&part).expect("a line is a record");
                self.take_record(&record, None);
            }
            Format::Sse => self.take_block(part),
            Format::Bytes => {}
        }
    }

    fn take_record(&mut self, record: &Value, id: Option<String>) {
        match record["event"].as_str() {
            Some(name) => {
                self.events.push(Event { name: name.to_owned(), id, data: record.clone() });
            }
            None => self.lines.push(Line::of_record(record, id)),
        }
    }

    /// As the standard's parser does it, as far as our streams need it.
    fn take_block(&mut self, block: String) {
        let (mut name, mut id, mut data) = (None, None, None);
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" | "retry" => {}
                "event" => name = Some(value),
                "id" => id = Some(value),
                "data" => data = Some(value),
                other => panic!("an unknown field {other:?} in {block:?}"),
            }
        }
        self.blocks.push(block);
        if id.is_some() {
            self.last_id.clone_from(&id);
        }
        let Some(data) = data else { return };
        let data: Value = serde_json::from_str(&data).expect("data is JSON");
        match name {
            Some(name) => self.events.push(Event { name, id, data }),
            None => self.take_record(&data, id),
        }
    }

    fn summary(&self) -> String {
        let lines: Vec<_> = self.texts().into_iter().rev().take(5).collect();
        let lines: Vec<_> = lines.iter().map(|line| line.chars().take(80).collect()).collect();
        let lines: Vec<String> = lines.into_iter().rev().collect();
        format!(
            "status {}, {} lines, the last of them {lines:?}; events {:?}; {:?} pending",
            self.status,
            self.lines.len(),
            self.events,
            String::from_utf8_lossy(&self.pending[..self.pending.len().min(200)]),
        )
    }
}

impl Event {
    /// The place that it tells.
    pub fn cursor(&self) -> Option<&str> {
        self.data["cursor"].as_str()
    }
}

impl Line {
    fn of_text(text: String) -> Self {
        let (source, cursor, time, level, id) = Default::default();
        Line { source, cursor, time, level, text, partial: false, id }
    }

    fn of_record(record: &Value, id: Option<String>) -> Self {
        let text = |key: &str| record[key].as_str().map(str::to_owned);
        Line {
            source: text("source"),
            cursor: text("cursor"),
            time: text("time"),
            level: text("level"),
            text: text("line").expect("a record is an event or a line"),
            partial: record["partial"] == true,
            id,
        }
    }
}
