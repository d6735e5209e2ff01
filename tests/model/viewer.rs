//! Viewers: what they got, as it came, and where they were.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tailcast::cursor::Cursor;
use tailcast::follower::{Delivery, EndReason, Follower};
use tailcast::history::{EventKind, GapReason};
use tailcast::source::Start;

use crate::expectation::Excuses;
use crate::host::Host;
use crate::world::{END_OF_LINE, Piece, World};

/// What was delivered.
#[derive(Debug, Default)]
pub struct Got {
    /// The numbers of the lines, as they came.
    pub numbers: Vec<u64>,
    pub late: Vec<u64>,
    /// Bytes of lines, whatever is in them.
    pub bytes: u64,
    /// Of these, of late lines.
    pub late_bytes: u64,
    /// Bytes told as gaps.
    pub gap_bytes: u64,
    /// Of these, of late lines.
    pub late_gap_bytes: u64,
    /// Gaps whose bytes cannot be told.
    pub n_gaps_of_unknown_bytes: usize,
    /// Gaps and truncations that were told.
    pub n_words: usize,
    /// Lines of the log beside.
    pub n_beside: usize,
    pub end: Option<EndReason>,
}

impl Got {
    pub fn take(&mut self, delivery: &Delivery) {
        if with_trace() {
            trace(delivery);
        }
        match delivery {
            Delivery::Lines { source_index: 0, chunk, selection: _ } => {
                self.bytes += chunk.raw().len() as u64;
                if chunk.late().is_some() {
                    self.late_bytes += chunk.raw().len() as u64;
                }
                for line in chunk.lines() {
                    self.take_line(std::str::from_utf8(line.text).unwrap());
                }
            }
            Delivery::Lines { source_index: _, chunk, selection: _ } => {
                self.n_beside += chunk.lines().count();
            }
            Delivery::Event { source_index: 0, kind: EventKind::Gap { bytes, reason } } => {
                self.n_words += 1;
                self.gap_bytes += bytes;
                self.n_gaps_of_unknown_bytes += usize::from(*bytes == 0);
                if *reason == GapReason::Late {
                    self.late_gap_bytes += bytes;
                }
            }
            Delivery::Event { source_index: 0, kind: EventKind::Rotated(how) } => {
                self.n_words += usize::from(how.as_str() == "truncated");
            }
            Delivery::End(reason) => self.end = Some(*reason),
            Delivery::Unreadable { source_index: 0, .. } => panic!("{delivery:?}"),
            Delivery::Event { .. }
            | Delivery::Joined { .. }
            | Delivery::Heartbeat
            | Delivery::Unreadable { .. } => {}
        }
    }

    fn take_line(&mut self, text: &str) {
        // What was read of a line when its file was emptied comes as it is.
        let Some(body) = text.strip_suffix(END_OF_LINE) else { return };
        // The rest of a line that was cut may stand before it.
        match (body.rsplit_once(" number="), body.rsplit_once(" late=")) {
            (Some((_, number)), _) => self.numbers.push(number.parse().unwrap()),
            (None, Some((_, number))) => self.late.push(number.parse().unwrap()),
            (None, None) => panic!("a line of nobody: {text:?}"),
        }
    }

    pub fn has(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// Whether one of these was delivered.
    pub fn has_any(&self, pieces: &[Piece]) -> bool {
        pieces.iter().filter_map(|piece| piece.number).any(|number| self.has(number))
    }

    /// Each line at most once, and those of the program in order.
    pub fn check_order(&self) {
        let numbers = &self.numbers;
        assert!(numbers.is_sorted_by(|a, b| a < b), "doubled or out of order: {numbers:?}");
        let late: BTreeSet<u64> = self.late.iter().copied().collect();
        assert_eq!(late.len(), self.late.len(), "late lines doubled: {:?}", self.late);
    }
}

/// A client that keeps what it got and where it was.
#[derive(Default)]
pub struct Viewer {
    follower: Option<Follower>,
    /// Of each source.
    cursors: Vec<Option<Cursor>>,
    pub got: Got,
    pub excuses: Excuses,
    /// It is not polled.
    pub is_stopped: bool,
    /// It has come back, and has not caught up since.
    pub is_behind: bool,
}

impl Viewer {
    pub fn new(n_sources: usize) -> Self {
        Viewer { cursors: vec![None; n_sources], ..Viewer::default() }
    }

    pub fn is_connected(&self) -> bool {
        self.follower.is_some()
    }

    /// It gets what there is as soon as it comes.
    pub fn is_polled(&self) -> bool {
        self.is_connected() && !self.is_stopped
    }

    pub async fn connect(&mut self, host: &Host, world: &mut World) {
        if self.is_connected() {
            return;
        }
        let is_cut = self.excuses.come_back(world);
        self.is_behind = true;
        let start = |cursor: &Option<Cursor>| cursor.map_or(Start::Oldest, Start::After);
        let starts: Vec<Start> = self.cursors.iter().map(start).collect();
        if with_trace() {
            eprintln!("  connects {:?}", self.cursors);
        }
        let follower = host.open(&starts, true).await;
        self.keep_cursors(&follower);
        self.follower = Some(follower);
        // The clock of a file system ticks in milliseconds, and an empty file is told by its time.
        tokio::time::sleep(Duration::from_millis(10)).await;
        if is_cut {
            // One that it surely gets.
            world.write(1);
        }
    }

