//! Following: looks at the disk for what comes after the content that is read. What it finds goes into
//! [`next()`](crate::file::rotation::next::next), which decides.

use std::io;
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::cursor::HEAD_BYTES;
use crate::file::content::Content;
use crate::file::file_id::FileId;
use crate::file::lineage::{self, Sibling};
use crate::file::marks::Last;
use crate::file::rotation::next::{self, Next, Read, Seen};
use crate::file::seek;
use crate::file::segment::{Segment, nanos_of};
use crate::file::tail_reader::{Cut, Following, Known, MAX_AHEAD, Of, Pace, TailReader, begin};
use crate::history::{ReadError, RotatedHow, while_trying};

impl TailReader {
    /// A file's first lines are not the source's next ones if what it held before was copied away and
    /// emptied: of an empty file between two looks, of another one since it was opened. Then the copy
    /// comes first. What the file begins with need not tell (a banner).
    pub(super) fn has_missed_some(&mut self, first: &Chunk) -> Result<bool, ReadError> {
        let segment = Arc::clone(self.reader.segment());
        // A packed file is not emptied.
        if first.start().offset != segment.data_start()
            || segment.is_archive()
            || self.behind.is_led()
        {
            return Ok(false);
        }
        let what = format!("looking for what came before {}", segment.path().display());
        let siblings = self.files.list().map_err(while_trying(&what))?;
        let missed = self.find_missed(&segment, &siblings).map_err(while_trying(&what))?;
        let Some((missed, is_nameless)) = missed else { return Ok(false) };
        let missed = begin(missed)?;
        // What the file holds now comes later: as the list has it, or without a name.
        let again = is_nameless.then(|| self.files.again(&segment)).transpose();
        let again = again.map_err(while_trying(&what))?;
        segment.mark_missed();
        self.of = Of::Copy { seen_bytes: 0, origin: Arc::clone(&segment) };
        self.ahead.known = Known::of(&siblings);
        self.go_over_to(missed)?;
        self.ahead.segments = again.into_iter().collect();
        self.note_handover(&segment, first.start().offset, Vec::new(), false);
        Ok(true)
    }

    /// The copy of what was in a file before it was emptied unread, and whether the file has no name.
    fn find_missed(
        &self,
        segment: &Segment,
        siblings: &[Sibling],
    ) -> io::Result<Option<(Arc<Segment>, bool)>> {
        let own = siblings.iter().position(|sibling| Some(sibling.id) == segment.id());
        let (listing, n_read) = (lineage::listed(siblings), self.n_read(siblings)?);
        let seen = self.seen(n_read);
        let first = match self.seen.begun_empty {
            Some(time) => next::first_written_after(&listing, nanos_of(time), &seen),
            None => next::first_new_before(&listing, segment.id(), &seen),
        };
        let is_before = |first: &usize| own.is_none_or(|own| *first < own);
        let missed = first.filter(is_before).and_then(|missed| siblings.get(missed));
        let Some(missed) = missed.filter(|missed| !missed.is_active()) else { return Ok(None) };
        // The file itself, packed meanwhile.
        if own.is_none() && Content::of(segment)?.is_in(missed, &self.files)? {
            return Ok(None);
        }
        let missed = self.files.open(missed)?;
        // A copy of what is (still) in the file itself: it is about to be emptied.
        if !missed.is_archive() && holds(segment, &Content::of(&missed)?)? {
            return Ok(None);
        }
        Ok(Some((missed, own.is_none())))
    }

    pub(super) fn find_next(&mut self) -> io::Result<Option<Following>> {
        let segment = Arc::clone(self.reader.segment());
        let active = lineage::active(self.files.location())?;
        let is_active = active.as_ref().is_some_and(|file| Some(file.id) == segment.id());
        if is_active && !segment.is_truncated() {
            self.come_back();
            return Ok(None);
        }
        self.go_astray();
        let siblings = self.files.list()?;
        self.look_ahead(&siblings)?;
        self.put_deleted_origin_ahead(&siblings)?;
        let Some(next) = self.ahead.segments.front().cloned() else { return Ok(None) };
        let is_truncated = self.of.is_copy() || segment.is_truncated();
        let how = if is_truncated { RotatedHow::Truncated } else { self.ahead.how };
        let last = siblings.last().filter(|last| Some(last.id) == next.id());
        let is_active = last.is_some_and(Sibling::is_active);
        Ok(Some(Following { segment: next, how, is_last: last.is_some(), is_active }))
    }

