//! Fallback: whether to request a WebSocket, given earlier results.

use std::time::Duration;

use tokio::time::Instant;

use crate::opening::NoWebSocket;
use crate::transport::TransportKind;

/// The results of earlier WebSocket requests.
#[derive(Debug, Default)]
pub(crate) struct Fallback {
    /// When it was refused for good.
    refused: Option<Instant>,
    /// The stream is, or was last, NDJSON.
    is_on: bool,
    /// It was opened, but received nothing.
    mute: Option<String>,
}

impl Fallback {
    /// What to request first.
    pub(crate) fn first(&self) -> TransportKind {
        match self.refused {
            Some(at) if at.elapsed() < AGAIN => TransportKind::Ndjson,
            Some(_) | None => TransportKind::WebSocket,
        }
    }

    /// A stream is open; returns why it is not a WebSocket, if that has changed.
    pub(crate) fn note_opened(
        &mut self,
        kind: TransportKind,
        refused: Option<NoWebSocket>,
    ) -> Option<String> {
        if let Some(refused) = &refused {
            self.refused = refused.is_lasting.then(Instant::now);
        }
        let why = refused.map(|refused| refused.why).or(self.mute.take());
        let was_on = std::mem::replace(&mut self.is_on, kind == TransportKind::Ndjson);
        why.filter(|_| self.is_on && !was_on)
    }

    /// A stream was opened, but received nothing, not even its start.
    pub(crate) fn note_mute(&mut self, why: String) {
        if !self.is_on {
            (self.refused, self.mute) = (Some(Instant::now()), Some(why));
        }
    }
}

/// How long a refused WebSocket is not requested again.
const AGAIN: Duration = Duration::from_secs(600);
