//! [`MisbehavingServer`]: a server that behaves as none of ours does: it answers as it is told, or speaks
//! WebSocket with a library's own server side.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{WebSocket, accept_hdr};

/// A server of odd habits. Its threads end when its connections do.
#[derive(Debug)]
pub struct MisbehavingServer {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl MisbehavingServer {
    /// Calls `answer` with each request's head and its connection, which is closed after it.
    pub fn answering(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (own, answer) = (Arc::clone(&heads), Arc::new(answer));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (heads, answer) = (Arc::clone(&own), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut socket = socket;
                    let head = read_head(&socket);
                    heads.lock().unwrap().push(head.clone());
                    answer(&head, &mut socket);
                });
            }
        });
        MisbehavingServer { address, heads }
    }

    /// Accepts `WebSocket`s and calls `speak` with each, and with the URI that it was asked for.
    pub fn speaking(
        speak: impl Fn(&str, &mut WebSocket<TcpStream>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (own, speak) = (Arc::clone(&heads), Arc::new(speak));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (heads, speak) = (Arc::clone(&own), Arc::clone(&speak));
                std::thread::spawn(move || {
                    let mut uri = String::new();
                    #[expect(clippy::result_large_err, reason = "the library's own signature")]
                    let note = |request: &Request, mut response: Response| {
                        uri = request.uri().to_string();
                        let protocol = request.headers().get("sec-websocket-protocol").cloned();
                        response.headers_mut().insert("sec-websocket-protocol", protocol.unwrap());
                        Ok(response)
                    };
                    let Ok(mut socket) = accept_hdr(socket, note) else { return };
                    heads.lock().unwrap().push(uri.clone());
                    speak(&uri, &mut socket);
                });
            }
        });
        MisbehavingServer { address, heads }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of the requests that have come, or the URIs of its sockets.
    pub fn requests(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The URL of a log on it.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/logs/{name}", self.address)
    }
}

/// Writes a whole answer.
pub fn answer(socket: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // A client that has gone does not mind.
    let _told = socket.write_all(text.as_bytes()).is_ok();
}

fn read_head(socket: &TcpStream) -> String {
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            break;
        }
    }
    head
}
