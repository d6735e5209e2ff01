use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A folder of logs, with names relative to it.
struct Logs {
    _folder: tempfile::TempDir,
    base: PathBuf,
}

impl Logs {
    fn new(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let logs = Self { _folder: folder, base };
        for file in files {
            logs.write(file, b"line\n");
        }
        logs
    }

    fn at(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), bytes).unwrap();
    }

    fn text(&self, path: &str) -> String {
        format!("{}/{path}", self.base.display())
    }

    fn unnamed(&self, paths: &[&str]) -> Vec<SourceSpec> {
        let spec = |path: &&str| SourceSpec { paths: vec![self.text(path)], ..Default::default() };
        paths.iter().map(spec).collect()
    }

    fn named(&self, name: &str, paths: &[&str]) -> SourceSpec {
        let paths = paths.iter().map(|path| self.text(path)).collect();
        SourceSpec { name: Some(name.to_owned()), paths, olddir: None }
    }

    #[track_caller]
    fn check(
        &self,
        specs: &[SourceSpec],
        sources: &[&str],
        skipped: &[(&str, &str)],
    ) -> DiscoveryResult {
        let found = Discovery::new(specs).scan(|_, _| false);
        self.check_found(&found, sources, skipped);
        found
    }

    /// Sources as `name`, or `name=path` where the path is another.
    #[track_caller]
    fn check_found(&self, found: &DiscoveryResult, sources: &[&str], skipped: &[(&str, &str)]) {
        let mut names: Vec<_> = found.sources.iter().map(|source| self.shown(source)).collect();
        names.sort();
        assert_eq!(names, sources);
        let base = format!("{}/", self.base.display());
        let reason =
            |left: &SkippedEntry| (left.name.clone(), left.reason.to_string().replace(&base, ""));
        let mut reasons: Vec<_> = found.skipped.iter().map(reason).collect();
        reasons.sort();
        let expected: Vec<_> =
            skipped.iter().map(|(name, reason)| ((*name).into(), (*reason).into())).collect();
        assert_eq!(reasons, expected);
    }

    fn shown(&self, source: &FoundSource) -> String {
        let path = source.location.path.strip_prefix(&self.base).unwrap().display().to_string();
        let name = source.name.to_string();
        if path == name { name } else { format!("{name}={path}") }
    }
}

fn is_root() -> bool {
    fs::read_dir("/root").is_ok()
}

#[test]
fn names_follow_from_the_configuration_alone() {
    let logs = Logs::new(&["syslog", "a/x.log", "b/x.log", "b/c/y.log"]);
    logs.check(&logs.unnamed(&["syslog"]), &["syslog"], &[]);
    logs.check(&logs.unnamed(&["a/x.log", "b/x.log"]), &["a/x.log", "b/x.log"], &[]);
    logs.check(&logs.unnamed(&["b"]), &["c/y.log=b/c/y.log", "x.log=b/x.log"], &[]);
    logs.check(&logs.unnamed(&["a/", "b/"]), &["a/x.log", "b/c/y.log", "b/x.log"], &[]);
    logs.check(&logs.unnamed(&["a/*.log", "b/*.log"]), &["a/x.log", "b/x.log"], &[]);
    logs.check(&logs.unnamed(&["**/y.log"]), &["b/c/y.log"], &[]);
    logs.check(&logs.unnamed(&["{a,b}/x.log"]), &["a/x.log", "b/x.log"], &[]);
    logs.check(&[logs.named("web", &["a/x.log"])], &["web=a/x.log"], &[]);
    let two = [logs.named("web", &["a/x.log", "b/x.log"]), logs.named("all", &["b/"])];
    let names = ["all/c/y.log=b/c/y.log", "all/x.log=b/x.log"];
    logs.check(&two, &[names[0], names[1], "web/a/x.log=a/x.log", "web/b/x.log=b/x.log"], &[]);
}

