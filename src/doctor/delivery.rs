//! Delivery: whether data arrives when it is sent. A heartbeat is requested each second; their
//! arrival times reveal a proxy that buffers.

use std::time::Duration;

use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::doctor::advice::{Fault, ProxyFault};
use crate::doctor::finding::Finding;
use crate::doctor::probe::{AskError, Probe};
use crate::doctor::server::ProbedLog;
use tailcast_client::Seconds;

/// When pieces of a stream arrived, counted from its head.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    pub(super) at: Vec<Duration>,
    /// When the stream ended, if it did.
    pub(super) end: Option<Duration>,
}

impl Arrivals {
    /// Reads for as long.
    pub(super) async fn of(body: &mut Incoming, begun: Instant, span: Duration) -> Self {
        let mut arrivals = Arrivals::default();
        loop {
            match timeout_at(begun + span, body.frame()).await {
                Err(_elapsed) => return arrivals,
                Ok(Some(Ok(frame))) => {
                    if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                        arrivals.at.push(begun.elapsed());
                    }
                }
                Ok(Some(Err(_)) | None) => {
                    arrivals.end = Some(begun.elapsed());
                    return arrivals;
                }
            }
        }
    }

    /// The longest time without a piece, in a stream that was read for `span`.
    pub(super) fn longest_pause(&self, span: Duration) -> Duration {
        let mut before = Duration::ZERO;
        let mut longest = Duration::ZERO;
        for at in self.at.iter().chain([&span]) {
            longest = longest.max(at.saturating_sub(before));
            before = *at;
        }
        longest
    }
}

/// Reads a stream of one format for some heartbeats. `answer_time` is how long a short response
/// takes.
pub(super) async fn measure(
    probe: &Probe,
    log: &ProbedLog,
    format: &'static str,
    answer_time: Duration,
) -> Finding {
    let path = format!("{}&format={format}", log.quiet_stream(Some("1s")));
    // Like a browser that accepts compression.
    let packed = [(header::ACCEPT_ENCODING, "gzip, deflate, br, zstd")];
    let mut answer = match probe.ask(&path, &packed).await {
        Ok(answer) => answer,
        Err(error @ AskError::Silent(_)) => {
            let fault = Fault::ProxyFault(ProxyFault::HoldsBack);
            return Finding::wrong(format, error.to_string(), fault);
        }
        Err(error @ (AskError::Connect(_) | AskError::Request(_) | AskError::Broken(_))) => {
            return Finding::wrong(format, error.to_string(), Fault::Unreachable);
        }
    };
    if answer.status() != StatusCode::OK {
        return not_streamed(format, answer.status());
    }
    let packing = match answer.header(header::CONTENT_ENCODING) {
        "" | "identity" => None,
        packing => Some(packing.to_owned()),
    };
    let mut delay = answer.took.saturating_sub(answer_time);
    let arrivals = Arrivals::of(answer.response.body_mut(), answer.at, SPAN).await;
    // A busy server may be late once; a proxy that holds each piece for a while always is.
    for _ in 0..N_MORE_TRIES {
        if delay > LONGEST_DELAY
            && let Ok(again) = probe.ask(&path, &packed).await
        {
            delay = delay.min(again.took.saturating_sub(answer_time));
        }
    }
    judge(format, &arrivals, delay, packing.as_deref())
}

/// The response is not the requested stream.
pub(super) fn not_streamed(subject: &'static str, status: StatusCode) -> Finding {
    let fault = match status.as_u16() {
        300..=399 | 401 | 403 => Fault::NotAllowed,
        502..=504 => Fault::ProxyFault(ProxyFault::ToNobody),
        _ => Fault::Unreachable,
    };
    Finding::wrong(subject, format!("the stream is answered with {status}"), fault)
}

/// `delay` is how much later than a short response the stream began.
fn judge(
    format: &'static str,
    arrivals: &Arrivals,
    delay: Duration,
    packing: Option<&str>,
) -> Finding {
    let packed = packing.map(|packing| format!(", packed with {packing} on the way"));
    let packed = packed.unwrap_or_default();
    if let Some(end) = arrivals.end {
        let text = format!("the stream was ended after {}{packed}", Seconds(end));
        return Finding::wrong(format, text, Fault::ProxyFault(ProxyFault::Cuts));
    }
    let pause = arrivals.longest_pause(SPAN);
    if pause > LONGEST_PAUSE {
        let text = format!(
            "{} of {N_HEARTBEATS} heartbeats came in {}, none for {}{packed}: it is held back on the way",
            arrivals.at.len().min(N_HEARTBEATS),
            Seconds(SPAN),
            Seconds(pause),
        );
        let proxy_fault = if packing.is_some() { ProxyFault::Packs } else { ProxyFault::HoldsBack };
        return Finding::wrong(format, text, Fault::ProxyFault(proxy_fault));
    }
    if delay > LONGEST_DELAY {
        let text = format!("each piece comes {} ms late{packed}", delay.as_millis());
        return Finding::wrong(format, text, Fault::ProxyFault(ProxyFault::Delays));
    }
    let late = pause.saturating_sub(HEARTBEAT);
    let text = format!("a heartbeat each second, at most {} ms late{packed}", late.as_millis());
    if packing.is_some() { Finding::note(format, text) } else { Finding::well(format, text) }
}

const HEARTBEAT: Duration = Duration::from_secs(1);
const N_HEARTBEATS: usize = 4;
/// The heartbeats, and some time for the last of them.
const SPAN: Duration = Duration::from_millis(4500);
/// A busy machine delays a heartbeat; a buffer holds two.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const N_MORE_TRIES: usize = 4;
const LONGEST_DELAY: Duration = Duration::from_millis(150);

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(at_ms: &[u64], end_ms: Option<u64>, delay_ms: u64) -> String {
        let at = at_ms.iter().copied().map(Duration::from_millis).collect();
        let arrivals = Arrivals { at, end: end_ms.map(Duration::from_millis) };
        format!("{:?}", judge("sse", &arrivals, Duration::from_millis(delay_ms), None))
    }

    #[test]
    fn a_buffer_shows_by_when_heartbeats_come() {
        assert!(verdict(&[2, 1003, 2004, 3005, 4004], None, 3).contains("Well"));
        assert!(verdict(&[1003, 2004, 3400, 4004], None, 3).contains("at most 396 ms late"));
        for at in [&[][..], &[2], &[2, 4200], &[3990, 3991, 3992, 3993], &[2, 1000, 2000]] {
            assert!(verdict(at, None, 3).contains("HoldsBack"), "{at:?}");
        }
        assert!(verdict(&[2, 1003, 2004, 3005, 4004], None, 203).contains("Delays"));
        assert!(verdict(&[2, 1003], Some(1500), 3).contains("Cuts"));
    }
}
