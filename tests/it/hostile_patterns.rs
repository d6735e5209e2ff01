//! Patterns from outside: whatever somebody sends as a glob or a regular expression, the answer is
//! an answer, and the server lives.

use serde_json::json;

use super::auth_fixture::AuthFixture;
use super::support::{LogFolder, Socket, TestServer};

/// Texts that are meant to be too much for a parser or a compiler, as they are.
fn hostile() -> Vec<String> {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let mut texts = vec![
        "{".repeat(250),
        "[".repeat(250),
        "*".repeat(250),
        "**/".repeat(150),
        format!("{{{}}}", "a,".repeat(400)),
        "{a,b}".repeat(150),
        "[!-~]*".repeat(150),
        format!("{{{}", "[".repeat(200)),
        "*[".to_owned(),
        "{a".to_owned(),
        "a\\".to_owned() + "*\\",
    ];
    for depth in [17, 120, 250, 400] {
        texts.push(nested("{", "a", "}", depth));
        texts.push(nested("{a,", "b", "}", depth.min(200)));
        texts.push(nested("{*", "?", ",**}", depth.min(120)));
    }
    texts
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn no_glob_in_a_request_breaks_the_server() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    for text in hostile() {
        let path = format!("/logs/{}?follow=false", percent_encoded(&text).replace("%2F", "/"));
        let answer = server.get(path);
        let told = answer.text();
        assert!(matches!(answer.status, 200 | 400 | 404), "{text}: {} {told}", answer.status);
        if answer.status == 400 {
            assert!(told.contains("glob") && told.len() < 600, "{text}: {told}");
        }
        let mut socket = Socket::open(&server, "/logs/app.log");
        let command = json!({"cmd": "follow", "source": text}).to_string();
        assert!(socket.command(&command)["error"].is_string(), "{text}");
    }
    let deep = format!("/logs/{}a{}", "%7B".repeat(250), "%7D".repeat(250));
    let answer = server.get(deep);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("nested 250 deep, at most 16"), "{}", answer.text());
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[test]
fn no_regular_expression_in_a_request_breaks_the_server() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}a{}", open.repeat(depth), close.repeat(depth))
    };
    let mut texts = hostile();
    for depth in [100, 240, 260, 1000] {
        texts.push(nested("(?:", ")", depth));
        texts.push(nested("(", "*)", depth));
        texts.push(nested("[a&&", "]", depth));
        texts.push(nested("(?i-u:", "|b)", depth.min(400)));
    }
    for text in texts {
        for name in ["grep", "exclude"] {
            let path = format!("/logs/app.log?follow=false&{name}={}", percent_encoded(&text));
            let answer = server.get(path);
            assert!(matches!(answer.status, 200 | 400 | 414), "{text}: {}", answer.status);
        }
    }
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[test]
fn a_hostile_glob_in_the_configuration_is_an_error_that_names_it() {
    let house = AuthFixture::new("");
    house.log("app.log").number(1);
    let deep = format!("{}a{}", "{".repeat(250), "}".repeat(250));
    for (keys, word) in [
        (
            format!("[[default.tailcast.rule]]\nusers = ['a']\nsources = ['{deep}']"),
            "rule[0].sources[0]",
        ),
        (
            format!("[[default.tailcast.redact]]\npattern = 'x'\nsources = '{deep}'"),
            "redact[0].sources",
        ),
    ] {
        house.configure(&keys);
        let output = house.try_command(&["serve"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word) && told.contains("at most 16"), "{told}");
    }
    house.configure("");
    let output = house.try_command(&["token", "new", "--sources", &deep]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("at most 16"), "{told}");
    // A path of the command line is told among what is left out.
    let report = super::support::run(
        &["check"],
        &super::support::Options::serving([house.join("logs").join(&deep)]),
    );
    let told = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.status.success() && told.contains("at most 16"), "{told}");
}
