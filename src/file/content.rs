//! Content: what is known of a file's content, to find it again in another file: in a copy, or in what
//! it was packed to.

use std::io;
use std::time::SystemTime;

use crate::cursor::CHECK_BYTES;
use crate::file::archive::is_damage;
use crate::file::files::Files;
use crate::file::lineage::Sibling;
use crate::file::rotation::Compression;
use crate::file::segment::Segment;

/// What is known of a content.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Its first bytes.
    pub head: Vec<u8>,
    /// How far it was read, and the last bytes before that.
    pub end: Option<(u64, Vec<u8>)>,
    /// It ends there.
    pub is_whole: bool,
    /// When its file was last written to. Most of what packs or copies a log keeps this time.
    pub modified: Option<SystemTime>,
}

impl Content {
    /// All that `segment` holds.
    pub fn of(segment: &Segment) -> io::Result<Self> {
        let (size, modified) = segment.size_and_change()?;
        if segment.is_archive() || segment.is_released() {
            let head = segment.head();
            // How long it is unpacked is not known before it has been read.
            return Ok(Content { head, end: None, is_whole: true, modified });
        }
        // It may have been opened when it was empty, and not been read yet.
        let head = segment.head_now()?.1;
        let lead = segment.read_range(size.saturating_sub(CHECK_BYTES as u64), size)?;
        Ok(Content { head, end: Some((size, lead)), is_whole: true, modified })
    }

    /// Whether `sibling` holds this content, from the start and as far as it was read. That two files
    /// begin alike is not enough: many logs begin with a banner.
    pub fn is_in(&self, sibling: &Sibling, files: &Files) -> io::Result<bool> {
        let is_plain = sibling.compression == Compression::None;
        if let Some((end, _)) = &self.end
            && is_plain
            && (sibling.size < *end || self.is_whole && sibling.size > *end)
        {
            return Ok(false);
        }
        if self.head.is_empty() || !files.head_of(sibling)?.starts_with(&self.head) {
            return Ok(false);
        }
        if self.is_whole && self.modified.is_some() && self.modified == sibling.modified {
            return Ok(true);
        }
        let Some((end, lead)) = &self.end else { return Ok(false) };
        let segment = files.open(sibling)?;
        let from = end - lead.len() as u64;
        match segment.content_range(from, end + 1) {
            Ok(found) => {
                let is_end = found.len() == lead.len();
                Ok(found.starts_with(lead) && (is_end || !self.is_whole))
            }
            Err(error) if is_damage(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Where `segment` stands in `siblings`: by identity, or as what it was packed or copied to.
pub fn position(
    siblings: &[Sibling],
    segment: &Segment,
    files: &Files,
) -> io::Result<Option<usize>> {
    if segment.is_truncated() || segment.id().is_none() {
        return Ok(None);
    }
    if let Some(at) = siblings.iter().position(|sibling| Some(sibling.id) == segment.id()) {
        return Ok(Some(at));
    }
    let content = Content::of(segment)?;
    for (at, sibling) in siblings.iter().enumerate().rev() {
        if !sibling.is_active() && content.is_in(sibling, files)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
