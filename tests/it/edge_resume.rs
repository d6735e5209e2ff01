//! Resume and finite reads at their edges: files that begin alike, hold the same lines all along, are
//! cut behind the viewer, or move while they are read.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::rotation_fixture::{TAG, gap_bytes, gzip, shift};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Request, TestServer, Viewer, pause};

#[test]
fn a_viewer_goes_on_in_its_own_of_several_packed_files_that_begin_alike() {
    let (folder, server, cursor) = seen(&file(0..500), 300);
    let path = folder.join("app.log");
    for round in 1..4 {
        shift(&path, 9);
        gzip(&folder.join("app.log.1"));
        append(&path, &file(round * 500..round * 500 + 500));
    }
    comes_back(&server.restart(), &cursor, 300..2000);
}

#[test]
fn a_viewer_goes_on_where_younger_packed_files_are_shorter_than_its_place() {
    let (folder, server, cursor) = seen(&file(0..500), 400);
    let path = folder.join("app.log");
    for round in 0..3 {
        shift(&path, 9);
        gzip(&folder.join("app.log.1"));
        append(&path, &file(500 + round * 10..510 + round * 10));
    }
    comes_back(&server.restart(), &cursor, 400..530);
}

/// Nothing but size, time and order tells files of the same lines apart. A viewer gets all that
/// comes after its place, or fewer and is told of a gap: no line twice, and no silence.
#[test]
fn a_viewer_of_files_of_constant_lines_gets_none_twice_and_none_is_missing_silently() {
    let sizes = [700, 500, 900, 700];
    let (folder, server, cursor) = seen(&constant(sizes[0]), 200);
    let path = folder.join("app.log");
    for n_lines in &sizes[1..] {
        shift(&path, 9);
        gzip(&folder.join("app.log.1"));
        append(&path, &constant(*n_lines));
    }
    let server = server.restart();
    let mut viewer = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    append(&path, "the last line\n");
    viewer.wait_for_line("the last line");
    let n_wanted = sizes.iter().sum::<usize>() - 200;
    let n_lines = viewer.lines.len() - 1;
    let gaps = gap_bytes(&viewer);
    assert!(n_lines <= n_wanted, "{n_lines} of {n_wanted}: some came again");
    assert!(n_lines == n_wanted || !gaps.is_empty(), "{n_lines} of {n_wanted}, and no gap");
    assert!(n_lines < n_wanted || gaps.is_empty(), "all {n_wanted}, and a gap of {gaps:?}");
}

/// What was kept was read. Of what was appended before the viewer came back nothing tells where it
/// begins: it comes, or there is a gap.
#[test]
fn a_viewer_that_comes_back_to_a_file_cut_to_a_prefix_gets_no_line_again() {
    for n_appended in [0, 20, 80] {
        let (folder, server, cursor) = seen(&lines(TAG, 0..100), 100);
        let path = folder.join("app.log");
        let kept = lines(TAG, 0..50).len() as u64;
        fs::File::options().write(true).open(&path).unwrap().set_len(kept).unwrap();
        append(&path, &lines(TAG, 100..100 + n_appended));
        let server = server.restart();
        let mut viewer = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
        viewer.wait_for_event("start");
        // Read, or left out and told.
        viewer.read_for(Duration::from_millis(1200));
        append(&path, &lines(TAG, 100 + n_appended..200));
        viewer.wait_for_line(&line(TAG, 199));
        let got = viewer.texts();
        let first = if gap_bytes(&viewer).is_empty() { 100 } else { 200 - got.len() };
        let is_possible = (100..=100 + n_appended).contains(&first);
        assert!(
            is_possible,
            "{n_appended} appended, {} lines, from {:?} on",
            got.len(),
            got.first()
        );
        assert_numbered(&got, TAG, first..200);
    }
}

#[test]
fn a_finite_read_is_complete_while_files_are_renamed_and_packed() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..LINES_A_ROTATION));
    let server = TestServer::serving(&path);
    let (n_written, is_ended) = (AtomicUsize::new(LINES_A_ROTATION), AtomicBool::new(false));
    let (mut n_histories, mut incomplete) = (0, Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| rotate_and_pack(&path, &n_written, &is_ended));
        let readers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| read_histories(&server, &n_written, Duration::from_secs(5))))
            .collect();
        for reader in readers {
            let (n_read, bad) = reader.join().unwrap();
            n_histories += n_read;
            incomplete.extend(bad);
        }
        is_ended.store(true, Ordering::Relaxed);
    });
    let n_incomplete = incomplete.len();
    eprintln!("{n_histories} histories, {} rotations", n_written.into_inner() / LINES_A_ROTATION);
    assert!(incomplete.is_empty(), "{n_incomplete} of {n_histories} histories: {incomplete:?}");
}

