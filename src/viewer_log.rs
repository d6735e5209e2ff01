//! Viewer log: the access log. It counts what a viewer got, and writes one line when the viewer opens
//! and one when it closes, whatever the format.

use std::sync::Arc;

use tokio::time::Instant;

use crate::filter::Selection;
use crate::follower::Delivery;
use crate::history::EventKind;
use crate::metrics::Metrics;

/// One viewer's entry in the access log. It is closed when it is dropped.
#[derive(Debug)]
pub struct ViewerLog {
    format: &'static str,
    requested: String,
    client: String,
    metrics: Arc<Metrics>,
    opened: Option<Instant>,
    n_lines: u64,
    n_bytes: u64,
    reason: &'static str,
}

impl ViewerLog {
    /// An entry that is not opened yet. `format` is one of [`crate::metrics::FORMATS`].
    #[must_use]
    pub fn new(
        format: &'static str,
        requested: String,
        client: String,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (opened, n_lines, n_bytes, reason) = (None, 0, 0, "client");
        ViewerLog { format, requested, client, metrics, opened, n_lines, n_bytes, reason }
    }

    /// Why the viewer ends; one of [`crate::metrics::CLOSE_REASONS`]. By default it is that the
    /// client left.
    pub fn end(&mut self, reason: &'static str) {
        self.reason = reason;
    }

    /// The viewer begins.
    pub fn open(&mut self) {
        self.opened = Some(Instant::now());
        self.metrics.viewers.with_label_values(&[self.format]).inc();
        tracing::info!(
            client = %self.client,
            source = %self.requested,
            format = self.format,
            "viewer opened"
        );
    }

    /// A delivery is handed to it.
    pub fn count(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Lines { source_index: _, chunk, selection } => {
                let n_lines = match selection {
                    Selection::All => chunk.n_lines(),
                    Selection::Lines(selected) => selected.len(),
                } as u64;
                self.n_lines += n_lines;
                self.metrics.lines_sent.inc_by(n_lines);
            }
            Delivery::Event { source_index: _, kind: EventKind::Gap { bytes, reason: _ } } => {
                self.metrics.gap_bytes.inc_by(*bytes);
            }
            Delivery::Event { source_index: _, kind: EventKind::Rotated(_) }
            | Delivery::Joined { source_index: _ }
            | Delivery::Unreadable { source_index: _, reason: _ }
            | Delivery::Heartbeat
            | Delivery::End(_) => {}
        }
    }

    /// Bytes are handed to it, encoded.
    pub fn count_bytes(&mut self, n_bytes: usize) {
        self.n_bytes += n_bytes as u64;
        self.metrics.bytes_sent.inc_by(n_bytes as u64);
    }
}

impl Drop for ViewerLog {
    fn drop(&mut self) {
        // A stream that never began (for a HEAD, say) had no viewer.
        let Some(opened) = self.opened else { return };
        self.metrics.viewers.with_label_values(&[self.format]).dec();
        self.metrics.viewers_closed.with_label_values(&[self.reason]).inc();
        tracing::info!(
            client = %self.client,
            source = %self.requested,
            format = self.format,
            reason = self.reason,
            lines = self.n_lines,
            bytes = self.n_bytes,
            seconds = opened.elapsed().as_secs_f64(),
            "viewer closed"
        );
    }
}
