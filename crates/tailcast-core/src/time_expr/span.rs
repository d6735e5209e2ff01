//! Spans of time as people write them: `15s`, `1500ms`, `1h30m`.

use std::time::Duration;

use crate::time_expr::shortened;

/// Why a text is not a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing was given.
    #[error("an empty value is no span: {SPANS}")]
    Empty,
    /// A number is missing.
    #[error("{value:?} is no span: {SPANS}")]
    NoNumber {
        /// What was given, shortened.
        value: String,
    },
    /// A number with nothing after it.
    #[error("{value:?} has no unit: {SPANS}")]
    NoUnit {
        /// What was given, shortened.
        value: String,
    },
    /// An unknown unit.
    #[error("{value:?} has an unknown unit {unit:?}: {SPANS}")]
    UnknownUnit {
        /// What was given, shortened.
        value: String,
        /// The unit in it.
        unit: String,
    },
    /// A repeated unit, or a greater one after a smaller one.
    #[error("{value:?} has its units out of order: {SPANS}")]
    Order {
        /// What was given, shortened.
        value: String,
    },
    /// The span is too long.
    #[error("{value:?} is too long a span: {SPANS}")]
    TooLong {
        /// What was given, shortened.
        value: String,
    },
}

/// Reads a span: whole numbers, each with its unit, the greatest first (`1h30m`). Units are `w`,
/// `d` (of 24 hours), `h`, `m`, `s` and `ms`.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SpanError::Empty);
    }
    let value = || shortened(text);
    let mut rest = text;
    let mut span = Duration::ZERO;
    let mut last_unit = Duration::MAX;
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(SpanError::NoNumber { value: value() });
        }
        let (name, after) = split_while(after, |c| !c.is_ascii_digit());
        if name.is_empty() {
            return Err(SpanError::NoUnit { value: value() });
        }
        let unit = unit_of(name)
            .ok_or_else(|| SpanError::UnknownUnit { value: value(), unit: shortened(name) })?;
        if unit >= last_unit {
            return Err(SpanError::Order { value: value() });
        }
        // Digits only, so that more than fits is all that can be wrong.
        let count = digits.parse().ok();
        span = count
            .and_then(|count| unit.checked_mul(count))
            .and_then(|part| span.checked_add(part))
            .ok_or_else(|| SpanError::TooLong { value: value() })?;
        last_unit = unit;
        rest = after;
    }
    Ok(span)
}

fn unit_of(name: &str) -> Option<Duration> {
    Some(match name {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        "d" => Duration::from_secs(86_400),
        "w" => Duration::from_secs(604_800),
        _ => return None,
    })
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let at = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// What is expected, for every message.
const SPANS: &str = "expected a span such as 15s, 1500ms, 5m, 1h30m or 2d";
