use super::*;
use proptest::prelude::*;
use std::time::Duration;

const NOW: &str = "2026-11-21T12:34:56.5Z";

fn parse(text: &str) -> Result<When, WhenError> {
    When::parse(text, NOW.parse().unwrap(), &TimeZone::get("Europe/Berlin").unwrap())
}

#[track_caller]
fn check(text: &str, from: &str, to: &str) {
    let when = parse(text).unwrap();
    assert_eq!((when.from.to_string(), when.to.to_string()), (from.to_owned(), to.to_owned()));
}

#[test]
fn a_value_covers_its_whole_unit() {
    check("2026-11-21", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z");
    check("2026-11-21T10:05", "2026-11-21T09:05:00Z", "2026-11-21T09:06:00Z");
    check("2026-11-21 10:05:07", "2026-11-21T09:05:07Z", "2026-11-21T09:05:08Z");
    check("2026-11-21+10:05", "2026-11-21T09:05:00Z", "2026-11-21T09:06:00Z");
    check("2026-11-21T10:05Z", "2026-11-21T10:05:00Z", "2026-11-21T10:06:00Z");
    check("2026-11-21T10:05:07.25Z", "2026-11-21T10:05:07.25Z", "2026-11-21T10:05:07.250000001Z");
    check("2026-11-21T10:05:07+01:00", "2026-11-21T09:05:07Z", "2026-11-21T09:05:08Z");
    check("2026-11-21T10:05:07 01:00", "2026-11-21T09:05:07Z", "2026-11-21T09:05:08Z");
    check("2026-11-21T10:05:07-0330", "2026-11-21T13:35:07Z", "2026-11-21T13:35:08Z");
    check("2026-11-21 10:05:07 UTC", "2026-11-21T10:05:07Z", "2026-11-21T10:05:08Z");
    check(" today ", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z");
    check("Yesterday", "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z");
    check("now", "2026-11-21T12:34:56.5Z", "2026-11-21T12:34:56.500000001Z");
    check("5m", "2026-11-21T12:29:56.5Z", "2026-11-21T12:29:56.500000001Z");
    check("-1h30m", "2026-11-21T11:04:56.5Z", "2026-11-21T11:04:56.500000001Z");
    check("2d", "2026-11-19T12:34:56.5Z", "2026-11-19T12:34:56.500000001Z");
    check("1w", "2026-11-14T12:34:56.5Z", "2026-11-14T12:34:56.500000001Z");
}

#[test]
fn changes_of_clocks_lose_nothing() {
    check("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    check("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    check("2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:31:00Z");
    check("2026-03-29T02:30", "2026-03-29T01:30:00Z", "2026-03-29T01:31:00Z");
}

#[test]
fn nanoseconds_stay_within_64_bits() {
    let day = parse("1970-01-01T00:00Z").unwrap();
    assert_eq!((day.first_nanos(), day.end_nanos()), (0, 60_000_000_000));
    assert_eq!(parse("0001-01-01").unwrap().first_nanos(), i64::MIN);
    assert_eq!(parse("9999-12-31").unwrap().end_nanos(), i64::MAX);
    assert_eq!(parse("9999-12-31T23:59-23:59").unwrap().end_nanos(), i64::MAX);
    assert_eq!(parse("4000000000w").unwrap().first_nanos(), i64::MIN);
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let message = parse(text).unwrap_err().to_string();
    assert!(message.starts_with(expected), "{message}");
    assert!(message.contains("expected "), "{message}");
    assert!(message.len() < 400, "{message}");
}

#[test]
fn an_error_says_what_was_wrong_and_what_was_expected() {
    check_error("", "an empty value is no time: expected RFC 3339");
    check_error("soon", "\"soon\" is no time: ");
    check_error("2026-02-30", "\"2026-02-30\" does not begin with a date that exists");
    check_error("2026-11-2", "\"2026-11-2\" does not begin with a date that exists");
    check_error("2026-11-21T25:00", "\"2026-11-21T25:00\" has no time of day");
    check_error("2026-11-21T10", "\"2026-11-21T10\" has no time of day");
    check_error("2026-11-21T10:00:00.", "\"2026-11-21T10:00:00.\" has no time of day");
    check_error("2026-11-21Z", "\"2026-11-21Z\" has no time of day");
    check_error("2026-11-21T10:00 CET", "\"2026-11-21T10:00 CET\" ends in no zone");
    check_error("2026-11-21T10:00+1", "\"2026-11-21T10:00+1\" ends in no zone");
    check_error("15", "\"15\" has no unit");
    check_error("5y", "\"5y\" has an unknown unit \"y\"");
    check_error("--5m", "\"-5m\" is no span");
    check_error(&"x".repeat(10_000), "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\"");
    check_error(&"5".repeat(10_000), "\"5555");
}

#[track_caller]
fn check_span(text: &str, expected: Duration) {
    assert_eq!(parse_span(text), Ok(expected), "{text}");
}

#[test]
fn a_span_is_the_sum_of_its_parts() {
    check_span("15s", Duration::from_secs(15));
    check_span("1500ms", Duration::from_millis(1_500));
    check_span("5m", Duration::from_secs(300));
    check_span("1h30m", Duration::from_secs(5_400));
    check_span("1w2d3h4m5s6ms", Duration::from_millis(788_645_006));
    check_span("0s", Duration::ZERO);
    for text in ["", "s", "1", "1h30", "1.5h", "1m1h", "5m5m", "5 m", "5µs", "99999999999s", "+5m"]
    {
        assert!(parse_span(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _when = parse(&text).is_ok();
        let _span = parse_span(&text).is_ok();
    }

    #[test]
    fn no_text_like_a_time_panics(
        text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T +]?[0-9:.+Z smhdwé-]{0,20}",
    ) {
        if let Ok(when) = parse(&text) {
            prop_assert!(when.from <= when.to);
            prop_assert!(when.first_nanos() <= when.end_nanos());
        }
    }

    #[test]
    fn what_jiff_prints_is_read(second in -60_000_000_000_i64..250_000_000_000) {
        let instant = Timestamp::from_second(second).unwrap();
        prop_assert_eq!(parse(&instant.to_string()).unwrap().from, instant);
    }
}
