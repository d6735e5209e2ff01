//! Connections that say nothing, or say it slowly, are closed; those that stream are not.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::support::{LogFolder, Request, TestServer, pause, wait_until};

/// Sends a byte now and then until the connection is closed; returns after how long that was.
fn closed_after(mut socket: TcpStream, drip: &[u8]) -> Duration {
    let begun = Instant::now();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    while begun.elapsed() < Duration::from_secs(60) {
        if !drip.is_empty() && socket.write_all(drip).is_err() {
            return begun.elapsed();
        }
        match socket.read(&mut [0; 1024]) {
            Ok(0) => return begun.elapsed(),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_reset) => return begun.elapsed(),
        }
    }
    panic!("not closed within a minute");
}

#[test]
fn whoever_sends_no_whole_request_is_cut_off_and_streams_go_on() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    // It goes on opening some after its port is open; those are not left over.
    wait_until("it is at rest", || {
        let before = server.n_descriptors();
        pause(Duration::from_millis(500));
        server.n_descriptors() == before
    });
    let before = server.n_descriptors();
    let mut quiet = server.follow(Request::sse("/logs/app.log?heartbeat=5m"));
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    let post = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let slow = [("", ""), ("GET / HT", ""), (head, "X-a: b\r\n"), (post, "")];
    let slow = slow.map(|(text, drip)| {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        socket.write_all(text.as_bytes()).unwrap();
        std::thread::spawn(move || closed_after(socket, drip.as_bytes()))
    });
    let times = slow.map(|thread| thread.join().unwrap());
    for time in times {
        assert!((14..45).contains(&time.as_secs()), "closed after {time:?}");
    }
    // Longer than any of them has this one been quiet.
    log.line("still here");
    quiet.wait_for_line("still here");
    drop(quiet);
    // A line that is under way when the client leaves is taken by its connection; the next one tells.
    wait_until("nothing is left", || {
        log.line("and gone");
        server.n_descriptors() <= before + 2
    });
}
