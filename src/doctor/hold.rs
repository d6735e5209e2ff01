//! Hold: whether a quiet stream stays open with the server's default heartbeat.

use std::time::Duration;

use http::StatusCode;
use http::header;

use crate::doctor::advice::{Fault, ProxyFault};
use crate::doctor::delivery::{Arrivals, not_streamed};
use crate::doctor::finding::Finding;
use crate::doctor::probe::Probe;
use crate::doctor::server::ProbedLog;
use tailcast_client::Seconds;

/// Holds a quiet stream open for as long.
pub(super) async fn measure(probe: &Probe, log: &ProbedLog, span: Duration) -> Finding {
    let accept = [(header::ACCEPT, "text/event-stream")];
    let mut answer = match probe.ask(&log.quiet_stream(None), &accept).await {
        Ok(answer) if answer.status() == StatusCode::OK => answer,
        Ok(answer) => return not_streamed(SUBJECT, answer.status()),
        Err(error) => return Finding::wrong(SUBJECT, error.to_string(), Fault::Unreachable),
    };
    let arrivals = Arrivals::of(answer.response.body_mut(), answer.at, span).await;
    let pause = Seconds(arrivals.longest_pause(arrivals.end.unwrap_or(span)));
    match arrivals.end {
        None => Finding::well(
            SUBJECT,
            format!(
                "a quiet stream stays open for {}, {pause} at most without a byte",
                Seconds(span)
            ),
        ),
        Some(end) => Finding::wrong(
            SUBJECT,
            format!(
                "a quiet stream was ended after {}, {pause} at most without a byte",
                Seconds(end)
            ),
            Fault::ProxyFault(ProxyFault::Cuts),
        ),
    }
}

const SUBJECT: &str = "hold";
