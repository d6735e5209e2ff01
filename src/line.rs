//! Line: where one ends, and what it states about itself: its time and its level.
//!
//! A *fact* is read from the line's own text, in whatever of the usual formats it is written.
//! This module knows nothing of files, sources or viewers.

mod calendar;
pub mod escape;
mod format;
pub mod level;
pub mod split;
mod stamp;
pub mod time;
pub mod zone;

pub use crate::line::format::{LineMetadata, metadata};
pub use crate::line::level::Level;
pub use crate::line::time::LineTime;
pub use crate::line::zone::Zone;
