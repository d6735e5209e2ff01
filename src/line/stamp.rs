//! [`CivilTime`]: a time as it stands in a line, in one of the usual notations.
//!
//! Each reader takes the notation from the start of the text and gives back what follows it. It
//! does not look for a stamp: where one may stand is the business of `line::format`.

use crate::line::calendar::{DAY_SECONDS, days_from_civil};
use crate::line::time::{LineTime, SECOND_NANOS};
use crate::line::zone::Zone;

/// A civil time, and its offset if the text has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CivilTime {
    /// Seconds since 1970-01-01T00:00:00 of the same clock.
    civil_seconds: i64,
    nanos: u32,
    offset_seconds: Option<i32>,
}

/// What a reader found and what follows it.
pub(crate) type Parsed<'a, T> = Option<(T, &'a [u8])>;

impl CivilTime {
    /// ISO 8601 and its relatives: `2026-11-21T10:00:00.123456Z`, with `/` for `-`, a space for
    /// `T`, a comma for the point, and a zone of any notation or none.
    #[inline]
    pub(crate) fn iso(text: &[u8]) -> Parsed<'_, CivilTime> {
        let (date, rest) = text.split_first_chunk::<10>()?;
        let &[y0, y1, y2, y3, dash, m0, m1, dash_again, d0, d1] = date;
        if dash != dash_again || !matches!(dash, b'-' | b'/') {
            return None;
        }
        let ([b'T' | b't' | b' '], rest) = rest.split_first_chunk::<1>()? else {
            return None;
        };
        let (second, rest) = clock(rest)?;
        let year = 100 * two(y0, y1)? + two(y2, y3)?;
        let days = days_from_civil(year, two(m0, m1)?, two(d0, d1)?)?;
        Some(CivilTime::finish(days, second, rest))
    }

    /// As Apache and nginx write it in access logs: `21/Nov/2026:10:00:00 +0100`, the zone may be
    /// missing and the first colon a space (Django).
    pub(crate) fn access(text: &[u8]) -> Parsed<'_, CivilTime> {
        let (date, rest) = text.split_first_chunk::<12>()?;
        let &[d0, d1, b'/', n0, n1, n2, b'/', y0, y1, y2, y3, b':' | b' '] = date else {
            return None;
        };
        let (second, rest) = clock(rest)?;
        let year = 100 * two(y0, y1)? + two(y2, y3)?;
        let days = days_from_civil(year, month([n0, n1, n2])?, two(d0, d1)?)?;
        Some(CivilTime::finish(days, second, rest))
    }

    /// As C's `asctime` writes it: `Sat Nov 21 10:00:00.123456 2026`.
    pub(crate) fn asctime(text: &[u8]) -> Parsed<'_, CivilTime> {
        let (&[w0, w1, w2, b' '], rest) = text.split_first_chunk::<4>()? else {
            return None;
        };
        if !matches!(&[w0, w1, w2], b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun") {
            return None;
        }
        let ((month, day), rest) = month_and_day(rest)?;
        let (second, rest) = clock(rest)?;
        let (nanos, rest) = fraction(rest);
        let (&[b' ', y0, y1, y2, y3], rest) = rest.split_first_chunk::<5>()? else {
            return None;
        };
        let days = days_from_civil(100 * two(y0, y1)? + two(y2, y3)?, month, day)?;
        let civil_seconds = days * DAY_SECONDS + i64::from(second);
        Some((CivilTime { civil_seconds, nanos, offset_seconds: None }, rest))
    }

    /// As RFC 3164 writes it: `Nov 21 10:00:00`, the year from the clock; digits below the second
    /// may follow.
    pub(crate) fn syslog<'a>(text: &'a [u8], zone: &Zone) -> Parsed<'a, CivilTime> {
        let ((month, day), rest) = month_and_day(text)?;
        let (second, rest) = clock(rest)?;
        let (nanos, rest) = fraction(rest);
        let civil_seconds = zone.nearest_year(month, day, i64::from(second))?;
        Some((CivilTime { civil_seconds, nanos, offset_seconds: None }, rest))
    }

    /// As klog and glog write it after the letter of the level: `1121 10:00:00.123456`, or with a
    /// year before the month.
    pub(crate) fn klog<'a>(text: &'a [u8], zone: &Zone) -> Parsed<'a, CivilTime> {
        let &[a0, a1, b0, b1, ref after @ ..] = text.first_chunk::<9>()?;
        let (first, second_pair) = (two(a0, a1)?, two(b0, b1)?);
        if let &[b' ', ..] = after {
            let (second, rest) = clock(text.get(5..)?)?;
            let (nanos, rest) = fraction(rest);
            let civil_seconds = zone.nearest_year(first, second_pair, i64::from(second))?;
            return Some((CivilTime { civil_seconds, nanos, offset_seconds: None }, rest));
        }
        let &[m0, m1, d0, d1, b' '] = after else {
            return None;
        };
        let days = days_from_civil(100 * first + second_pair, two(m0, m1)?, two(d0, d1)?)?;
        let (second, rest) = clock(text.get(9..)?)?;
        let (nanos, rest) = fraction(rest);
        let civil_seconds = days * DAY_SECONDS + i64::from(second);
        Some((CivilTime { civil_seconds, nanos, offset_seconds: None }, rest))
    }

    /// The instant, with the server's zone if the text has none.
    #[inline]
    pub(crate) fn time(&self, zone: &Zone) -> Option<LineTime> {
        match self.offset_seconds {
            Some(offset) => self.at_offset(offset),
            None => self.at_offset(zone.offset_at(self.civil_seconds)),
        }
    }

    /// The instant, if the text has a zone.
    pub(crate) fn zoned_time(&self) -> Option<LineTime> {
        self.at_offset(self.offset_seconds?)
    }

    fn at_offset(&self, offset: i32) -> Option<LineTime> {
        let seconds = self.civil_seconds - i64::from(offset);
        let nanos = seconds.checked_mul(SECOND_NANOS)?.checked_add(i64::from(self.nanos))?;
        Some(LineTime::new(nanos, offset))
    }

    /// Reads what may follow the clock: digits below the second, and the zone.
    #[inline]
    fn finish(days: i64, second: u32, rest: &[u8]) -> (CivilTime, &[u8]) {
        let (nanos, rest) = fraction(rest);
        let (offset_seconds, rest) = match offset(rest) {
            Some((offset, rest)) => (Some(offset), rest),
            None => (None, rest),
        };
        let civil_seconds = days * DAY_SECONDS + i64::from(second);
        (CivilTime { civil_seconds, nanos, offset_seconds }, rest)
    }
}

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, whichever puts it
/// between 1973 and 2262; shown in UTC, since it has no zone.
pub(crate) fn epoch(text: &[u8]) -> Option<LineTime> {
    let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(n_digits)?;
    let whole: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (below, rest) = fraction(rest);
    if !rest.is_empty() {
        return None;
    }
    let unit_nanos = match n_digits {
        9..=11 => SECOND_NANOS,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        18..=19 => 1,
        _ => return None,
    };
    let below = i64::from(below) * unit_nanos / SECOND_NANOS;
    Some(LineTime::new(whole.checked_mul(unit_nanos)?.checked_add(below)?, 0))
}

