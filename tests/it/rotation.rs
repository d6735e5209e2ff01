//! Rotation: however a file makes room for the next one, a viewer gets each line once, in order.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{run, while_stopped};
use crate::rotation_fixture::{
    RotationFixture, SEAM, TAG, gzip, log_lines, rotations, shift, viewers_of_each_format,
};
use crate::steady_writer::{SteadyWriter, append, assert_numbered, line, lines};
use crate::support::{LogFolder, Options, Request, TestServer, pause};

#[test]
fn a_renamed_file_loses_no_line() {
    let scene = RotationFixture::start();
    for _ in 0..3 {
        scene.writer.reopen_after(|| scene.shift(5));
        pause(SEAM);
    }
    let mut scene = scene.end(3);
    for viewer in scene.viewers() {
        assert!(rotations(viewer).iter().all(|how| *how == "renamed"), "{:?}", viewer.events);
    }
}

#[test]
fn a_file_that_is_created_late_loses_no_line() {
    let scene = RotationFixture::start();
    for absence in [500, 2500] {
        scene.shift(5);
        pause(Duration::from_millis(absence));
        scene.writer.reopen();
        pause(SEAM);
    }
    scene.end(2);
}

#[test]
fn a_writer_may_keep_the_old_file_while_the_new_one_is_empty() {
    let scene = RotationFixture::start();
    scene.shift(5);
    fs::write(&scene.path, "").unwrap();
    // Longer than the safety tick.
    pause(Duration::from_millis(1500));
    scene.writer.reopen();
    pause(SEAM);
    scene.end(1);
}

#[test]
fn a_writer_that_goes_over_later_than_another_loses_no_line() {
    let mut scene = RotationFixture::start();
    let late = SteadyWriter::start(&scene.path, "late", 200);
    late.write_more(20);
    for _ in 0..2 {
        scene.writer.reopen_after(|| scene.shift(5));
        pause(Duration::from_millis(100));
        late.reopen();
        pause(SEAM);
    }
    late.write_more(20);
    let (n_late, n_lines) = (late.end(), scene.writer.end());
    for viewer in scene.viewers() {
        viewer.wait_for_lines(n_late + n_lines).wait_for_line(&line(TAG, n_lines - 1));
        viewer.wait_for_line(&line("late", n_late - 1));
        let got = log_lines(viewer);
        let (late, own): (Vec<_>, Vec<_>) = got.iter().partition(|text| text.starts_with("late"));
        assert_numbered(&late, "late", 0..n_late);
        assert_numbered(&own, TAG, 0..n_lines);
    }
}

#[test]
fn a_deleted_and_recreated_file_loses_no_line() {
    let scene = RotationFixture::start();
    for _ in 0..2 {
        scene.writer.reopen_after(|| fs::remove_file(&scene.path).unwrap());
        pause(SEAM);
    }
    let mut scene = scene.end(2);
    for viewer in scene.viewers() {
        assert!(rotations(viewer).iter().all(|how| *how == "replaced"), "{:?}", viewer.events);
    }
}

#[test]
fn a_file_that_is_moved_to_another_folder_loses_no_line() {
    let scene = RotationFixture::start();
    fs::create_dir(scene.join("old")).unwrap();
    for name in ["old/app.log.2", "old/another"] {
        scene.rename_to(name);
        pause(Duration::from_millis(100));
        scene.writer.reopen();
        pause(SEAM);
    }
    scene.end(2);
}

#[test]
fn a_symlink_that_is_switched_is_followed() {
    let folder = LogFolder::new();
    folder.write("day1/app", "");
    symlink("day1/app", folder.join("app.log")).unwrap();
    let scene = RotationFixture::at(folder, 1000);
    for day in ["day2", "day3"] {
        fs::create_dir(scene.join(day)).unwrap();
        fs::write(scene.join(day).join("app"), "").unwrap();
        scene.writer.reopen_after(|| switch(&scene.path, Path::new(day).join("app").as_path()));
        // No event tells of it: the safety tick does.
        pause(Duration::from_millis(1500));
    }
    scene.end(2);
}

#[test]
fn a_chain_of_symlinks_is_followed_when_its_middle_is_switched() {
    let folder = LogFolder::new();
    folder.write("day1/app", "");
    folder.write("day2/app", "");
    symlink("day1", folder.join("today")).unwrap();
    symlink("today/app", folder.join("current")).unwrap();
    symlink("current", folder.join("app.log")).unwrap();
    let scene = RotationFixture::at(folder, 1000);
    scene.writer.reopen_after(|| switch(&scene.join("today"), Path::new("day2")));
    pause(Duration::from_millis(1500));
    scene.end(1);
}

