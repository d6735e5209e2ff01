//! Random lives of a log against a simple model of what its viewers must have seen: each line once, in
//! order, or told as a gap; and bytes of lines + bytes told as gaps = bytes written.
//!
//! The programs are made of real file operations (`moves`, `world`), the viewers are real `Follower`s
//! over real `FileSource`s (`host`, `viewer`), and what they must have got stands in `expectation`. A
//! program that has failed is printed and is to be kept in `kept` or `came_back`; `MODEL_TRACE=1` shows
//! its steps. `MODEL_CASES=5000 cargo test --test
//! model` runs so many, at random; without it the programs are the same each time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a failed fixture is a failed test"
)]

mod came_back;
mod expectation;
#[path = "../it/support/ext4_disk.rs"]
#[allow(dead_code, reason = "shared with others, who need more of it")]
mod ext4_disk;
mod host;
mod kept;
mod moves;
#[path = "../it/support/programs.rs"]
mod programs;
mod stage;
#[path = "../it/support/stalling_disk.rs"]
#[allow(dead_code, reason = "shared with others, who need more of it")]
mod stalling_disk;
mod viewer;
mod world;

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner};

use crate::ext4_disk::Ext4Disk;
use crate::moves::{Group, Program};

#[test]
fn files_that_are_renamed_lose_no_line() {
    run_group(Group::Renames, None);
}

#[test]
fn files_that_are_copied_and_emptied_lose_no_line() {
    run_group(Group::Copies, None);
}

#[test]
fn files_that_are_emptied_cut_or_deleted_lose_what_is_told() {
    run_group(Group::InPlace, None);
}

#[test]
fn a_viewer_sees_each_line_once_in_order_or_is_told() {
    run_group(Group::All, None);
}

#[test]
fn a_disk_that_hangs_takes_no_line_of_another() {
    run_group(Group::Hanging, None);
}

/// ext4 gives an inode number again at once. Where none can be mounted, a line says that this is left
/// out.
#[test]
fn inodes_that_are_given_again_lose_no_line() {
    // Unmounted when this ends, however it ends.
    let Some(disk) = Ext4Disk::mounted() else { return };
    run_group(Group::InPlace, Some(disk.path()));
    run_group(Group::All, Some(disk.path()));
}

/// Runs the group's share of all programs.
fn run_group(group: Group, parent: Option<&Path>) {
    let asked: Option<u32> = std::env::var("MODEL_CASES").ok().and_then(|n| n.parse().ok());
    let all = asked.unwrap_or(CASES);
    let config = Config {
        cases: all.div_ceil(N_GROUPS),
        max_shrink_iters: 16,
        failure_persistence: None,
        ..Config::default()
    };
    let begun = Instant::now();
    // The suite's own programs are the same each time: one that fails is a change of ours.
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, rng),
    };
    let done = runner.run(&moves::program(group), |program| {
        let failed = std::panic::catch_unwind(|| run_program(&program, parent));
        failed.map_err(|panic| {
            // Whether a shorter one fails, too, is a matter of luck: each is shown.
            eprintln!("FAILED: {program:?}");
            let told = panic.downcast_ref::<String>().map_or("(see above)", |told| told.as_str());
            TestCaseError::fail(told.to_owned())
        })
    });
    let n_seconds = begun.elapsed().as_secs();
    eprintln!("{group:?}: {} programs in {n_seconds} s", all.div_ceil(N_GROUPS));
    if let Err(TestError::Fail(reason, program)) = done {
        panic!("{reason}\n{program:#?}");
    }
}

/// Runs one program.
fn run_program(program: &Program, parent: Option<&Path>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(stage::run(program, parent));
    runtime.shutdown_background();
}

/// For [`stalling_disk`].
#[track_caller]
fn wait_until(what: &str, is_done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As many as take about a minute on a quiet machine.
const CASES: u32 = 140;

const N_GROUPS: u32 = 7;
