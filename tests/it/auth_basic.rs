//! Names and passwords, as an attacker would try them.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::auth_fixture::{AuthFixture, PASSWORD, as_user, basic};
use super::support::{Options, Request, run, wait_until};

/// Every address that says something of logs, or lets one do something.
const CLOSED: [&str; 10] = [
    "/",
    "/logs",
    "/logs/",
    "/logs/app.log",
    "/logs/none.log",
    "/logs/*",
    "/logs/app.log?format=raw",
    "/logs/app.log?no_such=parameter",
    "/api/sources",
    "/metrics",
];

#[test]
fn without_credentials_nothing_is_told() {
    let house = AuthFixture::new("");
    house.log("app.log").line("secret");
    house.user("alice", &[]);
    let server = house.start();
    for path in CLOSED {
        for method in ["GET", "HEAD"] {
            let answer = server.get(Request::new(method, path));
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(!answer.text().contains("app.log"), "{path}");
            let ways = answer.headers.iter().filter(|(name, _)| name == "www-authenticate");
            let ways: Vec<_> = ways.map(|(_, value)| value.as_str()).collect();
            assert!(ways.iter().any(|way| way.starts_with("Basic realm=")), "{ways:?}");
            assert!(ways.iter().any(|way| way.starts_with("Bearer")), "{ways:?}");
        }
    }
    for accept in ["application/x-ndjson", "text/event-stream", "application/json"] {
        let answer = server.get(Request::get("/logs/app.log").accept(accept));
        assert_eq!(answer.status, 401, "{accept}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let answer = server.get(Request::get("/api/sources").accept(accept));
        assert_eq!(answer.status, 401, "{accept}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    // A script's request must not open a browser's own window.
    let answer = server.get(Request::get("/api/sources").header("Sec-Fetch-Mode", "cors"));
    let asks = |way: &str| {
        answer.headers.iter().any(|(name, value)| name == "www-authenticate" && value.contains(way))
    };
    assert!(asks("Bearer") && !asks("Basic"), "{:?}", answer.headers);
}

#[test]
fn the_right_password_opens_and_every_other_does_not() {
    let house = AuthFixture::new("");
    house.log("app.log").line("hello");
    house.user("alice", &[]);
    let server = house.start();
    let answer = server.get(as_user("/logs/app.log?follow=false", "alice"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"));
    assert_eq!(server.get(as_user("/metrics", "alice")).status, 200);
    let wrong = [
        basic("alice", ""),
        basic("alice", "correct hors"),
        basic("alice", "correct horse "),
        basic("alice", "Correct horse"),
        basic("Alice", PASSWORD),
        basic("alice ", PASSWORD),
        basic("аlice", PASSWORD),
        basic("", PASSWORD),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        "Basic YWxpY2U=".to_owned(),
        format!("Digest {}", basic("alice", PASSWORD)),
        format!("Bearer {PASSWORD}"),
    ];
    for credentials in wrong {
        let request = Request::get("/logs/app.log").header("Authorization", &credentials);
        let answer = server.get(request);
        assert!([401, 429].contains(&answer.status), "{credentials}: {}", answer.status);
    }
    let twice = as_user("/logs/app.log", "alice").header("Authorization", &basic("x", "y"));
    assert_eq!(server.get(twice).status, 400);
    // Schemes have no case.
    let lower = basic("alice", PASSWORD).replacen("Basic", "bAsIc", 1);
    let request = Request::get("/logs/app.log?follow=false").header("Authorization", &lower);
    assert_eq!(server.get(request).status, 200);
    let log = server.log();
    assert!(!log.contains("correct") && !log.contains("Basic"), "{log}");
}

#[test]
fn who_guesses_waits_ever_longer_and_nobody_else_does() {
    let house = AuthFixture::new("trusted_proxies = [\"127.0.0.1\"]");
    house.log("app.log");
    house.user("alice", &[]);
    house.user("bob", &[]);
    let server = house.start();
    let from = |address: &str, name: &str, password: &str| {
        Request::get("/logs/app.log?follow=false")
            .header("X-Forwarded-For", address)
            .header("Authorization", &basic(name, password))
    };
    let good = from("198.51.100.7", "alice", PASSWORD);
    assert_eq!(server.get(good.clone()).status, 200);
    let mut n_checked = 0;
    let last = loop {
        let answer = server.get(from("203.0.113.9", "alice", "wrong"));
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 401);
        n_checked += 1;
        assert!(n_checked < 50, "nobody was held up");
    };
    let seconds: u32 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=300).contains(&seconds), "{seconds}");
    assert!(n_checked >= 5, "the first few are free");
    // Also the right password waits, from there; the owner elsewhere notices nothing.
    assert_eq!(server.get(from("203.0.113.9", "bob", PASSWORD)).status, 429);
    house.user_with("alice", &[], "another horse");
    let other = from("198.51.100.7", "alice", "another horse");
    wait_until("the new password is known", || server.get(other.clone()).status == 200);
    assert_eq!(server.get(from("198.51.100.8", "bob", PASSWORD)).status, 200);
}

#[test]
fn at_most_two_passwords_are_checked_at_once() {
    let house = AuthFixture::new("");
    house.log("app.log");
    house.user("alice", &[]);
    let server = house.start();
    let before = server.status_field("VmHWM");
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..60)
            .map(|number| {
                let name = format!("user{number}");
                let server = &server;
                scope.spawn(move || server.get(as_user("/logs/app.log", &name)).status)
            })
            .collect();
        let statuses: Vec<u16> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
        assert!(statuses.contains(&401), "{statuses:?}");
    });
    // Each check takes 19 MiB.
    let grown = server.status_field("VmHWM").saturating_sub(before);
    assert!(grown < 60 * 1024, "grown by {grown} KiB");
}

