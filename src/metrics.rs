//! Metrics: what the server counts of itself, by the names under which Prometheus reads it.

use std::fmt;

use prometheus::{
    Encoder as _, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// All values of the label `format`.
pub const FORMATS: [&str; 5] = ["text", "ndjson", "sse", "raw", "websocket"];

/// All values of the label `reason` of a closed viewer.
pub const CLOSE_REASONS: [&str; 8] =
    ["client", "eof", "until", "shutdown", "revoked", "limit", "silent", "error"];

/// The server's counters. All of them are there from the start, 0 included.
pub struct Metrics {
    registry: Registry,
    /// Viewers now, by format.
    pub viewers: IntGaugeVec,
    /// Live ends that are being read.
    pub feeds: IntGauge,
    /// Files watched for the live ends.
    pub watches: IntGauge,
    /// Watched files without an event source, which are polled.
    pub polled: IntGauge,
    /// Live ends whose disk has not answered for some seconds.
    pub stalled: IntGauge,
    /// Deleted log files that are kept open for readers who are behind.
    pub deleted_files_held: IntGauge,
    /// Damaged archives that were skipped, counted once for each reader.
    pub damaged: IntCounter,
    /// Sources in the catalog.
    pub sources: IntGauge,
    /// Lines handed to viewers.
    pub lines_sent: IntCounter,
    /// Bytes handed to viewers, encoded.
    pub bytes_sent: IntCounter,
    /// Bytes reported to viewers as gaps.
    pub gap_bytes: IntCounter,
    /// Viewers that have ended, by reason.
    pub viewers_closed: IntCounterVec,
    /// Rotations seen at live ends.
    pub rotations: IntCounter,
    /// Bytes read from log files.
    pub bytes_read: IntCounter,
    /// Failed reads, watches and other operations that are retried.
    pub faults: IntCounter,
    /// Updates of source lists that were encoded, once for all their viewers.
    pub source_events: IntCounter,
    /// Panics anywhere in the process.
    pub panics: IntCounter,
}

impl Metrics {
    /// All counters at 0.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let make = Maker { registry: &registry };
        let metrics = Metrics {
            viewers: make.gauge_vec("tailcast_viewers", "Viewers now.", "format")?,
            feeds: make.gauge("tailcast_feeds", "Live ends that are being read.")?,
            watches: make.gauge("tailcast_watches", "Files watched for the live ends.")?,
            polled: make
                .gauge("tailcast_polled", "Files polled because they cannot be watched.")?,
            deleted_files_held: make
                .gauge("tailcast_deleted_files_held", "Deleted files kept open for readers.")?,
            stalled: make
                .gauge("tailcast_stalled", "Live ends that wait for a disk that is silent.")?,
            sources: make.gauge("tailcast_sources", "Sources in the catalog.")?,
            lines_sent: make.counter("tailcast_lines_sent_total", "Lines handed to viewers.")?,
            bytes_sent: make.counter("tailcast_bytes_sent_total", "Bytes handed to viewers.")?,
            gap_bytes: make.counter("tailcast_gap_bytes_total", "Bytes told as gone.")?,
            viewers_closed: make.counter_vec(
                "tailcast_viewers_closed_total",
                "Viewers that have ended.",
                "reason",
            )?,
            rotations: make.counter("tailcast_rotations_total", "Rotations seen.")?,
            bytes_read: make.counter("tailcast_bytes_read_total", "Bytes read from logs.")?,
            damaged: make.counter(
                "tailcast_damaged_archives_total",
                "Packed files left for their damage.",
            )?,
            faults: make.counter("tailcast_faults_total", "What failed and was tried again.")?,
            source_events: make.counter(
                "tailcast_source_events_total",
                "Changes of the list of sources, written once for all who watch it.",
            )?,
            panics: make.counter("tailcast_panics_total", "Tasks that were ended by a panic.")?,
            registry: Registry::clone(&registry),
        };
        for format in FORMATS {
            metrics.viewers.with_label_values(&[format]).set(0);
        }
        for reason in CLOSE_REASONS {
            metrics.viewers_closed.with_label_values(&[reason]).reset();
        }
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Exports an existing counter.
    pub fn add(&self, counter: IntCounter) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(counter))
    }

    /// Counts each panic of this process from now on, and logs it like any other line. A panic ends
    /// the task or the read that it is in, and nothing else.
    pub fn count_panics(&self) {
        let panics = self.panics.clone();
        std::panic::set_hook(Box::new(move |panic| {
            panics.inc();
            tracing::error!("{panic}");
        }));
    }

    /// The counters in Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// How many viewers there are now, in all formats.
    #[must_use]
    pub fn n_viewers(&self) -> i64 {
        FORMATS.iter().map(|format| self.viewers.with_label_values(&[format]).get()).sum()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("viewers", &self.n_viewers()).finish_non_exhaustive()
    }
}

struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone())).map(|()| gauge)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::new(name, help)?;
        self.registry.register(Box::new(counter.clone())).map(|()| counter)
    }

    fn gauge_vec(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<IntGaugeVec, prometheus::Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
        self.registry.register(Box::new(gauges.clone())).map(|()| gauges)
    }

    fn counter_vec(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
        self.registry.register(Box::new(counters.clone())).map(|()| counters)
    }
}
