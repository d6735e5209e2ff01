//! The catalog: what is a source and what it is called, and what is left out and why.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{LogFolder, Options, Request, TestServer, run, wait_until};

#[test]
fn files_have_their_names_and_as_many_parents_as_it_takes() {
    let folder = LogFolder::new();
    for name in ["a/app.log", "b/app.log", "c/other.log"] {
        folder.log(name).line(name);
    }
    let paths = ["a/app.log", "b/app.log", "c/other.log"].map(|name| folder.join(name));
    let server = Options::serving(&paths).start();
    assert_eq!(names(&server), ["a/app.log", "b/app.log", "other.log"]);
    assert_eq!(server.get("/logs/b/app.log?follow=false").text(), "b/app.log\n");
    // A name does not depend on what exists at the moment.
    fs::remove_file(&paths[0]).unwrap();
    let server = server.restart();
    assert_eq!(names(&server), ["a/app.log", "b/app.log", "other.log"]);
}

#[test]
fn one_folder_gives_the_path_below_it_and_several_their_own_names_too() {
    let folder = LogFolder::new();
    for name in ["web/access.log", "web/deep/error.log", "db/main.log"] {
        folder.log(name).number(1);
    }
    let one = TestServer::serving(folder.join("web"));
    assert_eq!(names(&one), ["access.log", "deep/error.log"]);
    let two = Options::serving([folder.join("web"), folder.join("db")]).start();
    assert_eq!(names(&two), ["db/main.log", "web/access.log", "web/deep/error.log"]);
}

#[test]
fn a_configured_source_has_its_name_and_then_the_path_below() {
    let folder = LogFolder::new();
    for name in ["nginx/access.log", "nginx/error.log", "nginx/old.txt", "app/only.log"] {
        folder.log(name).number(1);
    }
    let path = folder.path().display();
    let server = Options::default()
        .config(&format!(
            "[[default.tailcast.source]]\nname = \"web\"\npaths = [\"{path}/nginx/*.log\"]\n\
             [[default.tailcast.source]]\nname = \"shop\"\npaths = [\"{path}/app/only.log\"]\n"
        ))
        .start();
    assert_eq!(names(&server), ["shop", "web/access.log", "web/error.log"]);
}

#[test]
fn rotated_files_are_segments_and_no_sources() {
    let folder = LogFolder::new();
    for name in [
        "app.log",
        "app.log.1",
        "app.log.2.gz",
        "app.log-20261120",
        "app.log.2026-11-19",
        "app-20261118.log",
        "app.3.log",
        "gone.log.1",
        "gone.log.2",
        "plain.txt",
    ] {
        folder.log(name).line(name);
    }
    fs::write(folder.join("app.log.2.gz"), b"\x1f\x8b").unwrap();
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server), ["app.log", "gone.log", "plain.txt"]);
    let list = server.get("/api/sources").json();
    let segments = list["sources"][0]["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 7, "{segments:?}");
    assert_eq!(segments[0]["file"], "app.log");
    let gone = server.get("/logs/gone.log?follow=false&tail=all").text();
    assert_eq!(gone, "gone.log.2\ngone.log.1\n");
}

#[test]
fn what_appears_is_served_and_what_vanishes_is_not() {
    let folder = LogFolder::new();
    let first = folder.log("first.log");
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server), ["first.log"]);
    folder.log("new/second.log").number(1);
    wait_until("the new one is listed", || names(&server) == ["first.log", "new/second.log"]);
    first.delete();
    wait_until("the old one is not listed", || names(&server) == ["new/second.log"]);
    assert_eq!(server.get("/logs/first.log").status, 404);
}

