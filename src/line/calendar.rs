//! Days and dates of the proleptic Gregorian calendar, in plain integers.

/// Seconds of a day without leap seconds.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// Days since 1970-01-01 of a date, or `None` where there is no such date or its year cannot be
/// represented in nanoseconds of 64 bits (1677 to 2262).
///
/// Howard Hinnant's `days_from_civil` (<https://howardhinnant.github.io/date_algorithms.html>),
/// without its eras, which positive years do not need.
pub(crate) fn days_from_civil(year: u32, month: u32, day: u32) -> Option<i64> {
    if !(1677..=2262).contains(&year) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let (march_year, march_month) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let days = 365 * march_year + march_year / 4 - march_year / 100 + march_year / 400;
    Some(i64::from(days + day_of_year) - EPOCH_DAY)
}

/// Year, month and day of a number of days since 1970-01-01, for any day from 0000-03-01 on.
///
/// Cassio Neri and Lorenz Schneider, "Euclidean affine functions and their application to calendar
/// algorithms", Software: Practice and Experience 53 (2023), figure 12.
pub(crate) fn civil_from_days(days: i64) -> (u32, u32, u32) {
    let shifted = u32::try_from(days + EPOCH_DAY).unwrap_or(0);
    let quarter_days = 4 * shifted + 3;
    let century = quarter_days / 146_097;
    let day_of_century = quarter_days % 146_097 / 4;
    let product = 2_939_745 * u64::from(4 * day_of_century + 3);
    let year_of_century = low_half(product >> 32);
    let day_of_year = low_half(product) / 2_939_745 / 4;
    let months = 2_141 * day_of_year + 197_913;
    let (month, day) = (months >> 16, (months & 0xFFFF) / 2_141 + 1);
    let year = 100 * century + year_of_century;
    if day_of_year >= 306 { (year + 1, month - 12, day) } else { (year, month, day) }
}

/// Zero for a month that there is not.
fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
const fn low_half(value: u64) -> u32 {
    value as u32
}

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn every_day_of_six_centuries_is_what_jiff_says() {
        let mut day = date(1677, 1, 1);
        let mut n_days = days_from_civil(1677, 1, 1).unwrap();
        while day.year() < 2263 {
            let civil = (
                u32::try_from(day.year()).unwrap(),
                u32::try_from(day.month()).unwrap(),
                u32::try_from(day.day()).unwrap(),
            );
            assert_eq!(civil_from_days(n_days), civil);
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), Some(n_days));
            day = day.tomorrow().unwrap();
            n_days += 1;
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
    }

    #[test]
    fn a_date_that_does_not_exist_has_no_day() {
        for (year, month, day) in
            [(2025, 2, 29), (2100, 2, 29), (2026, 13, 1), (2026, 0, 1), (2026, 4, 31), (1, 1, 1)]
        {
            assert_eq!(days_from_civil(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