#[test]
fn a_file_that_is_replaced_at_a_stroke_loses_no_line() {
    let scene = RotationFixture::start();
    for _ in 0..2 {
        scene.writer.reopen_after(|| {
            fs::write(scene.join("fresh"), "").unwrap();
            fs::rename(scene.join("fresh"), &scene.path).unwrap();
        });
        pause(SEAM);
    }
    scene.end(2);
}

#[test]
fn several_rotations_between_two_looks_lose_no_line() {
    let scene = RotationFixture::start();
    while_stopped(&scene.server, || {
        for round in 0..4 {
            scene.shift(9);
            scene.writer.reopen();
            scene.writer.write_more(100);
            if round > 0 {
                gzip(&scene.join("app.log.2"));
            }
        }
    });
    scene.end(4);
}

#[test]
fn files_that_begin_alike_are_told_apart_once_packed() {
    let folder = LogFolder::new();
    folder.write("app.log", "ready\n");
    let path = folder.join("app.log");
    let server = TestServer::serving(&path);
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=all"));
    viewer.wait_for_lines(1);
    while_stopped(&server, || {
        for round in 0..3 {
            shift(&path, 9);
            gzip(&folder.join("app.log.1"));
            folder.write("app.log", format!("ready\n{}", lines(TAG, round * 5..round * 5 + 5)));
        }
    });
    viewer.wait_for_line(&line(TAG, 14));
    let got = viewer.texts();
    let (begins, rest): (Vec<_>, Vec<_>) = got.iter().partition(|text| **text == "ready");
    assert_numbered(&rest, TAG, 0..15);
    assert_eq!(begins.len(), 4);
}

#[test]
fn a_rotator_that_is_faster_than_the_live_end_loses_no_line() {
    let mut scene = RotationFixture::at(LogFolder::new(), 5000);
    for _ in 0..30 {
        scene.writer.reopen_after(|| scene.shift(3));
        // Who does not read is told of a gap: what is rotated away meanwhile is kept for nobody.
        for viewer in scene.viewers() {
            viewer.read_for(Duration::from_millis(30));
        }
    }
    scene.end(30);
}

#[test]
fn fifty_files_that_rotate_at_once_lose_no_line() {
    let folder = LogFolder::new();
    let names: Vec<String> = (0..50).map(|number| format!("{number}.log")).collect();
    for name in &names {
        append(&folder.join(name), &lines(name, 0..20));
    }
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::ndjson("/logs/*?tail=all"));
    viewer.wait_for_lines(50 * 20);
    for name in &names {
        fs::rename(folder.join(name), folder.join(&format!("{name}.1"))).unwrap();
    }
    for name in &names {
        append(&folder.join(&format!("{name}.1")), &lines(name, 20..30));
        append(&folder.join(name), &lines(name, 30..40));
    }
    viewer.wait_for_lines(50 * 40).read_for(Duration::from_millis(300));
    for name in &names {
        let is_own = |line: &&crate::support::Line| line.source.as_ref() == Some(name);
        let got: Vec<&str> =
            viewer.lines.iter().filter(is_own).map(|line| line.text.as_str()).collect();
        assert_numbered(&got, name, 0..40);
    }
    assert_eq!(viewer.events_named("rotated").count(), 50);
}

#[test]
fn the_last_line_of_a_rotated_file_is_a_line_though_it_has_no_end() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut viewers = viewers_of_each_format(&server, "app.log");
    log.line("one");
    log.write("half a li");
    for viewer in &mut viewers {
        viewer.wait_for_line("one");
    }
    log.rename_to("app.log.1");
    pause(Duration::from_millis(100));
    log.write("ne");
    log.reopen();
    log.line("two");
    for viewer in &mut viewers {
        viewer.wait_for_line("two");
        assert_eq!(log_lines(viewer), ["one", "half a line", "two"]);
        assert!(viewer.lines.iter().all(|line| !line.partial));
    }
    drop(folder);
}

#[test]
fn dated_logs_without_an_active_file_follow_each_other() {
    let folder = LogFolder::new();
    append(&folder.join("app-2026-11-20.log"), &lines(TAG, 0..50));
    let server = TestServer::serving(folder.path());
    let mut viewers = viewers_of_each_format(&server, "app.log");
    append(&folder.join("app-2026-11-20.log"), &lines(TAG, 50..100));
    for viewer in &mut viewers {
        viewer.wait_for_line(&line(TAG, 99));
    }
    append(&folder.join("app-2026-11-21.log"), &lines(TAG, 100..150));
    append(&folder.join("app-2026-11-22.log"), &lines(TAG, 150..200));
    for viewer in &mut viewers {
        viewer.wait_for_line(&line(TAG, 199));
        assert_numbered(&log_lines(viewer), TAG, 0..200);
    }
    assert_eq!(rotations(&viewers[0]), ["renamed", "renamed"]);
}

