//! Fallback: whether to ask for a WebSocket, after what has come of it before.

use std::time::Duration;

use tokio::time::Instant;

use crate::opening::NoWebSocket;
use crate::transport::TransportKind;

/// What has come of asking for a WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Fallback {
    /// It was refused then, and not just for the moment.
    refused: Option<Instant>,
    /// The stream is, or was last, NDJSON.
    is_on: bool,
    /// It was given, and then nothing came over it.
    mute: Option<String>,
}

impl Fallback {
    /// What to ask for first.
    pub(crate) fn first(&self) -> TransportKind {
        match self.refused {
            Some(at) if at.elapsed() < AGAIN => TransportKind::Ndjson,
            Some(_) | None => TransportKind::WebSocket,
        }
    }

    /// A stream is open; the reason for its being no WebSocket, if that is news.
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

    /// A stream was open, and nothing came over it, not even its start.
    pub(crate) fn note_mute(&mut self, why: String) {
        if !self.is_on {
            (self.refused, self.mute) = (Some(Instant::now()), Some(why));
        }
    }
}

/// A WebSocket that was refused is not asked for again before this time.
const AGAIN: Duration = Duration::from_secs(600);
