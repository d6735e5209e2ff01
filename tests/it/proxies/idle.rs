//! Quiet logs: heartbeats keep a proxy from ending the stream, and tell it of a viewer that has left.

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{LogFolder, Request, Viewer, wait_until};

for_each_program! {
    heartbeats_keep_a_quiet_stream_alive,
    a_viewer_that_leaves_is_released,
}

/// The limit, which is 60 s (nginx), 50 s (HAProxy) and 300 s (Apache) as installed, is 3 s here.
fn heartbeats_keep_a_quiet_stream_alive(program: Program) {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let front = Front::start(Site::impatient(program), server.address());
    let open = |format: &str, heartbeat: &str| {
        let path = format!("/logs/app.log?tail=0&format={format}&heartbeat={heartbeat}");
        front.follow(Request::get(&path))
    };
    let mut viewers = ["text", "ndjson", "sse"].map(|format| open(format, "1s"));
    let mut rare = open("ndjson", "1m");
    for viewer in &mut viewers {
        viewer.wait_for(|viewer| n_heartbeats(viewer) >= 5);
    }
    log.number(1);
    for viewer in &mut viewers {
        viewer.wait_for_line("line 1");
    }
    // It is the heartbeats that did it.
    if program == Program::Caddy {
        rare.wait_for_line("line 1");
    } else {
        wait_until("the stream without heartbeats is cut", || {
            rare.read();
            rare.has_ended()
        });
        assert!(rare.lines.is_empty(), "{rare:?}");
    }
}

/// HAProxy and Apache do not look after a client while nothing is sent to it.
fn a_viewer_that_leaves_is_released(program: Program) {
    let (folder, _log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let front = Front::start(Site::deployed_at_root(program), server.address());
    for format in ["text", "ndjson", "sse"] {
        let path = format!("/logs/app.log?tail=0&format={format}&heartbeat=1s");
        let mut viewer = front.follow(Request::get(&path));
        viewer.wait_for(|viewer| n_heartbeats(viewer) >= 1);
        assert_eq!(server.n_viewers(), 1, "{format}");
        drop(viewer);
        wait_until("the viewer is released", || server.n_viewers() == 0);
    }
}

/// An empty line of text, or an event.
fn n_heartbeats(viewer: &Viewer) -> usize {
    let n_empty = viewer.lines.iter().filter(|line| line.text.is_empty()).count();
    n_empty + viewer.events_named("heartbeat").count()
}
