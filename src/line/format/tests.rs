use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const NOON: &str = "2026-11-21T12:00:00Z";

fn berlin() -> Zone {
    Zone::at(TimeZone::get("Europe/Berlin").unwrap(), NOON.parse().unwrap())
}

/// `expected` is time and level with a space between, `-` for what is missing.
#[track_caller]
fn check(line: impl AsRef<[u8]>, expected: &str) {
    let line = line.as_ref();
    let found = metadata(line, &berlin());
    let time = found.time.map_or("-".to_owned(), |time| time.to_string());
    let level = found.level.map_or("-", Level::as_str);
    assert_eq!(format!("{time} {level}"), expected, "{}", line.escape_ascii());
}

#[test]
fn a_line_led_by_an_iso_time_tells_time_and_level() {
    check("2026-11-21T10:00:00Z INFO up", "2026-11-21T10:00:00Z info");
    check("2026-11-21T10:00:00.123Z [main] ERROR down", "2026-11-21T10:00:00.123Z error");
    check("2026-11-21 10:00:00,123 - app - WARNING - x", "2026-11-21T10:00:00.123+01:00 warn");
    check("2026-11-21 10:00:00 +0200 [error] x", "2026-11-21T10:00:00+02:00 error");
    check("2026-11-21 10:00:00.5+02 LOG:  x", "2026-11-21T10:00:00.500+02:00 info");
    check("2026-11-21 10:00:00.123 CET [1] LOG:  x", "2026-11-21T10:00:00.123+01:00 info");
    check("2026-11-21 10:00:00 UTC [1] FATAL:  x", "2026-11-21T10:00:00Z fatal");
    check("2026-07-21T10:00:00 summer", "2026-07-21T10:00:00+02:00 -");
    check("2026-11-21T10:00:00-0330 x", "2026-11-21T10:00:00-03:30 -");
    check("[2026-11-21T10:00:00.123Z] warn: x", "2026-11-21T10:00:00.123Z warn");
    check("[2026-11-21 10:00:00,123: INFO/Main] x", "2026-11-21T10:00:00.123+01:00 info");
    check("2026-11-21T10:00:00Z level=warn msg=x", "2026-11-21T10:00:00Z warn");
    check("2026-11-21T10:00:00Z {\"level\":\"error\"}", "2026-11-21T10:00:00Z error");
    check("\u{feff}2026-11-21T10:00:00Z INFO x", "2026-11-21T10:00:00Z info");
    check("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z -");
    check("INFO  [2026-11-21 10:00:00,123] x", "2026-11-21T10:00:00.123+01:00 info");
    check("[WARN ] 2026-11-21T10:00:00Z x", "2026-11-21T10:00:00Z warn");
    check("2026-13-21T10:00:00Z x", "- -");
    check("2026-11-21T24:00:00Z x", "- -");
}

#[test]
fn colours_are_passed_over() {
    check(
        "\x1b[2m2026-11-21T10:00:00Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mhttp\x1b[0m: x",
        "2026-11-21T10:00:00Z info",
    );
    check("\x1b[32minfo\x1b[39m: x", "- info");
    check("[\x1b[31merror\x1b[0m] x", "- error");
    check("\x1b[90m10:00AM\x1b[0m \x1b[33mWRN\x1b[0m x", "- warn");
    check("\x1b[36mINFO\x1b[0m[0000] x", "- info");
    check("\x1b", "- -");
    check("\x1b[", "- -");
}

