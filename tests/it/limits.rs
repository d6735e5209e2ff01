//! The bounds that are told to clients.

use super::auth_fixture::{AuthFixture, as_user};
use super::support::{LogFolder, Options, Request, TestServer, wait_until};

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

#[test]
fn one_address_does_not_take_all_the_places() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = Options::serving([log.path()])
        .config(
            "[default.tailcast]\nmax_viewers_per_address = 2\ntrusted_proxies = [\"127.0.0.1\"]\n",
        )
        .start();
    let from = |address: &str| Request::get("/logs/app.log").header("X-Forwarded-For", address);
    let first = server.follow(from("203.0.113.5"));
    let _second = server.follow(from("203.0.113.5"));
    let answer = server.get(from("203.0.113.5"));
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some() && answer.text().contains("this address"));
    assert_eq!(server.get(from("203.0.113.5").accept("text/event-stream")).status, 429);
    let _other = server.follow(from("203.0.113.6"));
    // Of IPv6 whoever has one address has the whole network.
    let _v6: Vec<_> = (1..=2).map(|n| server.follow(from(&format!("2001:db8::{n}")))).collect();
    assert_eq!(server.get(from("2001:db8::3")).status, 429);
    let _v6 = server.follow(from("2001:db8:0:1::1"));
    // The proxy's own address, and this host, stand for many.
    let _own: Vec<_> = (0..4).map(|_| server.follow("/logs/app.log")).collect();
    let _local: Vec<_> = (0..4).map(|_| server.follow(from("127.0.0.3"))).collect();
    drop(first);
    let short = Request::get("/logs/app.log?follow=false");
    let short = short.header("X-Forwarded-For", "203.0.113.5");
    wait_until("the place is free again", || {
        // A client that has left is noticed at the next line.
        log.number(1);
        server.get(short.clone()).status == 200
    });
}

#[test]
fn one_user_does_not_take_all_the_places() {
    let house = AuthFixture::new("max_viewers_per_user = 2");
    house.log("app.log").number(1);
    house.user("alice", &[]);
    house.user("bob", &[]);
    let server = house.start();
    let _viewers: Vec<_> =
        (0..2).map(|_| server.follow(as_user("/logs/app.log", "alice"))).collect();
    let answer = server.get(as_user("/logs/app.log", "alice"));
    assert_eq!(answer.status, 429);
    assert!(answer.text().contains("this user"), "{}", answer.text());
    drop(server.follow(as_user("/logs/app.log", "bob")));
}

#[test]
fn what_is_too_long_is_refused_by_name() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let long = |n: usize| "x".repeat(n);
    for (request, status) in [
        (Request::get(&format!("/{}", long(9000))), 414),
        (Request::get(&format!("/logs/app.log?grep={}", long(9000))), 414),
        (Request::get(&format!("/{}", long(70_000))), 414),
        (Request::get("/").header("X-Long", &long(40_000)), 431),
        (Request::get("/").header("Cookie", &long(200_000)), 431),
        (Request::get(&format!("/logs/app.log?grep={}", long(5000))), 400),
        (Request::get("/logs/app.log?grep=%5CpL%7B1000%7D%7B1000%7D"), 400),
        (Request::get(&format!("/logs/{}", long(4000))), 404),
    ] {
        assert_eq!(server.get(request).status, status);
    }
    let many =
        (0..120).fold(Request::get("/"), |request, n| request.header(&format!("X-{n}"), "y"));
    assert_eq!(server.get(many).status, 431);
    // And what the regex engine makes of the worst patterns takes no time.
    log.line(&"a".repeat(100_000));
    let begun = std::time::Instant::now();
    for pattern in ["(a%2B)%2B$", "(.*)*b", "(a%7Caa)%2Bb", "(x%2Bx%2B)%2By"] {
        let answer = server.get(format!("/logs/app.log?follow=false&tail=all&grep={pattern}"));
        assert!([200, 400].contains(&answer.status), "{pattern}");
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_bomb_of_zeros_takes_neither_the_memory_nor_the_others_time() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    // A thousand times its size, as an archive of another log.
    let bomb = folder.join("bomb.log.1.gz");
    super::process::run(
        "sh",
        &["-c", &format!("head -c 80000000 /dev/zero | gzip -1 > {}", bomb.display())],
    );
    folder.log("bomb.log").line("the last line");
    let server = TestServer::serving(folder.path());
    let before = server.status_field("VmHWM");
    let begun = std::time::Instant::now();
    // Three at once, and each has to read all of it.
    std::thread::scope(|scope| {
        for path in ["tail=5&heartbeat=1s", "tail=5&grep=x&heartbeat=1s", "since=5m&heartbeat=1s"] {
            let path = format!("/logs/bomb.log?{path}");
            scope.spawn(|| {
                let path = path;
                let mut viewer = server.follow(path.as_str());
                viewer.read_for(std::time::Duration::from_millis(1500));
            });
        }
        let mut slowest = std::time::Duration::ZERO;
        while begun.elapsed() < std::time::Duration::from_secs(4) {
            let asked = std::time::Instant::now();
            assert_eq!(server.get("/logs/app.log?follow=false").lines().len(), 3);
            slowest = slowest.max(asked.elapsed());
        }
        assert!(slowest < std::time::Duration::from_secs(2), "somebody waited {slowest:?}");
    });
    let grown = server.status_field("VmHWM").saturating_sub(before);
    assert!(grown < 64 * 1024, "grown by {grown} KiB");
    wait_until("nobody is left", || server.n_viewers() == 0);
}
