//! Upgrade: whether a WebSocket comes through, and says something.

use std::time::Duration;

use http::StatusCode;
use http::header;
use hyper_util::rt::TokioIo;
use tailcast_core::protocol::SUBPROTOCOL;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use crate::doctor::advice::{Fault, ProxyFault};
use crate::doctor::finding::Finding;
use crate::doctor::probe::{Probe, ProbeResponse};
use crate::doctor::server::ProbedLog;
use tailcast_client::Seconds;

/// Opens a WebSocket as a page of this server does, and waits for its first messages.
pub(super) async fn measure(probe: &Probe, log: &ProbedLog) -> Finding {
    let origin = probe.origin();
    let key = generate_key();
    let handshake = [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
        (header::SEC_WEBSOCKET_KEY, key.as_str()),
        (header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL),
        (header::ORIGIN, origin.as_str()),
    ];
    match probe.ask(&log.quiet_stream(Some("1s")), &handshake).await {
        Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => listen(answer).await,
        Ok(answer) => refused(answer).await,
        Err(error) => Finding::wrong(SUBJECT, error.to_string(), LOST),
    }
}

async fn refused(answer: ProbeResponse) -> Finding {
    let status = answer.status();
    let fault = match status.as_u16() {
        403 => Fault::ProxyFault(ProxyFault::Host),
        401 => Fault::NotAllowed,
        _ => LOST,
    };
    // A 200 response is an endless stream: not even the key has come through.
    let words = match status.is_success() || status == StatusCode::UPGRADE_REQUIRED {
        true => String::new(),
        false => answer.text(MAX_WORDS).await.unwrap_or_default(),
    };
    let words = words.lines().next().filter(|line| !line.starts_with('<')).unwrap_or_default();
    let words: String = words.chars().take(MAX_SHOWN).collect();
    let colon = if words.is_empty() { "" } else { ": " };
    Finding::wrong(SUBJECT, format!("the upgrade is answered with {status}{colon}{words}"), fault)
}

/// The first message is there at once, and a heartbeat after a second.
async fn listen(answer: ProbeResponse) -> Finding {
    let begun = answer.at;
    let (response, driver) = answer.into_parts();
    let mut socket = match hyper::upgrade::on(response).await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => return Finding::wrong(SUBJECT, error.to_string(), LOST),
    };
    let mut buffer = vec![0; 64 * 1024];
    let mut first = None;
    let mut last = begun;
    while last.duration_since(begun) < ENOUGH {
        match timeout_at(begun + PATIENCE, socket.read(&mut buffer)).await {
            Ok(Ok(1..)) => {
                last = Instant::now();
                first = first.or(Some(last));
            }
            Ok(Ok(0) | Err(_)) => {
                let text = format!(
                    "101, and the connection was closed after {}",
                    Seconds(begun.elapsed())
                );
                return Finding::wrong(SUBJECT, text, Fault::ProxyFault(ProxyFault::Cuts));
            }
            Err(_elapsed) => {
                let text = format!("101, and no heartbeat within {}", Seconds(PATIENCE));
                return Finding::wrong(SUBJECT, text, Fault::ProxyFault(ProxyFault::HoldsBack));
            }
        }
    }
    if let Err(error) = socket.write_all(&GOODBYE).await {
        tracing::debug!(%error, "the goodbye could not be sent");
    }
    drop(driver);
    let first = first.unwrap_or(last).duration_since(begun);
    Finding::well(SUBJECT, format!("comes through, first message after {} ms", first.as_millis()))
}

const LOST: Fault = Fault::ProxyFault(ProxyFault::Upgrade);
const SUBJECT: &str = "websocket";
/// By then a heartbeat has come.
const ENOUGH: Duration = Duration::from_millis(800);
const PATIENCE: Duration = Duration::from_secs(4);
/// A frame that closes with 1000, under the mask 0.
const GOODBYE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
const MAX_WORDS: usize = 64 * 1024;
const MAX_SHOWN: usize = 300;
