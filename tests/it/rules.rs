//! Who may read what: what one may not read does not exist for one, and a right that is lost is
//! lost at once.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::auth_fixture::{AuthFixture, as_user, with_token};
use super::support::{Request, TestServer, wait_until};

const RULES: &str = "
[[default.tailcast.rule]]
users = [\"alice\"]
sources = [\"nginx/*\"]
[[default.tailcast.rule]]
groups = [\"ops\"]
sources = [\"**\"]
metrics = true
[[default.tailcast.rule]]
tokens = [\"ci\"]
sources = [\"shop/build.log\"]
";

fn house() -> AuthFixture {
    let house = AuthFixture::new(RULES);
    house.log("nginx/access.log").line("from nginx");
    house.log("nginx/error.log").line("error of nginx");
    house.log("shop/build.log").line("from shop");
    house.log("secret-plans.log").line("from plans");
    house.user("alice", &[]);
    house.user("olga", &["ops"]);
    house.user("eve", &["others"]);
    house
}

fn names(server: &TestServer, request: Request) -> Vec<String> {
    let list = server.get(request.accept("application/json")).json();
    let names = list["sources"].as_array().unwrap().iter();
    names.map(|source| source["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_one_may_not_read_does_not_exist() {
    let house = house();
    let server = house.start();
    assert_eq!(
        names(&server, as_user("/api/sources", "alice")),
        ["nginx/access.log", "nginx/error.log"]
    );
    assert_eq!(names(&server, as_user("/api/sources", "olga")).len(), 4);
    assert!(names(&server, as_user("/api/sources", "eve")).is_empty());
    let list = server.get(as_user("/", "alice")).text();
    assert!(list.contains("nginx/error.log") && !list.contains("plans"), "{list}");

    // The same words as for what nobody has.
    let forbidden = server.get(as_user("/logs/secret-plans.log", "alice"));
    let unknown = server.get(as_user("/logs/zecret-plans.log", "alice"));
    assert_eq!((forbidden.status, unknown.status), (404, 404));
    assert_eq!(forbidden.text().replace("secret", "zecret"), unknown.text());
    let near = server.get(as_user("/logs/secret-plan.log", "alice"));
    assert!(!near.text().contains("secret-plans"), "{}", near.text());
    let near = server.get(as_user("/logs/secret-plan.log", "olga"));
    assert!(near.text().contains("secret-plans.log"), "{}", near.text());
    assert_eq!(server.get(as_user("/logs/shop/*", "alice")).status, 404);

    let all = server.get(as_user("/logs/**?follow=false&format=ndjson", "alice"));
    assert!(all.text().contains("from nginx") && !all.text().contains("from shop"));
    for path in [
        "/logs/%73ecret-plans.log",
        "/logs/Secret-plans.log",
        "/logs/nginx/../secret-plans.log",
        "/logs/nginx/%2e%2e/secret-plans.log",
        "/logs/nginx%2f..%2fsecret-plans.log",
        "/logs/nginx/..%2fsecret-plans.log",
        "/logs/%2573ecret-plans.log",
        "/logs//secret-plans.log",
        "/logs/secret-plans.log/",
        "/logs/secret-plans.log%00",
        "/logs/secret-plans.log%0a",
        "/logs/[s]ecret-plans.log",
        "/logs/{secret,}-plans.log",
        "/logs/s*",
    ] {
        let answer = server.get(as_user(path, "alice"));
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("from plans"), "{path}");
    }
}

#[test]
fn the_metrics_need_a_right() {
    let house = house();
    let server = house.start();
    assert_eq!(server.get(as_user("/metrics", "alice")).status, 403);
    assert_eq!(server.get(as_user("/metrics", "olga")).status, 200);
    let token = house.token(&["--metrics"]);
    wait_until("the token is known", || server.get(with_token("/metrics", &token)).status == 200);
    assert!(names(&server, with_token("/api/sources", &token)).is_empty());
}

#[test]
fn a_token_reads_what_it_was_made_for_and_nothing_else() {
    let house = house();
    let token = house.token(&["--sources", "nginx/*", "--expires", "90d"]);
    let ci = house.token(&["--name", "ci"]);
    let server = house.start();
    assert_eq!(names(&server, with_token("/api/sources", &token)).len(), 2);
    assert_eq!(names(&server, with_token("/api/sources", &ci)), ["shop/build.log"]);
    let answer = server.get(with_token("/logs/nginx/access.log?follow=false", &token));
    assert_eq!(answer.text(), "from nginx\n");
    assert_eq!(server.get(with_token("/logs/shop/build.log", &token)).status, 404);

    // `tc_`, an id, and a secret, in which there may be a `_` as well.
    let (at, _) = token.match_indices('_').nth(1).unwrap();
    let (head, secret) = (&token[..at], &token[at + 1..]);
    let mut flipped = secret.to_owned();
    flipped.replace_range(..1, if secret.starts_with('A') { "B" } else { "A" });
    for wrong in [
        String::new(),
        head.to_owned(),
        format!("{head}_"),
        format!("{head}_{flipped}"),
        format!("{token}x"),
        token[..token.len() - 1].to_owned(),
        token.to_uppercase(),
        format!("{token}%00"),
        format!("{token} {token}"),
        "x".repeat(10_000),
    ] {
        let answer = server.get(with_token("/logs/nginx/access.log", &wrong));
        assert_eq!(answer.status, 401, "{wrong}");
    }
    // Never in a URL, where it would stand in logs and histories.
    for path in [
        format!("/logs/nginx/access.log?token={token}"),
        format!("/logs/nginx/access.log?access_token={token}"),
    ] {
        assert_eq!(server.get(Request::get(&path)).status, 401);
        let answer = server.get(with_token(&path, &token));
        assert_eq!(answer.status, 400);
    }
    let as_cookie =
        Request::get("/api/sources").header("Cookie", &format!("tailcast_session={token}"));
    assert_eq!(server.get(as_cookie).status, 401);

    let kept = std::fs::read_to_string(house.join("tailcast-tokens")).unwrap();
    assert!(!kept.contains(secret) && !house.command(&["token", "list"]).contains(secret));
    assert!(!server.log().contains(secret), "{}", server.log());
}

#[test]
fn a_token_ends_with_its_time_also_in_the_middle_of_a_stream() {
    let house = house();
    let token = house.token(&["--sources", "**", "--expires", "4s"]);
    let server = house.start();
    let mut viewer =
        server.follow(with_token("/logs/nginx/access.log?heartbeat=1s&format=ndjson", &token));
    viewer.wait_for_lines(1);
    assert_eq!(viewer.wait_for_event("end").data["reason"], "revoked");
    assert_eq!(server.get(with_token("/api/sources", &token)).status, 401);
}

#[test]
fn a_viewer_that_loses_its_right_is_told_and_ended() {
    let house = house();
    let server = house.start();
    let mut alice = server.follow(as_user("/logs/nginx/*?format=sse", "alice"));
    let mut olga = server.follow(as_user("/logs/nginx/access.log?format=ndjson", "olga"));
    let mut list = server.follow(as_user("/api/sources", "alice").accept("text/event-stream"));
    alice.wait_for_lines(2);
    olga.wait_for_lines(1);
    list.wait_for_event("sources");

    // Another rule: alice keeps her errors and loses the rest.
    let begun = Instant::now();
    house.configure(&RULES.replace("nginx/*", "nginx/error.log"));
    assert_eq!(alice.wait_for_event("end").data["reason"], "revoked");
    assert!(begun.elapsed() < Duration::from_secs(15), "later than a heartbeat");
    let removed = list.wait_for_event("removed");
    assert_eq!(removed.data["name"], "nginx/access.log");
    assert_eq!(names(&server, as_user("/api/sources", "alice")), ["nginx/error.log"]);

    // Who keeps the right notices nothing.
    house.log("nginx/access.log").line("more");
    olga.wait_for_line("more");
    house.user_with("olga", &["ops"], "a new password");
    assert_eq!(olga.wait_for_event("end").data["reason"], "revoked");
}

#[test]
fn a_revoked_token_ends_what_it_has_open() {
    let house = house();
    let token = house.token(&["--sources", "**", "--name", "deploy"]);
    let server = house.start();
    let mut viewer = server.follow(with_token("/logs/shop/build.log?format=ndjson", &token));
    viewer.wait_for_lines(1);
    assert_eq!(house.command(&["token", "revoke", "deploy"]), "1 token revoked\n");
    assert_eq!(viewer.wait_for_event("end").data["reason"], "revoked");
    viewer.wait_for_end();
    assert_eq!(server.get(with_token("/api/sources", &token)).status, 401);
}

#[test]
fn rules_that_make_no_sense_change_nothing_and_a_signal_reads_them_again() {
    let house = house();
    let server = house.start();
    let mut viewer = server.follow(as_user("/logs/nginx/access.log?format=ndjson", "alice"));
    viewer.wait_for_lines(1);
    house.configure("[[default.tailcast.rule]]\nusers = [\"alice\"]\nsources = [\"[\"]\n");
    wait_until("the mistake is told", || server.log().contains("rule[0].sources[0]"));
    house.log("nginx/access.log").line("still here");
    viewer.wait_for_line("still here");
    house.configure(RULES);
    server.signal(Signal::HUP);
    wait_until("it was read again", || server.log().contains("were read again"));
    house.log("nginx/access.log").line("and now");
    viewer.wait_for_line("and now");
}
