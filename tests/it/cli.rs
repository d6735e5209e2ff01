//! The command line and the configuration, as a person meets them.

use std::process::Output;

use super::support::{LogFolder, Options, TestServer, run};

#[test]
fn without_sources_it_tells_three_ways_to_name_some() {
    let output = run(&[], &Options::default());
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for way in ["tailcast /", "[[default.tailcast.source]]", "--demo"] {
        assert!(text.contains(way), "{text}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn help_has_examples_and_goes_to_standard_output() {
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let output = run(arguments, &Options::default());
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        assert!(text.contains("Examples:") && text.contains("curl"), "{text}");
        assert!(text.contains("--config") && text.contains("--port"), "{text}");
    }
    let version = run(&["--version"], &Options::default());
    assert_eq!(stdout(&version), format!("tailcast {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_flag_that_is_unknown_is_a_usage_error() {
    for arguments in [&["--prot", "1"][..], &["serve", "--nonsense"], &["-p", "99999"]] {
        let output = run(arguments, &Options::default());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_wrong_key_or_value_names_file_key_and_expectation() {
    for (config, words) in [
        (
            "[default.tailcast]\nhartbeat = \"5s\"\n",
            &["default.tailcast.hartbeat", "`heartbeat`"][..],
        ),
        ("[default.tailcast]\nheartbeat = \"6m\"\n", &["default.tailcast.heartbeat", "1s to 5m"]),
        ("[default.tailcast]\nheartbeat = 5\n", &["default.tailcast.heartbeat", "\"15s\""]),
        ("[default.tailcast]\nmax_viewers = 0\n", &["default.tailcast.max_viewers", "at least 1"]),
        ("[default]\nport = 70000\n", &["default.port", "65535"]),
        ("[default.tailcast]\nport = 1\n", &["default.tailcast.port", "`[default]`"]),
        ("[[default.tailcast.source]]\nname = \"a\"\n", &["source[0].paths", "missing"]),
        ("[[default.tailcast.source]]\nname = \"../a\"\npaths = [\"a\"]\n", &["source[0].name"]),
        ("[default\n", &["test.toml"]),
    ] {
        let output = run(&["serve"], &Options::default().config(config));
        assert_eq!(output.status.code(), Some(2), "{config}");
        let text = stderr(&output);
        assert!(text.contains("test.toml"), "{text}");
        for word in words {
            assert!(text.contains(word), "{config}: {word} is not in {text}");
        }
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let output = run(&["serve", "--config", "/nowhere/Rocket.toml"], &Options::default());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nowhere/Rocket.toml"), "{}", stderr(&output));
}

#[test]
fn to_listen_beyond_this_host_has_to_be_said_twice() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let options = Options::serving([log.path()]).argument("--address").argument("0.0.0.0");
    let output = run(&["serve", "-p", "0"], &options);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--insecure"), "{}", stderr(&output));
    let server = options.argument("--insecure").start();
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_port_that_is_taken_is_told_in_a_sentence() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let port = server.address().port().to_string();
    let output = run(&["serve", "-p", &port], &Options::serving([log.path()]));
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains(&port) && !text.contains("panicked"), "{text}");
}

#[test]
fn check_explains_each_value_and_where_it_was_said() {
    let (folder, log) = LogFolder::with_log("app.log");
    let options = Options::serving([log.path()])
        .config(
            "[default]\nport = 8123\n[default.tailcast]\nheartbeat = \"20s\"\nlinger = \"2s\"\n",
        )
        .variable("TAILCAST_HEARTBEAT", "30s")
        .variable("ROCKET_PORT", "8124");
    let output = run(&["check"], &options);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let line = |key: &str| {
        let line = text.lines().find(|line| line.contains(key));
        line.unwrap_or_else(|| panic!("no {key} in {text}"))
    };
    assert!(line("heartbeat").contains("30s"), "{text}");
    assert!(line("heartbeat").contains("TAILCAST_HEARTBEAT"), "{text}");
    assert!(line("linger").contains("2s") && line("linger").contains("test.toml"), "{text}");
    assert!(line("port").contains("8124") && line("port").contains("ROCKET_PORT"), "{text}");
    assert!(
        line("app.log").contains(folder.path().to_str().unwrap()) || text.contains("1 sources")
    );
}

#[test]
fn the_command_line_beats_the_environment_and_the_environment_the_file() {
    let (folder, log) = LogFolder::with_log("app.log");
    folder.log("other.log").number(1);
    let other = folder.join("other.log");
    let server = Options::serving([log.path()])
        .config(&format!(
            "[default]\nport = 1\n[[default.tailcast.source]]\nname = \"other\"\npaths = [{other:?}]\n"
        ))
        .variable("ROCKET_PORT", "2")
        .start();
    assert!(server.address().port() > 2);
    assert_eq!(server.get("/logs/app.log?follow=false").status, 200);
    assert_eq!(server.get("/logs/other").status, 404, "paths replace the file's sources");
}

#[test]
fn a_variable_that_nobody_reads_is_a_warning() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = Options::serving([log.path()])
        .variable("TAILCAST_HARTBEAT", "1s")
        .variable("TAILCAST_TOKEN", "reserved")
        .start();
    let text = server.log();
    assert!(text.contains("TAILCAST_HARTBEAT"), "{text}");
    assert!(!text.contains("TAILCAST_TOKEN") && !text.contains("reserved"), "{text}");
}

#[test]
fn the_demo_is_lively() {
    let server = Options::default().argument("--demo").start();
    let list = server.get("/api/sources").json();
    let name = list["sources"][0]["name"].as_str().unwrap().to_owned();
    let mut viewer = server.follow("/logs/**?tail=0");
    viewer.wait_for_lines(3);
    assert_eq!(server.get(format!("/logs/{name}?follow=false")).status, 200);
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
