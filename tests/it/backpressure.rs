//! The file is the buffer: a viewer that does not read costs a place, and gets every line later.

use std::io::Read as _;
use std::time::{Duration, Instant};

use crate::rotation_fixture::TAG;
use crate::steady_writer::{append, line, lines};
use crate::support::{LogFolder, Request, TestServer, Viewer, pause, wait_until};

#[test]
fn a_viewer_that_stops_reading_costs_no_memory_and_gets_every_line_later() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut stalled = server.follow(Request::ndjson("/logs/app.log?tail=0"));
    let mut other = server.follow("/logs/app.log?tail=0");
    stalled.wait_for_event("start");
    wait_until("both are there", || server.n_viewers() == 2);
    pause(Duration::from_millis(200));
    let before = server.status_field("VmHWM");
    // Far more than sockets hold and the live end keeps.
    let n_rounds = 20;
    for round in 1..=n_rounds {
        log.number(100_000);
        other.wait_for_lines(round * 100_000);
    }
    let grown = server.status_field("VmHWM").saturating_sub(before);
    assert!(grown < 40 * 1024, "{grown} KiB more for a viewer that does not read");
    stalled.wait_for_lines(20_000);
    let texts = stalled.texts();
    let numbers = (1..).map(|number| format!("line {number}"));
    assert!(texts.iter().zip(numbers).all(|(text, number)| *text == number), "in order, none lost");
    assert_eq!(stalled.events_named("gap").count(), 0);
}

/// `TAILCAST_TEST_STALL_MB=1000` for the size of a bad half-minute; the file takes as much disk.
#[test]
fn what_a_viewer_has_not_read_comes_to_the_last_byte_when_it_reads() {
    let n_megabytes = std::env::var("TAILCAST_TEST_STALL_MB").map_or(64, |n| n.parse().unwrap());
    let (_folder, log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut stalled = server.follow("/logs/app.log?format=raw&follow=true&tail=0");
    wait_until("it is there", || server.n_viewers() == 1);
    pause(Duration::from_millis(200));
    let before = server.status_field("VmHWM");
    let mut n_bytes = 0;
    for round in 0.. {
        if n_bytes >= n_megabytes * 1_000_000 {
            break;
        }
        let text = lines(TAG, round * 25_000..(round + 1) * 25_000);
        append(log.path(), &text);
        n_bytes += text.len();
    }
    // The live end has been through all of it.
    wait_until("it was read", || server.metric("tailcast_bytes_read_total") >= n_bytes as f64);
    let mut file = std::fs::File::open(log.path()).unwrap();
    let (mut n_got, mut expected) = (0, Vec::new());
    let mut last_came = Instant::now();
    while n_got < n_bytes {
        stalled.read();
        let got = std::mem::take(&mut stalled.body);
        if !got.is_empty() {
            last_came = Instant::now();
        }
        assert!(last_came.elapsed() < Duration::from_secs(20), "{n_got} of {n_bytes} bytes came");
        expected.resize(got.len(), 0);
        file.read_exact(&mut expected).unwrap();
        assert!(got == expected, "other bytes after {n_got}");
        n_got += got.len();
    }
    let grown = server.status_field("VmHWM").saturating_sub(before);
    assert!(grown < 40 * 1024, "{grown} KiB more for a viewer that did not read");
}

#[test]
fn many_viewers_of_one_log_read_it_once() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut viewers: Vec<_> = (0..500).map(|_| server.follow("/logs/app.log?tail=0")).collect();
    wait_until("all are there", || server.n_viewers() == 500);
    let before = server.metric("tailcast_bytes_read_total");
    log.number(1000);
    for viewer in &mut viewers {
        viewer.wait_for_lines(1000);
    }
    let size = std::fs::metadata(log.path()).unwrap().len();
    let read = server.metric("tailcast_bytes_read_total") - before;
    assert_eq!(read, size as f64, "each byte is read once, for all");
    assert_eq!(server.n_open(log.path()), 1, "and one descriptor is enough");
}

#[test]
fn a_stalled_viewer_does_not_hold_up_the_others() {
    let (_folder, log) = LogFolder::with_log("app.log");
    append(log.path(), &lines(TAG, 0..200_000));
    let server = TestServer::serving(log.path());
    let ask = Request::get("/logs/app.log?tail=all").receive_buffer(4096);
    // More than there are blocks that are read at once on behalf of those behind.
    let _stalled: Vec<Viewer> = (0..100).map(|_| server.follow(ask.clone())).collect();
    let mut quick = server.follow("/logs/app.log?tail=0");
    for number in 200_000..200_020 {
        let begun = Instant::now();
        append(log.path(), &lines(TAG, number..number + 1));
        quick.wait_for_line(&line(TAG, number));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
