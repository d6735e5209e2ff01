//! Files: what one source has on disk. Hands out segments so that one file is open once, however
//! many read it, and remembers the heads of files that no longer change.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use crate::chunk::{Generation, Position};
use crate::cursor::{Cursor, hash32};
use crate::file::archive::is_damage;
use crate::file::fd_reserve::FdReserve;
use crate::file::file_history::FileHistory;
use crate::file::file_id::FileId;
use crate::file::folders::Folders;
use crate::file::gzip_indexes::GzipIndexes;
use crate::file::held_file::HeldFile;
use crate::file::lineage::{self, Sibling};
use crate::file::location::Location;
use crate::file::own_files::OwnFiles;
use crate::file::resume;
use crate::file::rotation::Compression;
use crate::file::segment::handover::Handover;
use crate::file::segment::{NANOS_A_MILLI, Segment};
use crate::metrics::Metrics;
use crate::redact::Redactor;
use crate::source::SourceName;

/// One source's files.
#[derive(Debug)]
pub struct Files {
    location: Location,
    source: u32,
    metrics: Arc<Metrics>,
    open: Mutex<Vec<Weak<Segment>>>,
    /// What the live end has left last of what was emptied or cut: for clients that come back.
    left: Mutex<VecDeque<Arc<Segment>>>,
    heads: Mutex<HashMap<HeadKey, Vec<u8>>>,
    file_history: Mutex<FileHistory>,
    n_handovers: AtomicU64,
    shared: Arc<SharedFiles>,
    redactor: Redactor,
}

/// What the files of all sources share.
#[derive(Debug, Default)]
pub struct SharedFiles {
    indexes: GzipIndexes,
    folders: Folders,
    fd_reserve: FdReserve,
    own: OwnFiles,
}

impl SharedFiles {
    /// With a full reserve of descriptors.
    #[must_use]
    pub fn with_reserve() -> Self {
        let shared = Self::default();
        shared.fd_reserve.fill();
        shared
    }

    /// Sets the files that are never opened.
    #[must_use]
    pub fn guarding(self, own: OwnFiles) -> Self {
        SharedFiles { own, ..self }
    }

    /// The files that are never opened.
    #[must_use]
    pub fn own(&self) -> &OwnFiles {
        &self.own
    }
}

type HeadKey = (FileId, u64, Option<SystemTime>);

impl Files {
    /// The files of the source `name` at `location`. Opens nothing.
    #[must_use]
    pub fn new(
        name: &SourceName,
        location: Location,
        metrics: Arc<Metrics>,
        shared: Arc<SharedFiles>,
        redactor: Redactor,
    ) -> Self {
        let source = hash32(name.as_str().as_bytes());
        let (open, left, heads, file_history, n_handovers) = Default::default();
        Files {
            location,
            source,
            metrics,
            open,
            left,
            heads,
            file_history,
            n_handovers,
            shared,
            redactor,
        }
    }

    /// Where the files are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// [`hash32`] of the source's name.
    #[must_use]
    pub fn source_hash(&self) -> u32 {
        self.source
    }

    /// All files, from old to young.
    pub fn list(&self) -> io::Result<Vec<Sibling>> {
        let list = || lineage::list(&self.location, &self.shared.folders, Duration::ZERO);
        let siblings = self.shared.fd_reserve.open(list)?;
        let alike = |packed: &Sibling, plain: &Sibling| self.is_packed_from(packed, plain);
        let siblings = lineage::drop_twins(siblings, alike)?;
        let segments: Vec<Arc<Segment>> =
            lock(&self.open).iter().filter_map(Weak::upgrade).collect();
        self.bound_deleted(&segments, &siblings);
        let is_listed =
            |segment: &Arc<Segment>| siblings.iter().any(|it| Some(it.id) == segment.id());
        lock(&self.left).retain(is_listed);
        let open: Vec<FileId> = segments.iter().filter_map(|segment| segment.id()).collect();
        lock(&self.file_history).note(&siblings, |id| open.contains(&id));
        Ok(siblings)
    }

