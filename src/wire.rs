//! Wire: deliveries in, bytes out. One file a format, and this one for what they share: the records
//! and the lines of a chunk. Pure: no Rocket, no files, no sockets.

pub mod ndjson;
pub mod page;
pub mod record;
pub mod sse;
pub mod text;
pub mod websocket;

use std::str::FromStr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::chunk::Chunk;
use crate::cursor::MAX_SET;
use crate::filter::Selection;
use crate::follower::{Delivery, Follower};
use crate::line::Zone;
use crate::wire::record::write_set;
use crate::wire::text::TextOptions;

/// The output format of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines as text.
    Text,
    /// One JSON record a line.
    Ndjson,
    /// Server-sent events.
    Sse,
    /// The bytes as they are.
    Raw,
}

impl Format {
    /// The format's name in queries and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Ndjson => "ndjson",
            Self::Sse => "sse",
            Self::Raw => "raw",
        }
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "text" => Ok(Self::Text),
            "ndjson" => Ok(Self::Ndjson),
            "sse" => Ok(Self::Sse),
            "raw" => Ok(Self::Raw),
            _ => Err(()),
        }
    }
}

/// Writes one viewer's stream.
#[derive(Debug)]
pub struct Encoder {
    format: Format,
    /// The requested name: a source's, or a glob.
    requested: String,
    is_glob: bool,
    text: text::TextEncoder,
    zone: Arc<Zone>,
}

impl Encoder {
    /// An encoder for a stream of the requested name.
    #[must_use]
    pub fn new(
        format: Format,
        requested: &str,
        is_glob: bool,
        options: TextOptions,
        zone: Arc<Zone>,
    ) -> Self {
        let text = text::TextEncoder::new(options, is_glob);
        Encoder { format, requested: requested.to_owned(), is_glob, text, zone }
    }

    /// What comes before the first delivery.
    #[must_use]
    pub fn start(&self, follower: &Follower) -> Bytes {
        let write =
            |out: &mut Vec<u8>| record::write_start(&self.requested, self.is_glob, follower, out);
        match self.format {
            Format::Text | Format::Raw => Bytes::new(),
            Format::Ndjson => ndjson::line_of(write),
            Format::Sse => sse::start(&id_of(follower), write),
        }
    }

    /// A delivery; may be empty.
    #[must_use]
    pub fn encode(&mut self, delivery: &Delivery, follower: &Follower) -> Bytes {
        match delivery {
            Delivery::Lines { source_index, chunk, selection } => {
                self.lines(*source_index, chunk, selection, follower)
            }
            Delivery::Event { source_index, kind } => {
                let name = name_of(follower, *source_index);
                let position = follower.positions().nth(*source_index);
                let write = |out: &mut Vec<u8>| record::write_event(name, position, *kind, out);
                match self.format {
                    Format::Text => self.text.event(*source_index, name, *kind),
                    Format::Raw => Bytes::new(),
                    Format::Ndjson => ndjson::line_of(write),
                    Format::Sse => sse::event(record::event_name(*kind), &id_of(follower), write),
                }
            }
            Delivery::Joined { source_index: _ } => Bytes::new(),
            Delivery::Unreadable { source_index, reason } => {
                self.unreadable(*source_index, reason, follower)
            }
            Delivery::Heartbeat => {
                let write = |out: &mut Vec<u8>| {
                    record::write_heartbeat(&self.requested, follower, follower.positions(), out);
                };
                match self.format {
                    Format::Text => self.text.heartbeat(),
                    Format::Raw => Bytes::new(),
                    Format::Ndjson => ndjson::line_of(write),
                    Format::Sse => sse::heartbeat(&id_of(follower), write),
                }
            }
            Delivery::End(reason) => {
                let write = |out: &mut Vec<u8>| {
                    record::write_end(&self.requested, *reason, follower.positions(), out);
                };
                match self.format {
                    Format::Text | Format::Raw => Bytes::new(),
                    Format::Ndjson => ndjson::line_of(write),
                    Format::Sse => sse::event("end", &id_of(follower), write),
                }
            }
        }
    }

    fn unreadable(&mut self, source_index: usize, reason: &str, follower: &Follower) -> Bytes {
        let name = name_of(follower, source_index);
        let write = |out: &mut Vec<u8>| record::write_unreadable(name, reason, out);
        match self.format {
            Format::Text => self.text.unreadable(name, reason),
            Format::Raw => Bytes::new(),
            Format::Ndjson => ndjson::line_of(write),
            Format::Sse => sse::event("unreadable", &id_of(follower), write),
        }
    }

    fn lines(
        &mut self,
        source_index: usize,
        chunk: &Chunk,
        selection: &Selection,
        follower: &Follower,
    ) -> Bytes {
        let name = name_of(follower, source_index);
        match self.format {
            Format::Text => self.text.lines(source_index, name, chunk, selection, &self.zone),
            Format::Raw => raw_lines(chunk, selection),
            Format::Ndjson => ndjson::lines(name, chunk, selection, &self.zone),
            Format::Sse if !self.is_glob => sse::lines(name, chunk, selection, &self.zone),
            Format::Sse => {
                let positions: Vec<_> = match is_resumable(follower.positions().len()) {
                    true => follower.positions().collect(),
                    false => Vec::new(),
                };
                sse::lines_of_many(name, source_index, &positions, chunk, selection, &self.zone)
            }
        }
    }
}

/// The cursors of the whole stream; empty if it has too many sources.
fn id_of(follower: &Follower) -> String {
    let mut id = Vec::new();
    if is_resumable(follower.positions().len()) {
        write_set(follower.positions(), &mut id);
    }
    String::from_utf8_lossy(&id).into_owned()
}

/// Whether a stream of that many sources has a cursor as a whole.
fn is_resumable(n_sources: usize) -> bool {
    n_sources <= MAX_SET
}

fn name_of(follower: &Follower, source_index: usize) -> &str {
    follower.names().nth(source_index).map_or("", crate::source::SourceName::as_str)
}

/// The lines selected, as the file holds them.
fn raw_lines(chunk: &Chunk, selection: &Selection) -> Bytes {
    match selection {
        Selection::All => chunk.raw().clone(),
        Selection::Lines(selected) => {
            let ends = chunk.line_ends();
            let mut out = BytesMut::new();
            for index in selected {
                let at = *index as usize;
                let from = at.checked_sub(1).and_then(|before| ends.get(before));
                let from = from.map_or(0, |end| end.raw as usize);
                let to = ends.get(at).map_or(from, |end| end.raw as usize);
                out.extend_from_slice(chunk.raw().get(from..to).unwrap_or_default());
            }
            out.freeze()
        }
    }
}

/// Whether so few lines are selected that encoding all of them to share would cost more.
fn is_sparse(chunk: &Chunk, selected: &[u32]) -> bool {
    selected.len() * 4 < chunk.n_lines()
}
