//! `deploy/systemd/tailcast.service`: systemd takes it, its rights are few, and they are enough.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::support::{LogFolder, Options, Request, TestServer, wait_until};

#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    let (_folder, unit) = unit_here();
    let output = systemd_analyze(&["verify", unit.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_unit_exposes_little() {
    let (_folder, unit) = unit_here();
    let output = systemd_analyze(&[
        "security",
        "--no-pager",
        "--offline=true",
        "--threshold=15",
        unit.to_str().unwrap(),
    ]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "more than 1.5:\n{table}");
}

#[test]
fn the_unit_allows_every_system_call_that_is_made() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let calls_file = folder.path().with_extension("calls");
    // The server is our child, and not the tracer's, so that it is ended as always.
    let tracer = ["strace", "-D", "-f", "-qq", "-o", calls_file.to_str().unwrap()];
    let mut server = Options::serving([folder.path()]).through(&tracer).start();
    make_it_work(&server, &folder, &mut log);
    server.terminate();
    let mut calls = BTreeSet::new();
    wait_until("the tracer has seen the end", || {
        let text = fs::read_to_string(&calls_file).unwrap_or_default();
        let is_over = text.lines().any(|line| line.contains("exit_group("));
        calls = text.lines().filter_map(call_in).collect();
        is_over
    });
    fs::remove_file(&calls_file).unwrap();
    assert!(calls.len() > 30, "{calls:?}");
    let allowed = allowed_calls();
    let refused: Vec<_> = calls.difference(&allowed).collect();
    assert!(refused.is_empty(), "the unit's filter refuses {refused:?}");
}

/// As `DynamicUser` with the unit's groups: nobody, in a group that may read the log.
#[test]
fn to_be_in_the_group_of_a_log_is_enough_to_follow_it() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(3);
    let hidden = folder.join("hidden.log");
    fs::write(&hidden, "secret\n").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (path, group) in [(log.path(), GROUP), (hidden.as_path(), GROUP + 1)] {
        chown(path, Some(0), Some(group)).expect("only root can give files away");
        fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let server = Options::serving([folder.path()]).user(54321).groups(&[GROUP]).start();
    let mut viewer = server.follow("/logs/app.log");
    viewer.wait_for_line("line 3");
    log.number(1);
    viewer.wait_for_line("line 4");
    assert_eq!(server.get("/logs/hidden.log").status, 403);
}

fn make_it_work(server: &TestServer, folder: &LogFolder, log: &mut super::support::LogFile) {
    let paths = ["text", "ndjson", "sse"].map(|format| format!("/logs/*.log?format={format}"));
    let mut viewers = paths.map(|path| server.follow(path));
    log.number(1000);
    log.rename_to("app.log.1");
    log.reopen();
    log.number(10);
    let packed = Command::new("gzip").arg(folder.join("app.log.1")).status().unwrap();
    assert!(packed.success());
    folder.log("sub/other.log").number(3);
    for viewer in &mut viewers {
        viewer.wait_for_line("line 1010");
    }
    let whole = server.get("/logs/app.log?tail=all&follow=false").lines();
    assert_eq!(whole.len(), 1010);
    assert_eq!(server.get("/logs/app.log?format=raw").status, 200);
    for path in ["/", "/api/sources", "/metrics", "/readyz", "/static/viewer.js"] {
        assert_eq!(server.get(Request::get(path)).status, 200, "{path}");
    }
}

/// `12345 openat(AT_FDCWD, …` is `openat`.
fn call_in(line: &str) -> Option<String> {
    let name = line.split_once(' ')?.1.trim_start().split_once('(')?.0;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_name && !name.is_empty()).then(|| name.to_owned())
}

/// What the lines `SystemCallFilter=` amount to: in order, and a `~` takes away.
fn allowed_calls() -> BTreeSet<String> {
    let output = systemd_analyze(&["syscall-filter", "--no-pager"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut group = "";
    for line in text.lines() {
        match line.strip_prefix("    ") {
            None if line.starts_with('@') => group = line.trim(),
            Some(member) if !member.starts_with('#') => {
                groups.entry(group).or_default().push(member);
            }
            None | Some(_) => {}
        }
    }
    let mut allowed = BTreeSet::new();
    for line in unit().lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        match line.strip_prefix('~') {
            None => allowed.extend(members(line, &groups)),
            Some(line) => {
                let taken = members(line, &groups);
                allowed.retain(|call| !taken.contains(call));
            }
        }
    }
    allowed
}

fn members(name: &str, groups: &BTreeMap<&str, Vec<&str>>) -> BTreeSet<String> {
    match groups.get(name) {
        None => BTreeSet::from([name.to_owned()]),
        Some(parts) => parts.iter().flat_map(|part| members(part, groups)).collect(),
    }
}

fn unit() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd/tailcast.service");
    fs::read_to_string(file).unwrap()
}

/// The unit with the program where it is here.
fn unit_here() -> (LogFolder, PathBuf) {
    let unit = unit();
    let place = "ExecStart=/usr/local/bin/tailcast ";
    assert!(unit.contains(place));
    let here = format!("ExecStart={} ", env!("CARGO_BIN_EXE_tailcast"));
    let folder = LogFolder::new();
    folder.write("tailcast.service", unit.replace(place, &here));
    let path = folder.join("tailcast.service");
    (folder, path)
}

#[track_caller]
fn systemd_analyze(arguments: &[&str]) -> Output {
    let output = Command::new("systemd-analyze").args(arguments).output();
    output.expect("`systemd-analyze` is installed by tests/run")
}

const GROUP: u32 = 54399;
