//! Damaged archives: a packed file whose own checks do not fit is reported, in each way to read it;
//! what was sent stays, nothing after the damage is trusted, and the next file follows.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::rotation_fixture::{TAG, log_lines, viewers_of_each_format};
use crate::steady_writer::{append, assert_numbered, line, lines};
use crate::support::{LogFolder, Request, TestServer};

/// What is wrong with the second of four files, which has two members (streams, frames).
struct Damage {
    what: &'static str,
    program: &'static str,
    change: fn(&mut Vec<u8>, Members),
    /// The lines of the file that come before the damage.
    n_good: usize,
}

/// The bytes of each member.
#[derive(Clone, Copy)]
struct Members {
    first: usize,
}

const DAMAGES: [Damage; 9] = [
    Damage {
        what: "the CRC-32 of the first member",
        program: "gzip",
        change: |bytes, members| bytes[members.first - 8] ^= 1,
        n_good: LINES_A_MEMBER,
    },
    Damage {
        what: "the length of the first member",
        program: "gzip",
        change: |bytes, members| bytes[members.first - 4] ^= 1,
        n_good: LINES_A_MEMBER,
    },
    Damage {
        what: "the CRC-32 of the last member",
        program: "gzip",
        change: |bytes, _| *bytes.iter_mut().nth_back(7).unwrap() ^= 1,
        n_good: 2 * LINES_A_MEMBER,
    },
    Damage {
        what: "the length of the last member",
        program: "gzip",
        change: |bytes, _| *bytes.last_mut().unwrap() ^= 1,
        n_good: 2 * LINES_A_MEMBER,
    },
    Damage {
        what: "the header of the second member",
        program: "gzip",
        change: |bytes, members| bytes[members.first] ^= 1,
        n_good: LINES_A_MEMBER,
    },
    Damage {
        what: "the trailer is cut",
        program: "gzip",
        change: |bytes, _| bytes.truncate(bytes.len() - 3),
        n_good: 2 * LINES_A_MEMBER,
    },
    Damage {
        what: "the checksum of the first frame",
        program: "zstd",
        change: |bytes, members| bytes[members.first - 1] ^= 1,
        n_good: LINES_A_MEMBER,
    },
    Damage {
        what: "the checksum of the last stream",
        program: "bzip2",
        change: |bytes, _| *bytes.iter_mut().nth_back(3).unwrap() ^= 1,
        n_good: 2 * LINES_A_MEMBER,
    },
    Damage {
        what: "the footer of the first stream",
        program: "xz",
        change: |bytes, members| bytes[members.first - 1] ^= 1,
        n_good: LINES_A_MEMBER,
    },
];

#[test]
fn a_checksum_that_does_not_fit_is_one_gap_and_the_next_file_follows() {
    with_each(|damage| {
        let folder = damaged(damage);
        let server = TestServer::serving(folder.join("app.log"));
        for mut viewer in viewers_of_each_format(&server, "app.log") {
            viewer.wait_for_line(&line(TAG, N_LINES - 1));
            let got = log_lines(&viewer);
            let is_text = viewer.events.is_empty();
            let is_gap = |text: &&str| text.starts_with("==>");
            let (gaps, own): (Vec<&str>, Vec<&str>) = got.into_iter().partition(is_gap);
            assert_eq!(own.len(), BEFORE + damage.n_good + AFTER.len(), "{}", damage.what);
            assert_numbered(&own[..BEFORE + damage.n_good], TAG, 0..BEFORE + damage.n_good);
            assert_numbered(&own[BEFORE + damage.n_good..], TAG, AFTER);
            let told: Vec<_> = viewer.events_named("gap").map(|gap| &gap.data["reason"]).collect();
            match is_text {
                true => assert_eq!(gaps, ["==> app.log: gap of 0 bytes (damaged) <=="]),
                false => assert_eq!(told, ["damaged"], "{}", damage.what),
            }
        }
    });
}

#[test]
fn a_finite_read_of_a_file_whose_checksum_does_not_fit_says_that_it_is_not_complete() {
    with_each(|damage| {
        let folder = damaged(damage);
        let server = TestServer::serving(folder.join("app.log"));
        let ask = Request::ndjson("/logs/app.log?tail=all&follow=false");
        let mut viewer = server.follow(ask);
        viewer.wait_for_end();
        assert_eq!(viewer.lines.len(), BEFORE + damage.n_good, "{}", damage.what);
        assert_numbered(&viewer.texts(), TAG, 0..BEFORE + damage.n_good);
        let end = viewer.wait_for_event("end");
        assert_eq!(end.data["reason"], "error", "{}", damage.what);
    });
}

#[test]
fn last_lines_that_reach_into_a_damaged_file_begin_after_it_with_a_gap() {
    with_each(|damage| {
        let folder = damaged(damage);
        let server = TestServer::serving(folder.join("app.log"));
        let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=100"));
        viewer.wait_for_line(&line(TAG, N_LINES - 1));
        assert_numbered(&viewer.texts(), TAG, AFTER);
        let told: Vec<_> = viewer.events_named("gap").map(|gap| &gap.data["reason"]).collect();
        assert_eq!(told, ["damaged"], "{}", damage.what);
    });
}

