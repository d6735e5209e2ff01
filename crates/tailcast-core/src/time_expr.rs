//! [`When`]: the moments that `since=` and `until=` name.
//!
//! A value names a stretch of time as long as its last unit: a day, a minute, a second; or one
//! instant. This module knows nothing about lines and requests.

mod span;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

pub use crate::time_expr::span::{SpanError, parse_span};

/// The stretch of time that a value covers: `since` counts from its start, `until` to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl When {
    /// Reads RFC 3339, a date, a date and time down to minutes or seconds (`T`, a space or `+`
    /// between them) with or without zone, a span back from `now` with or without a minus, or one
    /// of `now`, `today`, `yesterday`. What has no zone is in `zone`.
    pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<When, WhenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(WhenError::Empty);
        }
        let today = || zone.to_datetime(now).date();
        if text.eq_ignore_ascii_case("now") {
            return Ok(When::instant(now));
        }
        if text.eq_ignore_ascii_case("today") {
            return Ok(When::day(today(), zone));
        }
        if text.eq_ignore_ascii_case("yesterday") {
            return Ok(When::day(today().yesterday().unwrap_or(Date::MIN), zone));
        }
        if matches!(text.as_bytes(), [_, _, _, _, b'-', ..]) && !text.starts_with('-') {
            return When::dated(text, zone);
        }
        if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            let span = parse_span(text.strip_prefix('-').unwrap_or(text))?;
            let instant = now.checked_sub(SignedDuration::try_from(span).unwrap_or_default());
            return Ok(When::instant(instant.unwrap_or(Timestamp::MIN)));
        }
        Err(WhenError::Unreadable { value: shortened(text) })
    }

    /// Nanoseconds from 1970 to the first instant; before 1677 and after 2262 the nearest
    /// representable value.
    #[must_use]
    pub fn first_nanos(&self) -> i64 {
        unix_nanos(self.from)
    }

    /// Nanoseconds from 1970 to the first instant after it, in the same bounds.
    #[must_use]
    pub fn end_nanos(&self) -> i64 {
        unix_nanos(self.to)
    }

    fn instant(from: Timestamp) -> When {
        When { from, to: later(from, SignedDuration::from_nanos(1)) }
    }

    fn day(date: Date, zone: &TimeZone) -> When {
        let from = moments(DateTime::from_parts(date, Time::midnight()), zone).0;
        let to = date.tomorrow().map_or(Timestamp::MAX, |next| {
            moments(DateTime::from_parts(next, Time::midnight()), zone).0
        });
        When { from, to }
    }

    /// A text that begins like a date.
    fn dated(text: &str, zone: &TimeZone) -> Result<When, WhenError> {
        let no_date = || WhenError::NoSuchDate { value: shortened(text) };
        let (date, rest) = text.split_at_checked(10).ok_or_else(no_date)?;
        let date = read_date(date).ok_or_else(no_date)?;
        if rest.is_empty() {
            return Ok(When::day(date, zone));
        }
        let no_time = || WhenError::NoSuchTime { value: shortened(text) };
        let clock = rest.strip_prefix(['T', 't', ' ', '+']).ok_or_else(no_time)?;
        let is_clock = |c: char| c.is_ascii_digit() || ":.,".contains(c);
        let end = clock.find(|c| !is_clock(c)).unwrap_or(clock.len());
        let (clock, offset) = clock.split_at_checked(end).ok_or_else(no_time)?;
        let (time, unit) = read_clock(clock).ok_or_else(no_time)?;
        let civil = DateTime::from_parts(date, time);
        let (from, last) = if offset.is_empty() {
            moments(civil, zone)
        } else {
            let offset = read_offset(offset)
                .ok_or_else(|| WhenError::NoSuchZone { value: shortened(text) })?;
            let instant = instant_of(civil, offset);
            (instant, instant)
        };
        Ok(When { from, to: later(last, unit) })
    }
}

/// Why a text is not a time. Each message says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// Nothing was given.
    #[error("an empty value is no time: {TIMES}")]
    Empty,
    /// Begins like none of the notations.
    #[error("{value:?} is no time: {TIMES}")]
    Unreadable {
        /// What was given, shortened.
        value: String,
    },
    /// Begins like a date, but is not one.
    #[error("{value:?} does not begin with a date that exists: {TIMES}")]
    NoSuchDate {
        /// What was given, shortened.
        value: String,
    },
    /// What follows the date is not a time of day.
    #[error("{value:?} has no time of day such as 10:05 or 10:05:07 after its date: {TIMES}")]
    NoSuchTime {
        /// What was given, shortened.
        value: String,
    },
    /// What follows the time is not a zone.
    #[error("{value:?} ends in no zone such as Z or +01:00: {TIMES}")]
    NoSuchZone {
        /// What was given, shortened.
        value: String,
    },
    /// Begins like a span, but is not one.
    #[error("{0}; or a date (2026-11-21), a date and time, or RFC 3339")]
    Span(#[from] SpanError),
}