    /// Closes the oldest deleted files that are kept for slow readers, if there are too many.
    fn bound_deleted(&self, segments: &[Arc<Segment>], siblings: &[Sibling]) {
        let is_listed = |segment: &Segment| siblings.iter().any(|it| Some(it.id) == segment.id());
        let deleted: Vec<_> = segments
            .iter()
            .filter(|segment| !is_listed(segment))
            .filter_map(|segment| segment.held())
            .filter(|held| held.is_deleted(&self.metrics))
            .collect();
        let n_spare = deleted.len().saturating_sub(MAX_DELETED);
        for held in deleted.into_iter().take(n_spare) {
            held.release();
        }
        // A file without a reader is not kept at all.
        let is_begun = |segment: &&Arc<Segment>| Arc::strong_count(segment) > 2;
        let is_noted =
            |segment: &&Arc<Segment>| segments.iter().any(|it| it.onward().is_to(segment));
        for segment in segments.iter().filter(|it| !is_begun(it) && is_noted(it)) {
            let held = segment.held().filter(|held| held.is_deleted(&self.metrics));
            held.into_iter().for_each(HeldFile::release);
        }
    }

    /// Records the final state of a file.
    pub fn note_end(&self, segment: &Segment) {
        // A file that was truncated continues under its own identity.
        let id = segment.id().filter(|_| !segment.is_truncated());
        if let (Some(id), Ok((size, modified))) = (id, segment.size_and_change()) {
            lock(&self.file_history).note_end(id, size, modified);
        }
    }

    /// How many of `siblings`, from the oldest on, were seen to come before the file of a cursor.
    #[must_use]
    pub fn n_before(&self, cursor: &Cursor, siblings: &[Sibling]) -> usize {
        let file_history = lock(&self.file_history);
        // A copy of that file comes before it, too, but was made later.
        let is_older = |sibling: &Sibling| {
            let born = sibling.id.born();
            !sibling.is_packed() && born > 0 && born / NANOS_A_MILLI < cursor.generation.written
        };
        let is_before = |sibling: &Sibling| {
            is_older(sibling) && file_history.is_before(sibling.id, |id| id.is_in(cursor))
        };
        siblings.iter().rposition(is_before).map_or(0, |at| at + 1)
    }

    /// How often the live end moved to another segment.
    #[must_use]
    pub fn n_handovers(&self) -> u64 {
        self.n_handovers.load(Ordering::Acquire)
    }

