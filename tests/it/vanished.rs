//! Clients that are gone without a farewell, and clients that merely do not read.

use std::time::{Duration, Instant};

use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, lines};
use crate::support::{
    Cable, LogFolder, NEAR_ADDRESS, Options, Request, TestServer, pause, wait_until,
};

/// Far more than the client's and the server's sockets and queues take.
const N_LINES: usize = 150_000;

/// Longer than a client may be silent, and than it takes to notice it.
const LONG: Duration = Duration::from_secs(45);

fn wait_until_nothing_is_sent(server: &TestServer) {
    let n_sent = || server.metric("tailcast_bytes_sent_total");
    wait_until("nothing more is sent", || {
        let before = n_sent();
        pause(Duration::from_secs(1));
        before > 0.0 && n_sent() == before
    });
}

#[test]
fn a_reader_that_stops_reading_is_kept_and_misses_nothing() {
    let (_folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..N_LINES));
    let server = TestServer::serving(log.path());
    let mut stopped = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    wait_until_nothing_is_sent(&server);
    pause(LONG);
    assert_eq!(server.n_viewers(), 1);
    stopped.wait_for_lines(N_LINES);
    let expected = lines(TAG, 0..N_LINES);
    assert!(stopped.texts().into_iter().eq(expected.lines()), "every line, once, in order");
}

#[test]
fn clients_that_are_gone_are_let_go_of_whether_they_have_read_or_not() {
    let Some(cable) = Cable::laid() else { return };
    let (_folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..N_LINES));
    let server = Options::serving([log.path()])
        .variable("ROCKET_ADDRESS", NEAR_ADDRESS)
        .argument("--insecure")
        .through(&cable.launcher())
        .start();
    let _stopped = cable.far(|| server.follow(Request::get("/logs/app.log?tail=all")));
    cable.near(|| wait_until_nothing_is_sent(&server));
    let _reading = cable.far(|| server.follow("/logs/app.log?tail=0&heartbeat=1s"));
    assert_eq!(cable.near(|| server.n_viewers()), 2);
    cable.pull();
    let pulled = Instant::now();
    let left = || cable.near(|| server.n_viewers());
    while left() > 0 {
        assert!(pulled.elapsed() < Duration::from_secs(60), "{} are not let go of", left());
        pause(Duration::from_secs(1));
    }
    assert!(pulled.elapsed() > Duration::from_secs(25), "{:?}", pulled.elapsed());
}
