//! Several sources in one stream, named by a glob.

use super::support::{LogFolder, Request, TestServer, numbered};

#[test]
fn text_marks_changes_of_source_like_tail() {
    let folder = LogFolder::new();
    let (mut a, mut b) = (folder.log("a.log"), folder.log("b.log"));
    a.write("a1\na2\n");
    b.write("b1\n");
    let server = TestServer::serving(folder.path());
    let answer = server.get("/logs/*.log?follow=false");
    assert_eq!(answer.text(), "==> a.log <==\na1\na2\n\n==> b.log <==\nb1\n");
    let mut viewer = server.follow("/logs/*.log");
    viewer.wait_for_line("b1");
    a.line("a3");
    viewer.wait_for_line("a3");
    a.line("a4");
    viewer.wait_for_line("a4");
    b.line("b2");
    viewer.wait_for_line("b2");
    let live = ["", "==> a.log <==", "a3", "a4", "", "==> b.log <==", "b2"];
    assert_eq!(viewer.texts()[6..], live);
}

#[test]
fn every_glob_character_works() {
    let folder = LogFolder::new();
    for name in ["a1.log", "a2.log", "b1.log", "nginx/access.log", "nginx/old/error.log"] {
        folder.log(name).line(name);
    }
    let server = TestServer::serving(folder.path());
    for (glob, expected) in [
        ("*.log", &["a1.log", "a2.log", "b1.log"][..]),
        ("%3F1.log", &["a1.log", "b1.log"]),
        ("a%5B12%5D.log", &["a1.log", "a2.log"]),
        ("%7Ba1,b1%7D.log", &["a1.log", "b1.log"]),
        ("nginx/*", &["nginx/access.log"]),
        ("*/*", &["nginx/access.log"]),
        ("**", &["a1.log", "a2.log", "b1.log", "nginx/access.log", "nginx/old/error.log"]),
        ("nginx/**/*.log", &["nginx/access.log", "nginx/old/error.log"]),
        ("**/error.log", &["nginx/old/error.log"]),
    ] {
        let path = format!("/logs/{glob}?follow=false");
        let mut viewer = server.follow(Request::ndjson(&path));
        viewer.wait_for_end();
        assert_eq!(viewer.texts(), expected, "{glob}");
        let sources: Vec<_> =
            viewer.lines.iter().map(|line| line.source.clone().unwrap()).collect();
        assert_eq!(sources, expected, "{glob}");
    }
    assert_eq!(server.get("/logs/c*.log").status, 404);
    assert_eq!(server.get("/logs/a%5B.log").status, 400);
}

#[test]
fn tail_counts_for_each_source_by_itself() {
    let folder = LogFolder::new();
    for name in ["a.log", "b.log"] {
        folder.log(name).number(20);
    }
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::ndjson("/logs/*.log?tail=3&follow=false"));
    viewer.wait_for_end();
    let of = |name: &str| {
        let own = viewer.lines.iter().filter(|line| line.source.as_deref() == Some(name));
        own.map(|line| line.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!((of("a.log"), of("b.log")), (numbered(18, 20), numbered(18, 20)));
    assert_eq!(viewer.lines[2].source.as_deref(), Some("a.log"), "source by source");
}

#[test]
fn a_records_cursor_is_its_own_sources() {
    let folder = LogFolder::new();
    for name in ["a.log", "b.log"] {
        folder.log(name).number(3);
    }
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::ndjson("/logs/*.log?follow=false"));
    viewer.wait_for_end();
    for line in &viewer.lines {
        let (name, cursor) = (line.source.as_ref().unwrap(), line.cursor.as_ref().unwrap());
        let answer = server.get(format!("/logs/{name}?follow=false&from={cursor}"));
        let number: usize = line.text[5..].parse().unwrap();
        assert_eq!(answer.lines(), numbered(number + 1, 3), "{line:?}");
    }
    let start = viewer.wait_for_event("start");
    let end = viewer.wait_for_event("end");
    assert_eq!(start.data["source"], "*.log");
    for event in [&start, &end] {
        assert_eq!(event.cursor().unwrap().split('~').count(), 2, "{event:?}");
        assert_eq!(event.data.get("resumable"), None);
    }
}

#[test]
fn a_set_of_sources_is_resumed_by_the_set_of_their_places() {
    let folder = LogFolder::new();
    let (mut a, mut b) = (folder.log("a.log"), folder.log("b.log"));
    let mut silent = folder.log("silent.log");
    a.number(5);
    b.number(5);
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::sse("/logs/*.log?tail=all"));
    viewer.wait_for_lines(10);
    for line in &viewer.lines {
        let id = line.id.as_deref().unwrap();
        assert_eq!(id.split('~').count(), 3, "{id}");
        assert!(id.split('~').any(|cursor| Some(cursor) == line.cursor.as_deref()), "{line:?}");
    }
    // From any place on, all the rest comes, of the silent one too.
    silent.line("not silent any more");
    viewer.wait_for_lines(11);
    a.line("more of a");
    viewer.wait_for_lines(12);
    let everything = viewer.lines;
    for number in 0..everything.len() {
        let id = everything[number].id.as_deref().unwrap();
        for request in [
            Request::sse("/logs/*.log?follow=false").header("Last-Event-ID", id),
            Request::sse(&format!("/logs/*.log?follow=false&from={id}")),
            Request::sse(&format!("/logs/*.log?follow=false&from={}", id.replace('~', "%7E"))),
        ] {
            let answer = server.get(request.clone());
            if number + 1 == everything.len() {
                assert_eq!(answer.status, 204);
                continue;
            }
            let mut rest = server.follow(request);
            rest.wait_for_end();
            let sorted = |lines: &[super::support::Line]| {
                let mut pairs: Vec<_> =
                    lines.iter().map(|line| (line.source.clone(), line.text.clone())).collect();
                pairs.sort();
                pairs
            };
            assert_eq!(sorted(&rest.lines), sorted(&everything[number + 1..]), "after {number}");
        }
    }
    b.line("more of b");
    let request = Request::sse("/logs/*.log")
        .header("Last-Event-ID", everything.last().unwrap().id.as_deref().unwrap());
    let mut viewer = server.follow(request);
    viewer.wait_for_lines(1);
    assert_eq!(viewer.texts(), ["more of b"]);
}

