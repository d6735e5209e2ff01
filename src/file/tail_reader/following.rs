//! Following: looks at the disk for what comes after the content that is read. What it finds goes into
//! [`next()`](crate::file::rotation::next::next), which decides.

use std::io;
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::cursor::HEAD_BYTES;
use crate::file::content::Content;
use crate::file::lineage::{self, Sibling};
use crate::file::rotation::next::{self, Next, Read, Seen};
use crate::file::seek;
use crate::file::segment::{Segment, nanos_of};
use crate::file::tail_reader::{Following, MAX_AHEAD, Of, Pace, TailReader, begin};
use crate::history::{ReadError, RotatedHow, while_trying};

impl TailReader {
    /// An empty file's first lines are not the source's next ones if it was filled, copied and
    /// emptied between two looks. Then the copy comes first.
    pub(super) fn has_missed_some(&mut self, first: &Chunk) -> Result<bool, ReadError> {
        let segment = Arc::clone(self.reader.segment());
        let is_first = first.start().offset == segment.data_start();
        let Some(time) = self.seen.begun_empty.filter(|_| is_first) else { return Ok(false) };
        let what = format!("looking for what came before {}", segment.path().display());
        let Some((missed, is_nameless)) =
            self.find_missed(&segment, nanos_of(time)).map_err(while_trying(&what))?
        else {
            return Ok(false);
        };
        let missed = begin(missed)?;
        // What the file holds now comes later: as the list has it, or without a name.
        let again = is_nameless.then(|| self.files.again(&segment)).transpose();
        let again = again.map_err(while_trying(&what))?;
        segment.mark_missed();
        self.of = Of::Copy { seen_bytes: 0, origin: segment.id() };
        self.go_over_to(missed)?;
        self.ahead.segments = again.into_iter().collect();
        Ok(true)
    }

    /// The copy of what was in an empty file between two looks, and whether the file has no name.
    fn find_missed(
        &self,
        segment: &Segment,
        begun: u64,
    ) -> io::Result<Option<(Arc<Segment>, bool)>> {
        let siblings = self.files.list()?;
        let own = siblings.iter().position(|sibling| Some(sibling.id) == segment.id());
        let seen = Seen { n_read: self.n_read(&siblings)?, known: &self.seen.known };
        let first = next::first_written_after(&lineage::listed(&siblings), begun, &seen);
        let is_before = |first: &usize| own.is_none_or(|own| *first < own);
        let missed = first.filter(is_before).and_then(|missed| siblings.get(missed));
        let Some(missed) = missed.filter(|missed| !missed.is_active()) else { return Ok(None) };
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
        let Some(next) = self.ahead.segments.front().cloned() else { return Ok(None) };
        let is_truncated = self.of != Of::Itself || segment.is_truncated();
        let how = if is_truncated { RotatedHow::Truncated } else { self.ahead.how };
        let last = siblings.last().filter(|last| Some(last.id) == next.id());
        let is_active = last.is_some_and(Sibling::is_active);
        Ok(Some(Following { segment: next, how, is_last: last.is_some(), is_active }))
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
                Ok(segment) => {
                    if self.ahead.segments.is_empty() {
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

    /// Which of the files follows a segment, and how that came.
    fn what_follows(&self, last: &Segment, siblings: &[Sibling]) -> io::Result<Next> {
        let (id, written, is_emptied) = (last.id(), last.written(), last.is_truncated());
        let read = Read { id, written, is_emptied };
        let seen = Seen { n_read: self.n_read(siblings)?, known: &self.seen.known };
        let mut content = None;
        next::next(&read, &lineage::listed(siblings), &seen, |index| {
            let Some(sibling) = siblings.get(index) else { return Ok(false) };
            let content = match &mut content {
                Some(content) => content,
                None => content.insert(self.content_of(last)?),
            };
            content.is_in(sibling, &self.files)
        })
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
        let end = (self.reader.read_to(), self.reader.lead().to_vec());
        let head = self.reader.segment().head();
        Content { head, end: Some(end), is_whole: false, modified: None }
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
        Ok(0)
    }

    /// The file itself, where it holds what was read of it after all. Another reader may have come
    /// to an empty segment, found that it had missed some before, and called its file emptied.
    pub(super) fn find_same(&self) -> io::Result<Option<Arc<Segment>>> {
        let segment = self.reader.segment();
        if self.reader.read_to() == 0 || segment.is_archive() {
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

    /// The file itself, if it was cut and what is left of it is what was read: with the place behind
    /// that, and whether what stands before the place stood nowhere else.
    pub(super) fn find_rest(&self) -> io::Result<Option<(Arc<Segment>, u64, bool)>> {
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
        // Of what was read the head is known byte for byte, and line ends behind it.
        let holds = |offset: u64, check: u32| {
            let n_known = usize::try_from(offset.saturating_sub(data_start)).unwrap_or(usize::MAX);
            let is_alike = n_alike >= n_known.min(own.len());
            Ok::<_, io::Error>(is_alike && now.check_at(offset)? == check)
        };
        if let Some((offset, is_only)) = segment.marks().last_before(size, holds)? {
            return Ok(Some((now, offset, is_only)));
        }
        // It begins as it did, and how far it is the same is not known.
        let is_known_head = n_alike == HEAD_BYTES || n_alike as u64 == size;
        let end = seek::last_line_end(&now, size)?;
        Ok((is_known_head && end > 0).then_some((now, end, false)))
    }
}

/// Whether `segment`, which is not packed, holds `content`, at least as far as that is known.
fn holds(segment: &Segment, content: &Content) -> io::Result<bool> {
    let Some((end, lead)) = &content.end else { return Ok(false) };
    let holds_head = segment.head().starts_with(&content.head);
    let is_long_enough = segment.size_and_change()?.0 >= *end;
    let from = end - lead.len() as u64;
    Ok(holds_head && is_long_enough && segment.read_range(from, *end)? == *lead)
}
