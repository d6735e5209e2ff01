//! Late lines: what is written to a file after the next one was begun; a next file that cannot be read
//! yet; and files that are deleted while somebody who does not read holds them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use crate::rotation_fixture::{RotationFixture, TAG, gap_bytes};
use crate::steady_writer::{SteadyWriter, append, assert_numbered, line, lines};
use crate::support::{LogFolder, Options, Request, TestServer, Viewer, pause, wait_until};

#[test]
fn a_writer_that_keeps_the_old_file_for_long_loses_no_line() {
    let mut scene = RotationFixture::at(LogFolder::new(), 10);
    let late = SteadyWriter::start(&scene.path, LATE[0], 10);
    late.write_more(5);
    scene.writer.reopen_after(|| scene.shift(5));
    pause(LONG);
    expect_each_once(&mut scene, &[&late]);
    // It goes on to write to a file that the live end left long ago, and gives it up at last.
    late.write_more(5);
    late.reopen();
    late.write_more(5);
    expect_each_once(&mut scene, &[&late]);
}

#[test]
fn writers_that_keep_several_old_files_for_long_lose_no_line() {
    let mut scene = RotationFixture::at(LogFolder::new(), 10);
    let late: Vec<SteadyWriter> = LATE
        .iter()
        .map(|tag| {
            let writer = SteadyWriter::start(&scene.path, tag, 10);
            writer.write_more(5);
            scene.writer.reopen_after(|| scene.shift(5));
            pause(Duration::from_millis(500));
            writer
        })
        .collect();
    pause(LONG);
    expect_each_once(&mut scene, &late.iter().collect::<Vec<_>>());
}

/// Its own file is at its place, so that the cursor of a late line must not lead back into it.
#[test]
fn a_viewer_that_comes_back_after_late_lines_gets_none_twice() {
    let scene = RotationFixture::at(LogFolder::new(), 20);
    let late = SteadyWriter::start(&scene.path, LATE[0], 20);
    late.write_more(5);
    scene.writer.reopen_after(|| scene.shift(5));
    let mut first = scene.server.follow(Request::ndjson("/logs/app.log?tail=all"));
    first.read_for(LONG);
    // Of each kind of line the last one, wherever it came from.
    for tag in [TAG, LATE[0]] {
        let mark = first.lines.iter().rposition(|line| is_of(&line.text, tag)).unwrap();
        let cursor = first.lines[mark].cursor.clone().unwrap();
        let ask = Request::ndjson(&format!("/logs/app.log?from={cursor}"));
        let mut back = scene.server.follow(ask);
        let next = line(TAG, number_of(&first.lines[..=mark], TAG) + 10);
        back.wait_for_line(&next);
        let seen: HashSet<&str> =
            first.lines[..=mark].iter().map(|line| line.text.as_str()).collect();
        let again: Vec<&str> =
            back.texts().into_iter().filter(|text| seen.contains(text)).collect();
        assert_eq!(again, [""; 0], "after a line of {tag}");
        let own: Vec<&str> = back.texts().into_iter().filter(|text| is_of(text, TAG)).collect();
        let first_own = number_of(&first.lines[..=mark], TAG);
        assert_numbered(&own, TAG, first_own..first_own + own.len());
        // Late lines go on to come, or are told to be missing.
        back.wait_for(|back| {
            back.texts().iter().any(|text| is_of(text, LATE[0]))
                || back.events_named("gap").any(|gap| gap.data["reason"] == "late")
        });
    }
}

#[test]
fn a_new_file_that_cannot_be_read_is_told_and_loses_no_line() {
    let folder = LogFolder::new();
    set_mode(folder.path(), 0o755);
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    set_mode(&path, 0o644);
    let server = Options::serving([&path]).user(NOBODY).start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(10);
    assert_eq!(server.get("/readyz").text(), "ready\n");
    let fresh = folder.join("fresh");
    append(&fresh, &lines(TAG, 20..30));
    set_mode(&fresh, 0o000);
    fs::rename(&path, folder.join("app.log.1")).unwrap();
    append(&folder.join("app.log.1"), &lines(TAG, 10..20));
    fs::rename(&fresh, &path).unwrap();
    viewer.wait_for_lines(20);
    wait_until("the server says that it cannot read the file", || {
        viewer.read();
        let told = server.get("/readyz");
        assert_eq!(told.status, 200);
        told.text().starts_with("degraded\n") && told.text().contains("app.log")
    });
    set_mode(&path, 0o644);
    append(&path, &lines(TAG, 30..40));
    viewer.wait_for_line(&line(TAG, 39));
    assert_numbered(&viewer.texts(), TAG, 0..40);
    assert_eq!(gap_bytes(&viewer), [0; 0]);
    wait_until("nothing is wrong any more", || server.get("/readyz").text() == "ready\n");
}

