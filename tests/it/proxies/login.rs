//! `deploy/nginx/login.conf`: nginx asks who comes, and tells Tailcast.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Front, Site};
use crate::auth_fixture::{AuthFixture, basic};
use crate::auth_header::HEADER_LOGIN;
use crate::support::Request;

#[test]
fn nginx_asks_for_the_password_and_says_who_it_is_whatever_the_client_says() {
    let house = AuthFixture::new(HEADER_LOGIN);
    house.log("app.log").line("for alice");
    house.log("ops.log").line("for ops");
    let server = house.start();
    // Whoever nginx runs as has to read it.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let names = folder.path().join("htpasswd");
    fs::write(&names, "alice:{PLAIN}open sesame\nolga:{PLAIN}open barley\n").unwrap();
    let front = Front::start(Site::with_login(&names), server.address());

    let stream = || Request::get("/logs/app.log?tail=1&heartbeat=1s");
    let as_alice =
        |request: Request| request.header("Authorization", &basic("alice", "open sesame"));
    assert_eq!(front.get(stream()).status, 401, "nobody");
    let wrong = stream().header("Authorization", &basic("alice", "open barley"));
    assert_eq!(front.get(wrong).status, 401);
    let claim = stream().header("Remote-User", "alice");
    assert_eq!(front.get(claim).status, 401, "the word of a client");
    front.follow(as_alice(stream())).wait_for_line("for alice");

    // She is herself alone, whatever she adds.
    let ops = as_alice(Request::get("/logs/ops.log?follow=false"));
    for (name, value) in [("Remote-User", "olga"), ("Remote-Groups", "ops")] {
        assert_eq!(front.get(ops.clone().header(name, value)).status, 404, "{name}");
    }
    // A user without a right sees nothing; the password was nginx's and is not looked at again.
    let as_olga = stream().header("Authorization", &basic("olga", "open barley"));
    assert_eq!(front.get(as_olga).status, 404);
    let mut socket = front.socket(as_alice(Request::get("/logs/app.log?tail=1"))).unwrap();
    socket.wait_for_lines(1);
}
