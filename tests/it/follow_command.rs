//! `tailcast follow` and `tailcast ls`: flags, exit codes, and what is sent to the server.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::support::{
    Finished, FollowProcess, LogFolder, MisbehavingServer, Options, TestServer, answer, ls, pause,
    wait_until,
};

#[test]
fn what_is_typed_wrong_ends_with_2_and_is_explained() {
    let folder = LogFolder::new();
    folder.write("empty", "\n");
    folder.write("no.pem", "nothing");
    let (empty, no_pem) = (folder.join("empty"), folder.join("no.pem"));
    let (empty, no_pem) = (empty.to_str().unwrap(), no_pem.to_str().unwrap());
    let url = "http://127.0.0.1:9/logs/app.log";
    for (arguments, words) in [
        (&[][..], &["URL"][..]),
        (&["127.0.0.1:9/logs/a"], &["http://"]),
        (&["http://127.0.0.1:9/app.log"], &["http://127.0.0.1:9/logs/app.log"]),
        (&["ftp://127.0.0.1/logs/a"], &["http, https, ws or wss"]),
        (&["http://me:secret@127.0.0.1:9/logs/a"], &["--token-file", "TAILCAST_TOKEN"]),
        (&[url, "-n", "few"], &["--tail", "all"]),
        (&[url, "--level", "loud"], &["--level", "warn"]),
        (&[url, "--from", "x", "-n", "3"], &["--from", "--tail"]),
        (&[url, "--from", "x", "--since", "5m"], &["--from", "--since"]),
        (&[url, "--header", "nonsense"], &["--header", "Name: value"]),
        (&[url, "--header", "Upgrade: h2c"], &["Upgrade"]),
        (&[url, "--ca", "/nowhere.pem"], &["--ca", "/nowhere.pem"]),
        (&[url, "--ca", no_pem], &["no.pem", "PEM"]),
        (&[url, "--token-file", empty], &["--token-file", "no token"]),
        (&[url, "--nonsense"], &["--nonsense"]),
    ] {
        let done = FollowProcess::run(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        for word in words {
            assert!(done.said.contains(word), "{arguments:?}: no {word:?} in {}", done.said);
        }
        assert!(!done.said.contains("secret"), "{}", done.said);
        assert!(done.bytes.is_empty());
    }
}

#[test]
fn help_has_examples() {
    let done = FollowProcess::run(["--help"]);
    assert_eq!(done.code, Some(0));
    for word in ["Examples:", "--exit-on-end", "--token-file", "TAILCAST_TOKEN", "Exit codes"] {
        assert!(done.text().contains(word), "no {word} in {}", done.text());
    }
}

#[test]
fn the_first_connect_ends_where_the_server_refuses_for_good() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    let url = |name: &str| format!("http://{}/logs/{name}", server.address());
    for (url, words) in [
        (url("ap.log"), &["404", "did you mean `app.log`"][..]),
        (url("app.log?grep=("), &["400", "`grep`"]),
        (url("app.log?nonsense=1"), &["400", "`nonsense`"]),
        (url("app.log?from=xyz"), &["400", "`from`"]),
    ] {
        let done = FollowProcess::run([url.as_str()]);
        assert_eq!(done.code, Some(1), "{url}: {done:?}");
        for word in words {
            assert!(done.said.contains(word), "{url}: {done:?}");
        }
    }
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let server = MisbehavingServer::answering(move |_head, socket| {
            let kind = "Content-Type: application/problem+json\r\n";
            answer(socket, status, kind, r#"{"detail":"tell \u001b[2Jwho you are"}"#);
        });
        let done = FollowProcess::run([server.url("app.log")]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.said.contains(status) && done.said.contains("tell "), "{done:?}");
        assert!(!done.said.contains('\u{1b}'), "{done:?}");
    }
}

#[test]
fn headers_and_the_token_are_sent_and_never_in_the_url() {
    let refusing =
        || MisbehavingServer::answering(|_head, socket| answer(socket, "403 Forbidden", "", ""));
    let folder = LogFolder::new();
    folder.write("token", "from-a-file\n");
    let path = folder.join("token").to_str().unwrap().to_owned();
    let file = ["--token-file".to_owned(), path.clone()];
    let variable = Options::default().variable("TAILCAST_TOKEN", "from-a-variable");
    let file_variable = Options::default().variable("TAILCAST_TOKEN_FILE", &path);
    for (arguments, options, token) in [
        (&file[..], &Options::default(), "Bearer from-a-file"),
        (&[], &variable, "Bearer from-a-variable"),
        (&file, &variable, "Bearer from-a-file"),
        (&[], &file_variable, "Bearer from-a-file"),
        (&["--header".to_owned(), "Authorization: Basic eA==".to_owned()], &variable, "Basic eA=="),
    ] {
        let server = refusing();
        let mut all = vec![server.url("app.log"), "-HX-Team: a b".to_owned()];
        all.extend(arguments.iter().cloned());
        let done = FollowProcess::start_with(all, options).finish();
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(!done.said.contains("from-a-"), "a token is not printed: {done:?}");
        let heads = server.requests();
        assert_eq!(heads.len(), 2, "by WebSocket and by HTTP: {heads:?}");
        for head in heads {
            let lower = head.to_ascii_lowercase();
            assert!(lower.contains("\r\nx-team: a b\r\n"), "{head}");
            let sent = format!("\r\nauthorization: {}\r\n", token.to_ascii_lowercase());
            assert!(lower.contains(&sent), "{head}");
            assert_eq!(lower.matches("authorization").count(), 1, "{head}");
            assert!(!head.lines().next().unwrap().contains("from-a"), "{head}");
        }
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let folder = tempfile::tempdir().unwrap();
    let mut child = Options::default()
        .command(&["follow"], folder.path())
        .args([format!("http://{}/logs/app.log", server.address())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "line 1\n");
    // Nothing more is written to the log: it has to notice by itself.
    drop(reader);
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("pipe") && !said.contains("go on"), "{said}");
}

#[test]
fn what_cannot_be_written_is_an_error_and_does_not_count() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Options::default()
        .command(&["follow"], folder.path())
        .args([format!("http://{}/logs/app.log", server.address())])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("standard output cannot be written"), "{said}");
    let (_, cursor) = said.rsplit_once("--from ").unwrap();
    let url = format!("http://{}/logs/app.log?follow=false", server.address());
    let rest = FollowProcess::run([url.as_str(), "--from", cursor.trim()]);
    assert_eq!(rest.lines().len(), 5, "{rest:?}");
}

