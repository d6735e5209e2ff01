use std::sync::Barrier;
use std::thread;

use super::*;

fn n_read(folders: &Folders, path: &Path) -> u64 {
    lock(&folders.folder(path).state).n_begun
}

fn names(listing: &Listing) -> Vec<String> {
    let mut names: Vec<_> = listing
        .values()
        .flatten()
        .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A change is seen at once, however often it comes.
#[test]
fn nothing_that_changes_goes_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders::default();
    for number in 0..300 {
        let (path, before) = (folder.path().join(format!("a.log.{number}")), number % 3);
        fs::write(&path, "").unwrap();
        let listed = folders.list(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(names(&listed).len(), before + 1, "after a file was made");
        if number % 3 == 2 {
            for number in number - 2..=number {
                fs::remove_file(folder.path().join(format!("a.log.{number}"))).unwrap();
            }
            let listed = folders.list(folder.path(), Duration::ZERO).unwrap();
            assert!(names(&listed).is_empty(), "after all were removed");
        }
        if number % 50 == 0 {
            // Long enough for what is read next to be trusted.
            thread::park_timeout(2 * Duration::from_millis(40));
            folders.list(folder.path(), Duration::ZERO).unwrap();
        }
    }
}

#[test]
fn a_folder_that_does_not_change_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log.1"), "").unwrap();
    let folders = Folders::default();
    let begun = Instant::now();
    // Read until its last change lies far enough back.
    while begun.elapsed() < Duration::from_millis(100) {
        folders.list(folder.path(), Duration::ZERO).unwrap();
    }
    let before = n_read(&folders, folder.path());
    for _ in 0..100 {
        let listed = folders.list(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(names(&listed), ["a.log.1"]);
    }
    assert_eq!(n_read(&folders, folder.path()), before);
    fs::rename(folder.path().join("a.log.1"), folder.path().join("a.log.2")).unwrap();
    let listed = folders.list(folder.path(), Duration::ZERO).unwrap();
    assert_eq!(names(&listed), ["a.log.2"]);
}

#[test]
fn those_who_ask_at_once_share_a_reading_that_begins_after_they_asked() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..2000 {
        fs::write(folder.path().join(format!("a.log.{number}")), "").unwrap();
    }
    let (folders, barrier) = (Folders::default(), Barrier::new(16));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                let listed = folders.list(folder.path(), Duration::ZERO).unwrap();
                assert_eq!(names(&listed).len(), 2000);
            });
        }
    });
    // One reads, and the others have called before it began or share the next.
    let n_read = n_read(&folders, folder.path());
    assert!(n_read < 16, "{n_read} readings for 16 who asked at once");
}

#[test]
fn a_folder_that_is_not_there_is_empty_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later");
    let folders = Folders::default();
    assert!(folders.list(&path, Duration::ZERO).unwrap().is_empty());
    fs::create_dir(&path).unwrap();
    fs::write(path.join("a.log.1"), "").unwrap();
    assert_eq!(names(&folders.list(&path, Duration::ZERO).unwrap()), ["a.log.1"]);
}