#[test]
fn stopped_readers_hold_a_bounded_number_of_deleted_files_and_it_is_told() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &long_lines(0));
    let server = TestServer::serving(&path);
    let mut stopped = Vec::new();
    for round in 1..=N_DELETED {
        let ask = Request::ndjson("/logs/app.log?tail=all").receive_buffer(4096);
        let mut viewer = server.follow(ask);
        viewer.wait_for_lines(1);
        stopped.push(viewer);
        fs::remove_file(&path).unwrap();
        append(&path, &long_lines(round));
    }
    append(&path, "the last line\n");
    eprintln!("deleted files held: {}", n_deleted_held(&server, folder.path()));
    wait_until("the number is told", || {
        let (n_held, told) = (n_deleted_held(&server, folder.path()), deleted_files_held(&server));
        Some(n_held as f64) == told && n_held <= MAX_DELETED_HELD
    });
    // Whoever is cut off is told what is gone, and goes on.
    let mut first: Viewer = stopped.swap_remove(0);
    first.wait_for_line("the last line");
    let got = first.lines.iter().filter(|line| line.text.len() > 1000).count();
    let n_written = (N_DELETED + 1) * LINES_A_FILE;
    assert!(got < n_written && !gap_bytes(&first).is_empty(), "{got} of {n_written}, and no gap");
}

/// Waits until each viewer has what was written so far, and holds it to have each line once: those of
/// the program in order, those of late writers after them or between them, as they come.
#[track_caller]
fn expect_each_once(scene: &mut RotationFixture, late: &[&SteadyWriter]) {
    let mut written = vec![(TAG, scene.writer.n_lines())];
    for (writer, tag) in late.iter().zip(LATE) {
        written.push((tag, writer.n_lines()));
    }
    for viewer in scene.viewers() {
        for (tag, n_lines) in &written {
            // More is being written, and a younger file's line may come before an older one's.
            let last = line(tag, n_lines - 1);
            let is_counted = |text: &&str| is_of(text, tag) && **text <= *last;
            viewer.wait_for(|viewer| {
                viewer.texts().into_iter().filter(is_counted).count() >= *n_lines
            });
            let mut own: Vec<&str> = viewer.texts().into_iter().filter(is_counted).collect();
            if *tag != TAG {
                own.sort_unstable();
            }
            assert_numbered(&own, tag, 0..*n_lines);
        }
        assert_eq!(gap_bytes(viewer), [0; 0]);
    }
}

/// Whether the writer of this tag wrote the line.
fn is_of(text: &str, tag: &str) -> bool {
    text.split_once(' ').is_some_and(|(own, _)| own == tag)
}

/// The number that comes next in the lines of one writer.
fn number_of(got: &[crate::support::Line], tag: &str) -> usize {
    got.iter().filter(|line| is_of(&line.text, tag)).count()
}

/// What one file holds: more than sockets do, in few lines.
fn long_lines(file: usize) -> String {
    let numbers = file * LINES_A_FILE..(file + 1) * LINES_A_FILE;
    numbers.map(|number| format!("{number:07} {}\n", "long ".repeat(3_000))).collect()
}

/// How many files below `folder` the server holds that have no name any more.
fn n_deleted_held(server: &TestServer, folder: &Path) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let held = descriptors.filter_map(|entry| {
        let entry = entry.ok()?.path();
        let target = fs::read_link(&entry).ok()?;
        let is_ours =
            target.starts_with(folder) && target.to_string_lossy().ends_with(" (deleted)");
        // A file may be open twice.
        is_ours.then(|| fs::metadata(&entry).ok().map(|metadata| metadata.ino())).flatten()
    });
    held.collect::<HashSet<u64>>().len()
}

/// The metric, once there is one.
fn deleted_files_held(server: &TestServer) -> Option<f64> {
    let text = server.get("/metrics").text();
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("tailcast_deleted_files_held ")?.parse().ok())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Those who keep writing to an old file.
const LATE: [&str; 3] = ["late", "later", "latest"];

/// Longer than the live end stays with an old file for the sake of a writer (5 s).
const LONG: Duration = Duration::from_millis(6500);

const N_DELETED: usize = 40;

/// Of 15 KB each.
const LINES_A_FILE: usize = 30;

/// Of one source; enough to outlast a slow reader.
const MAX_DELETED_HELD: usize = 32;

/// A user without any rights.
const NOBODY: u32 = 65534;