/// The first and the last instant of a civil time: two where clocks are set back over it, and the
/// one after the change where they are set forward over it.
fn moments(civil: DateTime, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let (first, last) = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset, offset),
        AmbiguousOffset::Gap { before, .. } => (before, before),
        AmbiguousOffset::Fold { before, after } => (before, after),
    };
    (instant_of(civil, first), instant_of(civil, last))
}

/// The instant of a civil time, or the last there is: of the years 0000 to 9999 only the end of
/// the last can lie beyond it.
fn instant_of(civil: DateTime, offset: Offset) -> Timestamp {
    offset.to_timestamp(civil).unwrap_or(Timestamp::MAX)
}

/// `2026-11-21`, with nothing else.
fn read_date(text: &str) -> Option<Date> {
    let &[a, b, c, d, b'-', m0, m1, b'-', d0, d1] = text.as_bytes().first_chunk::<10>()? else {
        return None;
    };
    let year = i16::from(two(a, b)?) * 100 + i16::from(two(c, d)?);
    Date::new(year, two(m0, m1)?, two(d0, d1)?).ok()
}

/// A time of the day and the length of its last unit: a minute, a second, or with digits below
/// the second an instant.
fn read_clock(text: &str) -> Option<(Time, SignedDuration)> {
    let (&[h0, h1, b':', m0, m1], rest) = text.as_bytes().split_first_chunk::<5>()? else {
        return None;
    };
    let (hour, minute) = (two(h0, h1)?, two(m0, m1)?);
    let (second, nanos, unit) = match rest {
        [] => (0, 0, SignedDuration::from_mins(1)),
        [b':', s0, s1] => (two(*s0, *s1)?, 0, SignedDuration::from_secs(1)),
        [b':', s0, s1, b'.' | b',', digits @ ..] => {
            (two(*s0, *s1)?, below_second(digits)?, SignedDuration::from_nanos(1))
        }
        _ => return None,
    };
    Some((Time::new(hour, minute, second, nanos).ok()?, unit))
}

/// Nanoseconds; digits beyond them are dropped.
fn below_second(digits: &[u8]) -> Option<i32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0')))
}

/// `Z`, `UTC`, `+01:00`, `+0100`, `+01`; a space may stand before it, and for its plus, which is
/// what form decoding makes of one in a URL.
fn read_offset(text: &str) -> Option<Offset> {
    let trimmed = text.trim_start();
    if ["z", "utc", "gmt"].iter().any(|name| trimmed.eq_ignore_ascii_case(name)) {
        return Some(Offset::UTC);
    }
    let (is_west, digits) = match trimmed.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (hours, minutes) = match digits {
        [h0, h1] => (two(*h0, *h1)?, 0),
        [h0, h1, m0, m1] | [h0, h1, b':', m0, m1] => (two(*h0, *h1)?, two(*m0, *m1)?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::from(hours) * 3_600 + i32::from(minutes) * 60;
    Offset::from_seconds(if is_west { -seconds } else { seconds }).ok()
}

/// The number of two digits.
fn two(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| char::from(byte).to_digit(10);
    i8::try_from(digit(tens)? * 10 + digit(ones)?).ok()
}

fn later(instant: Timestamp, span: SignedDuration) -> Timestamp {
    instant.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn unix_nanos(instant: Timestamp) -> i64 {
    let nanos = instant.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The start of a value, as it is repeated in an error.
fn shortened(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS) {
        None => value.to_owned(),
        Some(_) => value.chars().take(SHOWN_CHARS).chain(['…']).collect(),
    }
}

/// So much of a wrong value is repeated in an error.
const SHOWN_CHARS: usize = 40;

/// What is expected, for every message.
const TIMES: &str = "expected RFC 3339 (2026-11-21T10:00:00+01:00), a date (2026-11-21), a date \
                     and time (2026-11-21T10:05), or a span back from now (5m, 1h30m, 2d)";

#[cfg(test)]
mod tests;
