//! Logging: how many lines of one kind go to standard error. Most lines can be caused by any client, as
//! often as it likes, and an operator has read them after a few. So each kind has a limit per minute for
//! one client, and for all together. What was held back is counted, and reported when the minute is over.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, format};
use tracing_subscriber::registry::LookupSpan;

/// Logs to standard error, in colours if it is a terminal. Returns the counter of suppressed lines.
pub fn start(to_terminal: bool) -> Result<IntCounter, prometheus::Error> {
    let held_back = IntCounter::new(
        "tailcast_log_lines_held_back_total",
        "Lines of the server's own log that were not written, as there were too many alike.",
    )?;
    let limited =
        Limited { inner: format(), minute: Mutex::default(), held_back: held_back.clone() };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(to_terminal)
        .event_format(limited)
        .init();
    Ok(held_back)
}

/// Writes a line as `inner` does, unless it is over a limit.
struct Limited<F> {
    inner: F,
    minute: Mutex<Minute>,
    held_back: IntCounter,
}

/// The counts since the minute began.
#[derive(Default)]
struct Minute {
    begun: Option<Instant>,
    /// For each kind of line, by [`kind`].
    kinds: HashMap<u64, MessageCount>,
    /// For each pair of a kind and a client or source.
    n_alike: HashMap<u64, u32>,
}

#[derive(Default)]
struct MessageCount {
    n_written: u32,
    n_held_back: u64,
    /// The first suppressed line.
    example: String,
}

/// The summary of a kind of line of which some were suppressed.
#[derive(Debug, PartialEq, Eq)]
struct HeldBack {
    n_lines: u64,
    example: String,
}

impl Minute {
    /// Counts a line; returns whether it may be written, and the summary of the minute before if
    /// this is the first line after it.
    fn count(
        &mut self,
        metadata: &Metadata<'_>,
        said: &Said,
        now: Instant,
    ) -> (bool, Vec<HeldBack>) {
        let is_over = |begun: Instant| now.saturating_duration_since(begun) >= MINUTE;
        let held_back = if self.begun.is_none_or(is_over) { self.begin(now) } else { Vec::new() };
        let is_severe = *metadata.level() <= Level::WARN;
        let most_alike = match is_severe {
            true => MAX_SEVERE_ALIKE,
            // Viewers behind an unlisted proxy share one address, and each is admitted.
            false if metadata.target() == VIEWER_LOG => MAX_OF_A_KIND,
            false => MAX_ALIKE,
        };
        let alike = said.hash(kind(metadata), is_severe);
        let may_note = self.n_alike.len() < MAX_NOTED;
        let kind = self.kinds.entry(kind(metadata)).or_default();
        let n_alike = match self.n_alike.get_mut(&alike) {
            Some(n_alike) => n_alike,
            // With so many different ones only the limit of their kind applies.
            None if !may_note => &mut 0,
            None => self.n_alike.entry(alike).or_default(),
        };
        if *n_alike >= most_alike || kind.n_written >= MAX_OF_A_KIND {
            if kind.n_held_back == 0 {
                kind.example.clone_from(&said.message);
            }
            kind.n_held_back += 1;
            return (false, held_back);
        }
        *n_alike += 1;
        kind.n_written += 1;
        (true, held_back)
    }

    fn begin(&mut self, now: Instant) -> Vec<HeldBack> {
        self.begun = Some(now);
        self.n_alike.clear();
        let kinds = self.kinds.drain().map(|(_, kind)| kind);
        let held_back = kinds.filter(|kind| kind.n_held_back > 0);
        held_back
            .map(|MessageCount { n_written: _, n_held_back, example }| HeldBack {
                n_lines: n_held_back,
                example,
            })
            .collect()
    }
}

/// Lines from one place in the code are of one kind.
fn kind(metadata: &Metadata<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.callsite().hash(&mut hasher);
    hasher.finish()
}

/// The client or source that distinguishes a line from others of its kind.
#[derive(Default)]
struct Said {
    message: String,
    client: Option<IpAddr>,
    source: String,
}

impl Said {
    /// Warnings and errors name configured sources; other lines contain names that clients sent.
    fn hash(&self, kind: u64, is_severe: bool) -> u64 {
        let mut hasher = DefaultHasher::new();
        (kind, self.client).hash(&mut hasher);
        if is_severe {
            self.source.hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "source" => self.source = format!("{value:?}"),
            "client" => {
                let text = format!("{value:?}");
                let text = text.trim_matches('"');
                let socket = text.parse().map(|socket: SocketAddr| socket.ip());
                self.client = socket.or_else(|_no_port| text.parse()).ok().map(network_of);
            }
            _other => {}
        }
    }
}

/// A host's address, of IPv6 its /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let (is_written, held_back) = {
            let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
            minute.count(event.metadata(), &said, Instant::now())
        };
        for HeldBack { n_lines, example } in held_back {
            SystemTime.format_time(&mut writer)?;
            writeln!(
                writer,
                "  WARN tailcast::logging: held back {n_lines} lines such as: {example}"
            )?;
        }
        if !is_written {
            self.held_back.inc();
            return Ok(());
        }
        self.inner.format_event(context, writer, event)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The module of the lines that each viewer causes.
const VIEWER_LOG: &str = "tailcast::viewer_log";

/// Lines of one kind and client per minute.
const MAX_ALIKE: u32 = 60;

/// Warnings of one kind, client and source per minute.
const MAX_SEVERE_ALIKE: u32 = 6;

const MAX_OF_A_KIND: u32 = 3000;
const MAX_NOTED: usize = 10_000;
