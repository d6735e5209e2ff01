//! Viewer: one client's stream, from its first byte to its last. It owns all that the client holds;
//! when Rocket drops the stream, by whatever road, all of it is released.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::follower::{Delivery, EndReason, Follower};
use crate::http::admission::AdmissionGuard;
use crate::http::app_state::AppState;
use crate::http::host::Client;
use crate::viewer_log::ViewerLog;
use crate::wire::{Encoder, Format};

/// One client's stream.
#[derive(Debug)]
pub struct Viewer {
    follower: Follower,
    encoder: Encoder,
    site: AppState,
    log: ViewerLog,
    peer: Option<SocketAddr>,
    state: State,
    /// When the client took what it was given last.
    given: Option<Instant>,
    _place: AdmissionGuard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Streaming,
    Ended,
}

impl Viewer {
    /// A stream that begins when it is first asked for bytes.
    pub fn new(
        follower: Follower,
        encoder: Encoder,
        site: AppState,
        place: AdmissionGuard,
        format: Format,
        asked: String,
        client: Client,
    ) -> Self {
        let peer = client.peer;
        let log =
            ViewerLog::new(format.as_str(), asked, client.to_string(), Arc::clone(&site.metrics));
        let (state, given) = (State::New, None);
        Viewer { follower, encoder, site, log, peer, state, given, _place: place }
    }

    /// The next bytes; none at the end. Never empty.
    pub async fn next(&mut self) -> Option<Bytes> {
        let bytes = self.next_bytes().await?;
        self.log.count_bytes(bytes.len());
        self.given = Some(Instant::now());
        Some(bytes)
    }

    async fn next_bytes(&mut self) -> Option<Bytes> {
        if self.state == State::New {
            self.state = State::Streaming;
            self.log.open();
            let start = self.encoder.start(&self.follower);
            if !start.is_empty() {
                return Some(start);
            }
        }
        while self.state == State::Streaming {
            if self.has_stalled() {
                return Some(self.end(EndReason::Limit)).filter(|end| !end.is_empty());
            }
            let Some(delivery) = self.next_delivery().await else { break };
            self.log.count(&delivery);
            if let Delivery::End(reason) = delivery {
                return Some(self.end(reason)).filter(|end| !end.is_empty());
            }
            let bytes = self.encoder.encode(&delivery, &self.follower);
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        None
    }

    /// The next delivery; none at the end, and when the client leaves while lines are searched for.
    async fn next_delivery(&mut self) -> Option<Delivery> {
        if self.follower.has_caught_up() {
            return self.follower.next().await;
        }
        let delivery = self.site.departures.unless_left(self.peer, self.follower.next()).await;
        delivery.unwrap_or_else(|| {
            self.state = State::Ended;
            None
        })
    }

    fn end(&mut self, reason: EndReason) -> Bytes {
        self.state = State::Ended;
        self.log.end(reason.as_str());
        self.encoder.encode(&Delivery::End(reason), &self.follower)
    }

    /// The client has taken nothing for longer than it may. It can be told only when it takes
    /// something again: until then nobody asks us.
    fn has_stalled(&self) -> bool {
        match (self.site.stall_limit, self.given) {
            (Some(limit), Some(given)) => given.elapsed() > limit,
            (Some(_) | None, Some(_) | None) => false,
        }
    }
}
