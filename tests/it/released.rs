//! What the released 0.1.0 wrote, and what was written for it, goes on working: users, tokens,
//! cursors and `Rocket.toml`. The files in `released_0_1_0` were made with it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::auth_fixture::{as_user, with_token};
use super::support::{LogFolder, Options, Request, TestServer, run};

/// A copy of the files of 0.1.0, and the server on them.
fn start() -> (LogFolder, TestServer) {
    let folder = LogFolder::new();
    for name in ["Rocket.toml", "tailcast-users", "tailcast-tokens"] {
        folder.write(name, written(name));
    }
    for name in ["long.log", "short.log"] {
        folder.write(&format!("logs/{name}"), written(&format!("logs/{name}")));
    }
    let server = options(&folder.join("Rocket.toml")).start();
    (folder, server)
}

fn options(config: &Path) -> Options {
    Options::default().argument("--config").argument(config)
}

fn written(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/released_0_1_0").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn lines(answer: &super::support::Answer) -> Vec<Value> {
    let records = answer.records();
    records.into_iter().filter_map(|record| record.get("line").cloned()).collect()
}

#[test]
fn the_users_and_tokens_of_0_1_0_come_in() {
    let (_folder, server) = start();
    assert_eq!(server.get(as_user("/logs/logs/long.log?follow=false", "alice")).status, 200);
    assert_eq!(server.get(as_user("/metrics", "alice")).status, 200);
    let of_bob = server.get(as_user("/", "bob")).text();
    assert!(of_bob.contains("short.log") && !of_bob.contains("long.log"), "{of_bob}");
    let token = written("token.txt");
    assert_eq!(
        server.get(with_token("/logs/logs/long.log?follow=false", token.trim())).status,
        200
    );
    let expired = written("token-expired.txt");
    assert_eq!(server.get(with_token("/", expired.trim())).status, 401);
    let by_proxy = Request::get("/").header("Remote-User", "alice").bound_to("127.0.0.9");
    assert_eq!(server.get(by_proxy).status, 200);
    let form = Request::form("/login", &["name=alice", "password=correct+horse"]);
    assert_eq!(server.get(form).status, 303);
}

#[test]
fn the_configuration_of_0_1_0_means_the_same() {
    let (folder, _server) = start();
    let output = run(&["check"], &options(&folder.join("Rocket.toml")));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    for (key, value) in [
        ("tailcast.heartbeat", "20s"),
        ("tailcast.max_viewers", "100"),
        ("tailcast.max_connections_per_second", "50"),
        ("tailcast.max_viewers_per_address", "20"),
        ("tailcast.session_lifetime", "1h"),
    ] {
        let line = told.lines().find(|line| line.trim_start().starts_with(&format!("{key} ")));
        assert!(line.is_some_and(|line| line.contains(value)), "{key} = {value} in\n{told}");
    }
}

#[test]
fn the_cursors_of_0_1_0_go_on_at_the_next_line() {
    let (_folder, server) = start();
    for name in ["long", "short"] {
        let text = written(&format!("{name}.ndjson"));
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let records: Vec<Value> = records.filter(|record| record["event"] != "end").collect();
        let all: Vec<Value> =
            records.iter().filter_map(|record| record.get("line").cloned()).collect();
        for (place, record) in records.iter().enumerate().step_by(7) {
            let cursor = record["cursor"].as_str().unwrap();
            let path = format!("/logs/logs/{name}.log?format=ndjson&follow=false&from={cursor}");
            let answer = server.get(as_user(&path, "alice"));
            assert_eq!(answer.status, 200, "{name} {place}: {}", answer.text());
            assert!(!answer.text().contains("\"gap\""), "{}", answer.text());
            assert_eq!(lines(&answer), all[place..], "{name} from {place}");
        }
    }
    // The place in both of them, as an `EventSource` keeps it.
    let events = written("events.txt");
    let id = events.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let request = as_user("/logs/logs/*.log?format=ndjson&follow=false", "alice");
    let answer = server.get(request.header("Last-Event-ID", id));
    assert_eq!(lines(&answer).len(), 2, "{}", answer.text());
}
