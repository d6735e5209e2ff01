//! Segment: one physical file of a source's history, told by identity (device, inode and what its
//! head holds), not by name. It stays readable while somebody holds it, whatever becomes of its
//! name. A file that is emptied and written anew is another segment on the same inode.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::OFlags;

use crate::chunk::Generation;
use crate::cursor::{CursorPrefix, GenerationKey, HEAD_BYTES, hash32};
use crate::file::archive::{ArchiveReader, is_damage};
use crate::file::gzip::GzipIndex;
use crate::file::gzip_indexes::GzipIndexes;
use crate::file::location::Location;
use crate::file::rotation::Compression;
use crate::line::split::Encoding;
use crate::redact::Redactor;

/// Which file on this host: device and inode. Inode numbers are given again once a file is gone;
/// while a segment holds its file open they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The identity that `metadata` tells.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }

    /// The device.
    #[must_use]
    pub fn device(self) -> u64 {
        self.device
    }

    /// What stands for it in a cursor.
    #[must_use]
    pub fn hash(self) -> u32 {
        let mut bytes = [0; 16];
        let both = self.device.to_le_bytes().into_iter().chain(self.inode.to_le_bytes());
        bytes.iter_mut().zip(both).for_each(|(byte, part)| *byte = part);
        hash32(&bytes)
    }
}

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
}

#[derive(Debug)]
struct Body {
    path: PathBuf,
    file: File,
    id: FileId,
    compression: Compression,
    index: Arc<GzipIndex>,
}

/// The first bytes of the unpacked content, at most [`HEAD_BYTES`].
#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    /// When the file was last written to, in milliseconds since 1970.
    written: u64,
    prefix: CursorPrefix,
}

/// How the file stands behind a segment that was read up to some offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds what it held.
    Same,
    /// It was emptied, and perhaps written anew.
    Truncated,
}

impl Segment {
    /// What a source without a file has.
    #[must_use]
    pub fn absent(source: u32) -> Self {
        Self::with_body(None, source, Vec::new(), SystemTime::now(), Redactor::default())
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
        let (path, file, id) = (body.path.clone(), body.file.try_clone()?, body.id);
        let written = file.metadata()?.modified()?;
        let index = Arc::clone(&body.index);
        let body = Body { path, file, id, compression: body.compression, index };
        let head = body.read_head()?;
        let redactor = self.redactor.clone();
        Ok(Self::with_body(Some(body), self.source, head, written, redactor))
    }

    fn with_body(
        body: Option<Body>,
        source: u32,
        head: Vec<u8>,
        written: SystemTime,
        redactor: Redactor,
    ) -> Self {
        let file = body.as_ref().map_or(0, |body| body.id.hash());
        let is_archive =
            body.as_ref().is_some_and(|body: &Body| body.compression != Compression::None);
        let begun_empty = (head.is_empty() && !is_archive).then_some(written);
        let head = Head::new(head, source, file, millis_of(written), &redactor);
        Segment {
            body,
            source,
            head: Mutex::new(head),
            seen_bytes: AtomicU64::new(0),
            is_truncated: AtomicBool::new(false),
            begun_empty,
            redactor,
        }
    }

    /// When the file was last written to, as far as it was looked at, in milliseconds since 1970.
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

    /// The size now, of a file that is not packed; and when it was last written to.
    pub fn size_and_change(&self) -> io::Result<(u64, Option<SystemTime>)> {
        let Some(body) = &self.body else { return Ok((0, None)) };
        let metadata = body.file.metadata()?;
        Ok((metadata.len(), metadata.modified().ok()))
    }

    /// The greatest size of this content that was seen.
    #[must_use]
    pub fn seen_bytes(&self) -> u64 {
        self.seen_bytes.load(Ordering::Relaxed)
    }

