//! Certificates of clients: who shows one of our authority is who it says.

use std::fmt::Write as _;
use std::process::Command;

use super::auth_fixture::{AuthFixture, PASSWORD};
use super::process::run;
use super::support::{TestServer, wait_until};

/// Makes an authority, and certificates of it; one of another authority.
fn certificates(house: &AuthFixture) {
    let path = |name: &str| house.join(name).to_str().unwrap().to_owned();
    for authority in ["ca", "other"] {
        let (key, certificate) =
            (path(&format!("{authority}.key")), path(&format!("{authority}.pem")));
        let subject = format!("/CN={authority}");
        run(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &subject,
                "-addext",
                "basicConstraints=critical,CA:TRUE",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ],
        );
    }
    std::fs::write(house.join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    for (name, authority) in [("server", "ca"), ("alice", "ca"), ("eve", "ca"), ("forged", "other")]
    {
        let common_name = if name == "forged" { "alice" } else { name };
        let (key, request) = (path(&format!("{name}.key")), path(&format!("{name}.csr")));
        let subject = format!("/O=Shop/CN={common_name}");
        run(
            "openssl",
            &[
                "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out",
                &request,
            ],
        );
        let (signer, signer_key) =
            (path(&format!("{authority}.pem")), path(&format!("{authority}.key")));
        let (certificate, ext) = (path(&format!("{name}.pem")), path("ext"));
        run(
            "openssl",
            &[
                "x509",
                "-req",
                "-days",
                "2",
                "-in",
                &request,
                "-CA",
                &signer,
                "-CAkey",
                &signer_key,
                "-CAcreateserial",
                "-extfile",
                &ext,
                "-out",
                &certificate,
            ],
        );
    }
}

fn configure(house: &AuthFixture, mandatory: bool) {
    let path = |name: &str| house.join(name).to_str().unwrap().to_owned();
    let mut text = String::new();
    writeln!(
        text,
        "[default.tls]\ncerts = {:?}\nkey = {:?}",
        path("server.pem"),
        path("server.key")
    )
    .unwrap();
    writeln!(
        text,
        "[default.tls.mutual]\nca_certs = {:?}\nmandatory = {mandatory}",
        path("ca.pem")
    )
    .unwrap();
    text.push_str("[[default.tailcast.rule]]\nusers = [\"alice\"]\nsources = [\"app.log\"]\n");
    house.configure_all(&text);
}

/// What curl gets, and its exit code.
fn curl(house: &AuthFixture, server: &TestServer, path: &str, who: Option<&str>) -> (String, i32) {
    let file = |name: &str| house.join(name).to_str().unwrap().to_owned();
    let mut command = Command::new("curl");
    command.args(["-s", "--max-time", "10", "-w", " %{http_code}", "--cacert", &file("ca.pem")]);
    if let Some(who) = who {
        command.args([
            "--cert",
            &file(&format!("{who}.pem")),
            "--key",
            &file(&format!("{who}.key")),
        ]);
    }
    let output = command.arg(format!("https://{}{path}", server.address())).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn a_certificate_of_our_authority_says_who_comes() {
    let house = AuthFixture::new("");
    certificates(&house);
    configure(&house, false);
    house.log("app.log").line("for alice");
    house.log("other.log").line("for nobody");
    let mut server = house.start();
    let get = |path: &str, who: Option<&str>| curl(&house, &server, path, who).0;
    assert_eq!(get("/logs/app.log?follow=false", Some("alice")), "for alice\n 200");
    assert!(get("/logs/other.log?follow=false", Some("alice")).ends_with(" 404"));
    assert!(get("/logs/app.log?follow=false", Some("eve")).ends_with(" 404"));
    assert!(get("/logs/app.log?follow=false", None).ends_with(" 401"));
    assert!(get("/metrics", Some("alice")).ends_with(" 403"));
    let (text, code) = curl(&house, &server, "/logs/app.log?follow=false", Some("forged"));
    assert!(code != 0 && !text.contains("alice\n"), "{text}");
    // The other ways in go on beside it.
    house.user("alice", &[]);
    wait_until("alice has a password, too", || {
        let credentials = format!("alice:{PASSWORD}");
        let ca = house.join("ca.pem");
        let output = Command::new("curl")
            .args(["-s", "--cacert", ca.to_str().unwrap(), "-u", &credentials])
            .arg(format!("https://{}/logs/app.log?follow=false", server.address()))
            .output()
            .unwrap();
        output.stdout == b"for alice\n"
    });
    // It stops as it does without TLS.
    assert!(server.terminate().success());
}

#[test]
fn where_a_certificate_must_be_shown_nobody_else_gets_a_word() {
    let house = AuthFixture::new("");
    certificates(&house);
    configure(&house, true);
    house.log("app.log").line("for alice");
    let server = house.start();
    let (text, _) = curl(&house, &server, "/logs/app.log?follow=false", Some("alice"));
    assert_eq!(text, "for alice\n 200");
    let (text, code) = curl(&house, &server, "/healthz", None);
    assert!(code != 0 && text.ends_with(" 000"), "{text}");
}
