//! `tailcast check --url`: what it finds before good and bad proxies, and the line that it names.

use std::net::TcpListener;
use std::process::Output;

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{LogFolder, Options, TestServer, run};

for_each_program! {
    what_is_deployed_is_well,
    a_naive_configuration_is_told_what_it_lacks,
    a_path_that_is_not_taken_off_is_named,
    nobody_behind_the_proxy_is_told,
}

fn what_is_deployed_is_well(program: Program) {
    for site in [Site::deployed_at_root(program), Site::deployed_below_a_path(program)] {
        let stage = Stage::new();
        let front = Front::start(site, stage.server.address());
        let output = check(&front, &["--hold", "2s"]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
        // Debian's Apache packs text, and passes it on at once.
        let n_well = text.matches("\n  ok  ").count() + text.matches("\n  note  ").count();
        assert_eq!(n_well, 7, "{text}");
        for words in [name_of(program), "HTTP/2", "all is well"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}

fn a_naive_configuration_is_told_what_it_lacks(program: Program) {
    let stage = Stage::new();
    let front = Front::start(Site::naive(program), stage.server.address());
    let output = check(&front, &[]);
    let text = stdout(&output);
    let missing = match program {
        Program::Nginx => Some(("websocket", "proxy_set_header Upgrade $http_upgrade;")),
        Program::Caddy => None,
        Program::Haproxy => Some(("sse", "`option http-no-delay` in the frontend")),
        Program::Apache => Some(("websocket", "`upgrade=websocket`")),
    };
    let Some((subject, line)) = missing else {
        assert_eq!(output.status.code(), Some(0), "{text}");
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_wrong(&text, subject, line);
}

fn a_path_that_is_not_taken_off_is_named(program: Program) {
    let stage = Stage::new();
    let site = Site::plain(
        program,
        match program {
            Program::Nginx => {
                "server {\n listen {listen};\n location /ops/ { proxy_pass http://{upstream}; }\n}"
            }
            Program::Caddy => {
                "http://{listen} {\n bind {ip}\n handle /ops/* {\n reverse_proxy {upstream}\n }\n}"
            }
            Program::Haproxy => {
                "frontend logs\n bind {listen}\n use_backend tailcast if { path_beg /ops/ }\n\
             backend tailcast\n server tailcast {upstream}"
            }
            Program::Apache => {
                "Listen {listen}\n<VirtualHost {listen}>\n\
             ProxyPass /ops/ http://{upstream}/ops/\n</VirtualHost>"
            }
        },
    );
    let front = Front::start(Site { prefix: "/ops", ..site }, stage.server.address());
    let output = check(&front, &[]);
    let line = match program {
        Program::Nginx => "location /ops/ { proxy_pass http://127.0.0.1:8000/; }",
        Program::Caddy => "handle_path /ops/*",
        Program::Haproxy => "replace-path /ops(/.*)",
        Program::Apache => "ProxyPass /ops/ http://127.0.0.1:8000/",
    };
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "server", line);
}

fn nobody_behind_the_proxy_is_told(program: Program) {
    // A port that was just free.
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let front = Front::start(Site::deployed_at_root(program), reserved);
    let output = check(&front, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "server", "does Tailcast run");
}

#[test]
fn buffering_in_nginx_is_named() {
    let stage = Stage::new();
    let site = Site::plain(
        Program::Nginx,
        "server {\n listen {listen};\n proxy_ignore_headers X-Accel-Buffering;\n\
         location / { proxy_pass http://{upstream}; }\n}",
    );
    let front = Front::start(site, stage.server.address());
    let output = check(&front, &[]);
    assert_eq!(output.status.code(), Some(1));
    for format in ["text", "ndjson", "sse"] {
        assert_wrong(&stdout(&output), format, "`proxy_buffering off;`");
    }
}

#[test]
fn packing_in_caddy_is_named() {
    let stage = Stage::new();
    // Caddy does not pack what says how it is encoded, which is taken off here.
    let packs = Site::compressing(Program::Caddy).text;
    let takes_off = "reverse_proxy {upstream} {\n header_down -Content-Encoding\n }";
    let site = Site::plain(Program::Caddy, &packs.replace("reverse_proxy {upstream}", takes_off));
    let front = Front::start(site, stage.server.address());
    let output = check(&front, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "sse", "leave Tailcast out of `encode`");
}

#[test]
fn packing_that_does_not_hold_back_is_a_note() {
    let stage = Stage::new();
    let packs = Site::compressing(Program::Apache).text;
    let site = Site::plain(
        Program::Apache,
        &packs.replace(
            "ProxyPass / http://{upstream}/",
            "ProxyPass / http://{upstream}/ upgrade=websocket\n ProxyPreserveHost On",
        ),
    );
    let front = Front::start(site, stage.server.address());
    let output = check(&front, &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("packed with gzip on the way"), "{text}");
}

#[test]
fn a_short_idle_limit_is_named() {
    let stage = Stage::new();
    // Heartbeats come every 15 s.
    let site = Site::impatient(Program::Haproxy);
    let front = Front::start(site, stage.server.address());
    let output = check(&front, &["--hold", "5s"]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "hold", "`timeout server 1h`");
}

#[test]
fn a_server_without_a_proxy_is_well() {
    let stage = Stage::new();
    let output = check_at(&format!("http://{}", stage.server.address()), &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("no proxy shows itself"), "{text}");
}

#[test]
fn what_cannot_be_reached_is_told() {
    let stage = Stage::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = check_at(&format!("http://{nobody}/"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "server", "is the address right");
    // A certificate that nobody has vouched for.
    let front = Front::start(Site::deployed_at_root(Program::Nginx), stage.server.address());
    let output = check_at(&front.url(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "server", "--ca FILE");
    // The path of another page.
    let output = check_at(&format!("http://{}/nowhere", stage.server.address()), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "server", "handle_path /nowhere/*");
}

#[test]
fn an_address_that_leads_elsewhere_names_the_other() {
    let stage = Stage::new();
    let site = Site::plain(
        Program::Nginx,
        "server {\n listen {listen};\n return 301 https://logs.example.org$request_uri;\n}",
    );
    let front = Front::start(site, stage.server.address());
    let output = check(&front, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_wrong(&stdout(&output), "server", "--url https://logs.example.org/\n");
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for arguments in [
        &["--url", "logs.example.org"][..],
        &["--url", "ftp://logs.example.org"],
        &["--url", "http://127.0.0.1:1", "--ca", "/nowhere.pem"],
        &["--url", "http://127.0.0.1:1", "--header", "nonsense"],
        &["--url", "http://127.0.0.1:1", "--hold", "soon"],
        &["--url", "http://127.0.0.1:1", "app.log"],
        &["--ca", "/nowhere.pem"],
        &["--header", "A: b"],
        &["--hold", "2m"],
    ] {
        let output = run(&[&["check"], arguments].concat(), &Options::default());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
}

/// A server with a log.
struct Stage {
    _folder: LogFolder,
    server: TestServer,
}

impl Stage {
    fn new() -> Self {
        let folder = LogFolder::new();
        folder.log("a b/{ä}.log").number(100);
        let server = serve(&folder);
        Stage { _folder: folder, server }
    }
}

#[track_caller]
fn check(front: &Front, more: &[&str]) -> Output {
    let ca = front.certificate_file().display().to_string();
    let host = front.host().map(|host| format!("Host: {host}"));
    let mut arguments = vec!["--ca", &ca];
    if let Some(host) = &host {
        arguments.extend(["--header", host]);
    }
    check_at(&front.url(), &[&arguments[..], more].concat())
}

fn check_at(url: &str, more: &[&str]) -> Output {
    run(&[&["check", "--url", url], more].concat(), &Options::default())
}

/// The line of `subject` says that it is wrong, and one below it what to do.
#[track_caller]
fn assert_wrong(text: &str, subject: &str, line: &str) {
    let found = text.find(&format!("  WRONG  {subject}"));
    let found = found.unwrap_or_else(|| panic!("{subject} is not wrong:\n{text}"));
    assert!(text[found..].contains(line), "{line} is not in\n{text}");
}

fn name_of(program: Program) -> &'static str {
    match program {
        Program::Nginx => "behind nginx",
        Program::Caddy => "behind Caddy",
        Program::Haproxy => "behind HAProxy",
        Program::Apache => "behind Apache",
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
