//! Copying: a file that is being copied away, and is emptied afterwards. The copy comes before it in the
//! list of files from its first byte on, but is whole only once the file was emptied; and until then
//! both hold the same lines.

use std::sync::Arc;
use std::time::Instant;

use crate::file::content::Content;
use crate::file::segment::Segment;
use crate::file::tail_reader::following::holds;
use crate::file::tail_reader::{Following, Of, ROTATE_PATIENCE, ROTATE_QUIET, TailReader};
use crate::history::{ReadError, while_trying};

impl TailReader {
    /// Whether what is read is a copy of `next`, which holds (still) all that the copy has. Where the
    /// file system tells no times of birth, only a file known to be a copy is one: files may be alike.
    pub(super) fn is_copy_of(&self, next: &Arc<Segment>) -> Result<bool, ReadError> {
        let own = self.reader.segment();
        let (Some(id), Some(next_id)) = (own.id(), next.id()) else { return Ok(false) };
        let is_copy = match &self.of {
            Of::Copy { seen_bytes: _, origin } => origin.id() == Some(next_id),
            // Written since it was made, and made after what it is like: not one that was moved.
            Of::Itself => {
                next_id.born() > 0 && id.born() > next_id.born() && own.written() >= id.born()
            }
        };
        if !is_copy || own.is_archive() || next.is_archive() || next.is_truncated() {
            return Ok(false);
        }
        let what = || format!("comparing {} with its copy", next.path().display());
        let content = Content::of(own).map_err(while_trying(what()))?;
        holds(next, &content).map_err(while_trying(what()))
    }

    /// Waits until the file was emptied, so that its copy is whole. If nobody empties it, it is read on
    /// where the copy ends.
    pub(super) fn outlast_copying(&mut self, next: Following) -> Result<(), ReadError> {
        let (since, quiet_since) = self.leave();
        let now = Instant::now();
        if now - quiet_since < ROTATE_QUIET && now - since < ROTATE_PATIENCE {
            self.wait();
            return Ok(());
        }
        let what = format!("going on in {}", next.segment.path().display());
        if self.reader.read_to() == 0 {
            return self.step_over(next);
        }
        self.of = Of::Itself;
        self.come_back();
        self.go_on_in(next.segment).map_err(while_trying(what))
    }
}
