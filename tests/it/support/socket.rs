//! Socket: a WebSocket client that folds what comes into lines, records and answers.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use super::{DEADLINE, Pipe, Request, TestServer};

/// A client's connection. Dropping it closes the TCP connection without a word.
#[derive(Debug)]
pub struct Socket {
    client: WebSocket<Pipe>,
    pub response: Response,
    /// The records of lines, in order.
    pub lines: Vec<Value>,
    /// Where each batch began, and how many lines it had.
    pub batches: Vec<(String, usize)>,
    /// Records that are no lines.
    pub events: Vec<Value>,
    pub answers: Vec<Value>,
    /// The code and words of the server's close frame.
    pub closed: Option<(CloseCode, String)>,
    pub has_ended: bool,
    /// The greatest message that came.
    pub greatest: usize,
    n_commands: u64,
}

impl Socket {
    /// Opens `path`, as a client that names the subprotocol.
    #[track_caller]
    pub fn open(server: &TestServer, path: &str) -> Self {
        Self::open_with(server, path, &[("sec-websocket-protocol", "tailcast.v1")])
            .expect("the handshake is accepted")
    }

    /// Opens `path` with these headers.
    pub fn open_with(
        server: &TestServer,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<Error>> {
        let request = headers
            .iter()
            .fold(Request::get(path), |request, (name, value)| request.header(name, value));
        Self::attempt(server.address(), &request)
    }

    /// Sends the request as a handshake.
    pub fn attempt(address: SocketAddr, request: &Request) -> Result<Self, Box<Error>> {
        let pipe = Pipe::open(address, request, POLL);
        let pipe = pipe.map_err(|error| Box::new(Error::Io(error)))?;
        let mut attempt = client(request.to_handshake(address), pipe);
        let (socket, response) = loop {
            match attempt {
                Ok(done) => break done,
                Err(tokio_tungstenite::tungstenite::HandshakeError::Interrupted(waiting)) => {
                    attempt = waiting.handshake();
                }
                Err(tokio_tungstenite::tungstenite::HandshakeError::Failure(error)) => {
                    return Err(Box::new(error));
                }
            }
        };
        Ok(Socket {
            client: socket,
            response,
            lines: Vec::new(),
            batches: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            closed: None,
            has_ended: false,
            greatest: 0,
            n_commands: 0,
        })
    }

    /// Takes one message in, if one comes soon.
    pub fn read(&mut self) {
        match self.client.read() {
            Ok(Message::Text(text)) => self.take(text.as_str()),
            Ok(Message::Close(frame)) => {
                self.closed = frame.map(|frame| (frame.code, frame.reason.to_string()));
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(other @ (Message::Binary(_) | Message::Frame(_))) => {
                panic!("the server sends text: {other:?}")
            }
            Err(Error::Io(error)) if is_late(&error) => {}
            Err(_ended) => self.has_ended = true,
        }
    }

    fn take(&mut self, text: &str) {
        self.greatest = self.greatest.max(text.len());
        let mut message: Value = serde_json::from_str(text).expect("a message is JSON");
        if message.get("re").is_some() {
            self.answers.push(message);
        } else if let Some(lines) = message.get_mut("lines").map(Value::take) {
            let Value::Array(lines) = lines else { panic!("lines are a list: {text}") };
            assert!(!lines.is_empty(), "an empty batch");
            let start = message["start"].as_str().expect("a batch has a start").to_owned();
            self.batches.push((start, lines.len()));
            self.lines.extend(lines);
        } else {
            self.events.push(message);
        }
    }

    /// Reads until the condition holds.
    #[track_caller]
    pub fn wait_for(&mut self, mut condition: impl FnMut(&Self) -> bool) -> &mut Self {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < DEADLINE, "waited in vain; {}", self.summary());
            assert!(!self.has_ended, "the connection has ended; {}", self.summary());
            self.read();
        }
        self
    }

    #[track_caller]
    pub fn wait_for_lines(&mut self, n_lines: usize) -> &mut Self {
        self.wait_for(|socket| socket.lines.len() >= n_lines)
    }

    #[track_caller]
    pub fn wait_for_event(&mut self, name: &str) -> Value {
        self.wait_for(|socket| socket.events_named(name).next().is_some());
        self.events_named(name).last().unwrap().clone()
    }

    /// Reads until the server has closed; returns code and words.
    #[track_caller]
    pub fn wait_for_close(&mut self) -> (u16, String) {
        let begun = Instant::now();
        while !self.has_ended {
            assert!(begun.elapsed() < DEADLINE, "not closed; {}", self.summary());
            self.read();
        }
        let (code, words) = self.closed.clone().expect("the server says why it closes");
        (code.into(), words)
    }

    pub fn events_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["event"] == name)
    }

    /// The lines' texts.
    pub fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line["line"].as_str().unwrap()).collect()
    }

    pub fn last_cursor(&self) -> String {
        self.lines.last().unwrap()["cursor"].as_str().unwrap().to_owned()
    }

    /// Sends a command (without its id) and returns the id.
    pub fn send(&mut self, command: &str) -> u64 {
        self.n_commands += 1;
        let mut command: Value = serde_json::from_str(command).expect("a command is JSON");
        command["id"] = self.n_commands.into();
        self.send_text(&command.to_string());
        self.n_commands
    }

    /// Sends a command and reads until it is answered.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> Value {
        let id = self.send(command);
        self.wait_for_answer(id)
    }

    #[track_caller]
    pub fn wait_for_answer(&mut self, id: u64) -> Value {
        let is_it = move |answer: &&Value| answer["re"] == id;
        self.wait_for(|socket| socket.answers.iter().any(|answer| is_it(&answer)));
        self.answers.iter().find(is_it).unwrap().clone()
    }

    pub fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text));
    }

    pub fn send_message(&mut self, message: Message) {
        match self.client.send(message) {
            Ok(()) => {}
            // Pongs that could not be written yet are written later.
            Err(Error::Io(error)) if is_late(&error) => {}
            Err(error) => panic!("a message is sent: {error}"),
        }
    }

    /// The TCP connection, for what no library would send.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.client.get_mut().socket_mut()
    }

    fn summary(&self) -> String {
        let last = self.lines.last();
        format!(
            "{} lines, the last {last:?}; events {:?}; answers {:?}; closed {:?}",
            self.lines.len(),
            self.events,
            self.answers,
            self.closed
        )
    }
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

const POLL: Duration = Duration::from_millis(100);