#[test]
fn lines_of_a_dated_log_do_not_wait_for_the_safety_tick() {
    let folder = LogFolder::new();
    let path = folder.join("app-2026-11-20.log");
    append(&path, "zero\n");
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow("/logs/app.log");
    viewer.wait_for_line("zero");
    // After the time in which a file that is not at its path is looked at often.
    pause(Duration::from_millis(5500));
    let mut longest = Duration::ZERO;
    for number in 0..4 {
        pause(Duration::from_millis(310));
        let begun = Instant::now();
        append(&path, &format!("{number}\n"));
        viewer.wait_for_line(&number.to_string());
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_millis(250), "{longest:?}");
}

#[test]
fn a_live_end_after_packed_files_does_not_send_them() {
    let folder = LogFolder::new();
    append(&folder.join("app.log.1"), &lines(TAG, 0..10));
    gzip(&folder.join("app.log.1"));
    let server = TestServer::serving(folder.path());
    let mut viewer = server.follow(Request::ndjson("/logs/app.log?tail=0"));
    viewer.wait_for_event("start");
    append(&folder.join("app.log"), &lines(TAG, 10..20));
    viewer.wait_for_line(&line(TAG, 19));
    assert_numbered(&viewer.texts(), TAG, 10..20);
}

#[test]
fn logrotate_create_loses_no_line() {
    logrotate("create", "", true);
}

#[test]
fn logrotate_nocreate_loses_no_line() {
    logrotate("nocreate", "", true);
}

#[test]
fn logrotate_compress_loses_no_line() {
    logrotate("create", "compress", true);
}

#[test]
fn logrotate_delaycompress_loses_no_line() {
    logrotate("nocreate", "compress\ndelaycompress", true);
}

#[test]
fn logrotate_dateext_loses_no_line() {
    logrotate("create", "dateext\ndateformat -%Y%m%d-%s", true);
}

/// copytruncate loses what is written between the copy and the truncation; so the program pauses.
#[test]
fn logrotate_copytruncate_loses_no_line_that_it_kept() {
    logrotate("copytruncate", "", false);
}

#[test]
fn logrotate_copytruncate_and_compress_loses_no_line_that_it_kept() {
    logrotate("copytruncate", "compress", false);
}

/// Rotates three times with the real logrotate; the program goes over 50 ms later, as after a
/// signal, or (`is_moved`: false) keeps its file.
#[track_caller]
fn logrotate(mode: &str, more: &str, is_moved: bool) {
    let scene = RotationFixture::start();
    let path = scene.path.to_str().unwrap();
    let config = format!("{path} {{\nsu root root\nsize 1\nrotate 9\n{mode}\n{more}\n}}\n");
    let (config_path, state) = (scene.join("logrotate.conf"), scene.join("logrotate.state"));
    fs::write(&config_path, config).unwrap();
    let arguments = ["-f", "-s", state.to_str().unwrap(), config_path.to_str().unwrap()];
    for _ in 0..3 {
        if is_moved {
            run("/usr/sbin/logrotate", &arguments);
            pause(Duration::from_millis(50));
            scene.writer.reopen();
        } else {
            scene.writer.between_lines(|| run("/usr/sbin/logrotate", &arguments));
        }
        // dateext with seconds needs another second.
        pause(Duration::from_millis(1100));
    }
    let mut scene = scene.end(3);
    let how = if is_moved { "renamed" } else { "truncated" };
    for viewer in scene.viewers() {
        assert!(rotations(viewer).iter().all(|told| *told == how), "{:?}", viewer.events);
    }
}

/// As `ln -sfn` does.
fn switch(link: &Path, target: &Path) {
    let fresh = link.with_extension("fresh");
    symlink(target, &fresh).unwrap();
    fs::rename(fresh, link).unwrap();
}

/// A server needs no sibling to be named to follow a file that is given by itself.
#[test]
fn a_file_that_is_not_there_yet_is_followed_from_its_first_line() {
    let folder = LogFolder::new();
    let path = folder.join("sub/app.log");
    let server = Options::serving([&path]).start();
    let mut viewer = server.follow(Request::ndjson("/logs/app.log"));
    viewer.wait_for_event("start");
    fs::create_dir(folder.join("sub")).unwrap();
    append(&path, &lines(TAG, 0..10));
    viewer.wait_for_line(&line(TAG, 9));
    assert_numbered(&viewer.texts(), TAG, 0..10);
}