#[test]
fn a_verified_password_is_not_checked_again_until_its_file_changes() {
    let house = AuthFixture::new("");
    house.log("app.log");
    house.user("alice", &[]);
    let server = house.start();
    let request = as_user("/logs/app.log?follow=false", "alice");
    assert_eq!(server.get(request.clone()).status, 200);
    let begun = super::process::cpu_ticks(&server);
    for _ in 0..50 {
        assert_eq!(server.get(request.clone()).status, 200);
    }
    let used = super::process::cpu_ticks(&server) - begun;
    // One check takes some 3 ticks of a fast machine.
    assert!(used < 75, "{used} ticks for 50 requests");
    house.command(&["user", "remove", "alice"]);
    wait_until("the user is gone", || server.get(request.clone()).status == 401);
}

#[test]
fn the_command_keeps_passwords_out_of_sight() {
    let house = AuthFixture::new("");
    house.user("alice", &["ops", "dev"]);
    let file = house.join("tailcast-users");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("$argon2id$") && !text.contains("horse"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(house.command(&["user", "list"]), "alice  ops,dev\n");
    for (name, words) in [("a b", "a to z"), ("../x", "a to z"), ("", "a to z")] {
        std::fs::write(house.join("password"), PASSWORD).unwrap();
        let password = house.join("password");
        let password = password.to_str().unwrap();
        let output = house.try_command(&["user", "add", name, "--password-file", password]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(words), "{name}: {told}");
    }
    std::fs::write(house.join("password"), "short").unwrap();
    let password = house.join("password");
    let words = ["user", "add", "bob", "--password-file", password.to_str().unwrap()];
    let told = String::from_utf8_lossy(&house.try_command(&words).stderr).into_owned();
    assert!(told.contains("8 to 1024") && !told.contains("short"), "{told}");
    assert!(!house.try_command(&["user", "remove", "nobody"]).status.success());
    assert!(!house.try_command(&["user", "add", "bob", "--password", "x"]).status.success());
    // A damaged file ends the start; what it holds is not told.
    std::fs::write(&file, "{\"name\":\"alice\",\"hash\":\"$argon2id$secret").unwrap();
    let output = run(&["serve"], &house.options());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("tailcast-users: line 1") && !told.contains("secret"), "{told}");
}

#[test]
fn beyond_this_host_a_way_to_log_in_is_enough() {
    let house = AuthFixture::new("");
    house.log("app.log");
    let exposed = |options: Options| options.argument("--address").argument("0.0.0.0");
    let output = run(&["serve"], &exposed(house.options()));
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("--insecure") && told.contains("tailcast user add"), "{told}");
}

#[test]
fn a_user_added_while_it_runs_shuts_the_doors() {
    let house = AuthFixture::new("");
    let mut log = house.log("app.log");
    log.number(1);
    let server = house.start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?heartbeat=2s"));
    viewer.wait_for_lines(1);
    house.user("alice", &[]);
    let end = viewer.wait_for_event("end");
    assert_eq!(end.data["reason"], "revoked");
    assert_eq!(server.get("/logs/app.log").status, 401);
    // And they stay shut when the file is gone.
    std::fs::remove_file(house.join("tailcast-users")).unwrap();
    super::support::pause(Duration::from_millis(2500));
    assert_eq!(server.get("/logs/app.log").status, 401);
}