#[test]
fn a_given_file_need_not_exist() {
    let logs = Logs::new(&["a/x.log"]);
    let found = logs.check(&logs.unnamed(&["later/new.log"]), &["new.log=later/new.log"], &[]);
    assert_eq!(found.sources[0].location.confined_to, None);
    assert!(found.directories.contains(&logs.base));
    assert!(found.narrowed[&logs.base].contains(std::ffi::OsStr::new("later")));
    let found = logs.check(&logs.unnamed(&["none/deep/"]), &[], &[]);
    assert!(found.narrowed[&logs.base].contains(std::ffi::OsStr::new("none")));
}

#[test]
fn two_files_of_one_name_are_one_source_and_a_reason() {
    let logs = Logs::new(&["x.log", "a/x.log"]);
    let reason = "a/x.log has the name of x.log, which is configured first";
    logs.check(&logs.unnamed(&["x.log", "a/"]), &["x.log"], &[("x.log", reason)]);
    // The same file under the same name is no clash, under another name it is another source.
    logs.check(&logs.unnamed(&["x.log", "*.log"]), &["x.log"], &[]);
    let twice = [logs.named("one", &["x.log"]), logs.named("two", &["x.log"])];
    logs.check(&twice, &["one=x.log", "two=x.log"], &[]);
}

#[test]
fn rotated_siblings_are_never_sources() {
    let files =
        ["app.log", "app.log.1", "app.log.2.gz", "app-20261121.log", "db.log.1", "db.log.2"];
    let logs = Logs::new(&files);
    let found = logs.check(&logs.unnamed(&[""]), &["app.log", "db.log"], &[]);
    assert!(found.sources.iter().all(|source| source.location.siblings));
    logs.check(&logs.unnamed(&["*.log"]), &["app.log", "db.log"], &[]);
    logs.check(&logs.unnamed(&["*"]), &["app.log", "db.log"], &[]);
}

#[test]
fn a_rotated_name_stands_for_itself_where_its_base_is_not_meant() {
    let logs = Logs::new(&["app.log", "app.log.1", "app.log.2", "app.log.1.1"]);
    for specs in [logs.unnamed(&["app.log.1"]), logs.unnamed(&["app.lo[g].1"])] {
        let found = logs.check(&specs, &["app.log.1"], &[]);
        assert!(!found.sources[0].location.siblings);
    }
    let names = ["app.log.1", "app.log.1.1", "app.log.2"];
    logs.check(&logs.unnamed(&["app.log.*"]), &names, &[]);
    // The base is meant by another path of the same source.
    let both = logs.named("app", &["app.log", "app.log.?"]);
    logs.check(&[both], &["app/app.log=app.log"], &[]);
    logs.check(&logs.unnamed(&[""]), &["app.log", "app.log.1.1"], &[]);
}

#[test]
fn siblings_in_an_olddir_are_siblings() {
    let logs = Logs::new(&["a/app.log", "a/old/app.log.1", "a/old/db.log.1", "b/x.log"]);
    let with = |olddir: PathBuf| SourceSpec { olddir: Some(olddir), ..logs.named("l", &["a/"]) };
    let sources = ["l/app.log=a/app.log", "l/db.log=a/db.log"];
    let found = logs.check(&[with("old".into())], &sources, &[]);
    assert_eq!(found.sources[0].location.olddir, Some(logs.at("a/old")));
    logs.check(&[with(logs.at("a/old"))], &sources, &[]);
    fs::rename(logs.at("a/old"), logs.at("old")).unwrap();
    let found = logs.check(&[with(logs.at("old"))], &sources, &[]);
    assert!(found.directories.contains(&logs.at("old")));
    assert!(found.sources[0].location.permits(&logs.at("old/app.log.1")));
    logs.check(&[with("../old".into())], &sources, &[]);
}

