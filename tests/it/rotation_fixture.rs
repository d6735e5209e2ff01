//! A scene: a program writes numbered lines at a steady rate to a log, and a viewer of each format
//! looks on while things happen to the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::run;
use crate::steady_writer::{SteadyWriter, assert_numbered, line};
use crate::support::{LogFolder, Options, Request, TestServer, Viewer};

/// Everybody who takes part.
#[derive(Debug)]
pub struct RotationFixture {
    pub folder: LogFolder,
    /// Of the log.
    pub path: PathBuf,
    pub server: TestServer,
    pub writer: SteadyWriter,
    viewers: Vec<Viewer>,
}

impl RotationFixture {
    /// A log `app.log` with a thousand lines a second.
    pub fn start() -> Self {
        Self::at(LogFolder::new(), LINES_PER_SECOND)
    }

    /// A log `app.log`, which may be there already, in a folder.
    pub fn at(folder: LogFolder, lines_per_second: u32) -> Self {
        let path = folder.join("app.log");
        if fs::symlink_metadata(&path).is_err() {
            fs::write(&path, "").unwrap();
        }
        let server = Options::serving([&path]).start();
        let viewers = viewers_of_each_format(&server, "app.log");
        let writer = SteadyWriter::start(&path, TAG, lines_per_second);
        writer.write_more(100);
        RotationFixture { folder, path, server, writer, viewers }
    }

    /// The path of another file in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Renames the log.
    #[track_caller]
    pub fn rename_to(&self, name: &str) {
        fs::rename(&self.path, self.join(name)).unwrap();
    }

    /// Rotates as logrotate does: the numbers of the older ones grow, up to `n_kept`.
    pub fn shift(&self, n_kept: usize) {
        shift(&self.path, n_kept);
    }

    /// The program stops, and each viewer has to have got each line once, in order. Viewers of
    /// records were told of as many rotations, and nobody of a gap.
    #[track_caller]
    pub fn end(mut self, n_rotations: usize) -> Self {
        self.writer.write_more(100);
        let n_lines = self.writer.end();
        self.expect(0..n_lines, n_rotations);
        self
    }

    /// Holds each viewer to have got these lines and no others.
    #[track_caller]
    pub fn expect(&mut self, numbers: std::ops::Range<usize>, n_rotations: usize) {
        let last = line(TAG, numbers.end - 1);
        for viewer in &mut self.viewers {
            viewer.wait_for_line(&last);
            assert_numbered(&log_lines(viewer), TAG, numbers.clone());
            assert_eq!(viewer.events_named("gap").count(), 0, "{:?}", viewer.events);
            if viewer.events_named("start").count() > 0 {
                let told: Vec<_> = viewer.events_named("rotated").collect();
                assert_eq!(told.len(), n_rotations, "{told:?}");
            }
        }
    }

    /// Each viewer.
    pub fn viewers(&mut self) -> &mut [Viewer] {
        &mut self.viewers
    }
}

/// A text, an NDJSON and an SSE viewer, from the first line on.
#[track_caller]
pub fn viewers_of_each_format(server: &TestServer, name: &str) -> Vec<Viewer> {
    let path = format!("/logs/{name}?tail=all");
    let mut records = [Request::ndjson(&path), Request::sse(&path)].map(|ask| server.follow(ask));
    for viewer in &mut records {
        viewer.wait_for_event("start");
    }
    records.into_iter().chain([server.follow(&path)]).collect()
}

/// The lines of the log that a viewer got: of text without heartbeats.
pub fn log_lines(viewer: &Viewer) -> Vec<&str> {
    viewer.texts().into_iter().filter(|text| !text.is_empty()).collect()
}

/// The `how` of each rotation that a viewer was told.
pub fn rotations(viewer: &Viewer) -> Vec<&str> {
    viewer.events_named("rotated").filter_map(|event| event.data["how"].as_str()).collect()
}

/// The bytes of each gap that a viewer was told.
pub fn gap_bytes(viewer: &Viewer) -> Vec<u64> {
    viewer.events_named("gap").filter_map(|event| event.data["bytes"].as_u64()).collect()
}

/// Renames `NAME.N` to `NAME.N+1`, and NAME to `NAME.1`. Of the old ones at most `n_kept` are left.
pub fn shift(path: &Path, n_kept: usize) {
    let name = |number: usize, packed: &str| {
        let file_name = path.file_name().unwrap().to_str().unwrap();
        path.with_file_name(format!("{file_name}.{number}{packed}"))
    };
    for number in (1..=n_kept).rev() {
        for packed in ["", ".gz"] {
            let from = name(number, packed);
            if from.exists() && number == n_kept {
                fs::remove_file(from).unwrap();
            } else if from.exists() {
                fs::rename(from, name(number + 1, packed)).unwrap();
            }
        }
    }
    fs::rename(path, name(1, "")).unwrap();
}

/// Packs a file as rotators do: `FILE.gz` comes, then FILE goes.
#[track_caller]
pub fn gzip(path: &Path) {
    run("gzip", &[path.to_str().unwrap()]);
}

/// What the lines of a scene begin with.
pub const TAG: &str = "app";

/// Fast enough that a moment without attention costs lines.
const LINES_PER_SECOND: u32 = 1000;

/// Longer than the live end waits for the last writer of an old file.
pub const SEAM: Duration = Duration::from_millis(600);
