//! The kept corpus: each input is checked as the fuzz targets do it (`fuzz/`, see CONTRIBUTING), on
//! the stable toolchain. What a fuzz target finds is put into `tests/corpus/TARGET/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "a property that does not hold is a failed test"
)]

mod checks;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn cursors_hold_for_the_corpus() {
    all_of("cursor", checks::cursor);
}

#[test]
fn queries_hold_for_the_corpus() {
    all_of("query", checks::query);
}

#[test]
fn commands_hold_for_the_corpus() {
    all_of("command", checks::command);
}

#[test]
fn lines_hold_for_the_corpus() {
    all_of("line", checks::line);
}

#[test]
fn readers_hold_for_the_corpus() {
    all_of("reader", checks::reader);
}

#[test]
fn archives_hold_for_the_corpus() {
    all_of("archive", checks::archive);
}

#[test]
fn rotated_names_hold_for_the_corpus() {
    all_of("rotated_name", checks::rotated_name);
}

/// Checks all files of a target's folder, each cut at every eighth as well, and names those that
/// fail.
#[track_caller]
fn all_of(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut failed = Vec::new();
    let mut n_inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        n_inputs += 1;
        let holds = |input: &[u8]| catch_unwind(|| check(input)).is_ok();
        let parts = (1..=8).map(|part| &input[..input.len() * part / 8]);
        if !parts.into_iter().all(holds) {
            failed.push(path);
        }
    }
    assert!(n_inputs >= 4, "{} has {n_inputs} inputs", folder.display());
    assert!(failed.is_empty(), "broken by {failed:?}");
}
