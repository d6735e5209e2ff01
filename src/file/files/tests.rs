use std::fs;
use std::path::Path;
use std::process::Command;

use crate::file::segment::handover::Handover;
use crate::history::{EventKind, GapReason, RotatedHow};

use super::*;

const PLAIN: &str = "one\ntwo\nthree\n";

#[test]
fn an_archive_that_is_only_begun_is_none_yet() {
    let folder = tempfile::tempdir().unwrap();
    let files = files_in(folder.path());
    fs::write(folder.path().join("a.log.1"), PLAIN).unwrap();
    let whole = packed(PLAIN);
    for n_bytes in [0, 5, whole.len() / 2, whole.len()] {
        fs::write(folder.path().join("a.log.1.gz"), &whole[..n_bytes]).unwrap();
        let names: Vec<_> = files.list().unwrap().into_iter().map(|it| it.path).collect();
        assert_eq!(names, [folder.path().join("a.log.1")], "{n_bytes} of {}", whole.len());
    }
}

/// Frames that are whole, and not all.
#[test]
fn an_archive_of_several_parts_is_none_before_it_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let files = files_in(folder.path());
    fs::write(folder.path().join("a.log.1"), PLAIN).unwrap();
    fs::write(folder.path().join("a.log.1.gz"), packed("one\n")).unwrap();
    assert_eq!(files.list().unwrap().len(), 1);
    // One that was left over is older than what begins as it does.
    let left_over = fs::File::options().write(true).open(folder.path().join("a.log.1.gz")).unwrap();
    left_over.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    assert_eq!(files.list().unwrap().len(), 2);
}

#[test]
fn who_opened_an_archive_too_early_does_not_stand_for_what_it_holds_later() {
    let folder = tempfile::tempdir().unwrap();
    let (files, path) = (files_in(folder.path()), folder.path().join("a.log.1.gz"));
    fs::write(&path, "").unwrap();
    let early = files.open(&files.list().unwrap()[0]).unwrap();
    assert_eq!(early.head(), b"");
    fs::write(&path, packed(PLAIN)).unwrap();
    let listed = files.list().unwrap().remove(0);
    assert_eq!(files.head_of(&listed).unwrap(), PLAIN.as_bytes());
    let late = files.open(&listed).unwrap();
    assert!(Arc::ptr_eq(&late, &files.open(&listed).unwrap()));
}

/// A file that several readers had stopped in was closed under all of them; none goes on in it.
#[test]
fn a_way_that_leads_through_files_that_were_closed_leads_past_them() {
    let folder = tempfile::tempdir().unwrap();
    let (files, path) = (files_in(folder.path()), folder.path().join("a.log"));
    let segments: Vec<Arc<Segment>> = (0..3)
        .map(|number| {
            fs::write(&path, format!("{number} {PLAIN}")).unwrap();
            let segment = files.open(&files.list().unwrap()[0]).unwrap();
            fs::remove_file(&path).unwrap();
            segment
        })
        .collect();
    for (number, pair) in (1..).zip(segments.windows(2)) {
        let (end, to) = (PLAIN.len() as u64 + 2, Arc::clone(&pair[1]));
        let events = vec![EventKind::Rotated(RotatedHow::Replaced)];
        let handover = Handover { number, end, events, to, offset: 0, check: 0, is_same: false };
        pair[0].onward().note(handover);
    }
    let another_reader = Arc::clone(&segments[1]);
    another_reader.held().unwrap().release();
    segments[0].onward().shorten();
    assert!(segments[0].onward().is_to(&segments[2]));
    let onward = segments[0].onward().get().unwrap();
    let gap = EventKind::Gap { bytes: onward.end, reason: GapReason::RotatedAway };
    assert_eq!(onward.events, [gap, EventKind::Rotated(RotatedHow::Replaced)]);
}

fn packed(content: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    Command::new("gzip").arg("-c").arg(file.path()).output().unwrap().stdout
}

fn files_in(folder: &Path) -> Files {
    let path = folder.join("a.log");
    let location = Location { path, siblings: true, olddir: None, confined_to: None };
    let (name, metrics) = (SourceName::from("a.log"), Metrics::new().unwrap());
    Files::new(&name, location, Arc::new(metrics), Arc::default(), Redactor::default())
}
