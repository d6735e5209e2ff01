//! How each log writes what happened.

use jiff::Timestamp;
use serde::Serialize;

/// One of the shop's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShopLog {
    /// nginx' access log.
    Web,
    /// The API's, in JSON.
    Api,
    /// The worker's, as text in colours.
    Worker,
}

impl ShopLog {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Web, Self::Api, Self::Worker];

    /// Its file below the demonstration's folder.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Web => "shop/web.log",
            Self::Api => "shop/api.log",
            Self::Worker => "shop/worker.log",
        }
    }
}

/// What is written at one moment into one log: one line or several, without the last newline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogEntry {
    /// When, in milliseconds since 1970.
    pub(super) at: i64,
    /// Where.
    pub(super) log: ShopLog,
    /// What.
    pub(super) text: String,
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// For those who look closely.
    Debug,
    /// What happens all day.
    Info,
    /// What should not happen often.
    Warn,
    /// What should not happen.
    Error,
}

impl Severity {
    /// Its word in the worker's log, in its colour.
    fn coloured(self) -> &'static str {
        match self {
            Self::Debug => "\x1b[2mDEBUG\x1b[0m",
            Self::Info => "\x1b[32mINFO\x1b[0m ",
            Self::Warn => "\x1b[33mWARN\x1b[0m ",
            Self::Error => "\x1b[1;31mERROR\x1b[0m",
        }
    }
}

/// A request as nginx and the API log it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Request {
    /// Its id, which all three logs carry.
    #[serde(rename = "request_id")]
    pub(super) id: String,
    /// The HTTP method.
    pub(super) method: &'static str,
    /// The path with its query.
    pub(super) path: String,
    /// The status of the answer.
    pub(super) status: u16,
    /// How long the answer took, in milliseconds.
    pub(super) duration_ms: i64,
    /// The client, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'static str>,
    /// The visitor's address.
    #[serde(skip)]
    pub(super) address: &'static str,
    /// The visitor's browser.
    #[serde(skip)]
    pub(super) agent: &'static str,
    /// The size of the answer.
    #[serde(skip)]
    pub(super) bytes: i64,
}

/// An API line; the order of the fields is that of the JSON.
#[derive(Serialize)]
struct ApiLine<'a> {
    time: String,
    level: Severity,
    msg: &'a str,
    #[serde(flatten)]
    request: &'a Request,
}

/// The line of nginx' access log, with the request's time and id at the end.
pub(super) fn web(at: i64, request: &Request) -> LogEntry {
    let Request { id, method, path, status, address, agent, bytes, .. } = request;
    let time = moment(at).strftime("%d/%b/%Y:%H:%M:%S +0000");
    let (seconds, rest) = (request.duration_ms / 1000, request.duration_ms % 1000);
    let text = format!(
        "{address} - - [{time}] \"{method} {path} HTTP/2.0\" {status} {bytes} \
         \"https://shop.example/\" \"{agent}\" rt={seconds}.{rest:03} rid={id}"
    );
    LogEntry { at, log: ShopLog::Web, text }
}

/// The API's line about `request`.
pub(super) fn api(at: i64, level: Severity, msg: &str, request: &Request) -> LogEntry {
    let time = iso(at);
    let text = serde_json::to_string(&ApiLine { time, level, msg, request });
    LogEntry { at, log: ShopLog::Api, text: text.unwrap_or_else(|error| error.to_string()) }
}

/// The worker's line; what follows on further lines belongs to it.
pub(super) fn worker(at: i64, level: Severity, message: &str) -> LogEntry {
    let text = format!("{} {} {message}", iso(at), level.coloured());
    LogEntry { at, log: ShopLog::Worker, text }
}

fn iso(at: i64) -> String {
    format!("{:.3}", moment(at))
}

/// Only a time far outside of any clock's range has no moment.
fn moment(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or_default()
}