    /// The number of the next handover.
    pub fn number_handover(&self) -> u64 {
        self.n_handovers.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Records how the live end has left a segment, for readers that are behind.
    pub fn note_handover(&self, from: &Arc<Segment>, handover: Handover) {
        if Arc::ptr_eq(from, &handover.to) {
            return;
        }
        from.onward().note(handover);
        if from.is_truncated() {
            self.keep_left(from);
        }
        self.shorten_handovers();
    }

    fn keep_left(&self, segment: &Arc<Segment>) {
        let mut left = lock(&self.left);
        left.push_back(Arc::clone(segment));
        let n_spare = left.len().saturating_sub(MAX_LEFT);
        let spare: Vec<_> = left.drain(..n_spare).collect();
        // Each may be the last of a chain.
        drop(left);
        drop(spare);
    }

    /// The live end has ended: what it has left is not kept any longer.
    pub fn forget_left(&self) {
        let left = std::mem::take(&mut *lock(&self.left));
        drop(left);
    }

    /// Lets go of segments that only lead on to others. Some are held by the newest lines for a while.
    pub fn shorten_handovers(&self) {
        let open: Vec<Weak<Segment>> = {
            let mut open = lock(&self.open);
            open.retain(|segment| segment.strong_count() > 0);
            open.clone()
        };
        // One at a time: examining a segment counts as reading it.
        open.iter().filter_map(Weak::upgrade).for_each(|segment| segment.onward().shorten());
        if open.len() > MAX_KNOWN {
            let is_deleted = |segment: &Segment| {
                segment.held().is_some_and(|held| held.is_deleted(&self.metrics))
            };
            for segment in open.iter().filter_map(Weak::upgrade) {
                segment.onward().forget_named(is_deleted);
            }
        }
    }

    /// The bytes of lost files between two others.
    #[must_use]
    pub fn gone_between(&self, from: &Segment, to: &Segment, siblings: &[Sibling]) -> u64 {
        match (from.id(), to.id()) {
            (Some(from), Some(to)) => lock(&self.file_history).gone_between(from, to, siblings),
            (Some(_) | None, Some(_) | None) => 0,
        }
    }

    /// All files, from old to young, possibly cached for a moment: for lists of many sources.
    pub fn list_for_show(&self) -> io::Result<Vec<Sibling>> {
        let siblings = lineage::list(&self.location, &self.shared.folders, SHOWN_AGE)?;
        lineage::drop_twins(siblings, |_packed, _plain| Ok(true))
    }

    /// Whether `packed` is, or is becoming, the compressed form of `plain`.
    fn is_packed_from(&self, packed: &Sibling, plain: &Sibling) -> io::Result<bool> {
        // A compressor starts after the file was written, and keeps its time in the end.
        let is_older = packed.modified < plain.modified;
        let (packed, plain_size) = (self.open(packed)?, plain.size);
        let plain = self.open(plain)?.read_range(0, TWIN_BYTES)?;
        let Some(mut archive) = packed.unpack(0)? else { return Ok(false) };
        let mut unpacked = vec![0; plain.len() + 1];
        let (n_read, is_whole) = match archive.read_full(&mut unpacked) {
            Ok(n_read) => (n_read, n_read < unpacked.len()),
            Err(error) if is_damage(&error) => (0, false),
            Err(error) => return Err(error),
        };
        let is_whole = is_whole && archive.read_full(&mut [0]).is_ok();
        let is_alike = plain.iter().zip(unpacked.iter().take(n_read)).all(|(a, b)| a == b);
        let n_read = n_read as u64;
        // An empty archive, or its first frames, look complete as well.
        let is_begun = n_read < plain_size && (!is_whole || !is_older);
        Ok(is_alike && (is_begun || n_read == plain_size))
    }

    /// Whether the plain `segment` begins with all that `packed` holds, as far as is compared.
    pub fn begins_with(&self, segment: &Segment, packed: &Sibling) -> io::Result<bool> {
        let own = segment.read_range(0, TWIN_BYTES)?;
        match self.open(packed)?.content_range(0, TWIN_BYTES) {
            Ok(packed) => Ok(own.starts_with(&packed)),
            Err(error) if is_damage(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The file that is written to: the active one, or without one the youngest that is not packed.
    pub fn youngest(&self) -> io::Result<Option<Sibling>> {
        if let Some(active) = lineage::active(&self.location)? {
            return Ok(Some(active));
        }
        Ok(self.list()?.pop())
    }

    /// The youngest file with content that is not packed. Just after a rotation the active file is
    /// empty, and its writer may still be writing to this one.
    pub fn last_written(&self) -> io::Result<Option<Sibling>> {
        let is_it = |sibling: &Sibling| sibling.size > 0;
        let last = self.list()?.into_iter().rfind(is_it);
        Ok(last.filter(|sibling| sibling.compression == Compression::None))
    }

    /// Opens a file, or shares it if it is open.
    pub fn open(&self, sibling: &Sibling) -> io::Result<Arc<Segment>> {
        let (path, compression) = (&sibling.path, sibling.compression);
        let SharedFiles { indexes, fd_reserve, own, .. } = &*self.shared;
        let redactor = &self.redactor;
        let fresh = fd_reserve.open(|| {
            Segment::open(path, &self.location, compression, self.source, indexes, redactor)
        })?;
        // SECURITY: checked again, as names and links may have changed since the scan.
        if own.hold(fresh.id()) {
            let text = "is a file of this server's own";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        if fresh.id() != Some(sibling.id) {
            let text = format!("{} is another file by now", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        self.share(fresh)
    }

    /// Retries if a file was renamed or compressed between the listing and its opening. A rotator
    /// only moves a few names.
    pub fn settled<T>(&self, mut look: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        for _ in 1..MAX_TRIES {
            match look() {
                Err(error) if lineage::is_absence(&error) => std::thread::yield_now(),
                looked => return looked,
            }
        }
        look()
    }

    /// The file of a segment, with its current content. It may have been deleted.
    pub fn again(&self, segment: &Segment) -> io::Result<Arc<Segment>> {
        self.share(segment.again()?)
    }

    /// The open segment that stands for the same content, else this one.
    fn share(&self, fresh: Segment) -> io::Result<Arc<Segment>> {
        let mut looked: Vec<Arc<Segment>> = Vec::new();
        loop {
            let is_new = |segment: &Arc<Segment>| {
                segment.id() == fresh.id() && !looked.iter().any(|it| Arc::ptr_eq(it, segment))
            };
            let mut open = lock(&self.open);
            open.retain(|segment| segment.strong_count() > 0);
            let Some(segment) = open.iter().filter_map(Weak::upgrade).find(is_new) else {
                let segment = Arc::new(fresh);
                open.push(Arc::downgrade(&segment));
                return Ok(segment);
            };
            // It may have to read, and the disk may be slow.
            drop(open);
            if segment.is_continued_by(&fresh)? {
                return Ok(segment);
            }
            looked.push(segment);
        }
    }

    /// The open segment that a cursor was made for, by what was read of it: its file may have been deleted,
    /// cut or emptied since.
    #[must_use]
    pub fn read_before(&self, cursor: &Cursor) -> Option<Arc<Segment>> {
        let open: Vec<Arc<Segment>> = lock(&self.open).iter().filter_map(Weak::upgrade).collect();
        // From old to young.
        open.into_iter()
            .find(|segment| !segment.is_released() && resume::was_read_of(cursor, segment))
    }

    /// A placeholder for "no file yet"; the same one as long as it is held.
    #[must_use]
    pub fn absent(&self) -> Arc<Segment> {
        let mut open = lock(&self.open);
        let shared = open.iter().filter_map(Weak::upgrade).find(|segment| segment.id().is_none());
        shared.unwrap_or_else(|| {
            let segment = Arc::new(Segment::absent(self.source));
            open.push(Arc::downgrade(&segment));
            segment
        })
    }

    /// The segment of a position of this source.
    #[must_use]
    pub fn segment_of(&self, position: &Position) -> Option<Arc<Segment>> {
        lock(&self.open).iter().filter_map(Weak::upgrade).find(|segment| {
            let generation: Arc<dyn Generation> = Arc::<Segment>::clone(segment);
            crate::chunk::is_same(&generation, &position.generation)
        })
    }

    /// The first bytes of a file's decompressed content.
    pub fn head_of(&self, sibling: &Sibling) -> io::Result<Vec<u8>> {
        let key = (sibling.id, sibling.size, sibling.modified);
        if let Some(head) = lock(&self.heads).get(&key) {
            return Ok(head.clone());
        }
        let head = self.open(sibling)?.head();
        let mut heads = lock(&self.heads);
        if heads.len() >= MAX_HEADS {
            heads.clear();
        }
        if sibling.compression != Compression::None {
            heads.insert(key, head.clone());
        }
        Ok(head)
    }

    /// The path of the active file, for the watch.
    #[must_use]
    pub fn active_path(&self) -> PathBuf {
        self.location.path.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many deleted files of one source are kept open for readers; more than the live end looks
/// ahead.
const MAX_DELETED: usize = 24;

/// What was emptied or cut last, of one source.
const MAX_LEFT: usize = 4;

/// Open files of one source up to which it is kept how the live end went from one to the next.
const MAX_KNOWN: usize = 48;

/// How much of a file is compared with its possible archive.
const TWIN_BYTES: u64 = 64 * 1024;

/// How often an opening is retried while files are being renamed.
const MAX_TRIES: usize = 64;

/// The maximum age of a list of files that is only displayed.
const SHOWN_AGE: Duration = Duration::from_secs(1);

/// Of each source; a head is at most 1 KiB.
const MAX_HEADS: usize = 256;

#[cfg(test)]
mod tests;
