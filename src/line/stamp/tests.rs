use super::*;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

#[track_caller]
fn check_iso(text: &str, expected: &str, rest: &str) {
    let (stamp, after) = CivilTime::iso(text.as_bytes()).unwrap();
    assert_eq!(stamp.zoned_time().map_or("-".to_owned(), |time| time.to_string()), expected);
    assert_eq!(after.escape_ascii().to_string(), rest, "{text}");
}

#[test]
fn an_iso_time_is_read_up_to_its_end() {
    check_iso("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z", "");
    check_iso("2026-11-21 10:00:00.1z x", "2026-11-21T10:00:00.100Z", " x");
    check_iso("2026-11-21T10:00:00,1234567891+0100]", "2026-11-21T10:00:00.123456789+01:00", "]");
    check_iso("2026/11/21 10:00:00 GMT x", "2026-11-21T10:00:00Z", " x");
    check_iso("2026-11-21T10:00:00-05 x", "2026-11-21T10:00:00-05:00", " x");
    check_iso("2026-11-21T10:00:00 -05:30x", "-", " -05:30x");
    check_iso("2026-11-21T10:00:00 -5 x", "-", " -5 x");
    check_iso("2026-11-21T10:00:00 -0512345", "-", " -0512345");
    check_iso("2026-11-21T10:00:00. x", "-", ". x");
    check_iso("2026-11-21T10:00:00Zulu", "-", "Zulu");
    check_iso("2026-11-21T10:00:00+24:00", "-", "+24:00");
    check_iso("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", "");
}

#[test]
fn what_is_no_iso_time_is_refused() {
    for text in [
        "",
        "2026-11-21",
        "2026-11-21T",
        "2026-11-21T10:00",
        "2026-11/21T10:00:00",
        "2026-02-29T10:00:00",
        "2026-11-21T10:60:00",
        "2026-11-21T10:00:61",
        "1676-11-21T10:00:00",
        "2263-11-21T10:00:00",
        "x026-11-21T10:00:00",
        "2026-11-21_10:00:00",
    ] {
        assert!(CivilTime::iso(text.as_bytes()).is_none(), "{text}");
    }
    let (past, _) = CivilTime::iso(b"2262-12-31T00:00:00Z").unwrap();
    assert!(past.zoned_time().is_none(), "beyond 64 bits of nanoseconds");
}

#[track_caller]
fn check_epoch(text: &str, expected: Option<i64>) {
    assert_eq!(epoch(text.as_bytes()).map(|time| time.unix_nanos()), expected, "{text}");
}

#[test]
fn an_epoch_number_is_read_in_the_unit_that_fits() {
    check_epoch("1795255200", Some(1_795_255_200_000_000_000));
    check_epoch("1795255200.5", Some(1_795_255_200_500_000_000));
    check_epoch("1795255200123", Some(1_795_255_200_123_000_000));
    check_epoch("1795255200123.5", Some(1_795_255_200_123_500_000));
    check_epoch("1795255200123456", Some(1_795_255_200_123_456_000));
    check_epoch("1795255200123456789", Some(1_795_255_200_123_456_789));
    for text in
        ["", "17", "-1795255200", "1795255200x", "9999999999999999999", "99999999999", "1e9"]
    {
        check_epoch(text, None);
    }
}

proptest! {
    #[test]
    fn no_reader_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let zone = Zone::at(TimeZone::UTC, Timestamp::UNIX_EPOCH);
        let _read = (
            CivilTime::iso(&text).is_some(),
            CivilTime::access(&text).is_some(),
            CivilTime::asctime(&text).is_some(),
            CivilTime::syslog(&text, &zone).is_some(),
            CivilTime::klog(&text, &zone).is_some(),
            epoch(&text).is_some(),
        );
    }
}
