//! The hot paths one by one, in nanoseconds and bytes a second: splitting, seeking from the end,
//! filtering, encoding, cursors, and what lines tell.
//!
//! `cargo bench --bench micro -- [FILTER]`
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot run fails loudly; criterion's macros make public items"
)]

use std::fmt;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tailcast::chunk::{Chunk, Ends, Generation, Position};
use tailcast::cursor::{Cursor, CursorPrefix, GenerationKey, Version};
use tailcast::file::gzip_indexes::GzipIndexes;
use tailcast::file::location::Location;
use tailcast::file::rotation::Compression;
use tailcast::file::seek::TailSeek;
use tailcast::file::segment::Segment;
use tailcast::filter::{Filter, Inherited, Selection, compile};
use tailcast::line::split::Encoding;
use tailcast::line::{Level, Zone, metadata};
use tailcast::wire::text::{TextEncoder, TextOptions};
use tailcast::wire::{ndjson, sse};

/// One in ten is an error, as it is on a bad day.
const LINES: [&str; 10] = [
    "2026-11-21T10:00:00.123456Z INFO request served path=/api/v1/items status=200 bytes=5120 ms=3",
    "2026-11-21T10:00:00.125911Z DEBUG cache hit key=session:8f14e45f ttl=3540s size=2214",
    "2026-11-21T10:00:00.130002Z INFO request served path=/static/app.js status=304 bytes=0 ms=0",
    "2026-11-21T10:00:00.131417Z INFO user signed in id=42 from=10.0.0.7 agent=\"Mozilla/5.0 (X11)\"",
    "2026-11-21T10:00:00.140000Z WARN slow query table=orders rows=120311 ms=812 plan=seq_scan",
    "2026-11-21T10:00:00.151234Z ERROR upstream 10.0.0.9:8080 refused the connection after 3 tries",
    "2026-11-21T10:00:00.160007Z INFO request served path=/api/v1/cart status=201 bytes=311 ms=12",
    "2026-11-21T10:00:00.170551Z INFO Grüße aus Köln: Bestellung № 4711 bezahlt, 19,99 € brutto",
    "2026-11-21T10:00:00.180909Z DEBUG pool connections idle=7 busy=13 waiting=0 max=32",
    "2026-11-21T10:00:00.190000Z INFO job 7f3a finished queue=mail sent=118 failed=0 in 2.31 s",
];

const SAMPLES: [(&str, &str); 4] = [
    ("iso", LINES[0]),
    (
        "json",
        r#"{"time":"2026-11-21T10:00:00.123456Z","level":"info","msg":"request served","path":"/api/v1/items","status":200}"#,
    ),
    ("syslog", "Nov 21 10:00:00 web1 nginx[812]: upstream timed out (110: Connection timed out)"),
    ("plain", "    at com.example.shop.Cart.checkout(Cart.java:118) ~[shop.jar:1.4.2]"),
];

type Encode<'a> = &'a dyn Fn(&Chunk) -> Bytes;

/// Whole lines, at least `n_bytes` of them.
fn log_of(n_bytes: usize) -> Bytes {
    let mut text = Vec::with_capacity(n_bytes + 256);
    for line in LINES.iter().cycle() {
        if text.len() >= n_bytes {
            break;
        }
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    Bytes::from(text)
}

const fn key() -> GenerationKey {
    GenerationKey {
        version: Version::V2,
        redaction: 0,
        source: 0x1234_5678,
        file: 0x9abc_def0,
        head_bytes: 1024,
        head: 0xfe_dcba,
        written: 1_795_000_000_000,
    }
}

/// A generation that is no file.
struct Fixed;

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fixed")
    }
}

impl Generation for Fixed {
    fn cursor_prefix(&self) -> CursorPrefix {
        CursorPrefix::new(key())
    }
}

/// A chunk about which nothing has been found out yet.
fn chunk_of(log: &Bytes) -> Chunk {
    let start = Position { generation: Arc::new(Fixed), offset: 1 << 30, check: 1 };
    Chunk::new(start, log.clone(), Encoding::Utf8, Ends::default())
}

fn throughput(log: &Bytes) -> Throughput {
    Throughput::Bytes(log.len() as u64)
}

fn split(criterion: &mut Criterion) {
    let log = log_of(1 << 20);
    let mut group = criterion.benchmark_group("split");
    group.throughput(throughput(&log));
    group.bench_function("count line ends, 1 MiB", |bencher| {
        bencher.iter(|| Encoding::Utf8.count_line_ends(black_box(&log)));
    });
    group.bench_function("note line ends, 1 MiB", |bencher| {
        bencher.iter(|| {
            let mut ends = Vec::new();
            Encoding::Utf8.for_each_line_end(black_box(&log), |end| ends.push(end));
            ends
        });
    });
    group.finish();
}

