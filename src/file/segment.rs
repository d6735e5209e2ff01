//! Segment: one physical file of a source's history, told by identity (device, inode and what its
//! head holds), not by name. It stays readable while somebody holds it, whatever becomes of its
//! name. A file that is emptied and written anew is another segment on the same inode.

pub mod handover;

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::OFlags;

use crate::chunk::Generation;
use crate::cursor::{
    CHECK_BYTES, CursorPrefix, GenerationKey, HEAD_BYTES, Version, check_of, hash32,
};
use crate::file::archive::{ArchiveReader, is_damage};
use crate::file::file_id::FileId;
use crate::file::gzip::GzipIndex;
use crate::file::gzip_indexes::GzipIndexes;
use crate::file::held_file::HeldFile;
use crate::file::hole::{self, count_zeros};
use crate::file::location::Location;
use crate::file::marks::Marks;
use crate::file::rotation::Compression;
use crate::file::segment::handover::Onward;
use crate::line::split::Encoding;
use crate::redact::{CONTEXT_BYTES, Redactor};

/// One physical file of a source, open.
#[derive(Debug)]
pub struct Segment {
    /// None for a source that has no file yet.
    body: Option<Body>,
    /// [`hash32`] of the source's name.
    source: u32,
    head: Mutex<Head>,
    /// The greatest size seen, of the unpacked content.
    seen_bytes: AtomicU64,
    /// The content this segment stands for is gone from its file.
    is_truncated: AtomicBool,
    /// When an empty file was last written to, at the first look (or when it was looked for).
    begun_empty: Option<SystemTime>,
    /// What must not be shown of it.
    redactor: Redactor,
    marks: Marks,
    onward: Onward,
}

#[derive(Debug)]
struct Body {
    path: PathBuf,
    file: HeldFile,
    id: FileId,
    compression: Compression,
    index: Arc<GzipIndex>,
}

/// The first bytes of the unpacked content, at most [`HEAD_BYTES`].
#[derive(Debug)]
struct Head {
    /// Where they stand: behind the hole that a file begins with whose writer went on at its own
    /// offset after the file had been emptied. Else 0.
    start: u64,
    bytes: Vec<u8>,
    /// When the file was last written to, in nanoseconds since 1970.
    written: u64,
    prefix: CursorPrefix,
}

/// How the file stands behind a segment that was read up to some offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds what it held.
    Same,
    /// A hole was punched into all that was read last; nothing came after it.
    Punched,
    /// It was emptied, and perhaps written anew.
    Truncated,
}

impl Segment {
    /// What a source without a file has.
    #[must_use]
    pub fn absent(source: u32) -> Self {
        let nothing = (0, Vec::new());
        Self::with_body(None, source, nothing, SystemTime::now(), Redactor::default())
    }

