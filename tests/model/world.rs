//! World: the log on the disk, its writers and its rotator, made of real file operations; and what the
//! model knows of it.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::moves::{Move, Setting};

/// A line (or a banner) in the active file.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// None for lines that are alike.
    pub number: Option<u64>,
    pub n_bytes: u64,
}

/// The log and what the model knows of it.
pub struct World {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
    setting: Setting,
    writer: File,
    pub next: u64,
    pub next_late: u64,
    /// What the active file holds.
    pub active: Vec<Piece>,
    /// What the file held that was rotated last.
    pub rotated: Vec<Piece>,
    /// All that was ever written.
    pub written_bytes: u64,
    pub late_bytes: u64,
    /// Numbers of lines that are on the disk, and the bytes of all that is.
    pub on_disk: BTreeSet<u64>,
    pub on_disk_bytes: u64,
    /// How often something was thrown away unpacked and uncopied.
    pub n_losses: usize,
    late: VecDeque<LateWriter>,
    pauses: VecDeque<u8>,
    banner: String,
    hour: u32,
    /// What is left of a line that was cut: the next one begins with it.
    half: u64,
}

/// A writer that has kept a file which was renamed.
struct LateWriter {
    file: File,
    /// How many files were left since.
    n_moves: usize,
    /// Somebody has followed the log all the time since: the live end keeps the file, too.
    is_known: bool,
}

impl World {
    pub fn new(setting: Setting, pauses: &[u8], parent: Option<&Path>) -> Self {
        let folder = match parent {
            Some(parent) => tempfile::tempdir_in(parent).unwrap(),
            None => tempfile::tempdir().unwrap(),
        };
        let path = folder.path().join("app.log");
        let banner = match setting.has_banner {
            true => "a banner that each file begins with\n".repeat(45),
            false => String::new(),
        };
        let writer = open(&path, setting);
        let (active, on_disk, late) = Default::default();
        let mut world = World {
            _folder: folder,
            path,
            setting,
            writer,
            next: 0,
            next_late: 0,
            active,
            rotated: Vec::new(),
            written_bytes: 0,
            late_bytes: 0,
            on_disk,
            on_disk_bytes: 0,
            n_losses: 0,
            late,
            pauses: pauses.iter().copied().collect(),
            banner,
            hour: 0,
            half: 0,
        };
        world.begin();
        world
    }

    /// Shows the next step, and what stands on the disk before it.
    pub fn trace(&self, step: Move) {
        let numbers: Vec<_> = self.active.iter().map(|piece| piece.number).collect();
        eprintln!("{step:?}, active {numbers:?}");
        for entry in fs::read_dir(self.path.parent().unwrap()).unwrap().flatten() {
            eprintln!("    {} {}", entry.file_name().display(), entry.metadata().unwrap().len());
        }
    }

    pub fn has_banner(&self) -> bool {
        self.setting.has_banner
    }

    /// Between two steps, in which others may do theirs.
    fn pause(&mut self) {
        self.pauses.rotate_left(1);
        if let Some(millis) = self.pauses.front().filter(|millis| **millis > 0) {
            std::thread::sleep(Duration::from_millis((*millis).into()));
        }
    }

    /// Notes what is being written to the active file.
    fn note(&mut self, number: Option<u64>, text: &str) {
        let n_bytes = text.len() as u64;
        let half = std::mem::take(&mut self.half);
        self.active.push(Piece { number, n_bytes: half + n_bytes });
        self.on_disk.extend(number);
        self.on_disk_bytes += n_bytes;
        self.written_bytes += n_bytes;
    }

    fn line(&mut self) -> String {
        let number = self.next;
        self.next += 1;
        let text = text_of(number);
        self.note(Some(number), &text);
        text
    }

    /// Each file begins alike, if there is a banner.
    fn begin(&mut self) {
        self.active.clear();
        if !self.banner.is_empty() {
            let banner = self.banner.clone();
            self.note(None, &banner);
            self.writer.write_all(banner.as_bytes()).unwrap();
        }
    }

    pub fn write(&mut self, n_lines: u8) {
        for _ in 0..n_lines {
            let line = self.line();
            self.writer.write_all(line.as_bytes()).unwrap();
            self.pause();
        }
    }

    pub fn write_in_two(&mut self) {
        let line = self.line();
        let (one, two) = line.split_at(line.len() / 2);
        self.writer.write_all(one.as_bytes()).unwrap();
        self.pause();
        self.writer.write_all(two.as_bytes()).unwrap();
    }

    pub fn write_alike(&mut self, n_lines: u8) {
        for _ in 0..n_lines {
            self.note(None, ALIKE);
            self.writer.write_all(ALIKE.as_bytes()).unwrap();
            self.pause();
        }
        // What the last bytes of a file do not tell, nothing does (see docs/limits.md).
        self.write(1);
    }

    /// Writes to a file that was renamed. How many bytes, and whether the live end knows the file.
    pub fn write_late(&mut self, n_lines: u8) -> (u64, bool) {
        let Some(mut late) = self.late.pop_back() else { return (0, true) };
        let mut n_bytes = 0;
        for _ in 0..n_lines {
            let text = late_text_of(self.next_late);
            self.next_late += 1;
            late.file.write_all(text.as_bytes()).unwrap();
            n_bytes += text.len() as u64;
            self.pause();
        }
        self.written_bytes += n_bytes;
        self.late_bytes += n_bytes;
        let is_known = late.is_known;
        self.late.push_back(late);
        (n_bytes, is_known)
    }