    /// A file that was copied away and emptied may have been filled again and deleted before it was come
    /// to: then it stands between its last copy and what was made after it.
    fn put_deleted_origin_ahead(&mut self, siblings: &[Sibling]) -> io::Result<()> {
        let Of::Copy { seen_bytes: _, origin } = &self.of else { return Ok(()) };
        let is_listed = siblings.iter().any(|sibling| Some(sibling.id) == origin.id());
        let is_ahead = self.ahead.segments.iter().any(|segment| segment.id() == origin.id());
        if is_listed || is_ahead || origin.id() == self.reader.segment().id() {
            return Ok(());
        }
        let now = self.files.again(origin)?;
        let next = self.ahead.segments.front().and_then(|next| next.id());
        let is_before = next.is_some_and(|next| next.born() > now.written());
        if !is_before || now.size_and_change()?.0 == 0 {
            return Ok(());
        }
        // It may have been renamed and packed instead.
        let content = Content::of(&now)?;
        let mut is_kept = false;
        for sibling in siblings.iter().filter(|sibling| !sibling.is_active()) {
            is_kept |= content.is_in(sibling, &self.files)?;
        }
        if !is_kept {
            self.ahead.gone_bytes = 0;
            self.ahead.segments.push_front(now);
        }
        Ok(())
    }

