//! What is never published by serving the folder that it happens to be in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::auth_fixture::{AuthFixture, as_user};
use super::support::{LogFolder, Options, Request, TestServer, run, wait_until};

const KEY: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n";

fn names(server: &TestServer, path: impl Into<Request>) -> Vec<String> {
    let list = server.get(path).json();
    let sources = list["sources"].as_array().unwrap().iter();
    sources.map(|source| source["name"].as_str().unwrap().to_owned()).collect()
}

/// Name and reason of what is left out.
fn left_out(server: &TestServer, path: impl Into<Request>) -> Vec<(String, String)> {
    let list = server.get(path).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let left_out = list["left_out"].as_array().unwrap().iter();
    left_out.map(|entry| (text(&entry["name"]), text(&entry["reason"]))).collect()
}

#[test]
fn serving_the_folder_of_the_configuration_publishes_no_secret() {
    let house = AuthFixture::new("");
    house.user("alice", &[]);
    house.token(&["--sources", "**"]);
    fs::remove_file(house.join("password")).unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(house.join(name).parent().unwrap()).unwrap();
        fs::write(house.join(name), text).unwrap();
    };
    write("app.log", "a log\n");
    fs::set_permissions(house.join("app.log"), Permissions::from_mode(0o600)).unwrap();
    write(".env", "PASSWORD=hunter2\n");
    write(".git/config", "url = https://me:hunter2@example.org\n");
    write("id_ed25519", KEY);
    write(
        "server.pem",
        &format!("-----BEGIN CERTIFICATE-----\nMII\n{}", KEY.replace("OPENSSH", "RSA")),
    );
    write("key.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\n");
    write("deep/.ssh/known_hosts", "x\n");
    write("deep/app.log", "a log that tells of -----BEGIN RSA PRIVATE KEY-----\n");
    let options = Options::serving([house.join("")]).argument("--config").argument(house.config());
    let server = options.clone().start();
    let list = || as_user("/api/sources", "alice");
    assert_eq!(names(&server, list()), ["app.log", "deep/app.log"]);
    let told = left_out(&server, list());
    for (name, words) in [
        ("house.toml", "own"),
        ("tailcast-users", "own"),
        ("tailcast-tokens", "own"),
        (".env", "dot"),
        (".git", "dot"),
        ("deep/.ssh", "dot"),
        ("id_ed25519", "private key"),
        ("server.pem", "private key"),
        ("key.ppk", "private key"),
    ] {
        let reason = told.iter().find(|(left_out, _)| left_out == name);
        assert!(reason.is_some_and(|(_, reason)| reason.contains(words)), "{name}: {told:?}");
        let answer = server.get(as_user(&format!("/logs/{name}?follow=false"), "alice"));
        assert_eq!(answer.status, 404, "{name}");
        assert!(answer.text().contains("left out"), "{name}: {}", answer.text());
    }
    // The line at start and `check` say so, too.
    let line = server.log().lines().find(|line| line.contains("left out: ")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("no word of it in\n{}", server.log()));
    for part in ["3 hidden (", "3 private keys (", "3 the server's own (", "tailcast check"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let report = String::from_utf8(run(&["check"], &options).stdout).unwrap();
    for (name, reason) in &told {
        assert!(report.contains(&format!("  {name}  {reason}")), "{name}: {report}");
    }
    // A file of ours that is written anew is another one, and still ours.
    house.user("bob", &[]);
    fs::remove_file(house.join("password")).unwrap();
    house.token(&["--sources", "x"]);
    write("more.log", "x\n");
    let expected = ["app.log", "deep/app.log", "more.log"];
    wait_until("it was looked at again", || names(&server, list()) == expected);
}

#[test]
fn what_is_named_is_served_though_it_is_hidden_or_a_key() {
    let folder = LogFolder::new();
    folder.log(".hidden.log").line("hidden");
    folder.log("home/.pm2/logs/out.log").line("pm2");
    folder.log("home/.pm2/.env").line("secret");
    folder.log("home/.ssh/log").line("secret");
    folder.write("id_rsa", KEY);
    let server = Options::serving([folder.join(".hidden.log"), folder.join("id_rsa")]).start();
    assert_eq!(names(&server, "/api/sources"), [".hidden.log", "id_rsa"]);
    assert_eq!(server.get("/logs/.hidden.log?follow=false").text(), "hidden\n");
    assert_eq!(server.get("/logs/id_rsa?follow=false").text(), KEY);

    for (glob, expected) in [
        ("home/.pm2/**", vec!["logs/out.log"]),
        ("home/.pm2/", vec!["logs/out.log"]),
        ("home/*/logs/*.log", vec![]),
        ("home/.*/logs/*.log", vec![".pm2/logs/out.log"]),
        ("home/**/.pm2/**", vec![".pm2/logs/out.log"]),
        ("*.log", vec![]),
        (".*.log", vec![".hidden.log"]),
        ("**", vec![]),
        ("{.hidden,other}.log", vec![]),
        ("id_*", vec![]),
    ] {
        let server = TestServer::serving(folder.join(glob));
        assert_eq!(names(&server, "/api/sources"), expected, "{glob}");
    }
}

#[test]
fn files_of_our_own_are_served_by_no_name() {
    let house = AuthFixture::new("");
    house.user("alice", &[]);
    let users = house.join("tailcast-users");
    house.log("app.log").line("a log");
    fs::hard_link(&users, house.join("logs/hard.log")).unwrap();
    fs::hard_link(&users, house.join("logs/app.log.1")).unwrap();
    symlink(&users, house.join("soft.log")).unwrap();
    let options = [users.clone(), house.join("soft.log"), house.join("logs"), house.config()];
    let server = Options::serving(&options).argument("--config").argument(house.config()).start();
    let ask = |path: &str| server.get(as_user(path, "alice"));
    assert_eq!(names(&server, as_user("/api/sources", "alice")), ["app.log"]);
    let told = left_out(&server, as_user("/api/sources", "alice"));
    let own = told.iter().filter(|(_, reason)| reason.contains("own")).count();
    assert_eq!(own, 4, "{told:?}");
    // Nor as what came before a log, nor by a link that is switched later.
    for path in ["/logs/app.log?tail=all&follow=false", "/logs/app.log?format=raw"] {
        let text = ask(path).text();
        assert!(!text.contains("argon2"), "{text}");
    }
    fs::remove_file(house.join("logs/app.log.1")).unwrap();
    assert_eq!(ask("/logs/app.log?tail=all&follow=false").text(), "a log\n");

    let current = house.join("current.log");
    symlink(house.join("logs/app.log"), &current).unwrap();
    let server = Options::serving([&current]).argument("--config").argument(house.config()).start();
    let ask = |path: &str| server.get(as_user(path, "alice"));
    assert_eq!(ask("/logs/current.log?follow=false").text(), "a log\n");
    symlink(&users, house.join("next")).unwrap();
    fs::rename(house.join("next"), &current).unwrap();
    for path in ["/logs/current.log?tail=all&follow=false", "/logs/current.log?format=raw"] {
        let answer = ask(path);
        assert!(!answer.text().contains("argon2"), "{}: {}", answer.status, answer.text());
    }
}