    /// Opens the file at `path`, if the file itself (links followed) is where `location` permits.
    pub fn open(
        path: &Path,
        location: &Location,
        compression: Compression,
        source: u32,
        indexes: &GzipIndexes,
        redactor: &Redactor,
    ) -> io::Result<Self> {
        // SECURITY: not blocking, so that a FIFO put in the file's place cannot hold us.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
        }
        // SECURITY: asked of the open file, so that no link can be switched between check and use.
        if location.confined_to.is_some() {
            let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
            if !location.permits(&real) {
                let text = format!("links out of what was configured, to {}", real.display());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
            }
        }
        let id = FileId::of(&metadata);
        let index = indexes.of(id, metadata.len(), metadata.modified().ok());
        let file = HeldFile::new(file);
        let body = Body { path: path.to_owned(), id, file, compression, index };
        let head = body.read_head()?;
        let redactor = redactor.clone();
        let segment = Self::with_body(Some(body), source, head, metadata.modified()?, redactor);
        if compression == Compression::None {
            segment.seen_bytes.store(metadata.len(), Ordering::Relaxed);
        }
        Ok(segment)
    }

    /// The same file, for what it holds now.
    pub fn again(&self) -> io::Result<Self> {
        let Some(body) = &self.body else { return Ok(Self::absent(self.source)) };
        let (path, file, id) = (body.path.clone(), body.file.get()?.try_clone()?, body.id);
        let written = file.metadata()?.modified()?;
        let file = HeldFile::new(file);
        let index = Arc::clone(&body.index);
        let body = Body { path, file, id, compression: body.compression, index };
        let head = body.read_head()?;
        let redactor = self.redactor.clone();
        Ok(Self::with_body(Some(body), self.source, head, written, redactor))
    }

    fn with_body(
        body: Option<Body>,
        source: u32,
        (start, head): (u64, Vec<u8>),
        written: SystemTime,
        redactor: Redactor,
    ) -> Self {
        let file = body.as_ref().map_or(0, |body| body.id.hash());
        let is_archive =
            body.as_ref().is_some_and(|body: &Body| body.compression != Compression::None);
        let begun_empty = (head.is_empty() && !is_archive).then_some(written);
        let head = Head::new((start, head), source, file, nanos_of(written), &redactor);
        Segment {
            body,
            source,
            head: Mutex::new(head),
            seen_bytes: AtomicU64::new(0),
            is_truncated: AtomicBool::new(false),
            begun_empty,
            redactor,
            marks: Marks::default(),
            onward: Onward::default(),
        }
    }

    /// When the file was last written to, as far as it was looked at, in nanoseconds since 1970.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.lock_head().written
    }

    /// When the file was last written to, if there was nothing in it at the first look.
    #[must_use]
    pub fn begun_empty(&self) -> Option<SystemTime> {
        self.begun_empty
    }

    /// Device and inode; none where there is no file.
    #[must_use]
    pub fn id(&self) -> Option<FileId> {
        self.body.as_ref().map(|body| body.id)
    }

    /// What [`Segment::id`] is in a cursor; 0 where there is no file.
    #[must_use]
    pub fn id_hash(&self) -> u32 {
        self.id().map_or(0, FileId::hash)
    }

    /// The name under which the file was opened, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.body.as_ref().map_or(Path::new("(no file)"), |body| &body.path)
    }

    /// The file, as it is held open.
    #[must_use]
    pub fn held(&self) -> Option<&HeldFile> {
        self.body.as_ref().map(|body| &body.file)
    }

    /// Whether the file was deleted, and is not kept for readers any more.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.held().is_some_and(|held| held.get().is_err())
    }

    /// Whether the content is packed (and so does not change any more).
    #[must_use]
    pub fn is_archive(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.compression != Compression::None)
    }

    /// How the bytes stand for text.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        Encoding::of_head(&self.lock_head().bytes)
    }

    /// What must not be shown of it.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The first bytes of the content, as far as known.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        self.lock_head().bytes.clone()
    }

    /// Where the content begins: behind a hole, if the file begins with one.
    #[must_use]
    pub fn data_start(&self) -> u64 {
        self.lock_head().start
    }

    /// Ends of lines that were read here.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// How the live end has left it.
    #[must_use]
    pub fn onward(&self) -> &Onward {
        &self.onward
    }

    /// [`check_of`] the position `offset`, of the line as it is shown; 0 where that is not known.
    pub fn check_at(&self, offset: u64) -> io::Result<u32> {
        let Some(line) = self.line_shown_before(offset)? else { return Ok(0) };
        Ok(if line.is_empty() { 0 } else { check_of(&line) })
    }

    /// The last line before `offset` as it is shown, or the end of it; none where a secret may reach
    /// into it from what was not looked at. [`io::ErrorKind::UnexpectedEof`] where the content ends
    /// before.
    pub fn line_shown_before(&self, offset: u64) -> io::Result<Option<Vec<u8>>> {
        let context = if self.redactor.is_empty() { 0 } else { CONTEXT_BYTES };
        let from = offset.saturating_sub((context + CHECK_BYTES) as u64).max(self.data_start());
        let mut before = self.content_range(from.min(offset), offset)?;
        if (before.len() as u64) < offset - from.min(offset) {
            let text = "the file is shorter than the position asked for";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        if self.redactor.is_empty() {
            return Ok(Some(before));
        }
        let encoding = self.encoding();
        if encoding.last_line_end(&before).is_none_or(|end| end < before.len()) {
            return Ok(None);
        }
        let unit = encoding.unit_bytes();
        let body = before.get(..before.len().saturating_sub(unit)).unwrap_or_default();
        match encoding.last_line_end(body) {
            Some(start) => drop(before.drain(..start)),
            None if from == 0 => {}
            None => return Ok(None),
        }
        Ok(Some(self.redactor.mask(encoding, &[], &before, &[]).unwrap_or(before)))
    }

    /// The size now, of a file that is not packed; and when it was last written to.
    pub fn size_and_change(&self) -> io::Result<(u64, Option<SystemTime>)> {
        let Some(body) = &self.body else { return Ok((0, None)) };
        body.file.size_and_change()
    }

    /// The greatest size of this content that was seen.
    #[must_use]
    pub fn seen_bytes(&self) -> u64 {
        self.seen_bytes.load(Ordering::Relaxed)
    }

    /// Notes that this content was seen to be so long.
    pub fn note_seen(&self, n_bytes: u64) {
        self.seen_bytes.fetch_max(n_bytes, Ordering::Relaxed);
    }

    /// Reads at `offset` of a file that is not packed, as much as fits into `buffer` or is there.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let Some(body) = &self.body else { return Ok(0) };
        let file = body.file.get()?;
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + n_read as u64) {
                Ok(0) => break,
                Ok(n_bytes) => n_read += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }

    /// The bytes from `from` to `to` of a file that is not packed; fewer where it is shorter.
    pub fn read_range(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let n_bytes = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
        let mut buffer = vec![0; n_bytes];
        let n_read = self.read_at(&mut buffer, from)?;
        buffer.truncate(n_read);
        Ok(buffer)
    }

    /// The unpacked bytes from `from` to `to`; fewer where there are not as many.
    pub fn content_range(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let Some(mut archive) = self.unpack(from)? else { return self.read_range(from, to) };
        let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
        let n_read = if archive.skip_to(from)? { archive.read_full(&mut bytes)? } else { 0 };
        bytes.truncate(n_read);
        Ok(bytes)
    }

    /// Begins to unpack the content, at or before `offset`. None if it is not packed.
    pub fn unpack(&self, offset: u64) -> io::Result<Option<ArchiveReader>> {
        match self.body.as_ref().filter(|body| body.compression != Compression::None) {
            Some(body) => body.unpack(offset).map(Some),
            None => Ok(None),
        }
    }

    /// Looks whether the file still holds what was read from it: `lead` are the last bytes before
    /// `offset`, `fresh` was read just now from there. Learns more of a head that has grown.
    pub fn verify(&self, offset: u64, lead: &[u8], fresh: &[u8]) -> io::Result<Standing> {
        if self.is_truncated() {
            return Ok(Standing::Truncated);
        }
        if self.is_archive() || self.body.is_none() {
            return Ok(Standing::Same);
        }
        let (size, changed) = self.size_and_change()?;
        let end = offset + fresh.len() as u64;
        if size < end {
            return Ok(Standing::Truncated);
        }
        // At the start of a file nothing but its head is known, and that may be a banner.
        if offset == self.data_start() && !self.holds_last_mark(self)? {
            return Ok(Standing::Truncated);
        }
        let tail = fresh.get(fresh.len().saturating_sub(lead.len().max(64))..).unwrap_or_default();
        let lead_now = self.read_range(offset - lead.len() as u64, offset)?;
        let tail_now = self.read_range(end - tail.len() as u64, end)?;
        let (start, head_now) = self.head_now()?;
        let mut head = self.lock_head();
        let begins_fresh = if offset == 0 && start == 0 { fresh } else { &[] };
        let begins_fresh = begins_fresh.get(..HEAD_BYTES).unwrap_or(begins_fresh);
        let lead_stands = holds_lead(&lead_now, lead);
        let is_punched = lead_stands == Lead::Zeros && fresh.is_empty() && size == end;
        let is_same = (lead_stands == Lead::Same || is_punched)
            && holds(&tail_now, tail)
            && holds(&head_now, &head.bytes)
            && holds(&head_now, begins_fresh);
        // A hole that reaches as far as the file was ever seen, with something behind it, is what a writer
        // leaves that does not append to a file which was emptied.
        let n_known = head.bytes.len();
        let is_zeroed = n_known > 0 && count_zeros(&head_now) >= n_known.min(head_now.len());
        let data_start = if is_zeroed { self.data_start_now()? } else { 0 };
        let is_refilled = data_start > offset && data_start >= self.seen_bytes();
        if !is_same || is_refilled && !is_punched {
            return Ok(Standing::Truncated);
        }
        // As long as a file is empty, its time is what tells it.
        let written = changed.map(nanos_of).filter(|_| !head_now.is_empty());
        let written = written.unwrap_or(head.written);
        let has_news = head_now.len() > head.bytes.len() || written != head.written;
        // Looked at under the lock: what has become of an emptied file is not learned.
        if has_news && !self.is_truncated() {
            let file = self.id_hash();
            // What was known when a hole was punched stays known.
            let mut known = head_now;
            known.iter_mut().zip(&head.bytes).for_each(|(now, before)| *now = *before);
            *head = Head::new((start, known), self.source, file, written, &self.redactor);
        }
        // Only now is it sure that this was the size of our content and not of another one. Where a hole has
        // taken the head it is not: a writer that does not append makes one in a file that was emptied.
        if !is_zeroed {
            self.seen_bytes.fetch_max(size, Ordering::Relaxed);
        }
        Ok(if is_punched { Standing::Punched } else { Standing::Same })
    }

    /// Where what the file holds now begins behind a hole; its size, if it holds nothing else.
    fn data_start_now(&self) -> io::Result<u64> {
        match &self.body {
            Some(body) => hole::data_start(body.file.get()?.as_ref()),
            None => Ok(0),
        }
    }

    /// What the head of a file that is not packed holds now, and where it stands.
    pub fn head_now(&self) -> io::Result<(u64, Vec<u8>)> {
        let (start, is_known) = {
            let head = self.lock_head();
            (head.start, !head.bytes.is_empty())
        };
        let head = self.read_range(start, start + HEAD_BYTES as u64)?;
        match &self.body {
            // What was known when a hole was punched stays known.
            Some(body) if !is_known && head.first() == Some(&0) => body.read_head(),
            Some(_) | None => Ok((start, head)),
        }
    }

    /// Notes the head that `now`, which continues this content, has: it may have been opened empty.
    pub fn learn_head(&self, now: &Segment) {
        let now = now.lock_head();
        let mut head = self.lock_head();
        if head.bytes.is_empty() && !now.bytes.is_empty() && !self.is_truncated() {
            let (start, bytes) = (now.start, now.bytes.clone());
            *head =
                Head::new((start, bytes), self.source, self.id_hash(), now.written, &self.redactor);
        }
    }

    /// Whether `fresh`, opened just now from the same file, can stand for the same content.
    pub fn is_continued_by(&self, fresh: &Segment) -> io::Result<bool> {
        {
            let (own, fresh) = (self.lock_head(), fresh.lock_head());
            // One that was opened while it was being packed knows little of what it holds by now.
            if self.is_archive() {
                return Ok(own.written == fresh.written && own.bytes == fresh.bytes);
            }
            // An empty file that was written to since has been filled and emptied.
            let was_emptied = fresh.bytes.is_empty() && own.written != fresh.written;
            let is_punched = fresh.start > own.start;
            let holds_head = is_punched || holds(&fresh.bytes, &own.bytes);
            if self.is_truncated() || was_emptied || !holds_head {
                return Ok(false);
            }
        }
        self.holds_last_mark(fresh)
    }

    /// Whether `fresh` has the last line that was read of this segment, too: files that begin with the
    /// same banner are told apart by it.
    fn holds_last_mark(&self, fresh: &Segment) -> io::Result<bool> {
        let Some((offset, check)) = self.marks.last() else { return Ok(true) };
        let before = match fresh.line_shown_before(offset) {
            Ok(before) => before.filter(|before| before.iter().any(|byte| *byte != 0)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        };
        // A hole that was punched into it is not another content.
        Ok(before.is_none_or(|before| check_of(&before) == check))
    }

    /// Whether the content this segment stands for is gone from its file.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.is_truncated.load(Ordering::Acquire)
    }

    /// Notes that the content is gone from the file.
    pub fn mark_truncated(&self) {
        self.is_truncated.store(true, Ordering::Release);
    }

    /// Notes of a segment begun empty that what its file holds now is not its first content: that
    /// was copied and emptied unread. Places in it stand before the copy.
    pub fn mark_missed(&self) {
        self.mark_truncated();
        if let Some(begun) = self.begun_empty {
            let (file, written) = (self.id_hash(), nanos_of(begun));
            let nothing = (0, Vec::new());
            *self.lock_head() = Head::new(nothing, self.source, file, written, &self.redactor);
        }
    }

    fn lock_head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `now` is what was `before`, perhaps longer. A hole punched into what was read leaves
