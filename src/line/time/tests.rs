use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(unix_nanos: i64, offset_seconds: i32, expected: &str) {
    let time = LineTime::new(unix_nanos, offset_seconds);
    assert_eq!(time.to_string(), expected);
    let read = LineTime::parse_rfc3339(expected.as_bytes()).unwrap();
    assert_eq!(read.unix_nanos(), unix_nanos);
    assert_eq!(read.offset_seconds(), time.offset_seconds());
}

#[test]
fn a_time_is_printed_with_the_digits_it_takes() {
    check(0, 0, "1970-01-01T00:00:00Z");
    check(-1, 0, "1969-12-31T23:59:59.999999999Z");
    check(1_795_255_200_123_000_000, 0, "2026-11-21T10:00:00.123Z");
    check(1_795_255_200_000_001_000, 0, "2026-11-21T10:00:00.000001Z");
    check(1_795_255_200_000_000_010, 0, "2026-11-21T10:00:00.000000010Z");
    check(1_795_255_200_000_000_000, 3_600, "2026-11-21T11:00:00+01:00");
    check(1_795_255_200_000_000_000, -12_600, "2026-11-21T06:30:00-03:30");
    check(1_795_255_200_000_000_000, 3_659, "2026-11-21T11:00:00+01:00");
    check(1_795_255_200_000_000_000, 50_400, "2026-11-22T00:00:00+14:00");
}

#[test]
fn order_and_equality_are_those_of_the_instant() {
    let earlier = LineTime::new(1, 3_600);
    let later = LineTime::new(2, -3_600);
    assert!(earlier < later);
    assert_eq!(later, LineTime::new(2, 0));
    assert!(size_of::<LineTime>() <= 16);
    assert_eq!(LineTime::from(Timestamp::MAX).unix_nanos(), i64::MAX);
    assert_eq!(LineTime::from(Timestamp::MIN).unix_nanos(), i64::MIN);
    assert_eq!(LineTime::from(Timestamp::UNIX_EPOCH).to_string(), "1970-01-01T00:00:00Z");
}

#[test]
fn only_a_whole_rfc3339_time_is_read() {
    for text in ["", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21T10:00:00Z ", "x"] {
        assert!(LineTime::parse_rfc3339(text.as_bytes()).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(
        nanos in i64::MIN + SECOND_NANOS..=i64::MAX,
        minutes in -1_439..=1_439_i32,
    ) {
        let time = LineTime::new(nanos, minutes * 60);
        let mut text = Vec::new();
        time.write_rfc3339(&mut text);
        prop_assert!(text.len() <= RFC3339_BYTES);
        let read = LineTime::parse_rfc3339(&text).unwrap();
        prop_assert_eq!(read.unix_nanos(), nanos);
        prop_assert_eq!(read.offset_seconds(), minutes * 60);
        let peer: Timestamp = std::str::from_utf8(&text).unwrap().parse().unwrap();
        prop_assert_eq!(peer.as_nanosecond(), i128::from(nanos));
    }

    #[test]
    fn any_instant_and_offset_is_printed(nanos: i64, offset: i32) {
        prop_assert!(LineTime::new(nanos, offset).to_string().len() <= RFC3339_BYTES);
    }
}
