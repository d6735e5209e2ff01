//! Doctor: the way to a server, measured from where its viewers are: whether a proxy is reached and
//! forwards requests, whether lines arrive when they are sent, and whether a WebSocket comes
//! through; and which line of the proxy's configuration to change where not. It knows the server
//! only by its responses.

mod advice;
mod delivery;
mod finding;
mod hold;
mod probe;
mod proxy;
mod server;
mod upgrade;

use std::time::Duration;

use tokio::task::JoinSet;

use crate::cli::{CheckArgs, ConnectArgsError};
pub use crate::doctor::finding::Report;
use crate::doctor::probe::Probe;
use tailcast_client::{Target, UrlError};

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// A flag cannot be used.
    #[error(transparent)]
    Arguments(#[from] ConnectArgsError),
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The measuring task has panicked.
    #[error("the server could not be measured: {0}")]
    Failed(String),
}

impl OutsideError {
    /// 2 for wrong usage, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_) | Self::Url(_) => 2,
            Self::Failed(_) => 1,
        }
    }
}

/// Measures the server whose front page is at `url`; takes about 5 s, and the time that
/// `args.hold` says.
pub async fn run(url: &str, args: &CheckArgs) -> Result<Report, OutsideError> {
    let options = args.connect.options(|name| std::env::var(name).ok())?;
    let probe = Probe::new(Target::front(url)?, options);
    let hold = args.hold;
    let mut task = JoinSet::new();
    // TLS makes deep polls and a large future: from the bottom of a stack, and from the heap.
    task.spawn(Box::pin(measure(probe, hold)));
    match task.join_next().await {
        Some(Ok(report)) => Ok(report),
        Some(Err(error)) => Err(OutsideError::Failed(error.to_string())),
        None => Err(OutsideError::Failed("it was given up".to_owned())),
    }
}

async fn measure(probe: Probe, hold: Option<Duration>) -> Report {
    let reached = server::probe_front(&probe).await;
    let mut report = Report::new(probe.front().clone(), reached.proxy, reached.findings);
    let Some(answer_time) = reached.answer_time else { return report };
    let log = match server::first_log(&probe).await {
        Ok(log) => log,
        Err(finding) => {
            report.findings.push(finding);
            return report;
        }
    };
    // One after the other would take four times as long.
    let (text, ndjson, sse, upgrade) = tokio::join!(
        delivery::measure(&probe, &log, "text", answer_time),
        delivery::measure(&probe, &log, "ndjson", answer_time),
        delivery::measure(&probe, &log, "sse", answer_time),
        upgrade::measure(&probe, &log),
    );
    report.findings.extend([text, ndjson, sse, upgrade]);
    if let Some(span) = hold {
        report.findings.push(hold::measure(&probe, &log, span).await);
    }
    report
}
