//! The live end under stress and in trouble, over a log in memory: many viewers come and go on many
//! threads, and a read panics. Small enough to be run under ThreadSanitizer (`tests/tsan`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::doc_markdown,
    clippy::format_collect,
    clippy::unimplemented,
    reason = "a failed fixture is a failed test"
)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tailcast::chunk::{Chunk, Ends, Generation, LateRange, Position};
use tailcast::cursor::{Cursor, CursorPrefix, GenerationKey, Version, check_of};
use tailcast::disk::{DiskAccess, Disks};
use tailcast::feed::late::{LateLog, PassedFiles};
use tailcast::feed::{FeedContext, FeedGuard, FeedSlot, Hint, LiveEnd};
use tailcast::filter::Filter;
use tailcast::follower::{Delivery, EndReason, Follower, StreamSpec};
use tailcast::history::{ReadError, Rest, SourceReader, SourceStat, StreamItem};
use tailcast::line::Zone;
use tailcast::line::split::Encoding;
use tailcast::metrics::Metrics;
use tailcast::source::{Older, OpenError, Opened, Source, SourceName, Start, Status};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A log in memory.
#[derive(Debug)]
struct MemoryLog {
    name: SourceName,
    bytes: Arc<Mutex<Vec<u8>>>,
    generation: Arc<dyn Generation>,
    hints: watch::Sender<Hint>,
    /// Reading at or after this offset panics, as long as...
    trap: Arc<AtomicU64>,
    /// ...this many times.
    n_traps: Arc<AtomicUsize>,
    n_held: Arc<AtomicUsize>,
    slot: Arc<FeedSlot>,
    disk: Arc<DiskAccess>,
    context: FeedContext,
}

#[derive(Debug)]
struct Only;

/// Counts while it lives: stands for a watch.
struct Held(Arc<AtomicUsize>);

#[derive(Debug)]
struct MemoryReader {
    bytes: Arc<Mutex<Vec<u8>>>,
    generation: Arc<dyn Generation>,
    trap: Arc<AtomicU64>,
    n_traps: Arc<AtomicUsize>,
    offset: u64,
}

