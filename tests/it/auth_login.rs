//! Logins of browsers: the page, the cookie, and what other sites may do with them.

use super::auth_fixture::{AuthFixture, PASSWORD, as_user};
use super::support::{Answer, Request, TestServer, wait_until};

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn house() -> AuthFixture {
    let house = AuthFixture::new("");
    house.log("app.log").line("hello");
    house.user("alice", &[]);
    house
}

fn log_in(server: &TestServer, next: &str) -> Answer {
    let next = format!("next={next}");
    server.get(Request::form("/login", &["name=alice", "password=correct+horse", &next]))
}

/// The cookie as a browser sends it back.
fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn with_cookie(path: &str, cookie: &str) -> Request {
    Request::get(path).header("Cookie", cookie)
}

#[test]
fn a_browser_is_led_to_the_page_and_back() {
    let house = house();
    let server = house.start();
    for (path, to) in [
        ("/", "./login?next="),
        (
            "/logs/app.log?tail=5&grep=a%20b",
            "../login?next=logs/app.log%3Ftail%3D5%26grep%3Da%2520b",
        ),
        ("/logs/a/b/c.log", "../../../login?next=logs/a/b/c.log"),
        ("/logs", "./login?next=logs"),
        ("/logs/", "../login?next=logs/"),
    ] {
        let answer = server.get(Request::get(path).accept(HTML));
        assert_eq!((answer.status, answer.header("location")), (303, Some(to)), "{path}");
    }
    let page = server.get(Request::get("/login?next=logs/app.log%3Ftail%3D5").accept(HTML));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("value=\"logs/app.log?tail=5\""), "{}", page.text());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    for odd in ["<script", " style=", "javascript:", " onclick"] {
        assert!(!page.text().contains(odd), "{odd} in the page");
    }
    assert_eq!(server.get("/static/login.css").status, 200);

    let answer = log_in(&server, "logs/app.log%3Ftail%3D5");
    assert_eq!((answer.status, answer.header("location")), (303, Some("./logs/app.log?tail=5")));
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Path"), "{cookie}");
    let cookie = cookie_of(&answer);
    let answer = server.get(with_cookie("/logs/app.log?follow=false", &cookie));
    assert_eq!(answer.text(), "hello\n");
    let page = server.get(with_cookie("/logs/app.log", &cookie).accept(HTML));
    assert_eq!(page.status, 200);
    assert!(!server.log().contains(cookie.split_once('=').unwrap().1));
}

#[test]
fn nobody_is_led_elsewhere_after_a_login() {
    let house = house();
    let server = house.start();
    for next in [
        "//evil.example",
        "https://evil.example/",
        "%2F%2Fevil.example",
        "%5C%5Cevil.example",
        "javascript:alert(1)",
        "logs/..%2F..%2Fevil",
        "logs/%252e%252e/evil",
        "logs/.%252E/%252e./evil",
        "logs/%252e%252e%252fevil",
        "logs%0d%0aSet-Cookie:%20a=b",
        "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        let answer = log_in(&server, next);
        assert_eq!((answer.status, answer.header("location")), (303, Some("./")), "{next}");
        let page = server.get(format!("/login?next={next}"));
        assert!(!page.text().contains("evil") && !page.text().contains("<script"), "{next}");
    }
}

