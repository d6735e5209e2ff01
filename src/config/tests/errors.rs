//! The words of each error.

use crate::config::{ConfigError, Overrides};

use super::{load_with, with_source};

#[track_caller]
fn check_error(toml: &str, variables: &[(&str, &str)], expected: &str) {
    let error = load_with(toml, variables, &Overrides::default()).unwrap_err();
    assert_eq!(error, expected);
}

#[test]
fn an_unknown_key_is_named_with_what_was_meant() {
    let cases = [
        (
            with_source("hartbeat = \"5s\""),
            "`default.tailcast.hartbeat` is unknown; did you mean `heartbeat`?",
        ),
        (
            with_source("zebra = 1"),
            "`default.tailcast.zebra` is unknown; expected one of `heartbeat`, `max_viewers`, \
             `linger`, `stall_limit`, `hosts`, `insecure`, `authentication`, `users_file`, \
             `tokens_file`, `session_lifetime`, `trusted_proxies`, `forwarded`, `origins`, \
             `frame_ancestors`, `max_viewers_per_address`, `max_viewers_per_user`, \
             `max_connections_per_second`, `max_connections_per_address`, \
             `header_login`, `rule`, `redact`, `source`",
        ),
        (with_source("port = 1"), "`default.tailcast.port` is unknown; it belongs in `[default]`"),
        (
            with_source("") + "path = \"b.log\"",
            "`default.tailcast.source[0].path` is unknown; did you mean `paths`?",
        ),
        ("[default]\nprot = 1".to_owned(), "`default.prot` is unknown; did you mean `port`?"),
        (
            "[staging]\nheartbeat = \"5s\"".to_owned(),
            "`staging.heartbeat` is unknown; it belongs in `[staging.tailcast]`",
        ),
        (
            "[release.tailcast]\nlingre = \"5s\"".to_owned(),
            "`release.tailcast.lingre` is unknown; did you mean `linger`?",
        ),
        (
            "[defalt]\nport = 1".to_owned(),
            "`defalt` is unknown; did you mean the profile `default`?",
        ),
        (
            "[tailcast]\nheartbeat = \"5s\"".to_owned(),
            "`tailcast` is unknown; it belongs below a profile: `[default.tailcast]`",
        ),
        (
            "[[source]]\nname = \"a\"".to_owned(),
            "`source` is unknown; it belongs below a profile: `[[default.tailcast.source]]`",
        ),
        ("port = 8000".to_owned(), "`port` is unknown; it belongs below a profile: `[default]`"),
    ];
    for (toml, expected) in cases {
        check_error(&toml, &[], &format!("Rocket.toml: key {expected}"));
    }
}

#[test]
fn a_wrong_value_is_named_with_what_was_expected() {
    let heartbeat = "expected a span from 1s to 5m, such as `\"15s\"`";
    let cases = [
        ("heartbeat = \"15x\"", format!("heartbeat`: found \"15x\", {heartbeat}")),
        ("heartbeat = 15", format!("heartbeat`: found 15, {heartbeat}")),
        ("heartbeat = \"6m\"", format!("heartbeat`: found \"6m\", {heartbeat}")),
        ("heartbeat = \"999ms\"", format!("heartbeat`: found \"999ms\", {heartbeat}")),
        (
            "linger = \"11s\"",
            "linger`: found \"11s\", expected a span from 0s to 10s, such as `\"3s\"`".to_owned(),
        ),
        (
            "stall_limit = \"0s\"",
            "stall_limit`: found \"0s\", expected a span of at least 1s, such as `\"10m\"`, or \
             `\"none\"`"
                .to_owned(),
        ),
        (
            "max_viewers = 0",
            "max_viewers`: found 0, expected a number of viewers, at least 1".to_owned(),
        ),
        (
            "max_viewers = -5",
            "max_viewers`: found -5, expected a number of viewers, at least 1".to_owned(),
        ),
        (
            "hosts = [\"ok.example\", \"https://a.example\"]",
            "hosts[1]`: found \"https://a.example\", expected a host name without scheme, port \
             and path"
                .to_owned(),
        ),
        ("insecure = \"yes\"", "insecure`: found \"yes\", expected `true` or `false`".to_owned()),
    ];
    for (line, expected) in cases {
        let expected = format!("Rocket.toml: key `default.tailcast.{expected}");
        check_error(&with_source(line), &[], &expected);
    }
}

