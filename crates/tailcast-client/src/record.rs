//! Record: what a server sends, parsed without copying it. A [`Batch`] holds the text as it came
//! and, for each line, where its fields are.

mod scan;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::event::{End, EndReason, Event, Gap, Heartbeat, Rotated, Start};

/// Consecutive lines, as they were received in one message.
#[derive(Clone, Debug)]
pub struct Batch {
    text: Utf8Bytes,
    entries: Vec<RecordSpans>,
}

/// One line, or a piece of a long one.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    text: &'a str,
    entry: &'a RecordSpans,
}

/// The spans of a line record's values, as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct RecordSpans {
    /// The whole record; empty in a message, where it is found on demand.
    record: Span,
    source: Span,
    cursor: Span,
    time: Span,
    level: Span,
    line: Span,
    is_partial: bool,
}

/// A part of a text, in bytes; empty: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Span {
    start: u32,
    end: u32,
}

impl Batch {
    /// How many lines there are, or pieces of them; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The lines.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> + DoubleEndedIterator {
        let text = self.text.as_str();
        self.entries.iter().map(move |entry| Record { text, entry })
    }

    /// The lines as JSON, byte for byte as received.
    pub fn json(&self) -> Result<Vec<&str>, serde_json::Error> {
        let text = self.text.as_str();
        if self.entries.first().is_some_and(|entry| !entry.record.is_empty()) {
            return Ok(self.entries.iter().map(|entry| entry.record.of_text(text)).collect());
        }
        let message: RawLines<'_> = serde_json::from_str(text)?;
        Ok(message.lines.into_iter().map(RawValue::get).collect())
    }
}

impl<'a> Record<'a> {
    /// The source of the line.
    #[must_use]
    pub fn source(&self) -> Cow<'a, str> {
        unquoted(self.raw(self.entry.source))
    }

    /// The cursor after the line, for [`crate::Query::from`].
    #[must_use]
    pub fn cursor(&self) -> Cow<'a, str> {
        unquoted(self.raw(self.entry.cursor))
    }

    /// When it was written, in RFC 3339, if the line states it.
    #[must_use]
    pub fn time(&self) -> Option<Cow<'a, str>> {
        Some(unquoted(self.raw(self.entry.time))).filter(|time| !time.is_empty())
    }

    /// Its severity (`trace` to `fatal`), if the line states it.
    #[must_use]
    pub fn level(&self) -> Option<Cow<'a, str>> {
        Some(unquoted(self.raw(self.entry.level))).filter(|level| !level.is_empty())
    }

    /// The line without its end. What was not UTF-8 in the file is replaced by U+FFFD.
    #[must_use]
    pub fn line(&self) -> Cow<'a, str> {
        unquoted(self.raw(self.entry.line))
    }

    /// Whether the line continues in the next record of this source; the pieces joined are the
    /// line.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.entry.is_partial
    }

    /// The source as JSON: enough to compare the sources of two lines.
    pub(crate) fn raw_source(&self) -> &'a str {
        self.raw(self.entry.source)
    }

    fn raw(&self, span: Span) -> &'a str {
        span.of_text(self.text)
    }
}

/// What stands between the quotes of a JSON string.
fn unquoted(json: &str) -> Cow<'_, str> {
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_str(json) {
        Ok(text) => Cow::Owned(text),
        // An escape that no text can have, half a surrogate pair: kept as it is rather than
        // dropped.
        Err(_half_a_pair) => Cow::Borrowed(inner),
    }
}

/// Why a message cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// It is not JSON, or not of this shape.
    #[error("the server has sent what is no record ({0})")]
    Json(#[from] serde_json::Error),
    /// It has neither lines nor an event.
    #[error("the server has sent a record without a line and without an event")]
    Empty,
    /// It is too long.
    #[error("the server has sent a message of more than 4 GiB")]
    TooLong,
}

/// Parses a WebSocket message; `None` if it has no event.
pub(crate) fn parse_message(text: Utf8Bytes) -> Result<Option<Event>, RecordError> {
    if let Some(entries) = scan::message(&text) {
        return Ok(Some(Event::Lines(Batch { text, entries })));
    }
    let message: RawMessage<'_> = serde_json::from_str(&text)?;
    let entries = match message {
        RawMessage { lines: Some(lines), event: _, re: _ } => RecordSpans::of_all(&lines, &text)?,
        RawMessage { lines: None, event: Some(_), re: _ } => return event(&text),
        RawMessage { lines: None, event: None, re: Some(_) } => return Ok(None),
        RawMessage { lines: None, event: None, re: None } => return Err(RecordError::Empty),
    };
    let is_empty = entries.is_empty();
    Ok(Some(Event::Lines(Batch { text, entries })).filter(|_| !is_empty))
}