    /// Reads at `offset` of a file that is not packed, as much as fits into `buffer` or is there.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let Some(body) = &self.body else { return Ok(0) };
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match body.file.read_at(rest, offset + n_read as u64) {
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
        let tail = fresh.get(fresh.len().saturating_sub(lead.len().max(64))..).unwrap_or_default();
        let lead_now = self.read_range(offset - lead.len() as u64, offset)?;
        let tail_now = self.read_range(end - tail.len() as u64, end)?;
        let head_now = self.read_range(0, HEAD_BYTES as u64)?;
        let mut head = self.lock_head();
        let begins_fresh = if offset == 0 { fresh } else { &[] };
        let begins_fresh = begins_fresh.get(..HEAD_BYTES).unwrap_or(begins_fresh);
        let is_same = holds(&lead_now, lead)
            && holds(&tail_now, tail)
            && holds(&head_now, &head.bytes)
            && holds(&head_now, begins_fresh);
        if !is_same {
            return Ok(Standing::Truncated);
        }
        // As long as a file is empty, its time is what tells it.
        let written = changed.map(millis_of).filter(|_| !head_now.is_empty());
        let written = written.unwrap_or(head.written);
        let has_news = head_now.len() > head.bytes.len() || written != head.written;
        // Looked at under the lock: what has become of an emptied file is not learned.
        if has_news && !self.is_truncated() {
            let file = self.id_hash();
            *head = Head::new(head_now, self.source, file, written, &self.redactor);
        }
        // Only now is it sure that this was the size of our content and not of another one.
        self.seen_bytes.fetch_max(size, Ordering::Relaxed);
        Ok(Standing::Same)
    }

    /// Whether `fresh`, opened just now from the same file, can stand for the same content.
    #[must_use]
    pub fn is_continued_by(&self, fresh: &Segment) -> bool {
        let (own, fresh) = (self.lock_head(), fresh.lock_head());
        // An empty file that was written to since has been filled and emptied.
        let was_emptied = fresh.bytes.is_empty() && own.written != fresh.written;
        !self.is_truncated() && !was_emptied && holds(&fresh.bytes, &own.bytes)
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
            let (file, written) = (self.id_hash(), millis_of(begun));
            *self.lock_head() = Head::new(Vec::new(), self.source, file, written, &self.redactor);
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
    fn new(bytes: Vec<u8>, source: u32, file: u32, written: u64, redactor: &Redactor) -> Self {
        let told = told_head(&bytes, redactor);
        let head_bytes = u16::try_from(told.len()).unwrap_or(u16::MAX);
        let head = hash32(told);
        let key = GenerationKey { source, file, head_bytes, head, written };
        Head { bytes, written, prefix: CursorPrefix::new(key) }
    }
}

/// What a cursor tells of a head. SECURITY: of one with secrets only whole lines, so that nobody
/// can try out a secret letter by letter with cursors made up for it.
#[must_use]
pub fn told_head<'a>(head: &'a [u8], redactor: &Redactor) -> &'a [u8] {
    if redactor.is_empty() || head.len() >= HEAD_BYTES {
        return head;
    }
    let end = Encoding::of_head(head).last_line_end(head).unwrap_or(0);
    head.get(..end).unwrap_or_default()
}

/// Milliseconds since 1970.
#[must_use]
pub fn millis_of(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Body {
    fn read_head(&self) -> io::Result<Vec<u8>> {
        let mut head = vec![0; HEAD_BYTES];
        let n_read = match self.compression {
            Compression::None => self.file.read_at(&mut head, 0)?,
            Compression::Gzip | Compression::Zstd | Compression::Bzip2 | Compression::Xz => {
                match self.unpack(0)?.read_full(&mut head) {
                    // Who reads it is told; the files around it can be read.
                    Err(error) if is_damage(&error) => 0,
                    read => read?,
                }
            }
        };
        head.truncate(n_read);
        Ok(head)
    }

    fn unpack(&self, offset: u64) -> io::Result<ArchiveReader> {
        let file = self.file.try_clone()?;
        Ok(ArchiveReader::open(file, self.compression, &self.index, offset))
    }
}