/// `10:00:00` as the second of the day; a leap second counts as the one before it.
#[inline]
fn clock(text: &[u8]) -> Parsed<'_, u32> {
    let (&[h0, h1, b':', m0, m1, b':', s0, s1], rest) = text.split_first_chunk::<8>()? else {
        return None;
    };
    let (hour, minute, second) = (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some((hour * 3_600 + minute * 60 + second.min(59), rest))
}

/// `.123456` or `,123` as nanoseconds; nothing is zero. Digits below the nanosecond are skipped.
#[inline]
fn fraction(text: &[u8]) -> (u32, &[u8]) {
    let Some((b'.' | b',', mut rest)) = text.split_first() else {
        return (0, text);
    };
    let (mut nanos, mut unit) = (0, 1_000_000_000);
    let end_bytes = rest.len().saturating_sub(MAX_FRACTION_DIGITS);
    while rest.len() > end_bytes
        && let Some((digit @ b'0'..=b'9', after)) = rest.split_first()
    {
        unit /= 10;
        nanos += u32::from(digit - b'0') * unit;
        rest = after;
    }
    if unit == 1_000_000_000 { (0, text) } else { (nanos, rest) }
}

/// `Z`, `+01:00`, `+0100`, `+01`, and after a space ` UTC`, ` GMT`, ` Z`, ` +0100`, ` +01:00`.
#[inline]
fn offset(text: &[u8]) -> Parsed<'_, i32> {
    match text {
        [b'Z' | b'z', rest @ ..]
        | [b' ', b'Z', rest @ ..]
        | [b' ', b'U', b'T', b'C', rest @ ..]
        | [b' ', b'G', b'M', b'T', rest @ ..] => at_word_end(0, rest),
        [b'+' | b'-', ..] => numeric_offset(text, true),
        [b' ', signed @ ..] => numeric_offset(signed, false),
        _ => None,
    }
}

/// A sign and an offset; hours alone only where that cannot be a number in the text.
fn numeric_offset(text: &[u8], hours_alone: bool) -> Parsed<'_, i32> {
    let (&[sign @ (b'+' | b'-'), h0, h1], rest) = text.split_first_chunk::<3>()? else {
        return None;
    };
    let (minutes, rest) = match rest {
        [b':', m0, m1, rest @ ..] | [m0 @ b'0'..=b'9', m1, rest @ ..] => (two(*m0, *m1)?, rest),
        rest if hours_alone => (0, rest),
        _ => return None,
    };
    let hours = two(h0, h1)?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    at_word_end(if sign == b'-' { -seconds } else { seconds }, rest)
}

/// The offset, unless a word or number continues after it.
fn at_word_end(offset: i32, rest: &[u8]) -> Parsed<'_, i32> {
    match rest {
        [b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z', ..] => None,
        _ => Some((offset, rest)),
    }
}

/// `Nov 21 ` or `Nov  1 `, with the space after it.
fn month_and_day(text: &[u8]) -> Parsed<'_, (u32, u32)> {
    let (&[n0, n1, n2, b' ', d0, d1, b' '], rest) = text.split_first_chunk::<7>()? else {
        return None;
    };
    let tens = if d0 == b' ' { b'0' } else { d0 };
    Some(((month([n0, n1, n2])?, two(tens, d1)?), rest))
}

fn month(name: [u8; 3]) -> Option<u32> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// The number of two digits.
#[inline]
fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// More digits are not taken for a fraction of a second; no clock writes so many.
const MAX_FRACTION_DIGITS: usize = 32;

#[cfg(test)]
mod tests;
