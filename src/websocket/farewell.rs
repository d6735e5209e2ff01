//! Farewell: how a connection is closed so that the client receives our close frame, whichever side
//! closes first and whatever is in flight (RFC 6455, section 7.1.1).
//!
//! A socket that is closed while something of the client's is unread is reset by the kernel, and a
//! reset destroys what the client has not read yet. So the close frame goes out, then our side is
//! shut down, and input is read and dropped until the client has closed, too, for a bounded time.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;

use crate::websocket::closing::{Closing, Meaning, meaning};
use crate::websocket::connection::Connection;

/// Why a session has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Parting {
    /// The client has disconnected without a close frame.
    Gone,
    /// The client has closed; the answer to its close frame is being sent.
    Answer,
    /// We close.
    Close(Closing),
}

/// How to close after a connection error.
#[must_use]
pub fn parting_of(error: &Error) -> Parting {
    match meaning(error) {
        Meaning::Gone => Parting::Gone,
        Meaning::Broken(closing) => Parting::Close(closing),
    }
}

/// Sends the close frame and waits for the client to close.
pub async fn part<S: AsyncRead + AsyncWrite + Unpin>(connection: Connection<S>, parting: &Parting) {
    let (patience, closing) = match parting {
        Parting::Gone => return,
        Parting::Answer => (ANSWER_PATIENCE, None),
        Parting::Close(closing) => (CLOSE_PATIENCE, Some(closing)),
    };
    match timeout(patience, say(connection.into_socket(), closing)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client did not take its goodbye"),
        Err(_late) => tracing::debug!("a client takes its goodbye too late"),
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    closing: Option<&Closing>,
) -> Result<(), Error> {
    match closing {
        Some(closing) => {
            socket.close(Some(closing.frame())).await?;
            // Waits for its close frame, if its frames are still valid.
            if *closing != Closing::silent() {
                while let Some(Ok(_message)) = socket.next().await {}
            }
        }
        None => socket.flush().await?,
    }
    let io = socket.get_mut();
    io.shutdown().await?;
    let mut dropped = [0; DROPPED_BYTES];
    while io.read(&mut dropped).await? > 0 {}
    Ok(())
}

/// How long a client has to answer our close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a client that has closed may take to read what was sent before the answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(3);
const DROPPED_BYTES: usize = 2 * 1024;