impl Generation for Only {
    fn cursor_prefix(&self) -> CursorPrefix {
        CursorPrefix::new(GenerationKey {
            version: Version::V2,
            source: 1,
            file: 1,
            head_bytes: 0,
            head: 0,
            written: 0,
            redaction: 0,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl MemoryLog {
    fn new(name: &str, context: &FeedContext) -> Arc<Self> {
        Arc::new(MemoryLog {
            name: SourceName::from(name),
            bytes: Arc::default(),
            generation: Arc::new(Only),
            hints: watch::Sender::new(Hint::default()),
            trap: Arc::new(AtomicU64::new(u64::MAX)),
            n_traps: Arc::default(),
            n_held: Arc::default(),
            slot: Arc::default(),
            disk: Arc::new(Arc::<Disks>::default().access(Path::new("/"))),
            context: context.clone(),
        })
    }

    fn write(&self, numbers: std::ops::Range<u64>) {
        let text: String = numbers.map(|number| format!("{number}\n")).collect();
        self.bytes.lock().unwrap().extend_from_slice(text.as_bytes());
        self.hints.send_modify(|hint| hint.n_wakes += 1);
    }

    /// What is written from now on cannot be read, for as many reads.
    fn set_trap(&self, n_traps: usize) {
        self.n_traps.store(n_traps, Ordering::SeqCst);
        self.trap.store(self.bytes.lock().unwrap().len() as u64, Ordering::SeqCst);
    }

    fn reader_at(&self, offset: u64) -> MemoryReader {
        MemoryReader {
            bytes: Arc::clone(&self.bytes),
            generation: Arc::clone(&self.generation),
            trap: Arc::clone(&self.trap),
            n_traps: Arc::clone(&self.n_traps),
            offset,
        }
    }

    fn end(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }
}

impl SourceReader for MemoryReader {
    fn give_up(&mut self) -> Result<bool, ReadError> {
        Ok(false)
    }

    fn step(&mut self, limit: Option<&Position>) -> Result<StreamItem, ReadError> {
        let bytes = self.bytes.lock().unwrap().clone();
        let end = limit.map_or(u64::MAX, |limit| limit.offset).min(bytes.len() as u64);
        let end = end.min(self.offset + 4096);
        let start = self.place();
        let fresh = &bytes[self.offset as usize..end.max(self.offset) as usize];
        let Some(whole) = Encoding::Utf8.last_line_end(fresh) else {
            return Ok(StreamItem::AtEnd { look_again: None });
        };
        if end > self.trap.load(Ordering::SeqCst) {
            let left = |n_traps: usize| n_traps.checked_sub(1);
            let trapped = self.n_traps.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
            assert!(trapped.is_err(), "a trap");
        }
        let raw = Bytes::copy_from_slice(&fresh[..whole]);
        self.offset += whole as u64;
        Ok(StreamItem::Chunk(Arc::new(Chunk::new(start, raw, Encoding::Utf8, Ends::default()))))
    }

    fn set_block_bytes(&mut self, _n_bytes: usize) {}

    fn place(&self) -> Position {
        let generation = Arc::clone(&self.generation);
        let check = check_of(&self.bytes.lock().unwrap()[..self.offset as usize]);
        Position { generation, offset: self.offset, check }
    }

    fn take_rest(&mut self, _quiet: Duration) -> Rest {
        Rest::None
    }

    fn progress(&self) -> SourceStat {
        SourceStat { size: self.bytes.lock().unwrap().len() as u64, modified: None }
    }
}

impl Source for MemoryLog {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn subscribe(self: Arc<Self>) -> FeedGuard {
        self.slot.subscribe(&self.context, || {
            self.n_held.fetch_add(1, Ordering::SeqCst);
            let log = Arc::clone(&self);
            LiveEnd {
                open: Arc::new(move || {
                    let reader: Box<dyn SourceReader> = Box::new(log.reader_at(log.end()));
                    Ok(reader)
                }),
                hints: self.hints.subscribe(),
                disk: Arc::clone(&self.disk),
                held: Box::new(Held(Arc::clone(&self.n_held))),
            }
        })
    }

    fn disk(&self) -> &Arc<DiskAccess> {
        &self.disk
    }

    fn viewers(&self) -> usize {
        self.slot.n_viewers()
    }

    fn open(&self, start: &Start, _: &Filter, end: Option<&Position>) -> Result<Opened, OpenError> {
        let offset = match start {
            Start::Oldest | Start::Since | Start::After(_) => 0,
            Start::At(place) => place.offset,
            Start::Tail(_) => end.map_or_else(|| self.end(), |end| end.offset),
        };
        let reader = self.reader_at(offset);
        let end = self.reader_at(self.end()).place();
        Ok(Opened { history: Box::new(reader), gap: None, before: Vec::new(), end })
    }

    fn older(&self, _: &Cursor, _: &Filter, _: usize) -> Result<Older, OpenError> {
        unimplemented!("nobody asks here")
    }

    fn status(&self) -> Status {
        Status::default()
    }
}

fn context() -> FeedContext {
    FeedContext {
        tasks: TaskTracker::new(),
        cancel: CancellationToken::new(),
        linger: Duration::from_millis(2),
        metrics: Arc::new(Metrics::new().unwrap()),
        troubles: Arc::default(),
    }
}

async fn viewer(log: &Arc<MemoryLog>, start: Start) -> Follower {
    let source: Arc<dyn Source> = Arc::<MemoryLog>::clone(log);
    let spec = StreamSpec {
        sources: vec![(source, start)],
        filter: Filter::default(),
        follow: true,
        until: None,
        done: EndReason::Eof,
        heartbeat: Duration::from_secs(60),
        source_watch: None,
        permissions: None,
        allowance: Arc::default(),
        cancel: CancellationToken::new(),
    };
    Follower::open(spec, Arc::new(Zone::system())).await.unwrap()
}

/// The numbers of the next lines, at least `n_lines`; or why there are no more.
async fn take(follower: &mut Follower, n_lines: usize) -> Result<Vec<u64>, EndReason> {
    let mut numbers = Vec::new();
    while numbers.len() < n_lines {
        let next = tokio::time::timeout(Duration::from_secs(20), follower.next());
        match next.await.expect("nothing came") {
            Some(Delivery::Lines { source_index: _, chunk, selection: _ }) => {
                let text = std::str::from_utf8(chunk.raw()).unwrap();
                numbers.extend(text.lines().map(|line| line.parse::<u64>().unwrap()));
            }
            Some(Delivery::End(reason)) => return Err(reason),
            Some(_) => {}
            None => panic!("told nothing"),
        }
    }
    Ok(numbers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn viewers_that_come_and_go_see_each_line_once_and_leave_nothing() {
    let context = context();
    let log = MemoryLog::new("busy", &context);
    let is_done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (log, is_done) = (Arc::clone(&log), Arc::clone(&is_done));
        std::thread::spawn(move || {
            let mut next = 0;
            while !is_done.load(Ordering::SeqCst) {
                log.write(next..next + 3);
                next += 3;
                std::thread::sleep(Duration::from_micros(300));
            }
        })
    };
    let crowd: Vec<_> = (0..8)
        .map(|number: u64| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for round in 0..60 {
                    let start = if round % 3 == 0 { Start::Oldest } else { Start::Tail(0) };
                    let mut follower = viewer(&log, start).await;
                    let got = take(&mut follower, 20).await.unwrap();
                    let expected = got[0]..got[0] + got.len() as u64;
                    assert!(got.iter().copied().eq(expected), "{got:?}");
                    drop(follower);
                    // Shorter and longer than the linger: the feed is taken over, or begun anew.
                    tokio::time::sleep(Duration::from_millis((number + round) % 5)).await;
                }
            })
        })
        .collect();
    for viewer in crowd {
        viewer.await.unwrap();
    }
    is_done.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    context.tasks.close();
    tokio::time::timeout(Duration::from_secs(20), context.tasks.wait()).await.unwrap();
    assert_eq!(context.metrics.feeds.get(), 0);
    assert_eq!(log.viewers(), 0);
    assert_eq!(log.n_held.load(Ordering::SeqCst), 0, "what the live ends held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_panics_is_isolated_and_counted_and_loses_no_line() {
    let context = context();
    context.metrics.count_panics();
    let (log, other) = (MemoryLog::new("sick", &context), MemoryLog::new("well", &context));
    let (mut first, mut second) =
        (viewer(&log, Start::Tail(0)).await, viewer(&log, Start::Tail(0)).await);
    let mut elsewhere = viewer(&other, Start::Tail(0)).await;
    log.write(0..5);
    assert_eq!(take(&mut first, 5).await, Ok(vec![0, 1, 2, 3, 4]));
    assert_eq!(take(&mut second, 5).await, Ok(vec![0, 1, 2, 3, 4]));

    log.set_trap(1);
    log.write(5..9);
    other.write(0..2);
    assert_eq!(take(&mut elsewhere, 2).await, Ok(vec![0, 1]));
    assert_eq!(take(&mut first, 4).await, Ok(vec![5, 6, 7, 8]));
    assert_eq!(take(&mut second, 4).await, Ok(vec![5, 6, 7, 8]));
    assert_eq!(context.metrics.panics.get(), 1);
    log.write(9..10);
    assert_eq!(take(&mut first, 1).await, Ok(vec![9]));
    assert_eq!(context.metrics.feeds.get(), 2);

    // What cannot be read at all: its viewers are told, the others are not concerned.
    log.set_trap(usize::MAX);
    log.write(10..12);
    assert_eq!(take(&mut first, 2).await, Err(EndReason::Error));
    assert_eq!(take(&mut second, 3).await, Err(EndReason::Error));
    other.write(2..3);
    assert_eq!(take(&mut elsewhere, 1).await, Ok(vec![2]));
}

#[test]
fn only_who_has_passed_a_file_misses_its_late_lines() {
    let generation: Arc<dyn Generation> = Arc::new(Only);
    let place = |offset| Position { generation: Arc::clone(&generation), offset, check: 0 };
    let range = |from, to| LateRange { generation: Arc::downgrade(&generation), from, to };
    let mut log = LateLog::default();
    log.note(&range(100, 110));
    log.note(&range(110, 130));
    let mut passed = PassedFiles::default();
    assert_eq!(log.missed(&passed), 0);
    passed.leave(&place(100));
    assert_eq!(log.missed(&passed), 30);
    passed.take(&range(100, 120));
    assert_eq!(log.missed(&passed), 10);
    passed.take_all(&log);
    assert_eq!(log.missed(&passed), 0);
    // One who read the file to its end later has had them in order.
    let mut later = PassedFiles::default();
    later.leave(&place(130));
    assert_eq!(log.missed(&later), 0);
}
