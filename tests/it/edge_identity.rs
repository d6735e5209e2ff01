//! Identity at its edges: which file is which where inode numbers, heads and names are alike.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::while_stopped;
use crate::rotation_fixture::{TAG, gap_bytes, gzip, log_lines, shift, viewers_of_each_format};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{Ext4Disk, LogFolder, TestServer, Viewer, pause};

#[test]
fn a_file_that_is_deleted_and_recreated_on_its_old_inode_loses_no_line() {
    // The third file gets a new number, as both others are still held; the next ones an old one.
    recreate(5, wait_for_release);
}

#[test]
fn a_file_on_a_reused_inode_is_no_gap_where_nothing_is_lost() {
    recreate(6, |_server, _path| {});
}

/// Deletes and recreates a file once it is read and as soon as `is_next` returns; nothing is lost.
#[track_caller]
fn recreate(n_files: usize, is_next: impl Fn(&TestServer, &Path)) {
    let Some(disk) = Ext4Disk::mounted() else { return };
    let path = disk.join("app.log");
    append(&path, &lines(TAG, 0..LINES_A_FILE));
    let server = TestServer::serving(&path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    for round in 1..n_files {
        let n_lines = round * LINES_A_FILE;
        wait_for_number(&mut viewers, n_lines - 1);
        is_next(&server, &path);
        eprintln!("file {round} had inode {}", fs::metadata(&path).unwrap().ino());
        fs::remove_file(&path).unwrap();
        append(&path, &lines(TAG, n_lines..n_lines + LINES_A_FILE));
    }
    expect_exactly(&mut viewers, n_files * LINES_A_FILE);
}

#[test]
fn a_file_that_is_cut_to_a_prefix_goes_on_after_what_is_new() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..100));
    let server = TestServer::serving(&path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    wait_for_number(&mut viewers, 99);
    // Between two looks, and with looks in between.
    while_stopped(&server, || {
        cut(&path, 50);
        append(&path, &lines(TAG, 100..120));
    });
    expect_exactly(&mut viewers, 120);
    cut(&path, 30);
    read_all(&mut viewers, Duration::from_millis(1500));
    append(&path, &lines(TAG, 120..125));
    read_all(&mut viewers, Duration::from_millis(300));
    append(&path, &lines(TAG, 125..200));
    expect_exactly(&mut viewers, 200);
}

#[test]
fn a_file_between_two_that_begin_alike_is_not_skipped() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    let file = |round: usize| banner() + &lines(TAG, round * 100..round * 100 + 100);
    append(&path, &file(0));
    let server = TestServer::serving(&path);
    let mut viewers = viewers_of_each_format(&server, "app.log");
    wait_for_number(&mut viewers, 99);
    while_stopped(&server, || {
        for round in 1..3 {
            shift(&path, 1);
            append(&path, &file(round));
        }
    });
    for viewer in &mut viewers {
        viewer.wait_for_line(&line(TAG, 299));
        let got = log_lines(viewer);
        let (own, banners): (Vec<_>, Vec<_>) = got.iter().partition(|text| text.starts_with(TAG));
        assert_numbered(&own, TAG, 0..300);
        assert_eq!(banners.len(), 3 * banner().lines().count());
        assert_eq!(gap_bytes(viewer), [0; 0]);
    }
}

#[test]
fn a_packed_file_left_over_beside_a_plain_one_of_its_number_is_read_too() {
    let folder = LogFolder::new();
    append(&folder.join("app.log.1"), &lines(TAG, 0..10));
    gzip(&folder.join("app.log.1"));
    append(&folder.join("app.log.1"), &lines(TAG, 10..20));
    append(&folder.join("app.log"), &lines(TAG, 20..30));
    let server = TestServer::serving(folder.join("app.log"));
    expect_exactly(&mut viewers_of_each_format(&server, "app.log"), 30);
    let finite = server.get("/logs/app.log?tail=all&follow=false");
    assert_eq!(finite.text(), lines(TAG, 0..30));
    let last = server.get("/logs/app.log?tail=25&follow=false");
    assert_eq!(last.text(), lines(TAG, 5..30));
    let raw = server.get("/logs/app.log?format=raw");
    assert_eq!(raw.text(), lines(TAG, 0..30));
}