#[test]
fn binary_files_are_left_out_with_the_reason() {
    let folder = LogFolder::new();
    folder.write("blob.bin", b"\x7fELF\0\0\0");
    folder.write("late.log", [vec![b'x'; 1024], b"\0\n".to_vec()].concat());
    folder.write("utf16.log", b"\xff\xfea\0\n\0");
    folder.log("app.log").number(1);
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server), ["app.log", "late.log", "utf16.log"]);
    let left_out = server.get("/api/sources").json()["left_out"].clone();
    assert_eq!(left_out.as_array().unwrap().len(), 1, "{left_out}");
    assert_eq!(left_out[0]["name"], "blob.bin");
    assert!(left_out[0]["reason"].as_str().unwrap().contains("binary"), "{left_out}");
    let answer = server.get("/logs/blob.bin");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("binary"), "{}", answer.text());

    let report = run(&["check"], &Options::serving([folder.path()]));
    let report = String::from_utf8(report.stdout).unwrap();
    let line = report.lines().find(|line| line.contains("blob.bin"));
    assert!(line.is_some_and(|line| line.contains("binary")), "{report}");
}

#[test]
fn what_is_served_is_not_judged_again() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(folder.path());
    log.truncate();
    log.write(b"\0\0\0\n");
    folder.log("new.log").number(1);
    wait_until("the catalog has looked again", || names(&server) == ["app.log", "new.log"]);
    assert_eq!(server.get("/logs/app.log?follow=false").body, b"\0\0\0\n");
}

#[test]
fn a_link_that_was_found_is_followed_only_to_what_is_configured() {
    let folder = LogFolder::new();
    folder.log("secret.txt").line("secret");
    folder.log("logs/real.log").line("real");
    folder.log("outside/app.log").line("outside");
    symlink(folder.join("secret.txt"), folder.join("logs/secret.log")).unwrap();
    symlink(folder.join("outside"), folder.join("logs/outside")).unwrap();
    symlink("real.log", folder.join("logs/alias.log")).unwrap();
    symlink(".", folder.join("logs/round")).unwrap();
    symlink("nowhere", folder.join("logs/dangling.log")).unwrap();
    let server = TestServer::serving(folder.join("logs"));
    assert_eq!(names(&server), ["alias.log", "real.log"]);
    assert_eq!(server.get("/logs/alias.log?follow=false").text(), "real\n");
    assert_eq!(server.get("/logs/secret.log").status, 404);
    let left_out = server.get("/api/sources").json()["left_out"].clone();
    let reason = |name: &str| {
        let found = left_out.as_array().unwrap().iter().find(|entry| entry["name"] == name);
        found.unwrap_or_else(|| panic!("{name} not in {left_out}"))["reason"].clone()
    };
    assert!(reason("secret.log").as_str().unwrap().contains("out of what is configured"));
    assert!(reason("outside").as_str().unwrap().contains("out of what is configured"));

    // Where both are configured, the link leads to what may be read.
    let server = Options::serving([folder.join("logs"), folder.join("outside")]).start();
    let all = names(&server);
    assert!(all.contains(&"outside/app.log".to_owned()), "{all:?}");
}

#[test]
fn a_link_that_is_switched_to_the_outside_shows_nothing_of_it() {
    let folder = LogFolder::new();
    folder.log("secret.txt").line("secret");
    folder.log("logs/real.log").line("real");
    symlink("real.log", folder.join("logs/link.log")).unwrap();
    let server = TestServer::serving(folder.join("logs"));
    assert_eq!(server.get("/logs/link.log?follow=false").text(), "real\n");
    fs::remove_file(folder.join("logs/link.log")).unwrap();
    symlink(folder.join("secret.txt"), folder.join("logs/link.log")).unwrap();
    let answer = server.get("/logs/link.log?follow=false");
    assert!(!answer.text().contains("secret\n"), "{}: {}", answer.status, answer.text());
}

#[test]
fn a_link_that_the_user_names_is_followed_wherever_it_leads() {
    let folder = LogFolder::new();
    folder.log("releases/1/app.log").line("one");
    folder.log("releases/2/app.log").line("two");
    symlink("releases/1/app.log", folder.join("current.log")).unwrap();
    let server = TestServer::serving(folder.join("current.log"));
    let mut viewer = server.follow(Request::ndjson("/logs/current.log"));
    viewer.wait_for_line("one");
    symlink("releases/2/app.log", folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("current.log")).unwrap();
    viewer.wait_for_line("two");
    assert_eq!(viewer.texts(), ["one", "two"]);
}

