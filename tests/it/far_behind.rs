//! Far behind: what a viewer gets that has stopped reading, or is away, while its files are emptied, cut
//! or deleted several times. What the server has seen meanwhile it reports, to the byte.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::rotation_fixture::{TAG, gap_bytes, shift};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Request, TestServer, Viewer, wait_until};

/// More than sockets, and what a server holds for a viewer that has stopped.
const BACKLOG: usize = 60_000;

/// A log with more than a viewer takes that does not read, that viewer, and one that keeps up.
struct Fixture {
    folder: LogFolder,
    server: TestServer,
    stopped: Viewer,
    quick: Viewer,
    n_lines: usize,
}

impl Fixture {
    fn new() -> Self {
        let folder = LogFolder::new();
        append(&folder.join("app.log"), &lines(TAG, 0..BACKLOG));
        let server = TestServer::serving(folder.join("app.log"));
        let mut quick = server.follow(Request::ndjson("/logs/app.log?tail=0"));
        quick.wait_for_event("start");
        let ask = Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096);
        let mut stopped = server.follow(ask);
        stopped.wait_for_lines(10);
        Fixture { folder, server, stopped, quick, n_lines: BACKLOG }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.join("app.log")
    }

    /// Writes lines, and waits until the server has seen them.
    fn write(&mut self, n_lines: usize) {
        append(&self.path(), &lines(TAG, self.n_lines..self.n_lines + n_lines));
        self.n_lines += n_lines;
        self.quick.wait_for_line(&line(TAG, self.n_lines - 1));
    }

    /// The stopped viewer reads on: each line at most once and in order, the last ones all, and what it
    /// has not got is told to the byte.
    fn check(mut self, n_last: usize) {
        self.stopped.wait_for_line(&line(TAG, self.n_lines - 1));
        let got = self.stopped.texts();
        let turn = got.windows(2).position(|pair| pair[0] >= pair[1]);
        assert!(turn.is_none(), "doubled or out of order: {:?}", turn.map(|at| &got[at..at + 2]));
        let last = &got[got.len() - n_last..];
        assert_numbered(last, TAG, self.n_lines - n_last..self.n_lines);
        let n_got: usize = got.iter().map(|text| text.len() + 1).sum();
        let n_written = lines(TAG, 0..self.n_lines).len();
        let n_gone: u64 = gap_bytes(&self.stopped).iter().sum();
        assert_eq!(n_got as u64 + n_gone, n_written as u64, "{:?}", gap_bytes(&self.stopped));
        drop(self.server);
    }
}

fn truncate(path: &Path, n_bytes: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(n_bytes).unwrap();
}

#[test]
fn a_stopped_viewer_is_told_of_each_time_that_its_file_was_emptied() {
    let mut fixture = Fixture::new();
    for _ in 0..5 {
        truncate(&fixture.path(), 0);
        fixture.write(100);
    }
    fixture.check(100);
}

/// What is held for a reader is bounded, and nothing of it is wrong.
#[test]
fn a_stopped_viewer_holds_few_files_however_often_its_own_was_emptied() {
    let mut fixture = Fixture::new();
    let before = fixture.server.n_descriptors();
    for _ in 0..60 {
        truncate(&fixture.path(), 0);
        fixture.write(3);
    }
    // The newest lines hold theirs for a moment.
    wait_until("few are held", || fixture.server.n_descriptors() <= before + 16);
    fixture.check(3);
}

#[test]
fn a_stopped_viewer_holds_few_files_however_often_its_own_was_renamed() {
    let mut fixture = Fixture::new();
    let before = fixture.server.n_descriptors();
    for _ in 0..70 {
        shift(&fixture.path(), 99);
        fixture.write(3);
    }
    let n_more = fixture.server.n_descriptors().saturating_sub(before);
    assert!(n_more <= 60, "{n_more} descriptors more");
    let n_lines = fixture.n_lines;
    fixture.check(n_lines);
}

#[test]
fn a_stopped_viewer_is_told_of_files_that_were_deleted_and_begun_anew() {
    let mut fixture = Fixture::new();
    for _ in 0..8 {
        fs::remove_file(fixture.path()).unwrap();
        fixture.write(100);
    }
    fixture.check(100);
}

#[test]
fn a_stopped_viewer_reads_what_is_left_of_a_file_that_was_cut_twice() {
    let mut fixture = Fixture::new();
    // Within what a live end knows line by line.
    for n_kept in [59_000, 58_500] {
        truncate(&fixture.path(), lines(TAG, 0..n_kept).len() as u64);
        fixture.write(100);
    }
    fixture.check(100);
}