#[test]
fn links_that_are_found_lead_nowhere_else() {
    let logs = Logs::new(&["in/app.log", "in/d/deep.log", "out/secret.log", "out/d/x.log"]);
    for (target, link) in [
        ("in/app.log", "in/same.log"),
        ("in/d", "in/d2"),
        ("out/secret.log", "in/leak.log"),
        ("out/d", "in/leak"),
        ("nothing", "in/dangling.log"),
        ("in", "in/loop"),
        ("in/self", "in/self"),
    ] {
        symlink(logs.at(target), logs.at(link)).unwrap();
    }
    let reasons = [
        ("dangling.log", "links to a file that does not exist"),
        ("leak", "links out of what is configured"),
        ("leak.log", "links out of what is configured"),
        ("loop", "links in a circle"),
        ("self", "links in a circle"),
    ];
    let found = Discovery::new(&logs.unnamed(&["in/"])).scan(|_, _| false);
    let names: Vec<_> = found.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["app.log", "same.log", "d/deep.log", "d2/deep.log"]);
    let mut skipped: Vec<_> =
        found.skipped.iter().map(|left| (left.name.clone(), left.reason.to_string())).collect();
    skipped.sort();
    assert_eq!(skipped, reasons.map(|(name, reason)| (name.to_owned(), reason.to_owned())));
    let only = found.sources[0].location.clone();
    assert!(only.permits(&logs.at("in/app.log")) && !only.permits(&logs.at("out/secret.log")));

    // A glob reports only what it would have matched; entries configured otherwise may be read.
    let glob = logs.unnamed(&["in/*.log"]);
    let names = ["app.log=in/app.log", "same.log=in/same.log"];
    logs.check(&glob, &names, &[reasons[0], reasons[2]]);
    let found = Discovery::new(&logs.unnamed(&["in/", "out/"])).scan(|_, _| false);
    assert!(found.sources.iter().any(|source| source.name.as_str() == "in/leak.log"));
}

#[test]
fn a_link_that_the_user_names_is_followed() {
    let logs = Logs::new(&["out/real/app.log"]);
    symlink(logs.at("out/real"), logs.at("logs")).unwrap();
    symlink(logs.at("out/real/app.log"), logs.at("given.log")).unwrap();
    logs.check(&logs.unnamed(&["given.log"]), &["given.log"], &[]);
    let found = logs.check(&logs.unnamed(&["logs/"]), &["app.log=logs/app.log"], &[]);
    assert!(found.sources[0].location.permits(&logs.at("out/real/app.log")));
    // Its switch is seen in the folder it is in.
    assert!(found.narrowed[&logs.base].contains(std::ffi::OsStr::new("logs")));
}

#[test]
fn what_is_no_regular_file_is_left_out_unopened() {
    let logs = Logs::new(&["d/app.log"]);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, logs.at("d/pipe.log"), fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(logs.at("d/s.log")).unwrap();
    symlink("/dev/null", logs.at("d/null.log")).unwrap();
    let reasons = [
        ("null.log", "links out of what is configured"),
        ("pipe.log", "not a regular file but a FIFO"),
        ("s.log", "not a regular file but a socket"),
    ];
    logs.check(&logs.unnamed(&["d/"]), &["app.log=d/app.log"], &reasons);
    logs.check(&logs.unnamed(&["d/pipe.log"]), &[], &reasons[1..2]);
    let null = [SourceSpec { paths: vec!["/dev/null".into()], ..Default::default() }];
    logs.check(&null, &[], &[("null", "not a regular file but a device")]);
}

#[test]
fn a_given_file_that_is_a_directory_later_is_left_out() {
    let logs = Logs::new(&["x"]);
    let mut discovery = Discovery::new(&logs.unnamed(&["x"]));
    logs.check_found(&discovery.scan(|_, _| false), &["x"], &[]);
    fs::remove_file(logs.at("x")).unwrap();
    fs::create_dir(logs.at("x")).unwrap();
    let reason = "not a regular file but a directory";
    logs.check_found(&discovery.scan(|_, _| false), &[], &[("x", reason)]);
}