    pub async fn disconnect(&mut self, world: &World) {
        // It may have some lines more before it leaves, or not.
        let Some(mut follower) = self.follower.take() else { return };
        if !self.is_stopped {
            let few = tokio::time::timeout(Duration::from_millis(20), follower.next()).await;
            if let Ok(Some(delivery)) = few {
                self.got.take(&delivery);
                self.excuses.leave_at(&delivery);
            }
        }
        self.keep_cursors(&follower);
        self.excuses.leave(&self.got, world);
        // A cursor tells later by that clock, too.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    fn keep_cursors(&mut self, follower: &Follower) {
        for (kept, place) in self.cursors.iter_mut().zip(follower.positions()) {
            *kept = Some(place.cursor().unwrap());
        }
    }

    /// Reads until it has the last line of the program, what there is of late ones, and so many of the
    /// log beside.
    pub async fn catch_up(&mut self, world: &World, n_beside: usize) {
        let deadline = Instant::now() + PATIENCE;
        let last = world.active.iter().rev().find_map(|piece| piece.number);
        while last.is_some_and(|last| !self.got.has(last))
            || self.got.n_beside < n_beside
            || self.late_missing(world) > 0
        {
            let (got, n_late) = (&self.got, self.late_missing(world));
            assert!(
                Instant::now() < deadline,
                "not caught up: {:?} of {last:?}, {} of {n_beside} beside, {n_late} late bytes",
                got.numbers.last(),
                got.n_beside,
            );
            let follower = self.follower.as_mut().unwrap();
            let next = tokio::time::timeout(Duration::from_secs(1), follower.next()).await;
            if let Ok(Some(delivery)) = next {
                self.got.take(&delivery);
                // One that had everything before it came back may not have come to the live end yet.
                self.is_behind = false;
            }
        }
    }

    /// Bytes of late lines that have yet to come, as lines or as a gap.
    fn late_missing(&self, world: &World) -> u64 {
        let come = self.got.late_bytes + self.got.late_gap_bytes + self.excuses.late_bytes;
        // From the file itself, where it was read later.
        let n_late = self.got.late.len() as u64;
        if n_late == world.next_late { 0 } else { world.late_bytes.saturating_sub(come) }
    }
}

/// Somebody who reads the history to its end.
pub struct FiniteViewer {
    reading: tokio::task::JoinHandle<Got>,
    expected: BTreeSet<u64>,
    expected_bytes: u64,
    n_losses: usize,
}

impl FiniteViewer {
    /// Begins to read. It goes on beside whatever happens.
    pub async fn begin(host: &Host, world: &World, is_slow: bool) -> Self {
        let mut follower = host.open(&[Start::Oldest], false).await;
        let reading = tokio::spawn(async move {
            let mut got = Got::default();
            while let Some(delivery) = follower.next().await {
                got.take(&delivery);
                if is_slow {
                    tokio::time::sleep(Duration::from_millis(15)).await;
                }
            }
            got
        });
        FiniteViewer {
            reading,
            expected: world.on_disk.clone(),
            expected_bytes: world.on_disk_bytes,
            n_losses: world.n_losses,
        }
    }

    /// Waits for its end. A history is complete, or says that it is not.
    pub async fn finish(self, world: &World) {
        let reading = tokio::time::timeout(PATIENCE, self.reading).await;
        let got = reading.expect("a finite read does not end").unwrap();
        got.check_order();
        let seen: BTreeSet<u64> = got.numbers.iter().copied().collect();
        let missing: Vec<u64> = self.expected.difference(&seen).copied().collect();
        let is_told = got.n_words > 0;
        match got.end {
            Some(EndReason::Eof) => {
                assert!(missing.is_empty() || is_told, "finite: lost without a word: {missing:?}");
            }
            Some(EndReason::Error | EndReason::Shutdown) => return,
            other => panic!("finite: ended with {other:?}"),
        }
        if world.n_losses == self.n_losses {
            assert!(missing.is_empty(), "finite: lost {missing:?} of what was only moved");
            assert_eq!(got.gap_bytes, 0, "finite: a gap, and nothing was lost");
            let bytes = (got.bytes, self.expected_bytes);
            assert!(bytes.0 >= bytes.1, "finite: {} of {} bytes", bytes.0, bytes.1);
        }
    }
}

/// `MODEL_TRACE=1` shows each step of a program, what stands on the disk, and what viewers get.
pub fn with_trace() -> bool {
    std::env::var_os("MODEL_TRACE").is_some()
}

fn trace(delivery: &Delivery) {
    match delivery {
        Delivery::Lines { source_index: _, chunk, selection: _ } => {
            let lines = chunk.lines().map(|line| {
                let text = String::from_utf8_lossy(line.text);
                let body = text.strip_suffix(END_OF_LINE).unwrap_or(&text);
                body.rsplit(' ').next().unwrap_or_default().to_owned()
            });
            let (start, end) = (chunk.start().offset, chunk.end().offset);
            eprintln!("  {start}..{end}: {}", lines.collect::<Vec<_>>().join(" "));
        }
        Delivery::Heartbeat => {}
        Delivery::Event { .. }
        | Delivery::Joined { .. }
        | Delivery::Unreadable { .. }
        | Delivery::End(_) => eprintln!("  {delivery:?}"),
    }
}

/// A program is small; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
