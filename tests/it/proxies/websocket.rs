//! The upgrade to a WebSocket: as deployed it comes through, and lines at once; where a first try
//! loses it, the answer names the lines that are missing.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Error;

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{LogFolder, Request};

for_each_program! {
    a_websocket_carries_lines_at_once_as_deployed,
    a_naive_configuration_passes_the_upgrade_or_is_told_the_lines,
}

fn a_websocket_carries_lines_at_once_as_deployed(program: Program) {
    for site in [Site::deployed_at_root(program), Site::deployed_below_a_path(program)] {
        let (folder, mut log) = LogFolder::with_log("app.log");
        let server = serve(&folder);
        let origin = format!("https://{}", site.host.unwrap());
        let front = Front::start(site, server.address());
        let request = handshake("/logs/app.log?tail=0").header("Origin", &origin);
        let mut socket = front.socket(request).expect("the upgrade comes through");
        socket.wait_for_event("start");
        let mut times: Vec<Duration> = (1..=10)
            .map(|n_lines| {
                log.number(1);
                let written = Instant::now();
                socket.wait_for_lines(n_lines);
                written.elapsed()
            })
            .collect();
        times.sort_unstable();
        eprintln!("{program:?}: WebSocket {:.1?} to {:.1?}", times[0], times[9]);
        assert!(times[0] < Duration::from_millis(100), "{times:?}");
        assert!(socket.command(r#"{"cmd":"pause"}"#)["error"].is_null());
    }
}

fn a_naive_configuration_passes_the_upgrade_or_is_told_the_lines(program: Program) {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let front = Front::start(Site::impatient(program), server.address());
    let socket = front.socket(handshake("/logs/app.log?tail=0&heartbeat=1s"));
    match program {
        // Its limit of 3 s does not end a connection that has heartbeats.
        Program::Caddy | Program::Haproxy => {
            let mut socket = socket.expect("the upgrade comes through");
            socket.wait_for(|socket| socket.events_named("heartbeat").count() >= 5);
            log.number(1);
            socket.wait_for_lines(1);
        }
        Program::Nginx | Program::Apache => {
            let error = *socket.expect_err("the upgrade is lost");
            let Error::Http(answer) = error else { panic!("{error}") };
            assert_eq!(answer.status(), 426);
            let text = String::from_utf8(answer.body().clone().unwrap_or_default()).unwrap();
            assert!(text.contains("proxy_set_header Upgrade $http_upgrade"), "{text}");
        }
    }
}

fn handshake(path: &str) -> Request {
    Request::get(path).header("Sec-WebSocket-Protocol", "tailcast.v1")
}
