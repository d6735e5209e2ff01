use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{LogQuery, Tail, parse};
use crate::line::Zone;

fn query(text: &str) -> Result<LogQuery, String> {
    parse(Some(text), None, &Zone::new(TimeZone::UTC)).map_err(|problem| format!("{problem:?}"))
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let error = query(text).unwrap_err();
    assert!(error.contains(expected), "{text}: {error}");
}

#[test]
fn each_parameter_is_read() {
    let parsed =
        query("tail=5&grep=a+b%2B&follow=false&level=warn&heartbeat=2s&color=false").unwrap();
    assert_eq!(parsed.tail, Some(Tail::Lines(5)));
    assert_eq!(parsed.filter.grep.unwrap().as_str(), "a b+");
    assert_eq!(parsed.follow, Some(false));
    assert!(parsed.is_plain);
    assert_eq!(query("tail=all").unwrap().tail, Some(Tail::All));
    assert!(query("grep=").unwrap().filter.is_empty());
}

#[test]
fn errors_name_the_parameter_and_what_was_expected() {
    check_error("tail=-1", "the parameter `tail` is `-1`, expected a number of lines, or `all`");
    check_error("tial=1", "the parameter `tial` is unknown; expected one of tail, since");
    check_error("tail=1&tail=2", "the parameter `tail` is there twice, expected once");
    check_error("grep=(", "the parameter `grep` is not a regular expression");
    check_error("level=loud", "the parameter `level` is wrong");
    check_error("heartbeat=1h", "the parameter `heartbeat` is `1h`, expected a span from 1s to 5m");
    check_error("heartbeat=x", "the parameter `heartbeat` is not a span");
    check_error("since=yore", "the parameter `since` is not a time");
    check_error("from=abc", "the parameter `from` is not a cursor");
    check_error("format=xml", "the parameter `format` is `xml`, expected one of text, ndjson");
    check_error("follow=maybe", "the parameter `follow` is `maybe`, expected true or false");
    check_error("tail=%ff", "the parameter `tail` has a value that is not UTF-8");
}

#[test]
fn a_place_is_given_once() {
    let cursor = "AQ".to_owned() + &"A".repeat(42);
    check_error(&format!("from={cursor}&tail=5"), "damaged");
}

proptest! {
    #[test]
    fn any_query_is_read_or_refused(text in ".{0,80}") {
        prop_assert!(query(&text).is_ok_and(|_| true) || query(&text).is_err());
    }
}
