//! The client as a library.

use std::time::Duration;

use tailcast_client::{Client, EndReason, Event, Missed, Options, Query};

#[path = "../../crates/tailcast-client/examples/follow.rs"]
mod example;

use super::support::{LogFile, LogFolder, Proxy, TestServer, numbered};

#[test]
fn the_example_in_the_docs_works() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let server = TestServer::serving(log.path());
    let url = format!("http://{}/logs/app.log?follow=false", server.address());
    let mut out = Vec::new();
    runtime().block_on(example::follow(&url, &mut out)).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out, "app.log: line 1\napp.log: line 2\napp.log: line 3\n");
    // And it is what the docs show.
    let docs = include_str!("../../crates/tailcast-client/src/lib.rs");
    assert!(docs.contains("include_str!(\"../examples/follow.rs\")"));
}

#[test]
fn events_are_typed_and_a_lost_connection_is_told() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("2026-11-21T10:00:00Z ERROR one\ntwo\n");
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let client = Client::new(Options::default().heartbeat(Duration::from_secs(1)));
    let url = format!("ws://{}/logs/app.log", proxy.address());
    runtime().block_on(follow_through_a_cut(&client, &url, &proxy, &mut log));
}

async fn follow_through_a_cut(client: &Client, url: &str, proxy: &Proxy, log: &mut LogFile) {
    let mut follow = client.follow(url, Query::new().all()).unwrap();
    let (mut lines, mut kinds) = (Vec::new(), Vec::new());
    while lines.len() < 3 || !kinds.contains(&"resumed") {
        let event = tokio::time::timeout(Duration::from_secs(20), follow.next()).await;
        match event.unwrap().unwrap().expect("it does not end") {
            Event::Start(start) => {
                assert_eq!((start.source.as_str(), start.is_resumable), ("app.log", true));
                kinds.push("start");
            }
            Event::Lines(batch) => {
                for record in batch.records() {
                    assert_eq!(record.source(), "app.log");
                    lines.push((record.line().into_owned(), record.level().map(String::from)));
                }
                if lines.len() == 2 {
                    proxy.cut();
                    log.line("three");
                }
            }
            Event::Heartbeat(heartbeat) => assert!(heartbeat.size > 0),
            Event::Reconnecting(lost) => {
                assert!(lost.was_connected);
                kinds.push("reconnecting");
            }
            Event::Resumed(resumed) => {
                assert_eq!(resumed.missed, Missed::Nothing);
                kinds.push("resumed");
            }
            Event::FallenBack(_) => {}
            other @ (Event::Gap(_) | Event::Rotated(_) | Event::End(_)) => panic!("{other:?}"),
        }
    }
    let texts: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(texts, ["2026-11-21T10:00:00Z ERROR one", "two", "three"]);
    assert_eq!(lines[0].1.as_deref(), Some("error"));
    assert_eq!(kinds, ["start", "reconnecting", "start", "resumed"]);
    let cursor = follow.cursor().unwrap();
    follow.close().await;
    log.number(2);
    let rest = Query::new().from(&cursor).follow(false);
    let mut rest = client.follow(url, rest).unwrap();
    let mut found = Vec::new();
    while let Some(event) = rest.next().await.unwrap() {
        if let Event::Lines(batch) = &event {
            found.extend(batch.records().map(|record| record.line().into_owned()));
        }
        if let Event::End(end) = event {
            assert_eq!(end.reason, EndReason::Eof);
        }
    }
    assert_eq!(found, numbered(1, 2));
    assert!(rest.next().await.unwrap().is_none(), "it has ended");
}

#[test]
fn a_step_that_is_given_up_half_way_loses_nothing() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let proxy = Proxy::before(server.address());
    let client = Client::new(Options::default());
    let url = format!("http://{}/logs/app.log?tail=all", proxy.address());
    runtime().block_on(follow_in_small_steps(&client, &url, &proxy, &mut log));
}

async fn follow_in_small_steps(client: &Client, url: &str, proxy: &Proxy, log: &mut LogFile) {
    let mut follow = client.follow(url, Query::new()).unwrap();
    let mut lines: Vec<String> = Vec::new();
    let begun = std::time::Instant::now();
    while lines.len() < 2_000 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} lines", lines.len());
        if log.n_lines() < 2_000 {
            log.number(20);
        }
        if log.n_lines() == 1_000 {
            proxy.cut();
        }
        let patience = Duration::from_micros(fastrand::u64(0..2_000));
        if let Ok(event) = tokio::time::timeout(patience, follow.next()).await
            && let Some(Event::Lines(batch)) = event.unwrap()
        {
            lines.extend(batch.records().map(|record| record.line().into_owned()));
        }
    }
    assert_eq!(lines, numbered(1, 2_000));
}

#[test]
fn the_list_of_sources_is_typed() {
    let folder = LogFolder::new();
    folder.write("a/b.log", "x\n");
    let server = TestServer::serving(folder.path());
    let client = Client::new(Options::default());
    let url = format!("http://{}/", server.address());
    let list = runtime().block_on(client.sources(&url)).unwrap();
    let names: Vec<_> =
        list.sources.iter().map(|source| (source.name.as_str(), source.size)).collect();
    assert_eq!(names, [("a/b.log", 2)]);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
