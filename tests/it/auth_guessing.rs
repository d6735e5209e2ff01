//! Guessing at passwords, and what it does to everybody else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use super::auth_fixture::{AuthFixture, PASSWORD, basic, with_token};
use super::support::{Request, TestServer, wait_until};

/// A house whose clients stand behind a proxy, so that a test can come from any address.
fn house() -> AuthFixture {
    let house = AuthFixture::new(
        "trusted_proxies = [\"127.0.0.1\"]\nmax_connections_per_second = 100000\n",
    );
    house.log("app.log").line("hello");
    house.user("alice", &[]);
    house.user("bob", &[]);
    house
}

fn from(address: &str, name: &str, password: &str) -> Request {
    Request::get("/logs/app.log?follow=false")
        .header("X-Forwarded-For", address)
        .header("Authorization", &basic(name, password))
}

/// Guesses until the address is held up.
fn guess(server: &TestServer, address: &str, name: &str) -> usize {
    let mut n_looked_at = 0;
    loop {
        let answer = server.get(from(address, name, &format!("guess {n_looked_at}")));
        if answer.status == 429 {
            assert!(answer.text().contains("failed attempts"), "{}", answer.text());
            return n_looked_at;
        }
        assert_eq!(answer.status, 401);
        n_looked_at += 1;
        assert!(n_looked_at < 50, "nobody was held up");
    }
}

#[test]
fn who_is_held_up_learns_nothing_even_if_the_guess_is_right() {
    let house = house();
    let server = house.start();
    // The owner's credentials are known to be right; they are the owner's address's alone.
    assert_eq!(server.get(from("198.51.100.7", "alice", PASSWORD)).status, 200);
    guess(&server, "203.0.113.9", "alice");
    for _ in 0..20 {
        let answer = server.get(from("203.0.113.9", "alice", PASSWORD));
        assert_eq!(answer.status, 429, "{}", answer.text());
    }
    let form = Request::form("/login", &["name=alice", "password=correct+horse"]);
    let answer = server.get(form.header("X-Forwarded-For", "203.0.113.9"));
    assert_eq!((answer.status, answer.header("set-cookie")), (429, None));
    assert_eq!(server.get(from("198.51.100.7", "alice", PASSWORD)).status, 200);
}

#[test]
fn the_owner_comes_in_from_new_addresses_while_others_guess_at_the_name() {
    let house = house();
    let server = house.start();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for address in ["203.0.113.8", "203.0.113.9"] {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = server.get(from(address, "alice", &format!("guess {number}")));
                    assert!([401, 429].contains(&answer.status), "{}", answer.status);
                }
            });
        }
        wait_until("both are held up", || {
            let held_up = |address| server.get(from(address, "alice", "no")).status == 429;
            held_up("203.0.113.8") && held_up("203.0.113.9")
        });
        let statuses: Vec<u16> = (1..=20)
            .map(|last| server.get(from(&format!("198.51.100.{last}"), "alice", PASSWORD)).status)
            .collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [200; 20]);
    });
}

#[test]
fn a_token_that_has_expired_holds_nobody_up() {
    let house = house();
    let expired = house.token(&["--name", "old", "--sources", "*", "--expires", "1s"]);
    let good = house.token(&["--name", "ci", "--sources", "*"]);
    let server = house.start();
    let path = "/logs/app.log?follow=false";
    let show =
        |token: &str| server.get(with_token(path, token).header("X-Forwarded-For", "203.0.113.9"));
    assert_eq!(server.get(from("203.0.113.9", "alice", PASSWORD)).status, 200);
    wait_until("its time has passed", || show(&expired).status == 401);
    for _ in 0..40 {
        let answer = show(&expired);
        assert_eq!(answer.status, 401);
        assert!(answer.text().contains("expired"), "{}", answer.text());
        assert_eq!(show("tc_0123456789ab_nonsense").status, 401);
    }
    assert_eq!(server.get(from("203.0.113.9", "alice", PASSWORD)).status, 200, "a known user");
    assert_eq!(server.get(from("203.0.113.9", "bob", PASSWORD)).status, 200, "a new user");
    assert_eq!(show(&good).status, 200);
}

#[test]
fn an_account_of_ones_own_buys_no_guesses_at_others() {
    let house = house();
    let server = house.start();
    let mut n_looked_at = 0;
    for number in 0..30 {
        let own = server.get(from("203.0.113.9", "bob", PASSWORD)).status;
        assert_eq!(own, 200, "who is known there comes in");
        let guess = from("203.0.113.9", "alice", &format!("guess {number}"));
        n_looked_at += usize::from(server.get(guess).status == 401);
    }
    // A slow machine lets a second pass, and with it one more.
    assert!(n_looked_at <= 14, "{n_looked_at} guesses were looked at");
}

#[test]
fn names_that_are_made_up_cost_the_one_who_makes_them_up() {
    let house = house();
    let server = house.start();
    let n_looked_at = (0..60)
        .filter(|number| {
            let request = from("203.0.113.9", &format!("made-up-{number}"), "guess");
            server.get(request).status == 401
        })
        .count();
    assert!((5..=14).contains(&n_looked_at), "{n_looked_at}");
    assert_eq!(server.get(from("198.51.100.7", "alice", PASSWORD)).status, 200);
}

/// The attack: clients on this host share one address, so that failures count by name alone, and a
/// password that is too long is refused without a check, so that thousands of names are made up a second.
/// A table of 10,000 names then forgot the one under attack (commit 50d57d5), and ten more guesses at
/// it were looked at.
#[test]
fn thousands_of_names_that_are_made_up_do_not_flush_the_one_under_attack() {
    let house = AuthFixture::new("max_connections_per_second = 100000\n");
    house.log("app.log").line("hello");
    house.user("alice", &[]);
    let server = house.start();
    let path = "/logs/app.log?follow=false";
    let at_alice = |number: usize| {
        let guess = basic("alice", &format!("guess {number}"));
        server.get(Request::get(path).header("Authorization", &guess)).status
    };
    wait_until("the name is held up", {
        let mut number = 0;
        move || {
            number += 1;
            at_alice(number) == 429
        }
    });
    make_up_names(&server, path, 10_303);
    let n_looked_at = (0..9).filter(|number| at_alice(1000 + number) == 401).count();
    // The delay of a second or two may have passed meanwhile: that is one more try, not nine.
    assert!(n_looked_at <= 2, "{n_looked_at} guesses were looked at");
}

/// Fails once for each of so many names, over one connection.
fn make_up_names(server: &TestServer, path: &str, n_names: usize) {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let too_long = "x".repeat(2000);
    let (mut n_answers, mut buffer) = (0, vec![0; 1 << 16]);
    for first in (0..n_names).step_by(50) {
        let names = first..(first + 50).min(n_names);
        let mut requests = String::new();
        for number in names.clone() {
            let shown = basic(&format!("made-up-{number}"), &too_long);
            let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {shown}");
            requests.push_str(&format!("{head}\r\n\r\n"));
        }
        socket.write_all(requests.as_bytes()).unwrap();
        let mut answers = Vec::new();
        while n_answers < names.end {
            let n_read = socket.read(&mut buffer).unwrap();
            assert!(n_read > 0, "the connection was closed after {n_answers} answers");
            answers.extend_from_slice(&buffer[..n_read]);
            // A name that shares its place with the one under attack is held up with it: 429.
            n_answers = first + memchr::memmem::find_iter(&answers, b"HTTP/1.1 4").count();
        }
    }
}