/// Ten times a second, and packs what was rotated, as a rotator with `compress` does.
fn rotate_and_pack(path: &Path, n_written: &AtomicUsize, is_ended: &AtomicBool) {
    while !is_ended.load(Ordering::Relaxed) {
        shift(path, 99);
        let n_lines = n_written.load(Ordering::Relaxed);
        append(path, &lines(TAG, n_lines..n_lines + LINES_A_ROTATION));
        n_written.store(n_lines + LINES_A_ROTATION, Ordering::Relaxed);
        gzip(&path.with_file_name("app.log.1"));
        pause(Duration::from_millis(60));
    }
}

/// Reads all there is, again and again: each time all that was written before, without a hole. Says
/// how often, and what was wrong. A history that says of itself that it is not complete is right.
fn read_histories(
    server: &TestServer,
    n_written: &AtomicUsize,
    time: Duration,
) -> (usize, Vec<String>) {
    let (begun, mut n_histories, mut incomplete) = (Instant::now(), 0, Vec::new());
    while begun.elapsed() < time {
        let n_before = n_written.load(Ordering::Relaxed);
        let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all&follow=false"));
        viewer.wait_for_end();
        n_histories += 1;
        if viewer.events_named("end").any(|end| end.data["reason"] != "eof") {
            continue;
        }
        if let Some(fault) = fault_of(&viewer, n_before) {
            incomplete.push(fault);
        }
    }
    (n_histories, incomplete)
}

/// What is missing in (or too much of) a history that was to have so many lines at least.
fn fault_of(viewer: &Viewer, n_before: usize) -> Option<String> {
    let got = viewer.texts();
    let hole = got.iter().enumerate().find(|(number, text)| **text != line(TAG, *number));
    let n_gaps = gap_bytes(viewer).len();
    match hole {
        Some((number, text)) if n_gaps == 0 => Some(format!("{text:?} in the place of {number}")),
        None if got.len() < n_before && n_gaps == 0 => {
            Some(format!("{} of {n_before} lines", got.len()))
        }
        None if n_gaps > 0 => Some(format!("all lines, and a gap: {:?}", viewer.events)),
        Some(_) | None => None,
    }
}

/// A log, a server that has sent it, and the cursor after its first `n_lines` (banners not counted).
fn seen(content: &str, n_lines: usize) -> (LogFolder, TestServer, String) {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, content);
    let server = TestServer::serving(&path);
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(content.lines().count());
    let own = viewer.lines.iter().filter(|line| !line.text.starts_with(BANNER));
    let cursor = own.take(n_lines).last().and_then(|line| line.cursor.clone());
    (folder, server, cursor.unwrap())
}

/// Comes back in each way, and gets the lines of these numbers and no gap.
#[track_caller]
fn comes_back(server: &TestServer, cursor: &str, numbers: std::ops::Range<usize>) {
    let by_url = Request::ndjson(&format!("/logs/app.log?from={cursor}"));
    let by_header = Request::sse("/logs/app.log").header("Last-Event-ID", cursor);
    for ask in [by_url, by_header] {
        let mut viewer = server.follow(ask);
        viewer.wait_for_line(&line(TAG, numbers.end - 1));
        let texts = viewer.texts();
        let own: Vec<&str> = texts.into_iter().filter(|text| !text.starts_with(BANNER)).collect();
        assert_numbered(&own, TAG, numbers.clone());
        assert_eq!(gap_bytes(&viewer), [0; 0]);
    }
}

/// A file as a program writes it that introduces itself at each start, in 1.5 KiB.
fn file(numbers: std::ops::Range<usize>) -> String {
    let banner: String =
        (0..24).map(|number| format!("{BANNER} {number:02} {}\n", "=".repeat(53))).collect();
    banner + &lines(TAG, numbers)
}

fn constant(n_lines: usize) -> String {
    "every line is like this one\n".repeat(n_lines)
}

const BANNER: &str = "banner";

const LINES_A_ROTATION: usize = 160;