#[test]
fn a_stopped_viewer_of_an_older_file_is_told_what_became_of_the_next() {
    let mut fixture = Fixture::new();
    shift(&fixture.path(), 9);
    fixture.write(100);
    truncate(&fixture.path(), 0);
    fixture.write(10);
    truncate(&fixture.path(), 0);
    fixture.write(10);
    fixture.check(10);
}

/// It begins in an older file, and what was to come next is emptied before it comes there.
#[test]
fn a_viewer_on_its_way_is_told_what_became_of_the_file_that_was_written_to() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..BACKLOG));
    shift(&path, 9);
    append(&path, &lines(TAG, BACKLOG..BACKLOG + 50));
    let server = TestServer::serving(&path);
    let mut quick = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    quick.wait_for_line(&line(TAG, BACKLOG + 49));
    let ask = Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096);
    let mut stopped = server.follow(ask);
    stopped.wait_for_lines(10);
    truncate(&path, 0);
    append(&path, &lines(TAG, BACKLOG + 50..BACKLOG + 60));
    quick.wait_for_line(&line(TAG, BACKLOG + 59));
    stopped.wait_for_line(&line(TAG, BACKLOG + 59));
    let texts = stopped.texts();
    assert_numbered(&texts[..BACKLOG], TAG, 0..BACKLOG);
    assert_numbered(&texts[BACKLOG..], TAG, BACKLOG + 50..BACKLOG + 60);
    assert_eq!(gap_bytes(&stopped), [lines(TAG, BACKLOG..BACKLOG + 50).len() as u64]);
}

/// Late lines make an older file the younger one.
#[test]
fn a_viewer_whose_file_is_gone_does_not_get_an_older_one_again() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    let server = TestServer::serving(&path);
    let mut watching = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    watching.wait_for_line(&line(TAG, 9));
    shift(&path, 9);
    append(&path, &lines(TAG, 10..20));
    watching.wait_for_line(&line(TAG, 19));
    let cursor = watching.lines.last().unwrap().cursor.clone().unwrap();
    fs::remove_file(&path).unwrap();
    append(&path, &lines(TAG, 20..30));
    watching.wait_for_line(&line(TAG, 29));
    append(&folder.join("app.log.1"), &lines("late", 0..1));
    watching.wait_for_line(&line("late", 0));
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line(TAG, 29));
    let texts = back.texts();
    let (late, texts): (Vec<_>, Vec<_>) = texts.into_iter().partition(|it| it.starts_with("late"));
    assert_numbered(&texts, TAG, 20..30);
    assert!(late.len() <= 1, "{late:?}");
    // The live end has read the deleted file to its end: nothing of it was missed.
    assert_eq!(gap_bytes(&back), [0; 0]);
}

/// Cut so early that the file does not begin as the cursor says; the cursor's own line is still there.
#[test]
fn a_viewer_whose_young_file_was_cut_behind_its_place_gets_no_line_twice() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    let server = TestServer::serving(&path);
    let mut first = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    first.wait_for_lines(10);
    let cursor = first.lines[2].cursor.clone().unwrap();
    drop(first);
    truncate(&path, lines(TAG, 0..5).len() as u64);
    append(&path, &lines(TAG, 10..12));
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line(TAG, 11));
    let texts = back.texts();
    assert_numbered(&texts[..2], TAG, 3..5);
    assert_numbered(&texts[2..], TAG, 10..12);
}

/// At the start of a file nothing of it was read; that it was emptied is told all the same.
#[test]
fn a_viewer_at_the_start_of_a_file_is_told_of_the_hole_that_it_begins_with() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    let server = TestServer::serving(&path);
    let mut first = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    let cursor = first.wait_for_event("start").cursor().unwrap().to_owned();
    drop(first);
    // What a live end that is still there would report in between is another case.
    wait_until("nobody follows it", || server.metric("tailcast_feeds") == 0.0);
    let n_bytes = lines(TAG, 0..10).len() as u64;
    // The writer does not append, and writes on where it stood.
    let writer = fs::File::options().write(true).open(&path).unwrap();
    truncate(&path, 0);
    writer.write_all_at(lines(TAG, 10..20).as_bytes(), n_bytes).unwrap();
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line(TAG, 19));
    assert_numbered(&back.texts(), TAG, 10..20);
    assert_eq!(gap_bytes(&back), [n_bytes]);
}
