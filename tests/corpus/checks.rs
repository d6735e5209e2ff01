//! What holds for any bytes from outside. The fuzz targets (`fuzz/`) look for input that breaks one
//! of these, and `tests/corpus` holds them for the input that is kept. Each takes raw bytes, and
//! panics where its property does not hold.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tailcast::chunk::Chunk;
use tailcast::cursor::{Cursor, GenerationKey, HEAD_BYTES, Version, parse_set};
use tailcast::file::archive::ArchiveReader;
use tailcast::file::gzip::GzipIndex;
use tailcast::file::gzip_indexes::GzipIndexes;
use tailcast::file::location::Location;
use tailcast::file::rotation::{self, Compression};
use tailcast::file::seek::TailSeek;
use tailcast::file::segment::Segment;
use tailcast::file::segment_reader::{Block, SegmentReader};
use tailcast::filter::Filter;
use tailcast::http::query;
use tailcast::line::split::{Encoding, trim_line_end};
use tailcast::line::{LineTime, Zone, metadata};
use tailcast::redact::Redactor;
use tailcast::source::MAX_OLDER_LINES;
use tailcast::websocket::command::{self, Command, Seek};

/// A cursor, or a set of them: what is read is written the same, and what is damaged is refused.
pub fn cursor(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match parse_set(&text) {
        Ok(cursors) => {
            let tokens: Vec<String> = cursors.iter().map(Cursor::to_string).collect();
            assert_eq!(tokens.join("~"), text);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let mut numbers = Bytes(input);
    let is_old = input.first().is_some_and(|byte| byte & 1 == 1);
    let (version, check_bytes) = if is_old { (Version::V1, 2) } else { (Version::V2, 4) };
    let cursor = Cursor {
        generation: GenerationKey {
            version,
            source: numbers.number(4) as u32,
            file: numbers.number(4) as u32,
            head_bytes: (numbers.number(2) % (HEAD_BYTES as u64 + 1)) as u16,
            head: numbers.number(4) as u32,
            written: numbers.number(6),
            redaction: if is_old { 0 } else { numbers.number(1) as u8 },
        },
        offset: numbers.number(6),
        check: numbers.number(check_bytes) as u32,
    };
    let token = cursor.to_string();
    assert_eq!(token.len(), if is_old { 44 } else { 48 });
    assert_eq!(token.parse(), Ok(cursor));
    // A checksum of 32 bits finds each change of one character.
    let (at, other) =
        (numbers.number(1) as usize % token.len(), b'A' + numbers.number(1) as u8 % 26);
    let mut damaged = token.clone().into_bytes();
    damaged[at] = other;
    let damaged = String::from_utf8(damaged).unwrap();
    assert!(damaged == token || damaged.parse::<Cursor>().is_err(), "{token} and {damaged}");
}

/// A query and a `Last-Event-ID` (what follows the first line end): the order of parameters does
/// not matter, and what is refused is named.
pub fn query(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (asked, resume) = match text.split_once('\n') {
        Some((asked, resume)) => (asked, Some(resume)),
        None => (&*text, None),
    };
    let zone = Zone::at(TimeZone::UTC, Timestamp::UNIX_EPOCH);
    let parsed = query::parse(Some(asked), resume, &zone);
    let turned: Vec<&str> = asked.rsplit('&').collect();
    let turned = query::parse(Some(&turned.join("&")), resume, &zone);
    assert_eq!(parsed.is_ok(), turned.is_ok(), "{asked:?} {parsed:?} {turned:?}");
    match parsed {
        Ok(parsed) => {
            assert!(parsed.from.is_none() || parsed.tail.is_none());
            // Whatever pattern was let in can be used.
            let told = parsed.filter.text_passes(input, &mut |_| true);
            assert_eq!(parsed.filter.text_passes(input, &mut |_| true), told);
        }
        Err(problem) => {
            let told = format!("{problem:?}");
            assert!(told.contains("parameter `"), "{told}");
        }
    }
}

/// A command of a WebSocket client: the answer to nonsense fits into a message and repeats the
/// `id`; what makes sense is within bounds.
pub fn command(input: &[u8]) {
    let message = String::from_utf8_lossy(input);
    let zone = Zone::at(TimeZone::UTC, Timestamp::UNIX_EPOCH);
    let received = command::parse(&message, &zone);
    let id: Value = serde_json::from_str(&received.re).expect("an `id` is JSON");
    match serde_json::from_str::<Value>(&message) {
        Ok(Value::Object(fields)) if !id.is_null() => assert_eq!(fields.get("id"), Some(&id)),
        Ok(_) | Err(_) => assert!(id.is_null() && received.command.is_err()),
    }
    match received.command {
        Ok(Command::Older { before, n_lines, source: _ }) => {
            assert!(!before.is_empty() && (1..=MAX_OLDER_LINES).contains(&n_lines));
        }
        Ok(Command::Filter(rule)) => {
            let filter = Filter { grep: rule.grep, exclude: rule.exclude, ..Filter::default() };
            assert_eq!(
                filter.text_passes(input, &mut |_| true),
                filter.text_passes(input, &mut |_| true)
            );
        }
        Ok(Command::Seek(Seek::From(places))) => assert!(!places.is_empty()),
        Ok(
            Command::Seek(Seek::Past { .. })
            | Command::Pause
            | Command::Resume
            | Command::Follow { .. }
            | Command::Unfollow { .. },
        ) => {}
        Err(error) => {
            let answer = serde_json::json!({"re": id, "error": error}).to_string();
            assert!(!error.is_empty() && answer.len() < 512 * 1024);
        }
    }
}

/// Lines in any bytes: all ways to find their ends agree; what a line tells can be written and read
/// again; and what a container runtime wraps around a line hides nothing that it tells.
pub fn line(input: &[u8]) {
    for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
        let mut ends = Vec::new();
        encoding.for_each_line_end(input, |end| ends.push(end));
        assert!(ends.is_sorted_by(|a, b| a < b));
        assert_eq!(encoding.last_line_end(input), ends.last().copied());
        assert_eq!(encoding.count_line_ends(input), ends.len());
        let piece = encoding.piece_bytes(input);
        assert!(piece <= input.len() && input.len() - piece < 4);
        assert!(piece > 0 || input.len() < 2, "no progress in {input:?}");
    }
    let zone = Zone::at(TimeZone::UTC, Timestamp::UNIX_EPOCH);
    for text in input.split(|byte| *byte == b'\n') {
        let text = trim_line_end(text);
        let told = metadata(text, &zone);
        if let Some(time) = told.time {
            let again = LineTime::parse_rfc3339(time.to_string().as_bytes()).expect("a time");
            assert_eq!(again, time);
            assert_eq!(again.offset_seconds(), time.offset_seconds());
        }
        wrapped(text, &zone);
    }
}

fn wrapped(text: &[u8], zone: &Zone) {
    let is_wrapped = |text: &[u8]| {
        let is_mark = |mark: &[u8]| memchr::memmem::find(text, mark).is_some();
        is_mark(b" std") || is_mark(b"{")
    };
    let Ok(inner) = std::str::from_utf8(text) else { return };
    if is_wrapped(text) || text.len() > 512 || text.is_empty() {
        return;
    }
    let told = metadata(text, zone);
    let time = "2026-11-21T10:00:00.123456789Z";
    let cri = format!("{time} stdout F {inner}");
    let outer = metadata(cri.as_bytes(), zone);
    assert_eq!(outer.level, told.level, "{cri:?}");
    assert_eq!(outer.time, told.time.or(LineTime::parse_rfc3339(time.as_bytes())), "{cri:?}");
    let docker = serde_json::json!({"log": inner, "stream": "stdout", "time": time}).to_string();
    let outer = metadata(docker.as_bytes(), zone);
    // What is escaped is not read further than it has to be.
    if inner.chars().all(|c| (' '..='~').contains(&c)) {
        assert_eq!(outer.level, told.level, "{docker}");
    }
    assert!(outer.time.is_some(), "{docker}");
}

/// A file of any bytes (after two that say how it is read): in blocks of whatever size it is the
/// same lines, from whatever place, and the last ones are the last ones.
pub fn reader(input: &[u8]) {
    let [size, places, content @ ..] = input else { return };
    let segment = segment_of(content);
    let whole = read(&segment, 0, 1 << 20);
    let raw: Vec<u8> = whole.iter().flat_map(|chunk| chunk.raw().to_vec()).collect();
    assert_eq!(raw, content);
    let lines = lines_of(&whole);
    let text: Vec<u8> = whole.iter().flat_map(|chunk| chunk.text().to_vec()).collect();
    let joined: Vec<u8> = lines.iter().flat_map(|line| line.1.clone()).collect();
    assert_eq!(joined, text);
    let in_blocks = lines_of(&read(&segment, 0, usize::from(*size).max(1)));
    assert_eq!(in_blocks, lines);
    // From any place between two lines, what is left.
    if let Some(at) = usize::from(*places).checked_rem(lines.len()) {
        let rest = lines_of(&read(&segment, lines[at].0, usize::from(*size).max(1)));
        assert_eq!(rest, lines[at + 1..]);
    }
    let zone = Zone::at(TimeZone::UTC, Timestamp::UNIX_EPOCH);
    let filter = Filter::default();
    let n_wanted = u64::from(*places);
    let mut seek = TailSeek { filter: &filter, zone: &zone, n_wanted };
    let start = seek.in_segment(&segment, 0, content.len() as u64).unwrap();
    let last = lines_of(&read(&segment, start, 1 << 20));
    assert_eq!(last.len() as u64, n_wanted.min(lines.len() as u64));
    assert_eq!(last, lines[lines.len() - last.len()..]);
}

/// The end, the text and whether more of it may follow, of each line.
fn lines_of(chunks: &[Arc<Chunk>]) -> Vec<(u64, Vec<u8>, bool)> {
    let line =
        |line: tailcast::chunk::LineRef<'_>| (line.end_offset, line.text.to_vec(), line.partial);
    chunks.iter().flat_map(|chunk| chunk.lines().map(line).collect::<Vec<_>>()).collect()
}

fn read(segment: &Arc<Segment>, from: u64, block_bytes: usize) -> Vec<Arc<Chunk>> {
    let mut reader = SegmentReader::new(Arc::clone(segment), from).unwrap();
    let mut chunks = Vec::new();
    loop {
        match reader.next_block(block_bytes, u64::MAX).unwrap() {
            Block::Chunk(chunk) => chunks.push(chunk),
            Block::Truncated => panic!("nobody has touched the file"),
            Block::End => break,
        }
    }
    chunks.extend(reader.take_rest(false).map(Arc::new));
    chunks
}

/// A packed file of any bytes (after two: how it is packed, and how it is read): read in pieces of
/// whatever size it gives the same bytes and ends the same; and a part of it gives a part of them.
pub fn archive(input: &[u8]) {
    let [kind, size, packed @ ..] = input else { return };
    let compression = match kind % 4 {
        0 => Compression::Gzip,
        1 => Compression::Zstd,
        2 => Compression::Bzip2,
        _ => Compression::Xz,
    };
    let file = file_of(packed);
    let index = Arc::new(GzipIndex::default());
    let reader = || ArchiveReader::open(file.try_clone().unwrap(), compression, &index, 0);
    let whole = unpack(reader(), 1 << 16);
    let in_pieces = unpack(reader(), usize::from(*size) + 1);
    assert_eq!(in_pieces.1.is_some(), whole.1.is_some(), "{in_pieces:?} {whole:?}");
    match whole.1 {
        None => assert!(in_pieces.0 == whole.0, "other pieces, other bytes"),
        // A decoder may fail with bytes in its hands.
        Some(_) => assert!(is_part(&whole.0, &in_pieces.0), "other pieces, other bytes"),
    }
    file.set_len(packed.len() as u64 * u64::from(*size) / 256).unwrap();
    let cut = unpack(reader(), 1 << 16);
    assert!(is_part(&whole.0, &cut.0), "a cut file tells something else");
}

/// Whether one begins with the other.
fn is_part(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// What an archive gives, up to [`MOST_UNPACKED`], and the error that ends it. An error stays.
fn unpack(mut reader: ArchiveReader, piece: usize) -> (Vec<u8>, Option<io::ErrorKind>) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    while all.len() < MOST_UNPACKED {
        assert_eq!(reader.offset(), all.len() as u64);
        match reader.read_full(&mut buffer) {
            Ok(0) => {
                assert_eq!(reader.read_full(&mut buffer).unwrap(), 0);
                return (all, None);
            }
            Ok(n_bytes) => all.extend_from_slice(&buffer[..n_bytes]),
            Err(error) => {
                assert!(reader.read_full(&mut buffer).is_err(), "an error was forgotten");
                return (all, Some(error.kind()));
            }
        }
    }
    all.truncate(MOST_UNPACKED);
    (all, None)
}

/// A file's name: what is told of it holds together, and adding to the name adds to what is told.
pub fn rotated_name(input: &[u8]) {
    let name = String::from_utf8_lossy(input);
    let parsed = rotation::parse(&name);
    if let Some(rotated) = &parsed {
        assert!(!rotated.base.is_empty() && rotated.base.len() < name.len());
        assert_eq!(name.chars().next(), rotated.base.chars().next());
        assert_eq!(rotated.compression, Compression::split(&name).1);
    }
    if Compression::split(&name).1 != Compression::None {
        return;
    }
    let packed = rotation::parse(&format!("{name}.xz"));
    assert_eq!(
        packed.map(|packed| (packed.base, packed.age)),
        parsed.map(|own| (own.base, own.age))
    );
    let numbers = [1, 2].map(|number| rotation::parse(&format!("{name}.{number}")));
    if let [Some(young), Some(old)] = numbers {
        assert!(old.age < young.age && old.base == young.base, "{old:?} {young:?}");
    }
}

/// Takes numbers off bytes; 0 once there are none.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn number(&mut self, n_bytes: usize) -> u64 {
        let (now, rest) = self.0.split_at(n_bytes.min(self.0.len()));
        self.0 = rest;
        now.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// A file without a name.
fn file_of(content: &[u8]) -> File {
    let file = rustix::fs::memfd_create("content", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(file);
    file.write_all(content).unwrap();
    file
}

fn segment_of(content: &[u8]) -> Arc<Segment> {
    let file = file_of(content);
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let location =
        Location { path: path.clone(), siblings: false, olddir: None, confined_to: None };
    let indexes = GzipIndexes::default();
    Arc::new(
        Segment::open(&path, &location, Compression::None, 1, &indexes, &Redactor::default())
            .unwrap(),
    )
}

/// A small file may hold a great deal.
const MOST_UNPACKED: usize = 1 << 20;
