//! `NAME-YYYYMMDDHH.backup`: what logrotate moves out of its way when a writer has made the log anew
//! between its rename and its create. It is a segment like any other, told by time.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::process::run;
use crate::rotation_fixture::{TAG, gap_bytes, shift};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{DEADLINE, LogFolder, Request, TestServer, wait_until};

const BACKUP: &str = "app.log-2026112116.backup";

/// Ten lines a file, from the oldest file to the youngest; each is a minute older than the next.
fn write_in_order(folder: &LogFolder, names: &[&str]) {
    for (at, name) in names.iter().enumerate() {
        let path = folder.join(name);
        append(&path, &lines(TAG, at * 10..at * 10 + 10));
        let age = Duration::from_secs(60 * (names.len() - at) as u64);
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}

fn history(server: &TestServer) -> Vec<String> {
    server.get("/logs/app.log?tail=all&follow=false").lines()
}

#[track_caller]
fn check_history(server: &TestServer, numbers: std::ops::Range<usize>) {
    let got = history(server);
    let got: Vec<&str> = got.iter().map(String::as_str).collect();
    assert_numbered(&got, TAG, numbers);
}

fn names(server: &TestServer) -> Vec<String> {
    let list = server.get("/api/sources").json();
    let sources = list["sources"].as_array().unwrap().iter();
    sources.map(|source| source["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_is_a_segment_in_its_place_by_time() {
    let folder = LogFolder::new();
    write_in_order(&folder, &["app.log.3", "app.log.2", BACKUP, "app.log.1", "app.log"]);
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server), ["app.log"]);
    check_history(&server, 0..50);
    // The numbers shift, the backup stays what it is called.
    shift(&folder.join("app.log"), 9);
    run("gzip", &[folder.join("app.log.3").to_str().unwrap()]);
    append(&folder.join("app.log"), &lines(TAG, 50..60));
    check_history(&server, 0..60);
    run("gzip", &[folder.join(BACKUP).to_str().unwrap()]);
    check_history(&server, 0..60);
    // A page and a place in it are places like any other.
    let records = server.get("/logs/app.log?tail=all&follow=false&format=ndjson").records();
    let cursors: Vec<_> = records.iter().filter(|record| record["line"].is_string()).collect();
    let inside = cursors[25]["cursor"].as_str().unwrap();
    let rest = server.get(format!("/logs/app.log?follow=false&from={inside}")).lines();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    assert_numbered(&rest, TAG, 26..60);
}

#[test]
fn a_backup_among_dated_files_is_in_its_place_by_time() {
    let folder = LogFolder::new();
    let names = [
        "app.log-20261119",
        "app.log-20261120.gz",
        BACKUP,
        "app.log-20261121-1795255872",
        "app.log",
    ];
    write_in_order(&folder, &names.map(|name| name.trim_end_matches(".gz")));
    run("gzip", &[folder.join("app.log-20261120").to_str().unwrap()]);
    let server = TestServer::serving(folder.path());
    check_history(&server, 0..50);
}

#[test]
fn backups_alone_are_their_log() {
    let folder = LogFolder::new();
    write_in_order(&folder, &["app.log-2026112115.backup", BACKUP]);
    let server = TestServer::serving(folder.path());
    assert_eq!(names(&server), ["app.log"]);
    check_history(&server, 0..20);
}

#[test]
fn a_viewer_gets_the_lines_of_a_backup_once_and_in_order() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..10));
    let server = TestServer::serving(&path);
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(10);
    append(&path, &lines(TAG, 10..20));
    wait_for_a_tick(&folder);
    shift(&path, 9);
    append(&path, &lines(TAG, 20..30));
    wait_for_a_tick(&folder);
    fs::rename(&path, folder.join(BACKUP)).unwrap();
    append(&path, &lines(TAG, 30..40));
    viewer.wait_for_line(&line(TAG, 39));
    shift(&path, 9);
    append(&path, &lines(TAG, 40..50));
    viewer.wait_for_line(&line(TAG, 49));
    assert_numbered(&viewer.texts(), TAG, 0..50);
    assert_eq!(gap_bytes(&viewer), [0; 0]);
    check_history(&server, 0..50);
}

/// Waits until the clock of the file system has gone on: what happens within one of its ticks is
/// told apart by nobody. Some kernels tell a finer time of a file that was looked at, so that another time
/// alone does not mean another tick.
fn wait_for_a_tick(folder: &LogFolder) {
    let clock = folder.join("clock");
    let now = || {
        fs::write(&clock, "x").unwrap();
        fs::metadata(&clock).unwrap().modified().unwrap()
    };
    let begun = now();
    wait_until("the file system's clock has gone on", || now() > begun + LONGEST_TICK);
}

/// Of Linux: 100 ticks a second are the fewest.
const LONGEST_TICK: Duration = Duration::from_millis(10);

/// A writer that opens its log for each line gets in between sooner or later. logrotate itself then
/// loses what was written between its look and its rename (one of eight runs lacks a line or some on the
/// disk), so that what has to be read is what it has kept.
#[test]
fn the_real_logrotate_makes_a_backup_and_no_line_is_lost_or_moved() {
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, 0..1));
    let (config, state) = (folder.join("conf/logrotate.conf"), folder.join("conf/state"));
    fs::create_dir(folder.join("conf")).unwrap();
    let text = format!("{} {{\nsu root root\nsize 1\nrotate 999\ncreate\n}}\n", path.display());
    fs::write(&config, text).unwrap();
    let arguments = ["-f", "-s", state.to_str().unwrap(), config.to_str().unwrap()];
    let is_done = AtomicBool::new(false);
    let n_lines = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut next = 1;
            while !is_done.load(Ordering::Relaxed) && next < 2_000_000 {
                append(&path, &lines(TAG, next..next + 1));
                next += 1;
            }
            next
        });
        let begun = Instant::now();
        while !has_backup(folder.path()) && begun.elapsed() < DEADLINE {
            // It fails where its create is come in the way of twice.
            let done = Command::new("/usr/sbin/logrotate").args(arguments).output();
            done.expect("logrotate is there");
            // Of files made in one tick nothing tells which came first (docs/limits.md).
            wait_for_a_tick(&folder);
        }
        is_done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(has_backup(folder.path()), "logrotate was never come in the way of");
    append(&path, &lines(TAG, n_lines..n_lines + 1));
    let server = TestServer::serving(&path);
    let kept = kept_lines(folder.path());
    assert_eq!(kept.last(), Some(&line(TAG, n_lines)));
    assert_eq!(history(&server), kept);
    run("/usr/sbin/logrotate", &arguments);
    append(&path, &lines(TAG, n_lines + 1..n_lines + 2));
    wait_until("the new file is seen", || history(&server).len() > kept.len());
    let kept = kept_lines(folder.path());
    assert_eq!(kept.last(), Some(&line(TAG, n_lines + 1)));
    assert_eq!(history(&server), kept);
}

/// The lines of all files of the log, in the order in which they were written.
fn kept_lines(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let is_log = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("app.log");
    let texts = files
        .filter(|file| is_log(&file.file_name()))
        .map(|file| fs::read_to_string(file.path()).unwrap());
    let mut lines: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.sort();
    lines
}

fn has_backup(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    entries.any(|entry| entry.file_name().to_string_lossy().ends_with(".backup"))
}