/// zeros; that is not another content.
fn holds(now: &[u8], before: &[u8]) -> bool {
    let is_same = |(new, old): (&u8, &u8)| new == old || *new == 0;
    now.len() >= before.len() && now.iter().zip(before).all(is_same)
}

impl Generation for Segment {
    fn cursor_prefix(&self) -> CursorPrefix {
        self.lock_head().prefix
    }
}

impl Head {
    fn new(
        (start, bytes): (u64, Vec<u8>),
        source: u32,
        file: u32,
        written: u64,
        redactor: &Redactor,
    ) -> Self {
        let shown = shown_head(&bytes, redactor);
        let head_bytes = u16::try_from(shown.len()).unwrap_or(u16::MAX);
        let head = hash32(&shown);
        let version = Version::V2;
        let redaction = redactor.fingerprint();
        let key = GenerationKey {
            version,
            source,
            file,
            head_bytes,
            head,
            written: written / NANOS_A_MILLI,
            redaction,
        };
        Head { start, bytes, written, prefix: CursorPrefix::new(key) }
    }
}

/// How what stands before an offset compares with what stood there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// The same, but for a hole that was punched into its beginning.
    Same,
    /// Nothing but zeros. If the file has grown as well, it was emptied, and its writer went on at its
    /// own offset; else a hole was punched into it.
    Zeros,
    /// Other bytes.
    Other,
}

