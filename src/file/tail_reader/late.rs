//! Late: files that the live end has left, and that some writer may still have open. They are kept open,
//! a few and for a while, and what is added to them goes out where the live end is by then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::file::segment_reader::{Block, SegmentReader};
use crate::file::tail_reader::{LIVE_BLOCK_BYTES, TailReader};
use crate::history::StreamItem;

/// Files that were left.
#[derive(Debug, Default)]
pub(super) struct LateFiles {
    files: VecDeque<LateFile>,
}

#[derive(Debug)]
struct LateFile {
    reader: SegmentReader,
    /// When it was left, or something was added last.
    grown: Instant,
}

impl LateFiles {
    /// Keeps a file that was left, if it may still grow.
    pub(super) fn keep(&mut self, reader: SegmentReader) {
        let segment = reader.segment();
        if segment.id().is_none() || segment.is_archive() || segment.is_truncated() {
            return;
        }
        if self.files.len() >= MAX_FILES {
            self.files.pop_front();
        }
        self.files.push_back(LateFile { reader, grown: Instant::now() });
    }
}

impl TailReader {
    /// Hands out what was added to files that were left. Whether there was something.
    pub(super) fn take_late(&mut self) -> bool {
        let place = self.reader.place();
        let own = self.reader.segment().id();
        // The one that is read again (the names were switched back) is not late any more.
        self.late
            .files
            .retain(|it| it.grown.elapsed() < PATIENCE && it.reader.segment().id() != own);
        let mut has_some = false;
        self.late.files.retain_mut(|file| {
            match file.reader.next_block(LIVE_BLOCK_BYTES, u64::MAX) {
                Ok(Block::Chunk(chunk)) => {
                    file.grown = Instant::now();
                    has_some = true;
                    let chunk = chunk.late_at(place.clone());
                    self.files.metrics().bytes_read.inc_by(chunk.raw().len() as u64);
                    self.queue.push_back(StreamItem::Chunk(Arc::new(chunk)));
                    true
                }
                Ok(Block::End) => true,
                Ok(Block::Truncated) => false,
                Err(error) => {
                    let path = file.reader.segment().path().display().to_string();
                    tracing::warn!(path, %error, "late lines cannot be read");
                    false
                }
            }
        });
        has_some
    }
}

/// Old files of one source that are kept open.
const MAX_FILES: usize = 4;

/// A file that was quiet for this long is let go of.
const PATIENCE: Duration = Duration::from_secs(600);
