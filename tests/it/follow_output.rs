//! `tailcast follow`: what it prints.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use super::support::{FollowProcess, LogFolder, Options, TestServer, numbered, wait_until};

fn url(server: &TestServer, name: &str) -> String {
    format!("http://{}/logs/{name}", server.address())
}

#[test]
fn lines_come_as_they_are_written() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(20);
    let server = TestServer::serving(log.path());
    let follow = FollowProcess::start([url(&server, "app.log")]);
    follow.wait_for_lines(10);
    log.number(5);
    follow.wait_for_lines(15);
    assert_eq!(follow.lines(), numbered(11, 25));
}

#[test]
fn flags_and_the_urls_own_parameters_say_what_to_see() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("one ERROR\ntwo info\nthree ERROR noise\nfour ERROR\nfive ERROR\n");
    let server = TestServer::serving(log.path());
    let asked = format!("{}?grep=error&follow=false&format=text&tail=1", url(&server, "app.log"));
    for (arguments, lines) in [
        (&["-n", "2"][..], &["four ERROR", "five ERROR"][..]),
        (&[], &["five ERROR"]),
        (&["--tail", "all", "--exclude", "noise"], &["one ERROR", "four ERROR", "five ERROR"]),
        (&["-n", "all", "--grep", "T", "--level", "error"], &[]),
        (&["-n", "all", "--grep", "th"], &["three ERROR noise"]),
        (&["-n", "all", "--until", "2020-01-01"], &[]),
        (&["--since", "2020-01-01", "-n3"], &["three ERROR noise", "four ERROR", "five ERROR"]),
    ] {
        let done = FollowProcess::run([asked.as_str()].iter().chain(arguments));
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        // What tells no time passes.
        if !arguments.contains(&"--until") {
            assert_eq!(done.lines(), lines, "{arguments:?}: {done:?}");
        }
    }
}

#[test]
fn a_run_goes_on_where_the_one_before_has_stopped() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(30);
    let server = TestServer::serving(log.path());
    let first = FollowProcess::start([url(&server, "app.log"), "-n".into(), "all".into()]);
    first.wait_for_lines(30);
    let first = first.interrupt();
    assert_eq!(first.code, Some(0), "{first:?}");
    log.number(5);
    let next =
        FollowProcess::start([url(&server, "app.log?tail=3"), "--from".into(), first.cursor()]);
    next.wait_for_lines(5);
    assert_eq!(next.lines(), numbered(31, 35));
    let said = next.interrupt().said;
    assert!(said.contains("tailcast follow 'http://"), "quoted for a shell: {said}");
}

#[test]
fn records_are_printed_as_they_come() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("2026-11-21T10:00:00Z ERROR a \"quoted\" \u{1b}[31m\u{202e} line\n");
    log.write(b"broken \xff text\n");
    let server = TestServer::serving(log.path());
    let whole = url(&server, "app.log?follow=false");
    let done = FollowProcess::run([whole.as_str(), "--json"]);
    let theirs = server.get("/logs/app.log?follow=false&format=ndjson").lines();
    assert_eq!(done.lines(), theirs[1..theirs.len() - 1]);
    let record: Value = serde_json::from_str(&done.lines()[1]).unwrap();
    assert_eq!(record["line"], "broken \u{fffd} text");
}

#[test]
fn what_happens_to_a_log_is_told_in_records_and_in_words() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    let json = FollowProcess::start([url(&server, "app.log"), "--json".into()]);
    let text = FollowProcess::start([url(&server, "app.log")]);
    json.wait_for_lines(3);
    text.wait_for_lines(3);
    log.truncate();
    log.line("afresh");
    json.wait_until("the truncation is told", |json| json.text().contains("\"truncated\""));
    json.wait_for_lines(5);
    text.wait_for_words("app.log: the file was truncated");
    text.wait_for_lines(4);
    assert_eq!(text.lines().last().map(String::as_str), Some("afresh"), "and words are no lines");
    assert_eq!(text.lines().len(), 4);
}

