//! [`Zone`]: the server's time zone and clock, for stamps without a zone or year.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::line::calendar::{DAY_SECONDS, civil_from_days, days_from_civil};

/// The server's time zone, with a cache of the offsets of recently used hours, and the clock that
/// gives the year of a time without one.
///
/// Shared freely between threads: the cache is a few independent cells, each valid by itself, so
/// there is no lock and relaxed ordering is enough.
#[derive(Debug)]
pub struct Zone {
    rules: TimeZone,
    /// The offset of a zone that has only one.
    fixed_offset: Option<i32>,
    /// Seconds since the epoch of a clock that stands still.
    standing_now: Option<i64>,
    /// By civil hour modulo their number: the hour and its offset, see [`packed`].
    hours: [AtomicI64; N_HOURS],
}

impl Zone {
    /// A zone with the system's clock.
    #[must_use]
    pub fn new(time_zone: TimeZone) -> Zone {
        let fixed_offset = time_zone.to_fixed_offset().map(Offset::seconds).ok();
        let hours = [const { AtomicI64::new(NOTHING) }; N_HOURS];
        Zone { rules: time_zone, fixed_offset, standing_now: None, hours }
    }

    /// The zone this machine is set to.
    #[must_use]
    pub fn system() -> Zone {
        Zone::new(TimeZone::system())
    }

    /// A zone whose clock stands still at `now`, for tests and for reading old logs.
    #[must_use]
    pub fn at(time_zone: TimeZone, now: Timestamp) -> Zone {
        Zone { standing_now: Some(now.as_second()), ..Zone::new(time_zone) }
    }

    /// The time zone itself.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.rules
    }

    /// Seconds east of Greenwich at a civil time, given as if it were seconds since the epoch in
    /// UTC. Where clocks are set back, the first of the two; where they are set forward, the
    /// offset from before.
    pub(crate) fn offset_at(&self, civil_seconds: i64) -> i32 {
        if let Some(offset) = self.fixed_offset {
            return offset;
        }
        let hour = civil_seconds.div_euclid(HOUR_SECONDS);
        let slot = usize::try_from(hour.rem_euclid(SLOTS)).unwrap_or(0);
        let Some(cell) = self.hours.get(slot) else {
            return self.looked_up(civil_seconds).0;
        };
        unpacked(cell.load(Ordering::Relaxed), hour).unwrap_or_else(|| {
            let (offset, _) = self.looked_up(civil_seconds);
            if self.is_steady(hour, offset) {
                cell.store(packed(hour, offset), Ordering::Relaxed);
            }
            offset
        })
    }

    /// The civil time, as seconds, of a month, day and second of the day in the year that puts it
    /// nearest to now but not more than a day after; `None` for a day that exists in no year.
    pub(crate) fn nearest_year(&self, month: u32, day: u32, second_of_day: i64) -> Option<i64> {
        let latest = self.now_seconds() + DAY_SECONDS;
        let (year, ..) = civil_from_days((latest + DAY_SECONDS).div_euclid(DAY_SECONDS));
        // Eight years: a 29 February may be that far back (1896 to 1904).
        (year.saturating_sub(8)..=year).rev().find_map(|year| {
            let civil = days_from_civil(year, month, day)? * DAY_SECONDS + second_of_day;
            let is_past =
                civil - latest <= DAY_SECONDS && civil - i64::from(self.offset_at(civil)) <= latest;
            is_past.then_some(civil)
        })
    }

    fn now_seconds(&self) -> i64 {
        self.standing_now.unwrap_or_else(|| Timestamp::now().as_second())
    }

    /// The offset, and whether it is the only one at that civil time.
    fn looked_up(&self, civil_seconds: i64) -> (i32, bool) {
        let Ok(instant) = Timestamp::from_second(civil_seconds) else {
            return (0, false);
        };
        let civil = Offset::UTC.to_datetime(instant);
        match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset.seconds(), true),
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => {
                (before.seconds(), false)
            }
        }
    }

    /// Whether the offset holds from the first to the last second of a civil hour.
    fn is_steady(&self, hour: i64, offset: i32) -> bool {
        let first = hour * HOUR_SECONDS;
        self.looked_up(first) == (offset, true)
            && self.looked_up(first + HOUR_SECONDS - 1) == (offset, true)
    }
}

/// An hour and its offset in one number: both are made positive by a bias, the offset takes the
/// low 20 bits.
fn packed(hour: i64, offset: i32) -> i64 {
    ((hour + HOUR_BIAS) << 20) | (i64::from(offset) + OFFSET_BIAS)
}

/// The offset, if the number is of that hour.
fn unpacked(packed: i64, hour: i64) -> Option<i32> {
    if packed >> 20 != hour + HOUR_BIAS {
        return None;
    }
    i32::try_from((packed & 0xF_FFFF) - OFFSET_BIAS).ok()
}

const N_HOURS: usize = 8;
const SLOTS: i64 = 8;
const HOUR_SECONDS: i64 = 3_600;
/// No hour packs to this: [`HOUR_BIAS`] is more than the hours from 1677 to 1970.
const NOTHING: i64 = 0;
const HOUR_BIAS: i64 = 3_000_000;
/// More than any offset that jiff knows, and less than half of 20 bits.
const OFFSET_BIAS: i64 = 200_000;

#[cfg(test)]
mod tests;
