//! The bounds that are told to clients.

use super::support::{LogFolder, Options, Request, wait_until};

#[test]
fn a_viewer_too_many_is_asked_to_come_back() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server =
        Options::serving([log.path()]).config("[default.tailcast]\nmax_viewers = 2\n").start();
    let first = server.follow("/logs/app.log?heartbeat=1s");
    let mut second = server.follow("/logs/app.log?heartbeat=1s");
    for request in
        [Request::get("/logs/app.log"), Request::sse("/logs/app.log"), Request::sse("/api/sources")]
    {
        let answer = server.get(request.clone());
        assert_eq!(answer.status, 503, "{request:?}");
        let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    // Those who are there notice nothing, and lists and metrics are still to be had.
    log.number(1);
    second.wait_for_line("line 2");
    assert_eq!(server.get("/api/sources").status, 200);
    assert_eq!(server.n_viewers(), 2);
    drop(first);
    wait_until("the place is free again", || {
        server.get("/logs/app.log?follow=false").status == 200
    });
}

#[test]
fn the_configured_heartbeat_holds_where_the_url_says_nothing() {
    let (_folder, log) = LogFolder::with_log("app.log");
    let server =
        Options::serving([log.path()]).config("[default.tailcast]\nheartbeat = \"1s\"\n").start();
    let mut viewer = server.follow(Request::sse("/logs/app.log"));
    viewer.wait_for(|viewer| viewer.events_named("heartbeat").count() >= 2);
}