#[test]
fn a_file_that_is_just_being_packed_is_read_once() {
    for part in [Part::Whole, Part::Half] {
        let folder = LogFolder::new();
        let (plain, packed) = (folder.join("app.log.1"), folder.join("app.log.1.gz"));
        append(&plain, &lines(TAG, 0..1000));
        gzip(&plain);
        append(&plain, &lines(TAG, 0..1000));
        if part == Part::Half {
            let n_bytes = fs::metadata(&packed).unwrap().len() / 2;
            fs::File::options().write(true).open(&packed).unwrap().set_len(n_bytes).unwrap();
        }
        append(&folder.join("app.log"), &lines(TAG, 1000..1010));
        let server = TestServer::serving(folder.join("app.log"));
        expect_exactly(&mut viewers_of_each_format(&server, "app.log"), 1010);
    }
}

/// How much of a packed file is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Half,
}

/// Waits until each viewer has got the line of this number.
#[track_caller]
fn wait_for_number(viewers: &mut [Viewer], number: usize) {
    for viewer in viewers {
        viewer.wait_for_line(&line(TAG, number));
    }
}

/// Holds each viewer to have got the lines up to this number, each once, and no gap.
#[track_caller]
fn expect_exactly(viewers: &mut [Viewer], n_lines: usize) {
    for viewer in viewers {
        viewer.wait_for_line(&line(TAG, n_lines - 1));
        viewer.read_for(Duration::from_millis(100));
        assert_numbered(&log_lines(viewer), TAG, 0..n_lines);
        assert_eq!(gap_bytes(viewer), [0; 0], "{:?}", viewer.events);
    }
}

/// Waits until the server has let go of the deleted file, so that its number is given again; or, as
/// it may hold one for good reasons, for a while.
fn wait_for_release(server: &TestServer, path: &Path) {
    let deleted = PathBuf::from(format!("{} (deleted)", path.display()));
    let begun = Instant::now();
    while server.n_open(&deleted) > 0 && begun.elapsed() < Duration::from_secs(4) {
        pause(Duration::from_millis(20));
    }
}

/// Lets time pass while the viewers read.
fn read_all(viewers: &mut [Viewer], time: Duration) {
    pause(time);
    for viewer in viewers {
        viewer.read();
    }
}

/// Cuts a file of lines to the first of them.
fn cut(path: &Path, n_lines: usize) {
    let n_bytes = lines(TAG, 0..n_lines).len() as u64;
    fs::File::options().write(true).open(path).unwrap().set_len(n_bytes).unwrap();
}

/// What a program writes at the start of each file: more than a file's head.
fn banner() -> String {
    (0..24).map(|number| format!("banner {number:02} {}\n", "=".repeat(54))).collect()
}

const LINES_A_FILE: usize = 20;

/// As a renamed file looks when the folder is read meanwhile, and what rotatelogs does with `-L`.
#[test]
fn a_file_under_two_names_is_read_once() {
    for (file, name) in [("app.log.1", "app.log.2"), ("app.log", "app.log-20261121")] {
        let folder = LogFolder::new();
        append(&folder.join("app.log.1"), &lines(TAG, 0..10));
        append(&folder.join("app.log"), &lines(TAG, 10..20));
        fs::hard_link(folder.join(file), folder.join(name)).unwrap();
        let server = TestServer::serving(folder.join("app.log"));
        let got = server.get("/logs/app.log?tail=all&follow=false").lines();
        let got: Vec<&str> = got.iter().map(String::as_str).collect();
        assert_numbered(&got, TAG, 0..20);
    }
}