fn holds_lead(now: &[u8], before: &[u8]) -> Lead {
    if now.len() != before.len() {
        return Lead::Other;
    }
    let n_zeros = count_zeros(now);
    if n_zeros == now.len() && count_zeros(before) < before.len() {
        return Lead::Zeros;
    }
    if now.get(n_zeros..) == before.get(n_zeros..) { Lead::Same } else { Lead::Other }
}

/// What a cursor is made of: the head as it is shown. SECURITY: of a file in which something is masked
/// only whole lines, so that no hidden byte goes into the hash.
#[must_use]
pub fn shown_head<'a>(head: &'a [u8], redactor: &Redactor) -> Cow<'a, [u8]> {
    if redactor.is_empty() {
        return Cow::Borrowed(head);
    }
    let encoding = Encoding::of_head(head);
    let end = encoding.last_line_end(head).unwrap_or(0);
    let lines = head.get(..end).unwrap_or_default();
    redactor.mask(encoding, &[], lines, &[]).map_or(Cow::Borrowed(lines), Cow::Owned)
}

/// Nanoseconds since 1970.
#[must_use]
pub fn nanos_of(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Cursors tell times in milliseconds.
pub const NANOS_A_MILLI: u64 = 1_000_000;

impl Body {
    /// The first bytes behind the hole that the content may begin with, and where they stand.
    fn read_head(&self) -> io::Result<(u64, Vec<u8>)> {
        match self.compression {
            Compression::None => hole::head_of(self.file.get()?.as_ref(), HEAD_BYTES),
            Compression::Gzip | Compression::Zstd | Compression::Bzip2 | Compression::Xz => {
                match hole::head_of_archive(&mut self.unpack(0)?, HEAD_BYTES) {
                    // Who reads it is told; the files around it can be read.
                    Err(error) if is_damage(&error) => Ok((0, Vec::new())),
                    head => head,
                }
            }
        }
    }

    fn unpack(&self, offset: u64) -> io::Result<ArchiveReader> {
        let file = self.file.get()?.try_clone()?;
        Ok(ArchiveReader::open(file, self.compression, &self.index, offset))
    }
}