#[test]
fn a_json_object_tells_what_its_members_say() {
    check(r#"{"time":"2026-11-21T10:00:00Z","level":"INFO"}"#, "2026-11-21T10:00:00Z info");
    check(r#"{"level":50,"time":1795255200123,"pid":1}"#, "2026-11-21T10:00:00.123Z error");
    check(r#"{"ts":1795255200.25,"lvl":"W"}"#, "2026-11-21T10:00:00.250Z warn");
    check(r#"{"t":1795255200123456,"m":1}"#, "2026-11-21T10:00:00.123456Z -");
    check(r#"{"ts":1795255200123456789}"#, "2026-11-21T10:00:00.123456789Z -");
    check(r#"{"@timestamp":"2026-11-21 10:00:00","log.level":"warn"}"#, {
        "2026-11-21T10:00:00+01:00 warn"
    });
    check(r#"{"eventTime":"1795255200","severity":"CRITICAL"}"#, "2026-11-21T10:00:00Z fatal");
    check(r#" { "Level" : "Debug" , "Timestamp" : "2026-11-21T10:00:00Z" } "#, {
        "2026-11-21T10:00:00Z debug"
    });
    check(r#"{"t":{"$date":"2026-11-21T10:00:00Z"},"s":"I"}"#, "2026-11-21T10:00:00Z -");
    check(r#"{"a":"\\","b":"\"level\":\"error\"","level":"info"}"#, "- info");
    check(r#"{"a":{"level":"error","x":["}",{}]},"level":"info"}"#, "- info");
    check(r#"{"time":"soon","ts":17,"level":null,"severity":true}"#, "- -");
    check(r#"{"level":"error","msg":"cut o"#, "- error");
    check(r#"{"level":"error","n":1"#, "- error");
    check(r#"{"level":"error" oops"#, "- error");
    check(r#"{"msg":"cut \"#, "- -");
    check(r#"{"level":"warn"}{"level":"error"}"#, "- warn");
    check("{}", "- -");
    check("{ERROR", "- -");
}

#[test]
fn logfmt_tells_what_its_pairs_say() {
    check(
        r#"ts=2026-11-21T10:00:00.5Z caller=a.go:1 level=warn msg="x""#,
        "2026-11-21T10:00:00.500Z warn",
    );
    check(r#"time="2026-11-21T10:00:00+01:00" level=error"#, "2026-11-21T10:00:00+01:00 error");
    check(r#"msg="a \"level=error\" b" lvl=dbug level=debug"#, "- debug");
    check("t=1795255200 lvl=info", "2026-11-21T10:00:00Z info");
    check("a=b word c= level=\"info\"", "- info");
    check("level=", "- -");
    check("level=\"err", "- error");
    check("a=b", "- -");
}

#[test]
fn syslog_tells_the_time_and_the_severity() {
    check("Nov 21 10:00:00 host sshd[1]: error: x", "2026-11-21T10:00:00+01:00 error");
    check("Nov  1 10:00:00 host app: x", "2026-11-01T10:00:00+01:00 -");
    check("Dec 31 23:59:59 host app: WARN x", "2025-12-31T23:59:59+01:00 warn");
    check("Jul 21 10:00:00.25 host app: x", "2026-07-21T10:00:00.250+02:00 -");
    check("<34>Oct 11 22:14:15 mymachine su: x", "2026-10-11T22:14:15+02:00 fatal");
    check("<165>1 2026-11-21T10:00:00.003Z h a - - - x", "2026-11-21T10:00:00.003Z info");
    check("<11>1 - host app - - - x", "- error");
    check("<4>usb 1-1: x", "- warn");
    check("<192>x", "- -");
    check("<>x", "- -");
    check("<1234>x", "- -");
    check("<3", "- -");
    check("2026-11-21T10:00:00.1+01:00 h kernel: warning: x", {
        "2026-11-21T10:00:00.100+01:00 warn"
    });
    check(r#"Nov 21 10:00:00 h app[1]: {"level":"warn"}"#, "2026-11-21T10:00:00+01:00 warn");
    check("Nov 32 10:00:00 h app: x", "- -");
}

#[test]
fn logs_of_web_servers_tell_their_time() {
    check(
        r#"1.2.3.4 - u [21/Nov/2026:10:00:00 +0100] "GET /ERROR HTTP/1.1" 500 ERROR"#,
        "2026-11-21T10:00:00+01:00 -",
    );
    check(r#"h:80 1.2.3.4 - [x] [21/Nov/2026:10:00:00 -0500] "GET /""#, {
        "2026-11-21T10:00:00-05:00 -"
    });
    check(r#"[21/Nov/2026 10:00:00] "GET /error""#, "2026-11-21T10:00:00+01:00 -");
    check("2026/11/21 10:00:00 [error] 12#0: *1 x", "2026-11-21T10:00:00+01:00 error");
    check("[Sat Nov 21 10:00:00.123456 2026] [core:error] [pid 1] x", {
        "2026-11-21T10:00:00.123456+01:00 error"
    });
    check("[Sat Nov 21 10:00:00 2026] [notice] x", "2026-11-21T10:00:00+01:00 info");
    check("Sat Nov 21 10:00:00 2026 WARNING: x", "2026-11-21T10:00:00+01:00 warn");
}

#[test]
fn klog_tells_time_and_level() {
    check("E1121 10:00:00.123456  123 f.go:1] x", "2026-11-21T10:00:00.123456+01:00 error");
    check("W20251121 10:00:00.123456  123 f.cc:1] x", "2025-11-21T10:00:00.123456+01:00 warn");
    check("I1399 10:00:00.123456  123 f.go:1] x", "- -");
    check("E1121", "- -");
}

#[test]
fn what_containers_wrap_is_looked_through() {
    check(
        r#"{"log":"ERROR x\n","stream":"stderr","time":"2026-11-21T10:00:00.5Z"}"#,
        "2026-11-21T10:00:00.500Z error",
    );
    check(
        r#"{"log":"2026-11-20T09:00:00Z WARN x\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}"#,
        "2026-11-20T09:00:00Z warn",
    );
    check(
        r#"{"log":"{\"level\":\"info\",\"m\":\"a\\nb\"}\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}"#,
        "2026-11-21T10:00:00Z info",
    );
    check(
        r#"{"log":"\u001b[31mERROR\u001b[0m x\r\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}"#,
        "2026-11-21T10:00:00Z error",
    );
    let long = "x".repeat(40_000);
    check(
        format!(r#"{{"log":"WARN {long}","stream":"stdout","time":"2026-11-21T10:00:00Z"}}"#),
        "2026-11-21T10:00:00Z warn",
    );
    check(r#"{"log":"WARN cut of"#, "- warn");
    check(r#"{"log":"failed","level":"error"}"#, "- error");
    check("2026-11-21T10:00:00.5Z stderr F x", "2026-11-21T10:00:00.500Z -");
    check("2026-11-21T10:00:00.5Z stdout P ERROR x", "2026-11-21T10:00:00.500Z error");
    check("2026-11-21T10:00:00.5Z stdout F:a [warn] x", "2026-11-21T10:00:00.500Z warn");
    check(
        r#"2026-11-21T10:00:00.5Z stdout F {"level":"info","ts":1795251600}"#,
        "2026-11-21T09:00:00Z info",
    );
    let nested = "2026-11-21T10:00:00Z stdout F ".repeat(1_000);
    check(nested, "2026-11-21T10:00:00Z -");
}

#[test]
fn a_level_word_counts_only_where_it_is_one() {
    check("[error] x", "- error");
    check("(warn) x", "- warn");
    check("<info>  [1637] x", "- info");
    check("[ info ] x", "- info");
    check("[info  ] x", "- info");
    check("[main] ERROR x", "- error");
    check("[10:00:00 INF] x", "- info");
    check("WARN|x", "- warn");
    check("|ERROR| x", "- error");
    check("INFO:root:x", "- info");
    check("npm: error: x", "- error");
    check("Error: boom", "- error");
    check("10:00:00.123 [main] DEBUG c.e.Main - x", "- debug");
    check("app level=error x", "- error");
    check("app log_level=x level=\"warn\" x", "- warn");
    check("level=what ERROR", "- error");
    check("ERROR", "- error");
    check("ERROR\r", "- error");

    check("for more information: see the error page", "- -");
    check("found 0 errors", "- -");
    check("an error was found", "- -");
    check("GET /error/ERROR/x", "- -");
    check("get /var/log/ERROR.log", "- -");
    check("\"GET /x ERROR y\" 200", "- -");
    check("ERROR_CODE=5 x", "- -");
    check("NO-ERROR x", "- -");
    check("the LOG is full", "- -");
    check("    at x.Error.new (file.js:1:2)", "- -");
    check("java.lang.Error: x", "- -");
    check("could not open an error: x", "- -");
    check("one two three four five six seven eight nine ten ERROR", "- -");
    check(format!("{} ERROR", "x".repeat(200)), "- -");
    check("the log (see below) was cut", "- -");
}

#[test]
fn nothing_tells_nothing() {
    check("", "- -");
    check("   ", "- -");
    check(b"\xff\xfe\x00", "- -");
    check(b"\xEF\xBB\xBF", "- -");
    check("[", "- -");
    check("<", "- -");
    check("{", "- -");
    check("\"", "- -");
}

/// Lines that begin like one of the formats, so that random ones get deep.
fn beginning() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "{\"log\":\"",
        "{\"time\":\"2026-11-21T10:00:00",
        "{\"level\":",
        "{\"a\":[{",
        "ts=",
        "level=\"",
        "<165>1 ",
        "<13>Nov 21 10:00:00",
        "Nov 21 10:00:00",
        "E1121 10:00:0",
        "[Sat Nov 21 10:00:00",
        "x [21/Nov/2026:10:00:00 +",
        "2026-11-21T10:00:00",
        "2026-11-21T10:00:00.1Z stdout F",
        "\x1b[",
        "[err",
    ])
}

proptest! {
    #[test]
    fn any_bytes_are_taken(
        start in beginning(),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let line = [start.as_bytes(), &rest].concat();
        let _metadata = metadata(&line, &berlin());
    }

    #[test]
    fn any_text_of_the_formats_own_signs_is_taken(
        start in beginning(),
        rest in r#"[ \[\]{}()<>"\\:,=+.0-9ZTlevltimERO\x1b-]{0,200}"#,
    ) {
        let _facts = metadata(format!("{start}{rest}").as_bytes(), &berlin());
    }

    #[test]
    fn what_is_put_into_a_record_is_read_from_it(
        nanos in 200_000_000_000_000_000..i64::MAX,
        minutes in -900..=900_i32,
        level in prop::sample::select(vec![
            Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal,
        ]),
        before in r"[ a-z0-9=:{}\[\],'-]{0,40}",
    ) {
        let time = LineTime::new(nanos, minutes * 60);
        let expected = LineMetadata { time: Some(time), level: Some(level) };
        for line in [
            format!(r#"{{"msg":"{before}\"","o":{{"x":"{before}"}},"time":"{time}","level":"{level}"}}"#),
            format!(r#"msg="{before}\"" time={time} level={level}"#),
            format!("{time} [{level}] {before}"),
            format!(r#"{{"log":"{{\"t\":\"{time}\",\"level\":\"{level}\"}}\n","time":"x"}}"#),
        ] {
            let found = metadata(line.as_bytes(), &berlin());
            prop_assert_eq!(found, expected, "{}", line);
            prop_assert_eq!(found.time.unwrap().offset_seconds(), minutes * 60);
        }
    }
}