fn tail(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().join("app.log");
    let mut file = std::fs::File::create(&path).expect("a file");
    let block = log_of(1 << 20);
    (0..256).for_each(|_| file.write_all(&block).expect("room for 256 MiB"));
    let location =
        Location { path: path.clone(), siblings: false, olddir: None, confined_to: None };
    let segment = Segment::open(
        &path,
        &location,
        Compression::None,
        0,
        &GzipIndexes::default(),
        &tailcast::redact::Redactor::default(),
    )
    .expect("the file opens");
    let segment = Arc::new(segment);
    let (size, _) = segment.size_and_change().expect("the file has a size");
    let zone = Zone::system();
    let errors = Filter { level: Some(Level::Error), ..Filter::default() };
    let mut group = criterion.benchmark_group("tail of 256 MiB");
    for (filter_name, filter) in [("", Filter::default()), (", errors only", errors)] {
        for n_wanted in [10, 10_000] {
            group.throughput(Throughput::Elements(n_wanted));
            group.bench_function(format!("last {n_wanted} lines{filter_name}"), |bencher| {
                bencher.iter(|| {
                    let mut seek = TailSeek { filter: &filter, zone: &zone, n_wanted };
                    seek.in_segment(&segment, 0, size).expect("the file can be read")
                });
            });
        }
    }
    group.finish();
}

fn filter(criterion: &mut Criterion) {
    let log = log_of(64 * 1024);
    let zone = Zone::system();
    let grep = |pattern: &str| Filter {
        grep: Some(compile(pattern).expect("a pattern")),
        ..Filter::default()
    };
    let cases = [
        ("grep Upstream (literal)", grep("Upstream")),
        ("grep refused (any case)", grep("refused")),
        (r"grep status=[45]\d\d|ms=\d{3,} (any case)", grep(r"status=[45]\d\d|ms=\d{3,}")),
        ("level error", Filter { level: Some(Level::Error), ..Filter::default() }),
    ];
    let mut group = criterion.benchmark_group("filter 64 KiB");
    group.throughput(throughput(&log));
    for (name, filter) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || chunk_of(&log),
                |chunk| filter.select(chunk, &mut Inherited::default(), &zone),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let log = log_of(64 * 1024);
    let zone = Zone::system();
    let all = Selection::All;
    let text = |chunk: &Chunk| {
        TextEncoder::new(TextOptions::default(), false).lines(0, "app.log", chunk, &all, &zone)
    };
    let records = |chunk: &Chunk| ndjson::lines("app.log", chunk, &all, &zone);
    let events = |chunk: &Chunk| sse::lines("app.log", chunk, &all, &zone);
    let cases: [(&str, Encode<'_>); 3] = [("text", &text), ("NDJSON", &records), ("SSE", &events)];
    let mut group = criterion.benchmark_group("encode 64 KiB");
    group.throughput(throughput(&log));
    for (name, encode) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || chunk_of(&log),
                |chunk| encode(chunk),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("encoded for the next viewer");
    for (name, encode) in cases {
        let chunk = chunk_of(&log);
        group.bench_function(name, |bencher| bencher.iter(|| encode(&chunk)));
    }
    group.finish();
}

fn cursor(criterion: &mut Criterion) {
    let prefix = CursorPrefix::new(key());
    let token = Cursor { generation: key(), offset: 123_456_789, check: 4711 }.to_string();
    let mut group = criterion.benchmark_group("cursor");
    group.throughput(Throughput::Elements(1));
    group.bench_function("write", |bencher| {
        let mut out = Vec::with_capacity(64);
        bencher.iter(|| {
            out.clear();
            prefix.write_token(black_box(123_456_789), black_box(4711), &mut out);
            out.len()
        });
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| black_box(&token).parse::<Cursor>());
    });
    group.finish();
}

fn facts_of_lines(criterion: &mut Criterion) {
    let zone = Zone::system();
    let mut group = criterion.benchmark_group("facts of a line");
    group.throughput(Throughput::Elements(1));
    for (name, line) in SAMPLES {
        group.bench_function(name, |bencher| {
            bencher.iter(|| metadata(black_box(line.as_bytes()), &zone));
        });
    }
    group.finish();
}

criterion_group!(benches, split, tail, filter, encode, cursor, facts_of_lines);
criterion_main!(benches);