#[test]
fn a_wrong_password_is_told_on_the_page_and_sets_no_cookie() {
    let house = house();
    let server = house.start();
    for fields in [
        ["name=alice", "password=wrong"],
        ["name=nobody", "password=correct+horse"],
        ["name=%3Cscript%3E", "password=x"],
    ] {
        let answer = server.get(Request::form("/login", &fields));
        assert_eq!(answer.status, 403, "{fields:?}");
        assert!(answer.text().contains("is not right") && !answer.text().contains("<script"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert!([400, 422].contains(&server.get(Request::form("/login", &["name=alice"])).status));
    let held_up = (0..40).any(|_| {
        server.get(Request::form("/login", &["name=alice", "password=wrong"])).status == 429
    });
    assert!(held_up, "nobody was held up");
    // The state changes by POST alone.
    assert_eq!(server.get("/login?name=alice&password=correct+horse").header("set-cookie"), None);
    assert_eq!(server.get("/logout").status, 404);
}

#[test]
fn a_login_ends_when_it_is_told_to_and_with_its_password() {
    let house = house();
    let server = house.start();
    let cookie = cookie_of(&log_in(&server, ""));
    let other = cookie_of(&log_in(&server, ""));
    assert_ne!(cookie, other);
    let request = with_cookie("/logs/app.log?format=ndjson&heartbeat=2s", &cookie);
    let mut viewer = server.follow(request.clone());
    viewer.wait_for_lines(1);
    let page = server.get(with_cookie("/login", &cookie).accept(HTML));
    assert!(page.text().contains("logged in as <strong>alice"), "{}", page.text());

    let answer = server.get(Request::form("/logout", &[]).header("Cookie", &cookie));
    assert_eq!((answer.status, answer.header("location")), (303, Some("./login")));
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(viewer.wait_for_event("end").data["reason"], "revoked");
    // Replayed, it is as good as none.
    assert_eq!(server.get(request).status, 401);

    let request = with_cookie("/api/sources", &other);
    assert_eq!(server.get(request.clone()).status, 200);
    house.user_with("alice", &[], "another horse");
    wait_until("the old password's login has ended", || server.get(request.clone()).status == 401);
    for odd in ["tailcast_session=", "tailcast_session", "tailcast_session=x; tailcast_session=y"] {
        assert_eq!(server.get(with_cookie("/api/sources", odd)).status, 401, "{odd}");
    }
}

#[test]
fn a_cookie_that_another_site_has_put_in_front_shuts_nobody_out() {
    let house = house();
    let server = house.start();
    let own = cookie_of(&log_in(&server, ""));
    let tossed = |n: usize| "tailcast_session=tossed; ".repeat(n);
    for cookies in [
        format!("tailcast_session=tossed; {own}"),
        format!("{own}; tailcast_session=tossed"),
        format!("tailcast_session=; other=1; {own}"),
        format!("{}{own}", tossed(50)),
    ] {
        assert_eq!(server.get(with_cookie("/api/sources", &cookies)).status, 200, "{cookies}");
    }
    let two = with_cookie("/api/sources", "tailcast_session=tossed").header("Cookie", &own);
    assert_eq!(server.get(two).status, 200);
    // However many there are, they are looked at in no time, and end with the login.
    let many = server.get(with_cookie("/api/sources", &tossed(1000)));
    assert_eq!(many.status, 401);
    let both = format!("tailcast_session=tossed; {own}");
    server.get(Request::form("/logout", &[]).header("Cookie", &both));
    assert_eq!(server.get(with_cookie("/api/sources", &own)).status, 401);
}

#[test]
fn the_form_keeps_the_fragment_of_a_shared_link() {
    let house = house();
    let server = house.start();
    // Browsers send no fragment. A form without an action goes to the page's URL with its fragment,
    // and a redirection that names none keeps that (`tests/browser/login.test.js` sees it).
    let page = server.get(Request::get("/login?next=logs/app.log").accept(HTML)).text();
    assert!(page.contains("<form method=\"post\" >"), "{page}");
    let fields = ["name=alice", "password=correct+horse", "next=logs/app.log"];
    let answer = server.get(Request::form("/login?next=logs/other.log", &fields));
    assert_eq!((answer.status, answer.header("location")), (303, Some("./logs/app.log")));
}

#[test]
fn a_login_ends_with_its_time() {
    let house = AuthFixture::new("session_lifetime = \"59s\"");
    let output = house.try_command(&["user", "list"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("session_lifetime") && told.contains("1m to 30d"), "{told}");
    let house = AuthFixture::new("session_lifetime = \"1m\"");
    house.log("app.log");
    house.user("alice", &[]);
    let server = house.start();
    let cookie = log_in(&server, "").header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("Max-Age=60"), "{cookie}");
}

#[test]
fn another_site_logs_nobody_in_or_out() {
    let house = house();
    let server = house.start();
    let fields = ["name=alice", "password=correct+horse"];
    let own = format!("http://{}", server.address());
    for (header, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        for path in ["/login", "/logout"] {
            let answer = server.get(Request::form(path, &fields).header(header, value));
            assert_eq!(answer.status, 403, "{path} {header}: {value}");
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    for (header, value) in [("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")] {
        let answer = server.get(Request::form("/login", &fields).header(header, value));
        assert_eq!(answer.status, 303, "{header}: {value}");
    }
}

#[test]
fn the_cookie_is_secure_where_the_proxy_speaks_tls() {
    let house = house();
    house.configure("trusted_proxies = [\"127.0.0.1\"]");
    let server = house.start();
    let fields = ["name=alice", "password=correct+horse"];
    let form = Request::form("/login", &fields)
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "logs.example.org")
        .header("Origin", "https://logs.example.org");
    let answer = server.get(form);
    assert_eq!(answer.status, 303);
    assert!(answer.header("set-cookie").unwrap().contains("; Secure"));
    // From anybody else such a header is nothing.
    house.configure("trusted_proxies = [\"10.0.0.1\"]");
    let server = house.start();
    let form = Request::form("/login", &fields).header("X-Forwarded-Proto", "https");
    assert!(!server.get(form).header("set-cookie").unwrap().contains("Secure"));
    let form = Request::form("/login", &fields)
        .header("X-Forwarded-Host", "logs.example.org")
        .header("Origin", "https://logs.example.org");
    assert_eq!(server.get(form).status, 403);
}

#[test]
fn a_way_in_beside_the_login_needs_no_page() {
    let house = house();
    let server = house.start();
    // Whoever shows credentials is told that they are wrong, and is no browser that lost its login.
    let request = Request::get("/logs/app.log").accept(HTML).header("Authorization", "Bearer x");
    assert_eq!(server.get(request).status, 401);
    let request = as_user("/logs/app.log", "alice").accept(HTML);
    assert_eq!(server.get(request).status, 200);
    let open = AuthFixture::new("");
    open.log("app.log");
    let server = open.start();
    assert_eq!(server.get("/login").status, 404);
    assert_eq!(PASSWORD, "correct horse");
}