#[test]
fn pipes_sockets_and_devices_are_not_opened() {
    let folder = LogFolder::new();
    folder.log("app.log").number(1);
    let status = std::process::Command::new("mkfifo").arg(folder.join("pipe.log")).status();
    assert!(status.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("sock.log")).unwrap();
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server), ["app.log"]);
    let list = server.get("/api/sources").json();
    assert_eq!(list["left_out"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!(server.get("/logs/pipe.log").status, 404);
}

#[test]
fn names_with_odd_characters_work_percent_encoded() {
    let folder = LogFolder::new();
    let odd = ["with space.log", "ü.log", "100%.log", "a+b&c=d.log", "question?.log", "#1.log"];
    for name in odd {
        folder.log(name).line(name);
    }
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server).len(), odd.len());
    for name in odd {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = server.get(format!("/logs/{encoded}?follow=false"));
        assert_eq!(answer.text(), format!("{name}\n"));
        let raw = server.get(format!("/logs/{encoded}?format=raw"));
        let disposition = raw.header("content-disposition").unwrap();
        assert!(disposition.is_ascii() && !disposition.contains(' ') || disposition.contains("; "));
    }
}

#[test]
fn a_folder_that_is_missing_at_start_is_one_when_it_appears() {
    let folder = LogFolder::new();
    let server = TestServer::serving(folder.join("late"));
    assert_eq!(names(&server), ["late"]);
    let begun = Instant::now();
    folder.log("late/deep/app.log").line("here");
    wait_until("its files are sources", || names(&server) == ["deep/app.log"]);
    assert!(begun.elapsed() < Duration::from_secs(2), "took {:?}", begun.elapsed());
    assert_eq!(server.get("/logs/deep/app.log?follow=false").text(), "here\n");
    folder.log("late/more.log").number(1);
    wait_until("it is watched", || names(&server) == ["deep/app.log", "more.log"]);
    // Names do not depend on what existed.
    let server = server.restart();
    assert_eq!(names(&server), ["deep/app.log", "more.log"]);

    // One that turns out to be a file stays one.
    let server = Options::serving([folder.join("file"), folder.join("other")]).start();
    folder.log("file").line("a file");
    folder.log("other/app.log").number(1);
    wait_until("both are there", || names(&server) == ["file", "other/app.log"]);
    assert_eq!(server.get("/logs/file?follow=false").text(), "a file\n");

    // Below a configured name, too.
    let path = folder.path().display();
    let server = Options::default()
        .config(&format!("[[default.tailcast.source]]\nname = \"web\"\npaths = [\"{path}/web\"]\n"))
        .start();
    assert_eq!(names(&server), ["web"]);
    folder.log("web/access.log").number(1);
    wait_until("its files are sources", || names(&server) == ["web/access.log"]);
}

#[test]
fn what_appears_beside_thousands_of_files_is_found_soon() {
    let folder = LogFolder::new();
    for number in 0..6000 {
        folder.write(&format!("many/{number}.log"), "x\n");
    }
    let server = Options::serving([folder.join("many/"), folder.join("late/")]).start();
    for round in 0..3 {
        let begun = Instant::now();
        folder.log(&format!("late/{round}.log")).number(1);
        let path = format!("/logs/late/{round}.log?follow=false");
        wait_until("it is found", || server.get(path.as_str()).status == 200);
        assert!(begun.elapsed() < Duration::from_millis(2500), "took {:?}", begun.elapsed());
    }
}

#[test]
fn a_backslash_in_a_name_is_a_character_like_any_other() {
    let folder = LogFolder::new();
    for name in ["back\\slash.log", "deep/\\.log", "a\\*b.log"] {
        folder.log(name).line(name);
    }
    let server = TestServer::serving(folder.path());
    let all = names(&server);
    assert_eq!(all, ["a\\*b.log", "back\\slash.log", "deep/\\.log"]);
    for name in all {
        let encoded = name.replace('\\', "%5C").replace('*', "%2A");
        let answer = server.get(format!("/logs/{encoded}?follow=false"));
        assert_eq!((answer.status, answer.text()), (200, format!("{name}\n")));
    }
}

fn names(server: &TestServer) -> Vec<String> {
    let list = server.get("/api/sources").json();
    let sources = list["sources"].as_array().unwrap().iter();
    sources.map(|source: &Value| source["name"].as_str().unwrap().to_owned()).collect()
}
