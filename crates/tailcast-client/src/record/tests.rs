use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq};

use super::*;

const BATCH: &str = r#"{"lines":[{"source":"a","cursor":"C1","time":"2026-11-21T10:00:00Z","level":"info","line":"one"},{"source":"a","cursor":"C2","line":"t\"w\u00e4\no","partial":true}],"start":"C0"}"#;

fn batch(event: Option<Event>) -> Batch {
    match event {
        Some(Event::Lines(batch)) => batch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_of_lines_is_taken_apart_without_its_strings_being_copied() {
    let batch = batch(parse_message(BATCH.into()).unwrap());
    let records: Vec<_> = batch.records().collect();
    let [one, two] = records.as_slice() else { panic!("{batch:?}") };
    assert_eq!((one.source().as_ref(), one.cursor().as_ref()), ("a", "C1"));
    assert_eq!(one.time().as_deref(), Some("2026-11-21T10:00:00Z"));
    assert_eq!((one.level().as_deref(), one.is_partial()), (Some("info"), false));
    assert!(matches!(one.line(), Cow::Borrowed("one")));
    assert_eq!(two.line(), "t\"wä\no");
    assert_eq!((two.time(), two.level(), two.is_partial()), (None, None, true));
}

#[test]
fn records_are_given_back_byte_for_byte() {
    let whole = batch(parse_message(BATCH.into()).unwrap());
    let json = whole.json().unwrap();
    assert_eq!(json.len(), 2);
    assert!(json.iter().all(|json| BATCH.contains(json) && json.ends_with('}')));
    let lines = format!("{}\n{}\n", json[0], json[1]);
    let events = parse_lines(&lines.as_str().into()).unwrap();
    let [Event::Lines(batch)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(batch.json().unwrap(), json);
    assert_eq!(
        batch.records().map(|record| record.line()).collect::<Vec<_>>(),
        ["one", "t\"wä\no"]
    );
}

#[test]
fn lines_and_events_keep_their_order() {
    let text = "{\"event\":\"start\",\"source\":\"a\",\"cursor\":\"C0\"}\n\
                {\"source\":\"a\",\"cursor\":\"C1\",\"line\":\"x\"}\n\
                {\"event\":\"gap\",\"source\":\"a\",\"cursor\":\"C2\",\"bytes\":7,\"reason\":\"deleted\"}\n\
                {\"event\":\"of the future\",\"source\":3}\n\
                {\"source\":\"a\",\"cursor\":\"C3\",\"line\":\"y\"}\n\
                {\"event\":\"end\",\"source\":\"a\",\"reason\":\"shutdown\",\"cursor\":\"C3\"}\n";
    let text = text.replace(",\"source\":3", "");
    let events = parse_lines(&text.as_str().into()).unwrap();
    let [Event::Start(start), Event::Lines(x), Event::Gap(gap), Event::Lines(y), Event::End(end)] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((start.cursor.as_deref(), start.is_resumable), (Some("C0"), true));
    assert_eq!((x.len(), y.len(), gap.bytes), (1, 1, 7));
    assert_eq!(end.reason, EndReason::Shutdown);
}

#[test]
fn an_answer_is_nothing_to_a_reader_and_nonsense_is_an_error() {
    assert!(parse_message(r#"{"re":1,"ok":true}"#.into()).unwrap().is_none());
    assert!(parse_message(r#"{"lines":[],"start":"C"}"#.into()).unwrap().is_none());
    for nonsense in ["", "hello", "[]", "{}", r#"{"lines":[{"source":"a"}]}"#, r#"{"lines":3}"#] {
        assert!(parse_message(nonsense.into()).is_err(), "{nonsense}");
    }
}

#[test]
fn half_a_surrogate_pair_is_shown_as_it_was_written() {
    assert_eq!(unquoted(r#""a\ud800b""#), r"a\ud800b");
    assert_eq!(unquoted(r#""a\ud83d\ude00b""#), "a😀b");
}

/// As `scan` does it, but with a parser of all JSON.
fn parsed(text: &str) -> Option<Vec<RecordSpans>> {
    let message: RawMessage<'_> = serde_json::from_str(text).ok()?;
    RecordSpans::of_all(&message.lines?, text).ok()
}

fn json_of((line, time, is_partial): &(String, Option<String>, bool)) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let time = time.as_ref().map(|time| format!(",\"time\":{}", quoted(time))).unwrap_or_default();
    let partial = if *is_partial { ",\"partial\":true" } else { "" };
    let line = quoted(line);
    format!("{{\"source\":\"a\",\"cursor\":\"C\"{time},\"line\":{line}{partial}}}")
}

proptest::proptest! {
    #[test]
    fn what_is_scanned_is_what_a_parser_finds(
        lines in vec(any::<(String, Option<String>, bool)>(), 1..5),
    ) {
        let records: Vec<String> = lines.iter().map(json_of).collect();
        let text = format!("{{\"lines\":[{}],\"start\":\"C\"}}", records.join(","));
        let scanned = scan::message(&text);
        prop_assert!(scanned.is_some(), "{text}");
        prop_assert_eq!(scanned, parsed(&text));
        let lines = Utf8Bytes::from(records.join("\n"));
        let events = parse_lines(&lines).unwrap();
        let [Event::Lines(batch)] = events.as_slice() else { panic!("{events:?}") };
        prop_assert_eq!(batch.json().unwrap(), records);
    }

    #[test]
    fn what_is_bent_is_scanned_as_a_parser_finds_it_or_not_at_all(
        at in 0..BATCH.len(),
        bytes in "[\"{}\\[\\]:,\\\\a-e]{0,3}",
        n_cut in 0..9_usize,
    ) {
        let end = (at + n_cut).min(BATCH.len());
        let (before, after) = (BATCH.get(..at).unwrap(), BATCH.get(end..).unwrap());
        let text = format!("{before}{bytes}{after}");
        if let (Some(scanned), Some(parsed)) = (scan::message(&text), parsed(&text)) {
            prop_assert_eq!(scanned, parsed, "{}", text);
        }
    }
}
