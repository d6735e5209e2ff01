use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::time::timeout;

use super::*;

fn wide(directories: &[&Path]) -> WatchSet {
    let directories = directories.iter().map(|path| path.to_path_buf()).collect();
    WatchSet { directories, narrowed: BTreeMap::new() }
}

/// Follows the set, and takes the look that new directories are due for.
async fn following(set: WatchSet) -> DirectoryWatch {
    let mut watch = DirectoryWatch::new();
    watch.follow(set).await;
    is_woken(&mut watch).await;
    watch
}

#[track_caller]
fn is_woken(watch: &mut DirectoryWatch) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let woken = timeout(Duration::from_secs(10), watch.changed()).await;
        assert!(woken.is_ok(), "{caller}: nothing woke it");
    }
}

async fn is_left_alone(watch: &mut DirectoryWatch) {
    let woken = timeout(Duration::from_millis(300), watch.changed()).await;
    assert!(woken.is_err(), "something woke it");
}

#[tokio::test]
async fn files_that_appear_vanish_or_change_their_rights_wake_it_and_lines_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let (file, moved) = (folder.path().join("a.log"), folder.path().join("b.log"));
    let mut watch = following(wide(&[folder.path()])).await;
    is_left_alone(&mut watch).await;
    fs::write(&file, "one\n").unwrap();
    is_woken(&mut watch).await;
    fs::write(&file, "one\ntwo\n").unwrap();
    is_left_alone(&mut watch).await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    is_woken(&mut watch).await;
    fs::rename(&file, &moved).unwrap();
    is_woken(&mut watch).await;
    fs::remove_file(&moved).unwrap();
    is_woken(&mut watch).await;
    assert_eq!(watch.degraded(), Vec::<String>::new());
}

#[tokio::test]
async fn in_a_narrowed_directory_only_the_names_that_matter_wake_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = wide(&[folder.path()]);
    let names = BTreeSet::from([OsString::from("app.log")]);
    set.narrowed.insert(folder.path().to_path_buf(), names);
    let mut watch = following(set.clone()).await;
    fs::write(folder.path().join("other.log"), "").unwrap();
    is_left_alone(&mut watch).await;
    fs::write(folder.path().join("app.log"), "").unwrap();
    is_woken(&mut watch).await;

    // Reached by a second path, the events of the folder come under one of the two.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let names = set.narrowed.remove(folder.path()).unwrap();
    set.narrowed.insert(link.clone(), names);
    set.directories.insert(link);
    watch.follow(set).await;
    is_woken(&mut watch).await;
    fs::write(folder.path().join("third.log"), "").unwrap();
    is_woken(&mut watch).await;
}

#[tokio::test]
async fn a_directory_that_is_replaced_is_watched_again() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let set = wide(&[&logs]);
    let mut watch = following(set.clone()).await;

    fs::remove_dir(&logs).unwrap();
    fs::create_dir(&logs).unwrap();
    is_woken(&mut watch).await;
    watch.follow(set.clone()).await;
    is_woken(&mut watch).await;
    fs::write(logs.join("a.log"), "").unwrap();
    is_woken(&mut watch).await;

    fs::rename(&logs, folder.path().join("away")).unwrap();
    fs::create_dir(&logs).unwrap();
    is_woken(&mut watch).await;
    watch.follow(set).await;
    is_woken(&mut watch).await;
    fs::write(logs.join("a.log"), "").unwrap();
    is_woken(&mut watch).await;
    fs::write(folder.path().join("away/b.log"), "").unwrap();
    is_left_alone(&mut watch).await;
}

#[tokio::test]
async fn what_is_not_in_the_set_any_more_wakes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = following(wide(&[folder.path()])).await;
    watch.follow(WatchSet::default()).await;
    fs::write(folder.path().join("a.log"), "").unwrap();
    is_left_alone(&mut watch).await;
}

#[tokio::test]
async fn an_abandoned_wait_loses_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = following(wide(&[folder.path()])).await;
    fs::write(folder.path().join("a.log"), "").unwrap();
    let abandoned = timeout(SETTLE / 2, watch.changed()).await;
    assert!(abandoned.is_err());
    is_woken(&mut watch).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_watched_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o300)).unwrap();
    if fs::read_dir(&logs).is_ok() {
        // Root may watch everything.
        return;
    }
    let mut watch = DirectoryWatch::new();
    watch.follow(wide(&[&logs, folder.path()])).await;
    let told = watch.degraded();
    assert!(
        told[0].starts_with("1 of the directories cannot be watched: Permission denied"),
        "{told:?}"
    );
    let mut set = wide(&[&logs, folder.path()]);
    set.narrowed.insert(logs.clone(), BTreeSet::new());
    watch.follow(set).await;
    assert_eq!(watch.degraded(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn looks_are_due_from_time_to_time_and_never_take_all_the_time() {
    let mut watch = DirectoryWatch::new();
    let mut since = Instant::now();
    let mut passed = || {
        let before = std::mem::replace(&mut since, Instant::now());
        since - before
    };
    watch.changed().await;
    assert_eq!(passed().as_secs(), 60);
    watch.scanned(Duration::ZERO);
    watch.degraded = vec!["no inotify".to_owned()];
    watch.changed().await;
    assert_eq!(passed().as_secs(), 2);
    // A tenth of the time; but what appears is found within 2 s, as long as that leaves half of it.
    for (took, rest) in [(50, 500), (100, 1000), (800, 1000), (5000, 5000)] {
        watch.scanned(Duration::from_millis(took));
        watch.seen = 99;
        watch.changed().await;
        assert_eq!(passed().as_millis(), rest);
    }
}