#[test]
fn long_lines_control_characters_and_foreign_bytes_pass_into_a_pipe() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let long: String = (0..10_000_000_u32).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let odd = "\u{1b}]0;title\u{7} a\tb \u{202e}c \\ \" \u{0} \u{2028} é 漢 😀 a\rb";
    log.write(format!("{long}\n{odd}\n"));
    log.write(b"\xff\xfe is no text\n");
    log.write("the last without an end");
    let server = TestServer::serving(log.path());
    let done = FollowProcess::run([url(&server, "app.log?follow=false&tail=all")]);
    let expected = format!("{long}\n{odd}\n\u{fffd}\u{fffd} is no text\nthe last without an end");
    assert_eq!(done.code, Some(0));
    assert_eq!(done.bytes.len(), expected.len());
    assert!(done.bytes == expected.as_bytes(), "the bytes differ");
}

#[test]
fn several_logs_are_told_apart() {
    let folder = LogFolder::new();
    folder.write("one.log", "a\nb\n");
    folder.write("two.log", "c\n");
    let server = TestServer::serving(folder.path());
    let other_folder = LogFolder::new();
    other_folder.write("one.log", "d\n");
    let other = TestServer::serving(other_folder.path());
    let (one, two) = (url(&server, "one.log?follow=false"), url(&server, "two.log?follow=false"));
    let sorted = |arguments: &[&str]| {
        let done = FollowProcess::run(arguments);
        assert_eq!(done.code, Some(0), "{done:?}");
        let mut lines = done.lines();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&[&one, &two]), ["one.log: a", "one.log: b", "two.log: c"]);
    let glob = url(&server, "*.log?follow=false");
    assert_eq!(sorted(&[&glob]), ["one.log: a", "one.log: b", "two.log: c"]);
    let elsewhere = url(&other, "one.log?follow=false");
    let (here, there) = (server.address(), other.address());
    let mut expected = vec![
        format!("{here}/one.log: a"),
        format!("{here}/one.log: b"),
        format!("{there}/one.log: d"),
    ];
    expected.sort();
    assert_eq!(sorted(&[&one, &elsewhere]), expected);
    let done = FollowProcess::run([one.as_str(), &two, "--json"]);
    let sources = done.lines().into_iter().map(|line| {
        let record: Value = serde_json::from_str(&line).unwrap();
        record["source"].as_str().unwrap().to_owned()
    });
    assert_eq!(sources.filter(|source| source == "one.log").count(), 2);
}

#[test]
fn one_that_is_refused_does_not_end_the_others() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(2);
    let server = TestServer::serving(log.path());
    let both = FollowProcess::start([url(&server, "app.log"), url(&server, "nothing.log")]);
    both.wait_for_words("no source is named `nothing.log`");
    both.wait_for_lines(2);
    log.number(1);
    both.wait_for_lines(3);
    let both = both.interrupt();
    assert_eq!(both.code, Some(1), "one has failed: {both:?}");
}

#[test]
fn a_terminal_is_only_shown_what_it_must_not_obey() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("2026-11-21T10:00:00Z ERROR \u{1b}]0;title\u{7}\u{1b}[2J \u{1b}[32mgreen\u{1b}[0m \u{202e}\n");
    let server = TestServer::serving(log.path());
    let asked = url(&server, "app.log?follow=false");
    let shown = "2026-11-21T10:00:00Z ERROR ␛]0;title␇␛[2J green <U+202E>";
    let coloured = on_terminal(&[&asked], &Options::default().variable("TERM", "xterm"));
    assert_eq!(coloured, format!("\u{1b}[31m{shown}\u{1b}[0m\r\n"));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_terminal(&[&asked], &Options::default().variable(name, value));
        assert_eq!(plain, format!("{shown}\r\n"), "{name}");
    }
}

/// What a terminal is given that the command runs on.
fn on_terminal(arguments: &[&str], options: &Options) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let end = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command: Command = options.command(&["follow"], folder.path());
    if std::env::var_os("NO_COLOR").is_some() {
        command.env_remove("NO_COLOR");
    }
    let mut child =
        command.args(arguments).stdout(Stdio::from(OwnedFd::from(end))).spawn().unwrap();
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    drop(command);
    let mut text = Vec::new();
    // Linux says EIO where the other end has gone and all was read.
    let _end = File::from(terminal).read_to_end(&mut text).is_ok();
    String::from_utf8(text).unwrap()
}