#[test]
fn output_goes_into_a_file_and_after_what_is_there() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let path = folder.join("out");
    for round in 1..=2 {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let status = Options::default()
            .command(&["follow"], folder.path())
            .args([format!("http://{}/logs/app.log?follow=false", server.address())])
            .stdout(file)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 5 * round);
    }
}

#[test]
fn ctrl_c_and_sigterm_end_it_with_0_and_the_way_to_go_on() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    for signal in [Signal::INT, Signal::TERM] {
        let url = format!("http://{}/logs/app.log", server.address());
        let follow = FollowProcess::start([url.as_str(), "--grep", "line [0-9]"]);
        follow.wait_for_lines(5);
        follow.signal(signal);
        let done = follow.finish();
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(done.lines().len(), 5);
        let command = format!("tailcast follow {url} --grep 'line [0-9]' --from {}", done.cursor());
        assert!(done.said.contains(&command), "{done:?}");
    }
    wait_until("the server lets go of them", || server.n_viewers() == 0);
}

#[test]
fn the_servers_own_end_is_the_end_where_there_is_nothing_more() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let url = |query: &str| format!("http://{}/logs/app.log?{query}", server.address());
    let done = FollowProcess::run([url("follow=false")]);
    assert_eq!((done.code, done.lines().len()), (Some(0), 5), "{done:?}");
    let done = FollowProcess::run([url("until=2s")]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn only_what_was_written_counts_for_the_place_to_go_on_from() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    // Far more than a pipe holds.
    log.number(100_000);
    let server = TestServer::serving(log.path());
    let url = format!("http://{}/logs/app.log", server.address());
    let first = FollowProcess::start([url.as_str(), "-n", "all"]);
    first.pause();
    // A full pipe of 64 KiB may have half empty pages.
    wait_until("the pipe is full", || {
        let n_unread = first.n_unread();
        pause(Duration::from_millis(300));
        n_unread > 40_000 && n_unread == first.n_unread()
    });
    // It is stuck now; what is in the pipe is read after its end.
    let first = first.interrupt();
    let n_whole = memchr::memchr_iter(b'\n', &first.bytes).count();
    assert!(n_whole > 0 && n_whole < 100_000, "{n_whole} lines");
    let rest = FollowProcess::run([format!("{url}?follow=false"), "--from".into(), first.cursor()]);
    let seam = format!("line {}", n_whole + 1);
    assert_eq!(rest.lines().first(), Some(&seam), "after {n_whole} whole lines");
    assert_eq!(rest.lines().last().map(String::as_str), Some("line 100000"));
}

#[test]
fn ls_lists_what_there_is() {
    let folder = LogFolder::new();
    folder.write("nginx/access.log", "a\n".repeat(1000));
    folder.write("app.log", "b\n");
    let server = TestServer::serving(folder.path());
    let url = format!("http://{}", server.address());
    let run = |arguments: &[&str]| {
        let output = ls(arguments, folder.path());
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), output.stderr)
    };
    let (code, text, _) = run(&[&url]);
    assert_eq!(code, Some(0));
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "SIZE", "AGE", "VIEWERS"]);
    let row = rows.iter().find(|row| row[0] == "nginx/access.log").unwrap();
    assert_eq!((&row[1..3], row[4]), (&["2.0", "kB"][..], "0"), "{text}");
    let (_, json, _) = run(&[&format!("{url}/logs/app.log"), "--json"]);
    let list: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(list["sources"][0]["name"], "app.log");
    assert!(list["sources"][0]["segments"].is_array(), "as the server says it: {json}");
    let (code, _, said) = run(&["http://127.0.0.1:1/"]);
    assert_eq!(code, Some(1), "{}", String::from_utf8_lossy(&said));
    assert_eq!(run(&["nonsense"]).0, Some(2));
}

#[test]
fn with_exit_on_end_the_servers_end_is_ours() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let follow = |server: &TestServer| {
        let url = format!("http://{}/logs/app.log", server.address());
        let follow = FollowProcess::start([url.as_str(), "--exit-on-end"]);
        follow.wait_for_lines(3);
        follow
    };
    let mut server = TestServer::serving(log.path());
    let clean = follow(&server);
    server.terminate();
    let done: Finished = clean.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    let server = TestServer::serving(log.path());
    let cut = follow(&server);
    drop(server);
    let done = cut.finish();
    assert_eq!(done.code, Some(1), "it was killed: {done:?}");
    assert!(!done.cursor().is_empty());
}
