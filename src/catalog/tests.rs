use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::*;

/// A running catalog over a folder; its sources are what was found.
struct Running {
    catalog: Arc<Catalog<FoundSource>>,
    cancel: CancellationToken,
    tasks: TaskTracker,
    in_use: Arc<AtomicBool>,
}

impl Running {
    fn over(paths: &[PathBuf]) -> Self {
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let spec = |path| SourceSpec { paths: vec![text(path)], ..SourceSpec::default() };
        let specs: Vec<_> = paths.iter().map(spec).collect();
        let in_use = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&in_use);
        let catalog = Catalog::open(&specs, OwnFiles::default(), Arc::new, move |_| {
            asked.load(Ordering::Relaxed)
        });
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&catalog).run(Arc::default(), cancel.clone()));
        Self { catalog, cancel, tasks, in_use }
    }

    fn names(&self) -> Vec<String> {
        self.catalog.snapshot().sources.keys().map(ToString::to_string).collect()
    }

    async fn until(&self, is_so: impl Fn(&Snapshot<FoundSource>) -> bool) {
        let mut versions = self.catalog.subscribe();
        let wait = async {
            while !is_so(&self.catalog.snapshot()) {
                versions.changed().await.unwrap();
            }
        };
        let ended = timeout(Duration::from_secs(20), wait).await;
        assert!(ended.is_ok(), "the catalog stays {:?}", self.catalog.snapshot());
    }

    async fn until_named(&self, expected: &[&str]) {
        self.until(|snapshot| {
            snapshot.sources.keys().map(SourceName::as_str).eq(expected.iter().copied())
        })
        .await;
    }

    async fn end(self) {
        self.cancel.cancel();
        self.tasks.close();
        timeout(Duration::from_secs(10), self.tasks.wait()).await.unwrap();
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    (folder, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_appear_and_vanish() {
    let (_folder, logs) = folder();
    fs::write(logs.join("a.log"), "").unwrap();
    let running = Running::over(&[logs.join("*.log"), logs.join("deep/")]);
    let label = logs.file_name().unwrap().to_str().unwrap();
    assert_eq!(running.names(), [format!("{label}/a.log")]);
    fs::write(logs.join("b.log"), "").unwrap();
    running.until(|snapshot| snapshot.get(&format!("{label}/b.log")).is_some()).await;
    fs::create_dir_all(logs.join("deep/er")).unwrap();
    fs::write(logs.join("deep/er/c"), "").unwrap();
    running.until(|snapshot| snapshot.get("deep/er/c").is_some()).await;
    fs::remove_dir_all(logs.join("deep")).unwrap();
    fs::remove_file(logs.join("a.log")).unwrap();
    running.until_named(&[&format!("{label}/b.log")]).await;
    fs::create_dir_all(logs.join("deep")).unwrap();
    fs::write(logs.join("deep/d"), "").unwrap();
    running.until(|snapshot| snapshot.get("deep/d").is_some()).await;
    assert_eq!(running.catalog.degraded(), Vec::<String>::new());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_files_are_found_and_found_again() {
    let (_folder, logs) = folder();
    let running = Running::over(std::slice::from_ref(&logs));
    let path = |number: usize| logs.join(format!("{:02}/{number:04}.log", number % 40));
    for number in 0..2000 {
        fs::create_dir_all(path(number).parent().unwrap()).unwrap();
        fs::write(path(number), "line\n").unwrap();
    }
    running.until(|snapshot| snapshot.sources.len() == 2000).await;
    let before = running.catalog.snapshot();
    // Unreadable now, had anybody looked: what is served is not judged again.
    fs::write(path(7), b"\0\0").unwrap();
    running.catalog.rescan();
    assert!(Arc::ptr_eq(&before, &running.catalog.snapshot()));
    for number in 0..1999 {
        fs::remove_file(path(number)).unwrap();
    }
    running.until_named(&["39/1999.log"]).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_keeps_its_source() {
    let (_folder, logs) = folder();
    fs::write(logs.join("app.log"), "one\n").unwrap();
    let running = Running::over(std::slice::from_ref(&logs));
    let source = running.catalog.get("app.log").unwrap();
    for generation in ["app.log.2", "app.log.1", "app.log-20261121"] {
        fs::rename(logs.join("app.log"), logs.join(generation)).unwrap();
        running.catalog.rescan();
        assert!(Arc::ptr_eq(&source, &running.catalog.get("app.log").unwrap()));
        fs::write(logs.join("app.log"), "next\n").unwrap();
        running.catalog.rescan();
        assert!(Arc::ptr_eq(&source, &running.catalog.get("app.log").unwrap()));
    }
    assert_eq!(running.names(), ["app.log"]);
    assert_eq!(*running.catalog.subscribe().borrow(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_in_use_and_a_given_file_stay() {
    let (_folder, logs) = folder();
    for name in ["given.log", "d/found.log"] {
        fs::create_dir_all(logs.join("d")).unwrap();
        fs::write(logs.join(name), "").unwrap();
    }
    let running = Running::over(&[logs.join("given.log"), logs.join("d")]);
    running.in_use.store(true, Ordering::Relaxed);
    let found = running.catalog.get("found.log").unwrap();
    fs::remove_file(logs.join("given.log")).unwrap();
    fs::remove_dir_all(logs.join("d")).unwrap();
    running.catalog.rescan();
    assert_eq!(running.names(), ["found.log", "given.log"]);
    fs::create_dir(logs.join("d")).unwrap();
    fs::write(logs.join("d/found.log"), "").unwrap();
    running.catalog.rescan();
    assert!(Arc::ptr_eq(&found, &running.catalog.get("found.log").unwrap()));
    running.in_use.store(false, Ordering::Relaxed);
    fs::remove_file(logs.join("d/found.log")).unwrap();
    running.until_named(&["given.log"]).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_behind_a_link_follows_its_switch_and_keeps_its_sources() {
    let (_folder, logs) = folder();
    for (release, file) in [("1", "app.log"), ("2", "app.log"), ("2", "new.log")] {
        fs::create_dir_all(logs.join(release).join("log")).unwrap();
        fs::write(logs.join(release).join("log").join(file), "").unwrap();
    }
    symlink(logs.join("1"), logs.join("current")).unwrap();
    let running = Running::over(&[logs.join("current/log/")]);
    let source = running.catalog.get("app.log").unwrap();
    // Running: the watches stand as soon as something is seen through them.
    fs::write(logs.join("1/log/first.log"), "").unwrap();
    running.until(|snapshot| snapshot.get("first.log").is_some()).await;
    symlink(logs.join("2"), logs.join("next")).unwrap();
    fs::rename(logs.join("next"), logs.join("current")).unwrap();
    running.until_named(&["app.log", "new.log"]).await;
    let after = running.catalog.get("app.log").unwrap();
    assert!(Arc::ptr_eq(&source, &after));
    let path = &after.location.path;
    let target = after.location.resolve(path).unwrap();
    assert_eq!(target, Some(logs.join("2/log/app.log").canonicalize().unwrap()));
    fs::write(logs.join("2/log/last.log"), "").unwrap();
    running.until(|snapshot| snapshot.get("last.log").is_some()).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_readable_is_served() {
    let (_folder, logs) = folder();
    let file = logs.join("app.log");
    let allow = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    fs::write(&file, "").unwrap();
    allow(0o000);
    if fs::read(&file).is_ok() {
        // Root may read everything.
        return;
    }
    let running = Running::over(std::slice::from_ref(&logs));
    assert!(running.catalog.snapshot().skipped[0].reason.is_permission());
    allow(0o600);
    running.until_named(&["app.log"]).await;
    // Nobody takes away what is served: it may be open already.
    allow(0o000);
    running.catalog.rescan();
    assert_eq!(running.names(), ["app.log"]);
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o000)).unwrap();
    running.catalog.rescan();
    assert_eq!(running.names(), ["app.log"]);
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o700)).unwrap();
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_asked_for_by_pattern_and_by_likeness() {
    let (_folder, logs) = folder();
    for name in ["a.log", "b.log", "c.txt"] {
        fs::write(logs.join(name), "").unwrap();
    }
    let running = Running::over(std::slice::from_ref(&logs));
    let pattern = SourcePattern::parse("*.log").unwrap().unwrap();
    let names: Vec<_> =
        running.catalog.matching(&pattern).iter().map(|source| source.name.clone()).collect();
    assert_eq!(names, ["a.log", "b.log"].map(SourceName::from));
    let suggest = running.catalog.suggest("C.txt", |_| true);
    assert_eq!(suggest.first().map(SourceName::as_str), Some("c.txt"));
    assert!(running.catalog.suggest("C.txt", |_| false).is_empty());
    running.end().await;
}

#[test]
fn a_source_that_turns_into_something_else_is_dropped() {
    let (_folder, logs) = folder();
    let file = logs.join("app.log");
    fs::write(&file, "").unwrap();
    let specs = [SourceSpec { paths: vec![logs.display().to_string()], ..Default::default() }];
    let catalog = Catalog::open(&specs, OwnFiles::default(), Arc::new, |_: &FoundSource| false);
    assert!(catalog.get("app.log").is_some());
    fs::remove_file(&file).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(Path::new(&file)).unwrap();
    catalog.rescan();
    assert!(catalog.get("app.log").is_none());
    assert_eq!(catalog.snapshot().skipped.len(), 1);
}