#[test]
fn a_wrong_value_for_rocket_is_told_in_the_same_words() {
    let cases = [
        (
            "address = \"localhost\"",
            "address`: found \"localhost\", expected an IP address such as \
                                     `127.0.0.1`",
        ),
        ("port = 70000", "port`: found 70000, expected a port, 0 to 65535"),
        ("workers = 0", "workers`: found 0, expected a number of threads, at least 1"),
        ("tailcast = 1", "tailcast`: found 1, expected a table"),
    ];
    for (line, expected) in cases {
        check_error(
            &format!("[default]\n{line}"),
            &[],
            &format!("Rocket.toml: key `default.{expected}"),
        );
    }
}

#[test]
fn a_wrong_source_is_told_by_its_place() {
    let name = "expected a name such as `\"nginx\"` or `\"shop/api\"`, without \
                `*?[]{}`, control characters, empty parts, `.` and `..`";
    let list =
        "expected a list of files, directories or globs, such as `[\"/var/log/nginx/*.log\"]`";
    let wrong_names = ["", "/a", "a/", "a//b", "../a", "a/..", "a*", "a?", "{a}", "a\\n", "a[b]"];
    for wrong in wrong_names {
        let toml = format!("[[default.tailcast.source]]\nname = \"{wrong}\"\npaths = [\"x\"]");
        check_error(
            &toml,
            &[],
            &format!(
                "Rocket.toml: key `default.tailcast.source[0].name`: found \"{wrong}\", {name}"
            ),
        );
    }
    let cases = [
        ("paths = [\"x\"]", format!("source[1].name` is missing; {name}")),
        ("name = \"b\"", format!("source[1].paths` is missing; {list}")),
        ("name = \"b\"\npaths = []", format!("source[1].paths`: found [], {list}")),
        ("name = \"b\"\npaths = \"x\"", format!("source[1].paths`: found \"x\", {list}")),
        (
            "name = \"b\"\npaths = [\"x\", \"\"]",
            "source[1].paths[1]`: found \"\", expected the path of a file or directory, or a glob"
                .to_owned(),
        ),
        (
            "name = \"a\"\npaths = [\"x\"]",
            "source[1].name`: found \"a\", expected a name that no other source has".to_owned(),
        ),
    ];
    for (lines, expected) in cases {
        let toml = with_source("") + "[[default.tailcast.source]]\n" + lines;
        check_error(&toml, &[], &format!("Rocket.toml: key `default.tailcast.{expected}"));
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let cases = [
        (
            ("TAILCAST_HEARTBEAT", "soon"),
            "`TAILCAST_HEARTBEAT`: found \"soon\", expected a span from 1s to 5m, such as `\"15s\"`",
        ),
        (("ROCKET_PORT", "http"), "`ROCKET_PORT`: found \"http\", expected a port, 0 to 65535"),
        (
            ("ROCKET_TAILCAST", "{hartbeat=5s}"),
            "`ROCKET_TAILCAST`: key `hartbeat` is unknown; did you mean `heartbeat`?",
        ),
        (
            ("TAILCAST_HOSTS", "a.example, b c"),
            "`TAILCAST_HOSTS`: found \"a.example, b c\", expected a list of host names, such as \
             `[\"logs.example.org\"]`",
        ),
        (
            ("TAILCAST_SOURCE", "[{paths=[x]}]"),
            "`TAILCAST_SOURCE`: key `[0].name` is missing; expected a name such as `\"nginx\"` or \
             `\"shop/api\"`, without `*?[]{}`, control characters, empty parts, \
             `.` and `..`",
        ),
    ];
    for (variable, expected) in cases {
        let expected = format!("environment variable {expected}");
        check_error(&with_source(""), &[variable], &expected);
    }
}

#[test]
fn a_file_that_is_not_toml_is_named_with_the_line() {
    let text = load_with("[default]\nport = \n", &[], &Overrides::default()).unwrap_err();
    assert!(text.starts_with("Rocket.toml: TOML parse error at line 2, column 8"), "{text}");
}

#[test]
fn a_file_that_was_named_must_exist() {
    let named = Overrides { config_file: Some("none.toml".into()), ..Overrides::default() };
    let by_flag = load_with("", &[], &named).unwrap_err();
    let by_variable = load_with("", &[("ROCKET_CONFIG", "none.toml")], &Overrides::default());
    let by_variable = by_variable.unwrap_err();
    assert!(by_flag.starts_with("none.toml (named by `--config`): cannot read"), "{by_flag}");
    assert!(by_variable.starts_with("none.toml (named by `ROCKET_CONFIG`)"), "{by_variable}");
}

#[test]
fn without_a_source_the_three_ways_are_named() {
    let text = load_with("", &[], &Overrides::default()).unwrap_err();
    assert_eq!(text, ConfigError::NoSource.to_string());
    for way in ["command line", "[[default.tailcast.source]]", "--demo"] {
        assert!(text.contains(way), "{text}");
    }
}