#[test]
fn a_given_path_at_which_nothing_is_becomes_what_appears_there() {
    let logs = Logs::new(&["d/a.log"]);
    let mut discovery = Discovery::new(&logs.unnamed(&["x", "y", "d/"]));
    logs.check_found(&discovery.scan(|_, _| false), &["a.log=d/a.log", "x", "y"], &[]);
    logs.write("x/b.log", b"line\n");
    logs.write("y", b"line\n");
    logs.check_found(&discovery.scan(|_, _| false), &["a.log=d/a.log", "x/b.log", "y"], &[]);
    // What it was once it stays.
    fs::remove_file(logs.at("y")).unwrap();
    fs::remove_dir_all(logs.at("x")).unwrap();
    logs.write("y/c.log", b"line\n");
    logs.write("x", b"line\n");
    let reasons = [("x", "not a directory"), ("y", "not a regular file but a directory")];
    logs.check_found(&discovery.scan(|_, _| false), &["a.log=d/a.log"], &reasons);
}

#[test]
fn names_that_cannot_be_shown_are_left_out() {
    let logs = Logs::new(&["d/a.log", "d/b\nc.log", "d/e\u{1b}/f.log"]);
    let odd = logs.at("d").join(std::ffi::OsStr::from_bytes(b"x\xff.log"));
    fs::write(odd, "").unwrap();
    let reasons = [
        ("b\\nc.log", "its name holds control characters"),
        ("e\\u{1b}", "its name holds control characters"),
        ("x\u{fffd}.log", "its name is not UTF-8"),
    ];
    logs.check(&logs.unnamed(&["d/"]), &["a.log=d/a.log"], &reasons);
}

#[test]
fn binary_files_are_left_out_and_packed_siblings_are_not_judged() {
    let logs = Logs::new(&["app.log"]);
    logs.write("bin", b"\x7fELF\0\0");
    logs.write("gone.log.1.gz", b"\x1f\x8b\0\0");
    logs.write("raw.log.1", b"\0");
    logs.write("raw.log.2", b"text");
    let reason = "binary: a NUL byte in its first KiB";
    let found = Discovery::new(&logs.unnamed(&[""])).scan(|_, _| false);
    logs.check_found(&found, &["app.log", "gone.log"], &[("bin", reason), ("raw.log", reason)]);
    // What is served is not judged again.
    let found = Discovery::new(&logs.unnamed(&[""])).scan(|_, _| true);
    logs.check_found(&found, &["app.log", "bin", "gone.log", "raw.log"], &[]);
}

#[test]
fn what_may_not_be_read_is_left_out() {
    if is_root() {
        return;
    }
    let logs = Logs::new(&["d/a.log", "d/b.log", "d/e/f.log"]);
    fs::set_permissions(logs.at("d/b.log"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(logs.at("d/e"), fs::Permissions::from_mode(0o000)).unwrap();
    let denied = "permission denied";
    let mut discovery = Discovery::new(&logs.unnamed(&["d/"]));
    let found = discovery.scan(|_, _| false);
    logs.check_found(&found, &["a.log=d/a.log"], &[("b.log", denied), ("e", denied)]);
    assert!(found.skipped.iter().all(|left| left.reason.is_permission()));
    assert_eq!(found.unread, [logs.at("d/e")]);
    fs::set_permissions(logs.at("d/b.log"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(logs.at("d/e"), fs::Permissions::from_mode(0o700)).unwrap();
    let all = ["a.log=d/a.log", "b.log=d/b.log", "e/f.log=d/e/f.log"];
    logs.check_found(&discovery.scan(|_, _| false), &all, &[]);
}

#[test]
fn a_walk_ends_at_its_limit_and_says_so() {
    let logs = Logs::new(&["a", "b", "c", "d/e"]);
    let mut discovery = Discovery::new(&logs.unnamed(&[""]));
    discovery.entry_limit = 5;
    assert_eq!(discovery.scan(|_, _| false).skipped, []);
    discovery.entry_limit = 3;
    let found = discovery.scan(|_, _| false);
    assert_eq!(found.skipped.len(), 1);
    let told = found.skipped[0].reason.to_string();
    assert_eq!(told, "more than 3 files and folders, the rest is not looked at");
    assert!(found.is_unread(&logs.at("d/e")));
}
