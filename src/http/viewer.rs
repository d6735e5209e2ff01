//! Viewer: one client's stream, from its first byte to its last. It owns all that the client holds;
//! when Rocket drops the stream, by whatever road, all of it is released.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::follower::{Delivery, EndReason, Follower};
use crate::history::EventKind;
use crate::http::admission::AdmissionGuard;
use crate::http::host::Client;
use crate::http::site::Site;
use crate::metrics::Metrics;
use crate::wire::{Encoder, Format};

/// One client's stream.
#[derive(Debug)]
pub struct Viewer {
    follower: Follower,
    encoder: Encoder,
    site: Site,
    ledger: Ledger,
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

/// Counts what a viewer got, and tells it at the end: one line when it opens, one when it closes.
#[derive(Debug)]
struct Ledger {
    format: Format,
    asked: String,
    client: Client,
    metrics: Arc<Metrics>,
    opened: Option<Instant>,
    n_lines: u64,
    n_bytes: u64,
    reason: &'static str,
}

impl Viewer {
    /// A stream that begins when it is first asked for bytes.
    pub fn new(
        follower: Follower,
        encoder: Encoder,
        site: Site,
        place: AdmissionGuard,
        format: Format,
        asked: String,
        client: Client,
    ) -> Self {
        let ledger = Ledger {
            format,
            asked,
            client,
            metrics: Arc::clone(&site.metrics),
            opened: None,
            n_lines: 0,
            n_bytes: 0,
            reason: "client",
        };
        let (state, given) = (State::New, None);
        Viewer { follower, encoder, site, ledger, state, given, _place: place }
    }

    /// The next bytes; none at the end. Never empty.
    pub async fn next(&mut self) -> Option<Bytes> {
        let bytes = self.next_bytes().await?;
        self.ledger.count_bytes(bytes.len());
        self.given = Some(Instant::now());
        Some(bytes)
    }

    async fn next_bytes(&mut self) -> Option<Bytes> {
        if self.state == State::New {
            self.state = State::Streaming;
            self.ledger.open();
            let start = self.encoder.start(&self.follower);
            if !start.is_empty() {
                return Some(start);
            }
        }
        while self.state == State::Streaming {
            if self.has_stalled() {
                return Some(self.end(EndReason::Limit)).filter(|end| !end.is_empty());
            }
            let Some(delivery) = self.follower.next().await else { break };
            self.ledger.count(&delivery);
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

    fn end(&mut self, reason: EndReason) -> Bytes {
        self.state = State::Ended;
        self.ledger.reason = reason.as_str();
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

impl Ledger {
    fn open(&mut self) {
        self.opened = Some(Instant::now());
        self.metrics.viewers.with_label_values(&[self.format.as_str()]).inc();
        tracing::info!(
            client = %self.client,
            source = %self.asked,
            format = self.format.as_str(),
            "viewer opened"
        );
    }

    fn count(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Lines { track: _, chunk, selection } => {
                let n_lines = match selection {
                    crate::filter::Selection::All => chunk.n_lines(),
                    crate::filter::Selection::Lines(selected) => selected.len(),
                } as u64;
                self.n_lines += n_lines;
                self.metrics.lines_sent.inc_by(n_lines);
            }
            Delivery::Event { track: _, kind: EventKind::Gap { bytes, reason: _ } } => {
                self.metrics.gap_bytes.inc_by(*bytes);
            }
            Delivery::Event { track: _, kind: EventKind::Rotated(_) }
            | Delivery::Heartbeat
            | Delivery::End(_) => {}
        }
    }

    fn count_bytes(&mut self, n_bytes: usize) {
        self.n_bytes += n_bytes as u64;
        self.metrics.bytes_sent.inc_by(n_bytes as u64);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // A stream that was never begun (of HEAD, say) was no viewer.
        let Some(opened) = self.opened else { return };
        self.metrics.viewers.with_label_values(&[self.format.as_str()]).dec();
        self.metrics.viewers_closed.with_label_values(&[self.reason]).inc();
        tracing::info!(
            client = %self.client,
            source = %self.asked,
            format = self.format.as_str(),
            reason = self.reason,
            lines = self.n_lines,
            bytes = self.n_bytes,
            seconds = opened.elapsed().as_secs_f64(),
            "viewer closed"
        );
    }
}