/// Parses whole lines of NDJSON.
pub(crate) fn parse_lines(text: &Utf8Bytes) -> Result<Vec<Event>, RecordError> {
    let mut events = Vec::new();
    let mut entries = Vec::new();
    for line in text.as_str().split('\n').filter(|line| !line.is_empty()) {
        if let Some(entry) = scan::line(line, Span::of(line, text)?.start as usize) {
            entries.push(entry);
            continue;
        }
        let record: RawRecord<'_> = serde_json::from_str(line)?;
        if record.event.is_none() {
            entries.push(RecordSpans::of(&record, Span::of(line, text)?, text)?);
            continue;
        }
        if !entries.is_empty() {
            let entries = std::mem::take(&mut entries);
            events.push(Event::Lines(Batch { text: text.clone(), entries }));
        }
        events.extend(event(line)?);
    }
    if !entries.is_empty() {
        events.push(Event::Lines(Batch { text: text.clone(), entries }));
    }
    Ok(events)
}

impl RecordSpans {
    fn of_all(records: &[RawRecord<'_>], text: &str) -> Result<Vec<Self>, RecordError> {
        records.iter().map(|record| Self::of(record, Span::default(), text)).collect()
    }

    fn of(record: &RawRecord<'_>, whole: Span, text: &str) -> Result<Self, RecordError> {
        let span = |value: Option<&RawValue>| {
            value.map_or(Ok(Span::default()), |value| Span::of(value.get(), text))
        };
        Ok(RecordSpans {
            record: whole,
            source: span(record.source)?,
            cursor: span(record.cursor)?,
            time: span(record.time)?,
            level: span(record.level)?,
            line: span(Some(record.line.ok_or(RecordError::Empty)?))?,
            is_partial: record.partial,
        })
    }
}

impl Span {
    fn is_empty(self) -> bool {
        self.start == self.end
    }

    fn of_text(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The span of `part` within `text`.
    fn of(part: &str, text: &str) -> Result<Self, RecordError> {
        let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        let offset = |at: usize| u32::try_from(at).map_err(|_error| RecordError::TooLong);
        Ok(Span { start: offset(start)?, end: offset(start + part.len())? })
    }
}

/// A record that is not a line; `None` if its kind is unknown.
fn event(json: &str) -> Result<Option<Event>, RecordError> {
    let record: RawEvent = serde_json::from_str(json)?;
    Ok(match record.event.as_str() {
        "start" => Some(Event::Start(Start {
            source: record.source,
            cursor: record.cursor,
            sources: record.sources,
            is_resumable: record.resumable,
        })),
        "heartbeat" => Some(Event::Heartbeat(Heartbeat {
            cursor: record.cursor,
            size: record.size,
            modified: record.modified,
            behind: record.behind,
        })),
        "gap" => Some(Event::Gap(Gap {
            source: record.source,
            cursor: record.cursor,
            bytes: record.bytes,
            reason: record.reason,
            json: json.to_owned(),
        })),
        "rotated" => Some(Event::Rotated(Rotated {
            source: record.source,
            cursor: record.cursor,
            how: record.how,
            json: json.to_owned(),
        })),
        "end" => {
            Some(Event::End(End { reason: EndReason::from(record.reason), cursor: record.cursor }))
        }
        _ => None,
    })
}

/// A WebSocket message: lines, another record, or an answer to a command.
#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow)]
    lines: Option<Vec<RawRecord<'a>>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    re: Option<&'a RawValue>,
}

/// A record; a line has a `line`.
#[derive(Deserialize)]
struct RawRecord<'a> {
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    level: Option<&'a RawValue>,
    #[serde(borrow)]
    line: Option<&'a RawValue>,
    #[serde(default)]
    partial: bool,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawLines<'a> {
    #[serde(borrow)]
    lines: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawEvent {
    event: String,
    #[serde(default)]
    source: String,
    cursor: Option<String>,
    sources: Option<Vec<String>>,
    #[serde(default = "yes")]
    resumable: bool,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    how: String,
    #[serde(default)]
    size: u64,
    modified: Option<String>,
    #[serde(default)]
    behind: u64,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
