//! What a client that has stopped reading holds in the server.

use crate::support::{LogFolder, Socket, TestServer, Viewer, wait_until};

#[test]
fn clients_that_never_read_hold_little() {
    let folder = LogFolder::new();
    write_log(&folder);
    for query in ["format=text", "format=ndjson", "format=sse", "format=raw&follow=false"] {
        let server = TestServer::serving(folder.join("app.log"));
        let path = format!("/logs/app.log?tail=all&{query}");
        let come = |n| -> Vec<Viewer> { (0..n).map(|_| server.follow(path.as_str())).collect() };
        check(&server, come);
    }
}

#[test]
fn websocket_clients_that_never_read_hold_little() {
    let folder = LogFolder::new();
    write_log(&folder);
    let server = TestServer::serving(folder.join("app.log"));
    let open = || Socket::open(&server, "/logs/app.log?tail=all");
    check(&server, |n| -> Vec<Socket> { (0..n).map(|_| open()).collect() });
}

fn write_log(folder: &LogFolder) {
    let text: String = (0..N_LINES).map(|n| format!("{n:08} {}\n", "x".repeat(100))).collect();
    folder.write("app.log", text);
}

/// Has clients come that do not read.
#[track_caller]
fn check<T>(server: &TestServer, come: impl Fn(usize) -> Vec<T>) {
    // So that what is made once, and kept, is there before.
    drop(come(N_CLIENTS / 4));
    wait_until("they have gone", || server.n_viewers() == 0);
    let before = server.status_field("RssAnon");
    let _held = come(N_CLIENTS);
    wait_until("all have come", || server.n_viewers() == N_CLIENTS);
    let each = || server.status_field("RssAnon").saturating_sub(before) / N_CLIENTS;
    wait_until("each holds little", || each() <= MAX_KIB);
}

const N_LINES: usize = 30_000;
const N_CLIENTS: usize = 200;
/// 450 where all was taken that the server's queues have room for.
const MAX_KIB: usize = 96;