    /// Nobody follows the log: its live end ends, and lets go of the files it has kept.
    pub fn forget_late(&mut self) {
        self.late.iter_mut().for_each(|late| late.is_known = false);
    }

    /// The live end keeps four files. A writer keeps one for two more, and then gives it up.
    fn age_late(&mut self) {
        self.late.iter_mut().for_each(|late| late.n_moves += 1);
        self.late.retain(|late| late.n_moves <= 2);
    }

    fn sibling(&self, number: u32) -> PathBuf {
        self.path.with_file_name(format!("app.log.{number}"))
    }

    /// As logrotate moves the names up.
    fn shift(&mut self) {
        self.age_late();
        for number in (1..20).rev() {
            for suffix in ["", ".gz"] {
                let from = PathBuf::from(format!("{}{suffix}", self.sibling(number).display()));
                let to = PathBuf::from(format!("{}{suffix}", self.sibling(number + 1).display()));
                if from.exists() {
                    fs::rename(from, to).unwrap();
                    self.pause();
                }
            }
        }
    }

    /// `is_followed`: somebody follows the log just now.
    pub fn rename(&mut self, writes_on: u8, keeps_old: bool, is_followed: bool) {
        self.shift();
        fs::rename(&self.path, self.sibling(1)).unwrap();
        self.pause();
        let created = open(&self.path, self.setting);
        self.pause();
        // The writer has not been told yet.
        self.write(writes_on);
        let file = std::mem::replace(&mut self.writer, created);
        if keeps_old {
            self.late.push_back(LateWriter { file, n_moves: 0, is_known: is_followed });
        }
        self.rotated.clone_from(&self.active);
        self.begin();
    }

    pub fn backup(&mut self, n_lines: u8) {
        self.shift();
        fs::rename(&self.path, self.sibling(1)).unwrap();
        self.pause();
        self.writer = open(&self.path, self.setting);
        self.rotated.clone_from(&self.active);
        self.begin();
        self.write(n_lines);
        // logrotate would have written over one of the same hour.
        self.hour += 1;
        let (day, hour) = (1 + self.hour / 24, self.hour % 24);
        let name = format!("app.log-202611{day:02}{hour:02}.backup");
        fs::rename(&self.path, self.path.with_file_name(name)).unwrap();
        self.pause();
        self.writer = open(&self.path, self.setting);
        self.begin();
        self.age_late();
    }

    pub fn copy_truncate(&mut self) {
        self.shift();
        let copied =
            Command::new("cp").arg("--sparse=auto").args([&self.path, &self.sibling(1)]).status();
        assert!(copied.unwrap().success());
        self.pause();
        self.writer.set_len(0).unwrap();
        self.rotated.clone_from(&self.active);
        self.begin();
    }

    pub fn compress(&mut self) {
        // Who packs a file that is still written to loses what is added: rotators delay it for that.
        self.late.clear();
        for number in 1..20 {
            let plain = self.sibling(number);
            if plain.exists() {
                assert!(Command::new("gzip").arg("-f").arg(&plain).status().unwrap().success());
                return;
            }
        }
    }

    /// What is in the active file is gone.
    fn lose(&mut self, from: usize) -> u64 {
        self.n_losses += 1;
        let lost = self.active.split_off(from);
        for number in lost.iter().filter_map(|piece| piece.number) {
            self.on_disk.remove(&number);
        }
        let n_bytes = lost.iter().map(|piece| piece.n_bytes).sum();
        self.on_disk_bytes -= n_bytes;
        n_bytes
    }

    pub fn truncate(&mut self) {
        self.lose(0);
        self.writer.set_len(0).unwrap();
        self.begin();
    }

    pub fn recreate(&mut self) {
        self.lose(0);
        self.age_late();
        fs::remove_file(&self.path).unwrap();
        self.pause();
        self.writer = open(&self.path, self.setting);
        self.begin();
    }

    /// Cuts the active file to its first half. A line that is cut in its middle is the beginning of the
    /// next one from then on: how many bytes of it are left.
    pub fn cut(&mut self, in_line: bool) -> u64 {
        let n_kept = self.active.len().div_ceil(2);
        let in_line = in_line && n_kept < self.active.len();
        let half = match self.active.get(n_kept) {
            Some(piece) if in_line => piece.n_bytes / 2,
            Some(_) | None => 0,
        };
        let n_lost = self.lose(n_kept);
        let size = self.writer.metadata().unwrap().len() - n_lost + half;
        self.writer.set_len(size).unwrap();
        // One that cuts its own log goes on at its end.
        self.writer.seek(SeekFrom::Start(size)).unwrap();
        self.written_bytes += half;
        self.on_disk_bytes += half;
        self.half = half;
        half
    }
}

pub fn text_of(number: u64) -> String {
    format!("2026-11-21T10:00:00Z INFO number={number}{END_OF_LINE}")
}

fn late_text_of(number: u64) -> String {
    format!("2026-11-21T10:00:00Z INFO late={number}{END_OF_LINE}")
}

/// Long enough for a hole of one line to be told from content.
pub const END_OF_LINE: &str = " and some words to fill the line, so that a hole of its length is a hole and not some odd zeros\n";

pub const ALIKE: &str = "2026-11-21T10:00:00Z INFO a line that is like others\n";

fn open(path: &Path, setting: Setting) -> File {
    let mut options = OpenOptions::new();
    match setting.leaves_holes {
        true => options.write(true),
        false => options.append(true),
    };
    options.create(true).open(path).unwrap()
}