#[test]
fn a_cursor_in_the_set_that_is_of_no_source_of_it_is_refused() {
    let folder = LogFolder::new();
    for name in ["a.log", "b.log", "c.txt"] {
        folder.log(name).number(1);
    }
    let server = TestServer::serving(folder.path());
    let place = |name: &str| {
        let path = format!("/logs/{name}?follow=false&tail=0&format=ndjson");
        server.get(path).records()[0]["cursor"].as_str().unwrap().to_owned()
    };
    let (a, b, c) = (place("a.log"), place("b.log"), place("c.txt"));
    for set in [format!("{a}~{c}"), format!("{a}~{a}"), format!("{a}~{b}~"), format!("{a}~x")] {
        assert_eq!(server.get(format!("/logs/*.log?from={set}")).status, 400, "{set}");
    }
    assert_eq!(server.get(format!("/logs/*.log?follow=false&from={b}~{a}")).status, 200);
}

#[test]
fn up_to_16_sources_have_ids_and_more_have_none() {
    let folder = LogFolder::new();
    for number in 1..=16 {
        folder.log(&format!("{number}.log")).number(2);
    }
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::sse("/logs/*.log?heartbeat=1s"));
    viewer.wait_for_lines(32);
    viewer.wait_for_event("heartbeat");
    assert!(viewer.lines.iter().all(|line| line.id.as_ref().unwrap().split('~').count() == 16));
    assert!(viewer.events.iter().all(|event| event.id.is_some()));

    folder.log("17.log").number(2);
    wait_for_sources(&server, 17);
    let mut viewer = server.follow(Request::sse("/logs/*.log?heartbeat=1s"));
    viewer.wait_for_lines(34);
    viewer.wait_for_event("heartbeat");
    let start = viewer.wait_for_event("start");
    assert_eq!(start.data["resumable"], false);
    assert_eq!(viewer.last_id, None, "{:?}", viewer.blocks);
    let ndjson = server.get(Request::ndjson("/logs/*.log?follow=false")).records();
    assert_eq!(ndjson[0]["resumable"], false);
    assert!(ndjson[1]["cursor"].is_string(), "a line still has its own place");
}

#[test]
fn a_source_that_appears_later_joins_at_its_first_line() {
    let folder = LogFolder::new();
    folder.log("a.log").number(20);
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::sse("/logs/*.log?tail=1"));
    viewer.wait_for_lines(1);
    folder.log("other.txt").number(1);
    folder.write("b.log", numbered(1, 30).join("\n") + "\n");
    viewer.wait_for_lines(31);
    assert_eq!(viewer.texts()[1..], numbered(1, 30));
    assert!(viewer.lines[1..].iter().all(|line| line.source.as_deref() == Some("b.log")));
    let id = viewer.last_id.clone().unwrap();
    assert_eq!(id.split('~').count(), 2, "{id}");
}

#[test]
fn a_source_that_appeared_while_the_viewer_was_away_joins_at_its_first_line() {
    let folder = LogFolder::new();
    let mut a = folder.log("a.log");
    a.number(20);
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::sse("/logs/*.log?tail=1"));
    viewer.wait_for_lines(1);
    let id = viewer.last_id.clone().unwrap();
    drop(viewer);
    folder.log("b.log").number(30);
    wait_for_sources(&server, 2);
    let mut viewer = server.follow(Request::sse("/logs/*.log").header("Last-Event-ID", &id));
    viewer.wait_for_lines(30);
    assert_eq!(viewer.texts(), numbered(1, 30));
}

#[test]
fn an_exact_name_beats_a_glob() {
    let folder = LogFolder::new();
    for name in ["app[1].log", "app1.log", "a*.log"] {
        folder.log(name).line(name);
    }
    let server = TestServer::serving(folder.path());
    assert_eq!(server.get("/logs/app%5B1%5D.log?follow=false").text(), "app[1].log\n");
    assert_eq!(server.get("/logs/a*.log?follow=false").text(), "a*.log\n");
    assert!(server.get("/logs/ap*.log?follow=false").text().starts_with("==> app1.log <==\n"));
}

#[track_caller]
fn wait_for_sources(server: &TestServer, n_sources: usize) {
    super::support::wait_until("the catalog knows all sources", || {
        server.get("/api/sources").json()["sources"].as_array().unwrap().len() == n_sources
    });
}