/// Of a second viewer too, who begins at a place of the index that the first one has left.
#[test]
fn a_checksum_is_looked_at_for_each_viewer_of_a_large_file() {
    let folder = LogFolder::new();
    let packed = folder.join("app.log.1");
    // More than lies between two places of the index.
    append(&packed, &lines(TAG, 0..LARGE));
    pack("gzip", &packed);
    let packed = folder.join("app.log.1.gz");
    let mut bytes = fs::read(&packed).unwrap();
    *bytes.iter_mut().nth_back(7).unwrap() ^= 1;
    fs::write(&packed, bytes).unwrap();
    append(&folder.join("app.log"), &lines(TAG, LARGE..LARGE + 10));
    let server = TestServer::serving(folder.join("app.log"));
    let mut first = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    first.wait_for_line(&line(TAG, LARGE + 9));
    assert_numbered(&first.texts(), TAG, 0..LARGE + 10);
    assert_eq!(first.events_named("gap").count(), 1);
    let cursor = first.lines[LARGE - 5].cursor.clone().unwrap();
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line(TAG, LARGE + 9));
    assert_numbered(&back.texts(), TAG, LARGE - 4..LARGE + 10);
    assert_eq!(back.wait_for_event("gap").data["reason"], "damaged");
}

/// All of them at once: most of the time passes between three tries to read what is damaged.
fn with_each(test: impl Fn(&Damage) + Sync) {
    thread::scope(|scope| {
        for damage in &DAMAGES {
            scope.spawn(|| test(damage));
        }
    });
}

/// Four files: `.3` plain, `.2` packed and damaged, `.1` plain, and the active one.
fn damaged(damage: &Damage) -> LogFolder {
    let folder = LogFolder::new();
    append(&folder.join("app.log.3"), &lines(TAG, 0..BEFORE));
    let (file, mut whole, mut first) = (folder.join("app.log.2"), Vec::new(), 0);
    for member in 0..2 {
        let begin = BEFORE + member * LINES_A_MEMBER;
        append(&file, &lines(TAG, begin..begin + LINES_A_MEMBER));
        let packed = pack(damage.program, &file);
        whole.extend(fs::read(&packed).unwrap());
        if member == 0 {
            first = whole.len();
        }
        fs::remove_file(packed).unwrap();
    }
    (damage.change)(&mut whole, Members { first });
    let extension = extension(damage.program);
    fs::write(folder.join(&format!("app.log.2.{extension}")), whole).unwrap();
    append(&folder.join("app.log.1"), &lines(TAG, AFTER.start..AFTER.start + 10));
    append(&folder.join("app.log"), &lines(TAG, AFTER.start + 10..N_LINES));
    folder
}

/// Packs a file in its place; returns the packed one.
fn pack(program: &str, file: &Path) -> std::path::PathBuf {
    let mut command = Command::new(program);
    if program == "zstd" {
        command.args(["--rm", "-q"]);
    }
    assert!(command.arg(file).status().unwrap().success(), "{program}");
    let name = format!("{}.{}", file.file_name().unwrap().to_str().unwrap(), extension(program));
    file.with_file_name(name)
}

fn extension(program: &str) -> &'static str {
    match program {
        "gzip" => "gz",
        "zstd" => "zst",
        "bzip2" => "bz2",
        "xz" => "xz",
        other => panic!("{other} is not a packer"),
    }
}

/// Lines of the file before the damaged one.
const BEFORE: usize = 10;

const LINES_A_MEMBER: usize = 500;

/// The lines after the damaged file.
const AFTER: Range<usize> = BEFORE + 2 * LINES_A_MEMBER..N_LINES;

const N_LINES: usize = BEFORE + 2 * LINES_A_MEMBER + 20;

/// Of 38 bytes.
const LARGE: usize = 150_000;

/// Its place was in the file before it was packed, and nothing there can be trusted.
#[test]
fn a_viewer_whose_place_lies_behind_the_damage_gets_a_gap_and_the_next_file() {
    let damage = &DAMAGES[0];
    let folder = LogFolder::new();
    let path = folder.join("app.log");
    append(&path, &lines(TAG, BEFORE..AFTER.start));
    let server = TestServer::serving(&path);
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(2 * LINES_A_MEMBER);
    let cursor = viewer.lines[LINES_A_MEMBER + 100].cursor.clone().unwrap();
    drop(viewer);
    fs::remove_file(&path).unwrap();
    let history = damaged(damage);
    for entry in fs::read_dir(history.path()).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    let server = server.restart();
    let mut back = server.follow(Request::ndjson(&format!("/logs/app.log?from={cursor}")));
    back.wait_for_line(&line(TAG, N_LINES - 1));
    assert_numbered(&back.texts(), TAG, AFTER);
    let told: Vec<_> = back.events_named("gap").map(|gap| &gap.data["reason"]).collect();
    assert_eq!(told, ["damaged"]);
}
