//! Viewer: one client's stream, from its first byte to its last. It owns everything held for the
//! client; when Rocket drops the stream, for whatever reason, all of it is released.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::follower::{Delivery, EndReason, Follower, PROVEN_BYTES};
use crate::http::admission::AdmissionGuard;
use crate::http::app_state::AppState;
use crate::http::host::ClientAddress;
use crate::http::outlet::Outlet;
use crate::viewer_log::ViewerLog;
use crate::wire::{Encoder, Format};

/// One client's stream.
#[derive(Debug)]
pub struct Viewer {
    follower: Follower,
    encoder: Encoder,
    app: AppState,
    log: ViewerLog,
    peer: Option<SocketAddr>,
    outlet: Outlet,
    /// What is left of a delivery.
    rest: Bytes,
    /// How many bytes were handed over since the connection was last known to have room.
    unwritten: usize,
    n_given: u64,
    /// How many bytes may be handed over before checking that the client reads them.
    part_bytes: usize,
    state: StreamState,
    /// When the client last read what it was given.
    given: Option<Instant>,
    has_stalled: bool,
    _admission: AdmissionGuard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamState {
    New,
    Streaming,
    Ended,
}

impl Viewer {
    /// A stream that begins when it is first polled.
    pub fn new(
        follower: Follower,
        encoder: Encoder,
        app: AppState,
        admission: AdmissionGuard,
        format: Format,
        requested: String,
        client: ClientAddress,
    ) -> Self {
        let peer = client.peer;
        let log = ViewerLog::new(
            format.as_str(),
            requested,
            client.to_string(),
            Arc::clone(&app.metrics),
        );
        let outlet = Outlet::new(Arc::clone(&app.connections), Arc::clone(&app.descriptors), peer);
        Viewer {
            follower,
            encoder,
            app,
            log,
            peer,
            outlet,
            rest: Bytes::new(),
            unwritten: 0,
            n_given: 0,
            part_bytes: FIRST_PART_BYTES,
            state: StreamState::New,
            given: None,
            has_stalled: false,
            _admission: admission,
        }
    }

    /// The next bytes; `None` at the end. Never empty.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.wait_for_client().await;
        if self.rest.is_empty() {
            self.rest = self.next_bytes().await?;
        }
        let bytes = self.take_part();
        self.log.count_bytes(bytes.len());
        self.n_given += bytes.len() as u64;
        self.unwritten += bytes.len();
        self.given = Some(Instant::now());
        Some(bytes)
    }

    /// Waits until the client has read what it was given, but for a bounded rest.
    async fn wait_for_client(&mut self) {
        if self.unwritten >= self.part_bytes {
            let waited = self.outlet.room().await;
            self.unwritten = 0;
            self.part_bytes = self.next_part_bytes(waited);
        }
        self.has_stalled |= self.is_overdue();
    }

    /// As many bytes as may be handed over at once: whole characters, as it may be text.
    fn take_part(&mut self) -> Bytes {
        let is_inside = |at: usize| self.rest.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
        let most = self.part_bytes.min(self.rest.len());
        let at = (0..MAX_CHARACTER_BYTES).find(|n_back| !is_inside(most - n_back));
        self.rest.split_to(most - at.unwrap_or(0))
    }

    /// Little for clients that have yet to show that they read, as that much stays in our memory if
    /// they do not; much for fast clients with a full window, as it takes a moment to notice that
    /// they have read it.
    fn next_part_bytes(&self, waited: Duration) -> usize {
        if self.n_given < PROVEN_BYTES || waited > LONG_WAIT {
            FIRST_PART_BYTES
        } else if waited.is_zero() || waited > SHORT_WAIT {
            self.part_bytes.max(PART_BYTES)
        } else {
            (self.part_bytes * 2).clamp(PART_BYTES, MAX_PART_BYTES)
        }
    }

    async fn next_bytes(&mut self) -> Option<Bytes> {
        if self.state == StreamState::New {
            self.state = StreamState::Streaming;
            self.log.open();
            let start = self.encoder.start(&self.follower);
            if !start.is_empty() {
                return Some(start);
            }
        }
        while self.state == StreamState::Streaming {
            if self.has_stalled {
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

    /// The next delivery; `None` at the end, and when the client disconnects during a search.
    async fn next_delivery(&mut self) -> Option<Delivery> {
        if self.follower.has_caught_up() {
            return self.follower.next().await;
        }
        let delivery = self.app.departures.unless_left(self.peer, self.follower.next()).await;
        delivery.unwrap_or_else(|| {
            self.state = StreamState::Ended;
            None
        })
    }

    fn end(&mut self, reason: EndReason) -> Bytes {
        self.state = StreamState::Ended;
        self.log.end(reason.as_str());
        self.encoder.encode(&Delivery::End(reason), &self.follower)
    }

    /// The client has read nothing for longer than the stall limit. It can be noticed only when it
    /// reads again: until then we are not polled.
    fn is_overdue(&self) -> bool {
        match (self.app.stall_limit, self.given) {
            (Some(limit), Some(given)) => given.elapsed() > limit,
            (Some(_) | None, Some(_) | None) => false,
        }
    }
}

const FIRST_PART_BYTES: usize = 4 * 1024;
const PART_BYTES: usize = 64 * 1024;
const MAX_PART_BYTES: usize = 256 * 1024;
const SHORT_WAIT: Duration = Duration::from_millis(8);
const LONG_WAIT: Duration = Duration::from_millis(100);
const MAX_CHARACTER_BYTES: usize = 4;
