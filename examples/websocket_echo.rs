//! An echo behind the code that carries `tailcast.v1`: for test suites that expect one, such as
//! Autobahn's. `cargo run --example websocket_echo -- 127.0.0.1:9001` measures the connection itself
//! ([`Connection`] and [`part`]); the messages of a log have tests of their own.
#![allow(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "it talks to a person; lengths are matched before they are cut"
)]

use std::future::poll_fn;
use std::io;

use anyhow::Context as _;
use tailcast::websocket::connection::{Connection, ConnectionEvent};
use tailcast::websocket::farewell::{Parting, part, parting_of};
use tailcast::websocket::outbox::Outbox;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("expected an address to listen on")?;
    let listener = TcpListener::bind(address).await?;
    println!("echo on ws://{}/", listener.local_addr()?);
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _peer) = accepted?;
                clients.spawn(serve(socket));
            }
            Some(ended) = clients.join_next() => {
                if let Err(error) = ended? {
                    println!("{error}");
                }
            }
        }
    }
}

async fn serve(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let key = read_key(&mut socket).await?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    socket.write_all(answer.as_bytes()).await?;
    // A server of logs sends text alone: binary messages go back past the connection, on a second descriptor.
    let socket = socket.into_std()?;
    let mut aside = TcpStream::from_std(socket.try_clone()?)?;
    let mut connection = Connection::new(TcpStream::from_std(socket)?, MAX_BYTES).await;
    let mut outbox = Outbox::default();
    let parting = loop {
        match poll_fn(|cx| connection.poll_event(cx, &mut outbox)).await {
            ConnectionEvent::Said(Message::Text(text)) => outbox.put_ahead(text.into()),
            ConnectionEvent::Said(Message::Binary(bytes)) => {
                aside.write_all(&binary_frame(&bytes)).await?;
            }
            ConnectionEvent::Said(Message::Close(_)) => break Parting::Answer,
            ConnectionEvent::Said(_) | ConnectionEvent::Sent(..) | ConnectionEvent::Idle => {}
            ConnectionEvent::Closed => break Parting::Gone,
            ConnectionEvent::Broken(error) => break parting_of(&error),
        }
    };
    part(connection, &parting).await;
    Ok(())
}

/// One whole message as a frame (RFC 6455, section 5.2).
fn binary_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82];
    match payload.len() {
        n_bytes @ 0..=125 => frame.push(n_bytes as u8),
        n_bytes @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(n_bytes as u16).to_be_bytes());
        }
        n_bytes => {
            frame.push(127);
            frame.extend_from_slice(&(n_bytes as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// The request's `Sec-WebSocket-Key`.
async fn read_key(socket: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    key.ok_or_else(|| io::Error::other("no Sec-WebSocket-Key"))
}

/// The suite's largest message has 16 MiB.
const MAX_BYTES: usize = 16 << 20;
