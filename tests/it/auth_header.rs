//! Users whom a proxy names, and addresses that proxies tell.

use super::auth_fixture::{AuthFixture, PASSWORD, basic};
use super::support::{Request, TestServer, wait_until};

pub const HEADER_LOGIN: &str = "
trusted_proxies = [\"127.0.0.1\"]
[default.tailcast.header_login]
from = [\"127.0.0.1\"]
[[default.tailcast.rule]]
users = [\"alice\"]
sources = [\"app.log\"]
[[default.tailcast.rule]]
groups = [\"ops\"]
sources = [\"**\"]
";

fn house(keys: &str) -> AuthFixture {
    let house = AuthFixture::new(keys);
    house.log("app.log").line("for alice");
    house.log("ops.log").line("for ops");
    house
}

fn list(server: &TestServer, request: Request) -> (u16, String) {
    let answer = server.get(request);
    (answer.status, answer.text())
}

#[test]
fn the_proxy_says_who_comes_and_in_which_groups() {
    let house = house(HEADER_LOGIN);
    let server = house.start();
    let as_alice = Request::get("/").header("Remote-User", "alice");
    let (status, text) = list(&server, as_alice.clone());
    assert!(status == 200 && text.contains("app.log") && !text.contains("ops.log"), "{text}");
    let (_, text) = list(&server, as_alice.clone().header("Remote-Groups", "dev, ops"));
    assert!(text.contains("ops.log"), "{text}");
    // No groups, no groups' rights: neither an empty header nor somebody else's names.
    for groups in ["", ",", "ops2", "OPS"] {
        let (_, text) = list(&server, as_alice.clone().header("Remote-Groups", groups));
        assert!(!text.contains("ops.log"), "{groups}: {text}");
    }
    assert_eq!(server.get("/").status, 401);
    assert_eq!(server.get(Request::get("/").header("Remote-User", "")).status, 401);
    let twice = as_alice.clone().header("Remote-User", "root");
    assert_eq!(server.get(twice).status, 400);
    // Without users there is no page to log in on.
    let browser = Request::get("/").accept("text/html");
    assert_eq!(server.get(browser).status, 401);
}

#[test]
fn groups_that_the_client_has_added_are_refused() {
    let house = house(HEADER_LOGIN);
    let server = house.start();
    let as_alice = Request::get("/").header("Remote-User", "alice");
    for (first, second) in [("dev", "ops"), ("ops", "dev"), ("dev", ""), ("", "ops")] {
        let twice = as_alice.clone().header("Remote-Groups", first);
        let answer = server.get(twice.header("remote-groups", second));
        assert_eq!(answer.status, 400, "{first}, {second}");
        assert!(answer.text().contains("two `Remote-Groups`"), "{}", answer.text());
    }
    // An empty name in front does not make the second one count, nor unseen.
    let twice = Request::get("/").header("Remote-User", "").header("Remote-User", "alice");
    assert_eq!(server.get(twice).status, 400);
}

#[test]
fn what_the_proxy_was_shown_itself_is_not_ours_to_check() {
    let house = house(HEADER_LOGIN);
    house.user("carol", &[]);
    let token = house.token(&["--name", "ci", "--sources", "ops.log"]);
    let server = house.start();
    let as_alice = Request::get("/").header("Remote-User", "alice");
    for shown in [
        basic("alice", "the proxy's own password"),
        basic("carol", PASSWORD),
        "Negotiate YII".to_owned(),
        "Digest username=\"alice\"".to_owned(),
        "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln".to_owned(),
    ] {
        let (status, text) = list(&server, as_alice.clone().header("Authorization", &shown));
        assert!(status == 200 && text.contains("app.log"), "{shown}: {status} {text}");
    }
    // Whoever shows it often is not held up either.
    let wrong = as_alice.clone().header("Authorization", &basic("alice", "wrong"));
    assert!((0..30).all(|_| server.get(wrong.clone()).status == 200));
    // A token of ours keeps its own rights, and a wrong one is wrong.
    let (status, text) =
        list(&server, as_alice.clone().header("Authorization", &format!("Bearer {token}")));
    assert!(status == 200 && text.contains("ops.log") && !text.contains("app.log"), "{text}");
    let bad = as_alice.clone().header("Authorization", &format!("Bearer {token}x"));
    assert_eq!(server.get(bad).status, 401);
    // Without the proxy's word, and from anybody else, it is checked as ever.
    let basic_alone = Request::get("/").header("Authorization", &basic("carol", "wrong"));
    assert_eq!(server.get(basic_alone).status, 401);
    let elsewhere = wrong.bound_to("127.0.0.7");
    assert_eq!(server.get(elsewhere).status, 401);
}

#[test]
fn the_word_of_anybody_else_is_nothing() {
    let house = house(&HEADER_LOGIN.replace("127.0.0.1", "127.0.0.9"));
    let server = house.start();
    for header in ["Remote-User", "remote-user", "REMOTE-USER", "Remote_User"] {
        let request = Request::get("/").header(header, "alice").header("Remote-Groups", "ops");
        assert_eq!(server.get(request).status, 401, "{header}");
    }
    let forged = Request::get("/")
        .header("Remote-User", "alice")
        .header("X-Forwarded-For", "127.0.0.9")
        .header("Forwarded", "for=127.0.0.9");
    assert_eq!(server.get(forged).status, 401);
    // The listed address is believed.
    let request = Request::get("/").header("Remote-User", "alice").bound_to("127.0.0.9");
    assert_eq!(server.get(request).status, 200);
}

#[test]
fn other_names_of_the_headers_and_the_end_of_the_trust() {
    let house = house(
        "[default.tailcast.header_login]\nfrom = [\"127.0.0.0/8\"]\nuser = \"X-Auth-Request-User\"\n\
         groups = \"X-Auth-Request-Groups\"\n",
    );
    let server = house.start();
    let request = Request::get("/logs/app.log?format=ndjson&heartbeat=1s")
        .header("X-Auth-Request-User", "alice");
    let mut viewer = server.follow(request.clone());
    viewer.wait_for_lines(1);
    assert_eq!(server.get(Request::get("/").header("Remote-User", "alice")).status, 401);
    house.configure("authentication = \"required\"");
    assert_eq!(viewer.wait_for_event("end").data["reason"], "revoked");
    wait_until("the proxy is not believed", || server.get(request.clone()).status == 401);
}

#[test]
fn the_clients_address_is_what_listed_proxies_told() {
    let house = house("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]");
    let server = house.start();
    let mut seen = 0;
    let mut check = |request: Request, client: &str| {
        drop(server.follow(request));
        seen += 1;
        wait_until("the viewer is told", || server.log().matches("viewer opened").count() >= seen);
        let log = server.log();
        let line = log.lines().rfind(|line| line.contains("viewer opened")).unwrap();
        assert!(line.contains(&format!("client={client} ")), "{line}, not {client}");
    };
    let follow = || Request::get("/logs/app.log");
    let told = |value: &str| follow().header("X-Forwarded-For", value);
    check(told("203.0.113.5"), "203.0.113.5");
    check(told("198.51.100.1, 203.0.113.5"), "203.0.113.5");
    check(told("203.0.113.5, 10.1.2.3"), "203.0.113.5");
    check(told("198.51.100.1").header("X-Forwarded-For", "203.0.113.5:4711"), "203.0.113.5");
    check(told("[2001:db8::1]:99"), "2001:db8::1");
    check(told("198.51.100.1, nonsense"), "127.0.0.1");
    check(follow(), "127.0.0.1");
    // A proxy that writes this one knows nothing of the other, which is then the client's own.
    check(follow().header("Forwarded", "for=203.0.113.5"), "127.0.0.1");
    let direct = told("203.0.113.5").bound_to("127.0.0.2");
    let viewer = server.follow(direct);
    wait_until("the address is that of the peer", || server.log().contains("client=127.0.0.2:"));
    drop(viewer);
}

#[test]
fn the_standard_header_is_read_where_it_is_asked_for() {
    let house = house("trusted_proxies = [\"127.0.0.1\"]\nforwarded = \"forwarded\"");
    let server = house.start();
    let request = Request::get("/logs/app.log")
        .header("X-Forwarded-For", "198.51.100.1")
        .header("Forwarded", "for=192.0.2.7, for=\"[2001:db8::7]:1\";proto=https");
    let viewer = server.follow(request);
    wait_until("the viewer is told", || server.log().contains("client=2001:db8::7 "));
    drop(viewer);
}