    /// Opens what comes after the segment; at the live end also what comes after that.
    fn look_ahead(&mut self, siblings: &[Sibling]) -> io::Result<()> {
        let last = Arc::clone(self.ahead.segments.back().unwrap_or(self.reader.segment()));
        let Next::At { index, how } = self.what_follows(&last, siblings)? else { return Ok(()) };
        let n_wanted = if self.pace == Pace::Live { MAX_AHEAD } else { 1 };
        for sibling in siblings.iter().skip(index) {
            if self.ahead.segments.len() >= n_wanted {
                break;
            }
            match self.files.open(sibling) {
                // It is read in the file itself, or found when that is emptied.
                Ok(segment) if self.is_being_copied_to(&segment, siblings)? => {}
                Ok(segment) => {
                    if self.ahead.segments.is_empty() {
                        self.ahead.known = Known::of(siblings);
                        self.ahead.how = how;
                        self.ahead.gone_bytes = match how {
                            RotatedHow::Replaced => {
                                self.files.gone_between(&last, &segment, siblings)
                            }
                            RotatedHow::Renamed | RotatedHow::Truncated => 0,
                        };
                    }
                    self.ahead.segments.push_back(segment);
                }
                // Renamed or packed between the look and the opening: the next look shows it.
                Err(error) if lineage::is_absence(&error) => break,
                Err(_later) if !self.ahead.segments.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether `copy` is a copy of what is still in the active file, which is about to be emptied. A file
    /// that was renamed is older than the one that was begun then.
    fn is_being_copied_to(&self, copy: &Segment, siblings: &[Sibling]) -> io::Result<bool> {
        let Some(active) = siblings.last().filter(|last| last.is_active()) else {
            return Ok(false);
        };
        let (born, active_born) = (copy.id().map_or(0, FileId::born), active.id.born());
        if copy.is_archive() || active_born == 0 || born <= active_born || copy.head().is_empty() {
            return Ok(false);
        }
        match self.files.open(active) {
            Ok(active) => holds(&active, &Content::of(copy)?),
            // Just renamed: the next look shows it.
            Err(error) if lineage::is_absence(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Which of the files follows a segment, and how that came.
    fn what_follows(&self, last: &Segment, siblings: &[Sibling]) -> io::Result<Next> {
        let (id, written, is_emptied) = (last.id(), last.written(), last.is_truncated());
        let read = Read { id, written, is_emptied };
        let seen = self.seen(self.n_read(siblings)?.max(self.n_ahead(last, siblings)));
        let mut content = None;
        next::next(&read, &lineage::listed(siblings), &seen, |index| {
            let Some(sibling) = siblings.get(index) else { return Ok(false) };
            let content = match &mut content {
                Some(content) => content,
                None => content.insert(self.content_of(last)?),
            };
            Ok(content.is_in(sibling, &self.files)? || self.was_packed_to(last, sibling)?)
        })
    }

    /// Whether a segment that has lost its name was packed to `sibling`, and has grown since: its writer
    /// goes over to the new file later than the packer has read. What packs a log keeps its time.
    pub(super) fn was_packed_to(&self, segment: &Segment, sibling: &Sibling) -> io::Result<bool> {
        let born = segment.id().map_or(0, FileId::born);
        if born == 0 || segment.is_archive() || segment.is_truncated() || !sibling.is_packed() {
            return Ok(false);
        }
        let until = segment.size_and_change()?.1.map_or(0, nanos_of);
        let is_of_its_time =
            sibling.modified.is_some_and(|time| (born..=until).contains(&nanos_of(time)));
        if !is_of_its_time {
            return Ok(false);
        }
        let (own, packed) = (segment.head(), self.files.head_of(sibling)?);
        // Files may begin with the same banner.
        Ok(!packed.is_empty()
            && own.starts_with(&packed)
            && self.files.begins_with(segment, sibling)?)
    }

    /// What is known of a segment's content; of one that was emptied as far as it was read.
    fn content_of(&self, segment: &Segment) -> io::Result<Content> {
        let own = self.reader.segment();
        match (segment.is_truncated(), own.id() == segment.id()) {
            (false, _) => Content::of(segment),
            (true, true) => Ok(self.read_content()),
            (true, false) => Ok(Content { head: segment.head(), ..Content::default() }),
        }
    }

    /// The content that is read, as far as it was.
    pub(super) fn read_content(&self) -> Content {
        // More may be known of it than was read yet.
        if let Some(content) = self.behind.known_content(self.reader.read_to()) {
            return content.clone();
        }
        let end = (self.reader.read_to(), self.reader.lead().to_vec());
        let head = self.reader.segment().head();
        Content { head, end: Some(end), is_whole: false, modified: None }
    }

    /// How many of the files come before what follows `last`, which is ahead of what is read.
    fn n_ahead(&self, last: &Segment, siblings: &[Sibling]) -> usize {
        let own = self.reader.segment();
        let before = self.ahead.segments.iter().chain([own]).filter(|it| !it.is_truncated());
        let is_before = |sibling: &Sibling| {
            sibling.id != last.id().unwrap_or(sibling.id)
                && before.clone().any(|it| it.id() == Some(sibling.id))
        };
        siblings.iter().rposition(is_before).map_or(0, |at| at + 1)
    }

    fn seen(&self, n_read: usize) -> Seen<'_> {
        let known = &self.seen.known;
        Seen { n_read, known: &known.ids, known_until: known.until }
    }

    /// How many of the files were read before this one.
    fn n_read(&self, siblings: &[Sibling]) -> io::Result<usize> {
        let Some(left) = &self.seen.left else { return Ok(0) };
        if let Some(at) = siblings.iter().position(|sibling| Some(sibling.id) == left.id) {
            return Ok(at + 1);
        }
        // It may have been packed meanwhile.
        for (at, sibling) in siblings.iter().enumerate().rev() {
            if !sibling.is_active() && left.content.is_in(sibling, &self.files)? {
                return Ok(at + 1);
            }
        }
        // It is gone. What is emptied and filled keeps its identity, and is not read by that.
        let is_older =
            |sibling: &Sibling| !sibling.is_active() && self.seen.older.contains(&sibling.id);
        Ok(siblings.iter().rposition(is_older).map_or(0, |at| at + 1))
    }

    /// The file itself, where it holds what was read of it after all. Another reader may have come
    /// to an empty segment, found that it had missed some before, and called its file emptied.
    pub(super) fn find_same(&self) -> io::Result<Option<Arc<Segment>>> {
        let segment = self.reader.segment();
        if self.reader.read_to() <= segment.data_start() || segment.is_archive() {
            return Ok(None);
        }
        let now = self.files.again(segment)?;
        Ok(holds(&now, &self.read_content())?.then_some(now))
    }

    /// A sibling that holds what the segment held, at least as far as it was read.
    pub(super) fn find_copy(&self) -> io::Result<Option<Arc<Segment>>> {
        let (segment, content) = (self.reader.segment(), self.read_content());
        let siblings = self.files.list()?;
        for sibling in siblings.iter().rev().filter(|sibling| Some(sibling.id) != segment.id()) {
            if content.is_in(sibling, &self.files)? {
                return self.files.open(sibling).map(Some);
            }
        }
        Ok(None)
    }

    /// The last of the line ends read from the segment that `now`, which is the same file and not packed,
    /// still holds.
    fn last_mark_in(&self, now: &Segment, size: u64) -> io::Result<Option<Last>> {
        let segment = self.reader.segment();
        let (own, left, data_start) = (segment.head(), now.head(), now.data_start());
        let n_alike = own.iter().zip(&left).take_while(|(own, left)| own == left).count();
        // Of what was read the head is known byte for byte, and line ends behind it.
        segment.marks().last_before(size, |offset, check| {
            let n_known = usize::try_from(offset.saturating_sub(data_start)).unwrap_or(usize::MAX);
            let is_alike = n_alike >= n_known.min(own.len());
            Ok(is_alike && now.check_at(offset)? == check)
        })
    }

    /// Where `now`, which holds what this reader has read, was cut behind that: others have read more.
    pub(super) fn find_cut(&self, now: &Arc<Segment>) -> io::Result<Option<Cut>> {
        let segment = self.reader.segment();
        let size = now.size_and_change()?.0;
        let Some(Last { offset, .. }) = self.last_mark_in(now, size)? else { return Ok(None) };
        let is_cut = segment.marks().last().is_some_and(|(last, _)| last > offset);
        if !is_cut || offset < self.reader.read_to() {
            return Ok(None);
        }
        now.marks().take_over(segment.marks(), offset);
        let lost_bytes = segment.seen_bytes().saturating_sub(offset);
        Ok(Some(Cut { offset, lost_bytes }))
    }

    /// The file itself, if it was cut and what is left of it is what was read: with the place behind
    /// that, and how many bytes before the place may be new.
    pub(super) fn find_rest(&self) -> io::Result<Option<(Arc<Segment>, u64, u64)>> {
        let segment = self.reader.segment();
        if segment.is_archive() || segment.id().is_none() {
            return Ok(None);
        }
        let now = self.files.again(segment)?;
        let (own, left) = (segment.head(), now.head());
        let (size, data_start) = (now.size_and_change()?.0, now.data_start());
        if size == 0 || left.is_empty() || data_start != segment.data_start() {
            return Ok(None);
        }
        let n_alike = own.iter().zip(&left).take_while(|(own, left)| own == left).count();
        let last = self.last_mark_in(&now, size)?;
        let end = match last {
            Some(Last { offset, is_exact: true, .. }) => offset,
            // How far it is the same is not known.
            Some(Last { is_exact: false, .. }) => seek::last_line_end(&now, size)?,
            None if n_alike == HEAD_BYTES || n_alike as u64 == size => {
                seek::last_line_end(&now, size)?
            }
            None => 0,
        };
        let known = match last {
            Some(Last { offset, is_only: true, .. }) => offset,
            Some(Last { is_only: false, .. }) | None => data_start,
        };
        Ok((end > 0).then(|| (now, end, end.saturating_sub(known))))
    }
}

/// Whether `segment`, which is not packed, holds `content`, at least as far as that is known.
pub(super) fn holds(segment: &Segment, content: &Content) -> io::Result<bool> {
    let Some((end, lead)) = &content.end else { return Ok(false) };
    let holds_head = segment.head().starts_with(&content.head);
    let is_long_enough = segment.size_and_change()?.0 >= *end;
    let from = end - lead.len() as u64;
    Ok(holds_head && is_long_enough && segment.read_range(from, *end)? == *lead)
}
