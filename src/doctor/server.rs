//! Server: whether Tailcast is reached at all, what is in front of it, and which log to measure
//! with.

use std::time::Duration;

use http::StatusCode;
use http::header;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::doctor::advice::{Fault, ProxyFault};
use crate::doctor::finding::Finding;
use crate::doctor::probe::{AskError, Probe, ProbeResponse};
use crate::doctor::proxy::Proxy;
use tailcast_client::ConnectError;
use tailcast_client::SourceList;

/// The result of the first requests.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) proxy: Proxy,
    pub(super) findings: Vec<Finding>,
    /// How long a short response takes at best; `None` if nothing else can be measured.
    pub(super) answer_time: Option<Duration>,
}

/// A log to measure with.
#[derive(Debug)]
pub(super) struct ProbedLog {
    /// As it stands in a path.
    encoded: String,
}

impl ProbedLog {
    /// The path and query of a stream that carries nothing but a heartbeat each second, however much
    /// is written to the log: its pattern matches nothing.
    pub(super) fn quiet_stream(&self, heartbeat: Option<&str>) -> String {
        let heartbeat = heartbeat.map(|span| format!("&heartbeat={span}")).unwrap_or_default();
        format!("/logs/{}?tail=0&grep=a%5E{heartbeat}", self.encoded)
    }
}

/// Checks whether the server is ready.
pub(super) async fn probe_front(probe: &Probe) -> Reached {
    let mut answer_time: Option<Duration> = None;
    let mut last = None;
    for _ in 0..N_QUESTIONS {
        match probe.ask("/readyz", &[]).await {
            Err(error) => return Reached::not(unreachable(&error)),
            Ok(answer) => {
                answer_time = Some(answer_time.map_or(answer.took, |best| best.min(answer.took)));
                last = Some(answer);
            }
        }
    }
    let (Some(answer), Some(took)) = (last, answer_time) else {
        return Reached::not(Finding::wrong("server", "was not asked", Fault::Unreachable));
    };
    let mut proxy = Proxy::in_headers(answer.headers());
    if proxy == Proxy::Unseen {
        proxy = Proxy::in_refusal(probe).await;
    }
    let status = answer.status();
    let location = answer.header(header::LOCATION).to_owned();
    let text = answer.text(MAX_WORDS).await.unwrap_or_default();
    let words = text.lines().next().unwrap_or_default();
    if status != StatusCode::OK || !matches!(words, "ready" | "degraded") {
        let finding = refused(status, &location, words);
        return Reached { proxy, findings: vec![finding], answer_time: None };
    }
    let said = format!("answers in {} ms, {proxy}", took.as_millis());
    let mut findings = vec![match words {
        "ready" => Finding::well("server", said),
        _ => Finding::note("server", format!("{said}; {}", text.trim().replace('\n', ", "))),
    }];
    if let Some(protocol) = probe.protocol().await {
        findings.push(match protocol.as_str() {
            "h2" => Finding::well("protocol", "HTTP/2 over TLS"),
            _ => Finding::note("protocol", "HTTP/1.1 over TLS: a browser keeps 6 streams to a host open at most, with HTTP/2 100"),
        });
    }
    Reached { proxy, findings, answer_time: Some(took) }
}

impl Reached {
    fn not(finding: Finding) -> Self {
        Reached { proxy: Proxy::Unseen, findings: vec![finding], answer_time: None }
    }
}

fn unreachable(error: &AskError) -> Finding {
    let fault = match error {
        AskError::Connect(ConnectError::Untrusted { .. }) => Fault::Untrusted,
        AskError::Connect(_) | AskError::Request(_) | AskError::Broken(_) | AskError::Silent(_) => {
            Fault::Unreachable
        }
    };
    Finding::wrong("server", error.to_string(), fault)
}

fn refused(status: StatusCode, location: &str, words: &str) -> Finding {
    let fault = match status.as_u16() {
        301..=308 => Fault::Moved { to: location.trim_end_matches("readyz").to_owned() },
        401 | 403 | 407 => Fault::NotAllowed,
        404 => Fault::ProxyFault(ProxyFault::Path),
        421 => Fault::UnknownHost,
        502..=504 => Fault::ProxyFault(ProxyFault::ToNobody),
        200 => Fault::SomethingElse,
        _ => Fault::Unreachable,
    };
    let words = if words.is_empty() || words.starts_with('<') {
        String::new()
    } else {
        format!(": {}", words.chars().take(MAX_SHOWN).collect::<String>())
    };
    Finding::wrong("server", format!("/readyz is answered with {status}{words}"), fault)
}

/// The first log of the list.
pub(super) async fn first_log(probe: &Probe) -> Result<ProbedLog, Finding> {
    let wrong = |text: String, fault| Finding::wrong("logs", text, fault);
    let accept = [(header::ACCEPT, "application/json")];
    let answer = probe.ask("/api/sources", &accept).await;
    let answer = answer.map_err(|error| wrong(error.to_string(), Fault::Unreachable))?;
    if answer.status() != StatusCode::OK {
        return Err(not_listed(&answer));
    }
    let text = answer.text(MAX_LIST_BYTES).await;
    let list = text.and_then(|text| {
        serde_json::from_str::<SourceList>(&text).map_err(|error| error.to_string())
    });
    let list = list.map_err(|error| {
        wrong(format!("the list of logs cannot be read: {error}"), Fault::SomethingElse)
    })?;
    let first = list.sources.first().ok_or_else(|| {
        wrong("there is none, so no stream can be measured".to_owned(), Fault::NoLogs)
    })?;
    let parts = first.name.split('/').map(|part| utf8_percent_encode(part, UNRESERVED).to_string());
    Ok(ProbedLog { encoded: parts.collect::<Vec<_>>().join("/") })
}

fn not_listed(answer: &ProbeResponse) -> Finding {
    let status = answer.status();
    let fault = match status.as_u16() {
        // A redirection leads to a login page.
        300..=399 | 401 | 403 => Fault::NotAllowed,
        404 => Fault::ProxyFault(ProxyFault::Path),
        _ => Fault::Unreachable,
    };
    Finding::wrong("logs", format!("the list of logs is answered with {status}"), fault)
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The quickest of some responses is the cost of a request.
const N_QUESTIONS: usize = 3;
const MAX_WORDS: usize = 64 * 1024;
const MAX_SHOWN: usize = 200;
const MAX_LIST_BYTES: usize = 64 << 20;
