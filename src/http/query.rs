//! Query: what a URL asks for, checked. The same parameters mean the same in every format; an
//! unknown, repeated or invalid one is an error that names it.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use rocket::http::RawStr;

use crate::cursor::{Cursor, parse_set};
use crate::filter::{Filter, compile};
use crate::http::problem::{Problem, printable};
use crate::line::{Level, Zone};
use crate::source::MAX_OLDER_LINES;
use crate::wire::Format;
use tailcast_core::time_expr::{When, parse_span};

/// A URL's parameters.
#[derive(Debug, Default)]
pub struct LogQuery {
    /// The requested format.
    pub format: Option<Format>,
    /// How many past lines to send.
    pub tail: Option<Tail>,
    /// Which lines; `since` and `until` among it.
    pub filter: Filter,
    /// Start after these cursors.
    pub from: Option<Vec<Cursor>>,
    /// Only the lines before these cursors.
    pub before: Option<Vec<Cursor>>,
    /// Follow the live end.
    pub follow: Option<bool>,
    /// The heartbeat interval.
    pub heartbeat: Option<Duration>,
    /// Prefix each line of text with its time.
    pub timestamps: bool,
    /// Strip escape sequences from text.
    pub is_plain: bool,
}

/// How many past lines to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// All of them.
    All,
    /// The last ones that pass the filter.
    Lines(u64),
}

/// Reads a query. `resume` is the `Last-Event-ID` header, which beats the places in the URL.
pub fn parse(query: Option<&str>, resume: Option<&str>, zone: &Zone) -> Result<LogQuery, Problem> {
    let pairs = decode(query.unwrap_or_default())?;
    let mut parsed = LogQuery::default();
    for (name, value) in &pairs {
        parsed.take(name, value, zone)?;
    }
    let named = |key: &str| pairs.iter().any(|(name, _)| name == key);
    if let Some(id) = resume {
        let cursors = parse_set(id).map_err(|error| Problem::parameter("Last-Event-ID", error))?;
        (parsed.from, parsed.tail) = (Some(cursors), None);
        // A resumed stream is past `since` already.
        parsed.filter.since = None;
        return Ok(parsed);
    }
    let from = if named("from") { "from" } else { "last_event_id" };
    if parsed.from.is_some() {
        if named("from") && named("last_event_id") {
            return Err(Problem::parameter("last_event_id", "is another name of `from`: give one"));
        }
        if let Some(other) = ["tail", "since"].into_iter().find(|other| named(other)) {
            let what = format!("names the place to begin and so does `{other}`: give one of them");
            return Err(Problem::parameter(from, what));
        }
    }
    if parsed.before.is_some() {
        parsed.check_before()?;
    }
    Ok(parsed)
}

impl LogQuery {
    /// A page of the past is bounded, and is not followed.
    fn check_before(&self) -> Result<(), Problem> {
        if self.follow == Some(true) {
            let what = "asks for lines of the past, which cannot be followed: leave out `follow`";
            return Err(Problem::parameter("before", what));
        }
        if self.from.is_some() || self.filter.since.is_some() {
            let what = "names where to end: it goes with `tail`, not with `from` or `since`";
            return Err(Problem::parameter("before", what));
        }
        match self.tail {
            None => Ok(()),
            Some(Tail::Lines(n_lines)) if (1..=MAX_OLDER_LINES as u64).contains(&n_lines) => Ok(()),
            Some(Tail::All | Tail::Lines(_)) => {
                let what = format!("is wrong beside `before`, expected 1 to {MAX_OLDER_LINES}");
                Err(Problem::parameter("tail", what))
            }
        }
    }

    fn take(&mut self, name: &str, value: &str, zone: &Zone) -> Result<(), Problem> {
        let wrong = |expected: &str| {
            let shown = printable(value);
            Problem::parameter(name, format!("is `{shown}`, expected {expected}"))
        };
        let when = || {
            When::parse(value, Timestamp::now(), zone.time_zone())
                .map_err(|error| Problem::parameter(name, format!("is not a time: {error}")))
        };
        let pattern = || match value {
            "" => Ok(None),
            pattern => compile(pattern).map(Some).map_err(|error| Problem::parameter(name, error)),
        };
        match name {
            "tail" if value == "all" => self.tail = Some(Tail::All),
            "tail" => {
                let lines =
                    value.parse().map_err(|_no_number| wrong("a number of lines, or `all`"))?;
                self.tail = Some(Tail::Lines(lines));
            }
            "since" => self.filter.since = Some(when()?.first_nanos()),
            "until" => self.filter.until = Some(when()?.end_nanos()),
            "from" | "last_event_id" => {
                let cursors = parse_set(value).map_err(|error| Problem::parameter(name, error))?;
                self.from = Some(cursors);
            }
            "before" => {
                let cursors = parse_set(value).map_err(|error| Problem::parameter(name, error))?;
                self.before = Some(cursors);
            }
            "follow" => self.follow = Some(boolean(value).ok_or_else(|| wrong(BOOLEAN))?),
            "grep" => self.filter.grep = pattern()?,
            "exclude" => self.filter.exclude = pattern()?,
            "level" if value.is_empty() => self.filter.level = None,
            "level" => {
                let level: Result<Level, _> = value.parse();
                self.filter.level = Some(
                    level
                        .map_err(|error| Problem::parameter(name, format!("is wrong: {error}")))?,
                );
            }
            "heartbeat" => {
                let span = parse_span(value).map_err(|error| wrong_span(name, &error))?;
                if !HEARTBEATS.contains(&span) {
                    return Err(wrong("a span from 1s to 5m"));
                }
                self.heartbeat = Some(span);
            }
            "format" => {
                let format = value.parse();
                self.format = Some(format.map_err(|()| wrong("one of text, ndjson, sse, raw"))?);
            }
            "timestamps" => self.timestamps = boolean(value).ok_or_else(|| wrong(BOOLEAN))?,
            "color" => self.is_plain = !boolean(value).ok_or_else(|| wrong(BOOLEAN))?,
            _ => {
                let what = format!("is unknown; expected one of {}", NAMES.join(", "));
                return Err(Problem::parameter(&printable(name), what));
            }
        }
        Ok(())
    }
}

fn wrong_span(name: &str, error: &tailcast_core::time_expr::SpanError) -> Problem {
    Problem::parameter(name, format!("is not a span: {error}"))
}

/// The names and values, decoded; a name may stand there once.
fn decode(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let text = |raw: &str| RawStr::new(raw).url_decode().map(Cow::into_owned);
        let name = text(name).map_err(|_not_text| {
            Problem::parameter(&printable(name), "has a name that is not UTF-8")
        })?;
        let value = text(value).map_err(|_not_text| {
            Problem::parameter(&printable(&name), "has a value that is not UTF-8")
        })?;
        if pairs.iter().any(|(other, _)| *other == name) {
            return Err(Problem::parameter(&printable(&name), "is there twice, expected once"));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn boolean(value: &str) -> Option<bool> {
    match value {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

const BOOLEAN: &str = "true or false";
const HEARTBEATS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(300);
const NAMES: [&str; 14] = [
    "tail",
    "since",
    "until",
    "from",
    "last_event_id",
    "before",
    "follow",
    "grep",
    "exclude",
    "level",
    "heartbeat",
    "format",
    "timestamps",
    "color",
];

#[cfg(test)]
mod tests;
