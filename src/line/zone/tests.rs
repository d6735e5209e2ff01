use super::*;
use proptest::prelude::*;

fn berlin(now: &str) -> Zone {
    Zone::at(TimeZone::get("Europe/Berlin").unwrap(), now.parse().unwrap())
}

#[track_caller]
fn check(now: &str, month: u32, day: u32, expected: Option<&str>) {
    let civil = berlin(now).nearest_year(month, day, 12 * HOUR_SECONDS);
    let text = civil.map(|seconds| Timestamp::from_second(seconds).unwrap().to_string());
    assert_eq!(text.as_deref(), expected, "{month}-{day} at {now}");
}

#[test]
fn the_year_is_the_nearest_that_is_not_in_the_future() {
    check("2026-11-21T10:00:00Z", 11, 21, Some("2026-11-21T12:00:00Z"));
    check("2026-11-21T10:00:00Z", 11, 22, Some("2025-11-22T12:00:00Z"));
    check("2026-11-21T11:00:00Z", 11, 22, Some("2026-11-22T12:00:00Z"));
    check("2027-01-01T00:10:00Z", 12, 31, Some("2026-12-31T12:00:00Z"));
    check("2026-12-31T22:00:00Z", 1, 1, Some("2027-01-01T12:00:00Z"));
    check("2026-11-21T10:00:00Z", 2, 29, Some("2024-02-29T12:00:00Z"));
    check("2103-11-21T10:00:00Z", 2, 29, Some("2096-02-29T12:00:00Z"));
    check("2026-11-21T10:00:00Z", 2, 30, None);
    check("2026-11-21T10:00:00Z", 13, 1, None);
}

#[test]
fn an_hour_with_a_change_of_clocks_is_not_remembered() {
    let zone = berlin("2026-11-21T10:00:00Z");
    for (civil, hours) in [
        ("2026-03-29T01:59:59Z", 1),
        ("2026-03-29T02:30:00Z", 1),
        ("2026-03-29T03:00:00Z", 2),
        ("2026-10-25T02:30:00Z", 2),
        ("2026-10-25T03:00:00Z", 1),
        ("2026-10-25T02:30:00Z", 2),
    ] {
        let seconds = civil.parse::<Timestamp>().unwrap().as_second();
        assert_eq!(zone.offset_at(seconds), hours * 3_600, "{civil}");
    }
}

#[test]
fn a_change_of_clocks_within_an_hour_is_seen() {
    let zone = Zone::new(TimeZone::get("Australia/Lord_Howe").unwrap());
    for (civil, minutes) in [("2026-10-04T02:10:00Z", 630), ("2026-10-04T02:40:00Z", 660)] {
        let seconds = civil.parse::<Timestamp>().unwrap().as_second();
        assert_eq!(zone.offset_at(seconds), minutes * 60, "{civil}");
    }
}

proptest! {
    #[test]
    fn what_is_remembered_is_what_the_time_zone_says(
        hours in prop::collection::vec(0_i64..700_000, 1..30),
        second in 0_i64..3_600,
    ) {
        let zone = Zone::new(TimeZone::get("Australia/Lord_Howe").unwrap());
        for hour in hours {
            let civil = hour * HOUR_SECONDS + second;
            for _ in 0..2 {
                prop_assert_eq!(zone.offset_at(civil), zone.looked_up(civil).0);
            }
        }
    }
}
