//! The dates that rotators put into names.
//!
//! `YYYYMMDD` or `YYYY-MM-DD`; then nothing, or a time of day (hours; hours and minutes; all
//! three; joined by nothing, `-`, `:` or `_`; a `Z` may follow), or seconds since 1970. A time
//! stands behind `-`, `_` or `T`, or directly behind the eight digits. Seconds since 1970 may
//! also stand alone.

/// Seconds since 1970-01-01 of a date that fills all of `text`, read as if it were UTC.
///
/// Ten digits alone are `YYYYMMDDHH` where that is a time between 1990 and 2100, otherwise seconds
/// since 1970. Where seconds since 1970 follow a date, they alone count.
pub(super) fn seconds(text: &str) -> Option<i64> {
    if text.len() > LONGEST {
        return None;
    }
    let hours = dated(text).filter(|_| text.len() != EPOCH_DIGITS || COMPACT.contains(&year(text)));
    hours.or_else(|| epoch(text))
}

/// Seconds since 1970-01-01 of exactly `YYYYMMDDHH`.
pub(super) fn hour(text: &str) -> Option<i64> {
    let is_hour = text.len() == EPOCH_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    dated(text).filter(|_| is_hour)
}

fn dated(text: &str) -> Option<i64> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 1970..=2199)?;
    let dashed = rest.eat('-');
    let month = rest.digits(2, 1..=12)?;
    if dashed && !rest.eat('-') {
        return None;
    }
    let day = rest.digits(2, 1..=31)?;
    let midnight = days_since_1970(year, month, day) * 86_400;
    if rest.0.is_empty() {
        return Some(midnight);
    }
    let separated = rest.eat('-') || rest.eat('_') || rest.eat('T');
    if !separated && dashed {
        return None;
    }
    match epoch(rest.0) {
        Some(seconds) if separated => Some(seconds),
        _ => Some(midnight + time_of_day(rest)?),
    }
}

fn time_of_day(mut rest: Rest<'_>) -> Option<i64> {
    let mut seconds = rest.digits(2, 0..=23)? * 3600;
    let joint = ['-', ':', '_'].into_iter().find(|joint| rest.0.starts_with(*joint));
    for unit in [60, 1] {
        rest.eat('Z');
        if rest.0.is_empty() {
            return Some(seconds);
        }
        if joint.is_some_and(|joint| !rest.eat(joint)) {
            return None;
        }
        // A leap second is 60.
        seconds += rest.digits(2, 0..=if unit == 1 { 60 } else { 59 })? * unit;
    }
    rest.eat('Z');
    rest.0.is_empty().then_some(seconds)
}

fn epoch(text: &str) -> Option<i64> {
    let is_epoch = text.len() == EPOCH_DIGITS
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_digit());
    if is_epoch { text.parse().ok() } else { None }
}

fn year(text: &str) -> u32 {
    text.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0)
}

/// The civil calendar, after Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn eat(&mut self, expected: char) -> bool {
        let Some(rest) = self.0.strip_prefix(expected) else { return false };
        self.0 = rest;
        true
    }

    /// Exactly `count` digits, and a number in the range.
    fn digits(&mut self, count: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok().filter(|number| range.contains(number))
    }
}

const EPOCH_DIGITS: usize = 10;
const LONGEST: usize = "2026-11-21T10:11:12Z".len() + 1;
const COMPACT: std::ops::RangeInclusive<u32> = 1990..=2100;
