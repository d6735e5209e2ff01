//! The list of sources as it changes: what many watch is made once.

use std::time::Duration;

use super::auth_fixture::{AuthFixture, with_token};
use super::support::{LogFolder, Request, TestServer, Viewer, pause, wait_until};

const EVENTS: &str = "/api/sources";

fn names(viewer: &Viewer) -> Vec<&str> {
    let sources = viewer.events[0].data["sources"].as_array().unwrap();
    sources.iter().filter_map(|source| source["name"].as_str()).collect()
}

fn watch(server: &TestServer) -> Viewer {
    let mut viewer = server.follow(Request::sse(EVENTS));
    viewer.wait_for(|viewer| !viewer.events.is_empty());
    viewer
}

/// Seconds of CPU that the server takes in some time.
fn cost(server: &TestServer) -> f64 {
    let before = server.cpu_seconds();
    pause(Duration::from_secs(4));
    server.cpu_seconds() - before
}

#[test]
fn many_who_watch_the_list_cost_little_more_than_one() {
    let folder = LogFolder::new();
    for number in 0..300 {
        folder.write(&format!("{number}.log"), "a line\n");
    }
    let server = TestServer::serving(folder.path());
    let mut one = watch(&server);
    let of_one = cost(&server);
    let mut viewers: Vec<Viewer> = (0..60).map(|_| watch(&server)).collect();
    let of_all = cost(&server);
    eprintln!("one: {of_one:.2} s of CPU in 4 s, 61: {of_all:.2}");
    // Each made its own list: 60 times as much.
    assert!(of_all < 4.0 * of_one + 0.4, "one: {of_one:.2} s of CPU, 61: {of_all:.2}");
    let written = server.metric("tailcast_source_events_total");
    folder.write("0.log", "another line\n");
    let is_told =
        |viewer: &Viewer| viewer.events_named("changed").any(|event| event.data["size"] == 13);
    one.wait_for(is_told);
    for viewer in &mut viewers {
        viewer.wait_for(is_told);
    }
    let n_written = server.metric("tailcast_source_events_total") - written;
    assert!((1.0..10.0).contains(&n_written), "{n_written}");
}

#[test]
fn who_may_read_less_shares_nothing_with_who_may_read_more() {
    let house = AuthFixture::new("");
    for name in ["a.log", "b.log"] {
        house.log(name).line("hello");
    }
    let all = house.token(&["--name", "all", "--sources", "*"]);
    let some = house.token(&["--name", "some", "--sources", "b.*"]);
    let same = house.token(&["--name", "same", "--sources", "b.*"]);
    let server = house.start();
    let open = |token: &str| {
        let mut viewer = server.follow(with_token(EVENTS, token).accept("text/event-stream"));
        viewer.wait_for(|viewer| !viewer.events.is_empty());
        viewer
    };
    let (mut all, mut some, mut same) = (open(&all), open(&some), open(&same));
    assert_eq!(names(&all), ["a.log", "b.log"]);
    assert_eq!((names(&some), names(&same)), (vec!["b.log"], vec!["b.log"]));
    house.log("a2.log").line("new");
    house.log("b.new.log").line("new");
    let added = |viewer: &Viewer, name: &str| {
        viewer.events_named("added").any(|event| event.data["name"] == name)
    };
    all.wait_for(|viewer| added(viewer, "a2.log") && added(viewer, "b.new.log"));
    for viewer in [&mut some, &mut same] {
        viewer.wait_for(|viewer| added(viewer, "b.new.log"));
        assert!(!added(viewer, "a2.log"), "{:?}", viewer.events);
    }
}

#[test]
fn who_loses_a_right_hears_no_more_and_the_others_go_on() {
    let house = AuthFixture::new("");
    for name in ["a.log", "b.log"] {
        house.log(name).line("hello");
    }
    let keeps = house.token(&["--name", "keeps", "--sources", "*"]);
    let loses = house.token(&["--name", "loses", "--sources", "*"]);
    let server = house.start();
    let open = |token: &str| {
        let mut viewer = server.follow(with_token(EVENTS, token).accept("text/event-stream"));
        viewer.wait_for(|viewer| !viewer.events.is_empty());
        viewer
    };
    let (mut kept, mut lost) = (open(&keeps), open(&loses));
    house.command(&["token", "revoke", "loses"]);
    wait_until("it has ended", || {
        lost.read();
        lost.has_ended()
    });
    house.log("c.log").line("new");
    kept.wait_for(|viewer| viewer.events_named("added").count() == 1);
    assert_eq!(lost.events_named("added").count(), 0);
}
