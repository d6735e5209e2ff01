//! Text: lines as `tail` would show them. Where there are several sources, marks like those of
//! `tail` say which one a line is from.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use crate::chunk::{Chunk, Encoded, LineRef, Slot};
use crate::filter::Selection;
use crate::history::EventKind;
use crate::line::escape::for_each_shown;
use crate::line::time::LineTime;
use crate::line::{LineMetadata, Zone};
use crate::wire::ndjson::{shared_lines, text_of};
use crate::wire::record::for_each_line;

/// The text options of a viewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// Prefix each line with its time.
    pub timestamps: bool,
    /// Escape sequences are taken out.
    pub is_plain: bool,
}

/// Writes one viewer's text.
#[derive(Debug)]
pub struct TextEncoder {
    options: TextOptions,
    has_marks: bool,
    /// The source that was shown last.
    shown: Option<usize>,
    /// The last line shown has no end yet.
    is_mid_line: bool,
    /// The last time that was written.
    shown_time: Option<LineTime>,
}

impl TextEncoder {
    /// `has_marks`: the stream may have several sources.
    #[must_use]
    pub fn new(options: TextOptions, has_marks: bool) -> Self {
        TextEncoder { options, has_marks, shown: None, is_mid_line: false, shown_time: None }
    }

    /// The selected lines of a chunk.
    pub fn lines(
        &mut self,
        source_index: usize,
        name: &str,
        chunk: &Chunk,
        selection: &Selection,
        zone: &Zone,
    ) -> Bytes {
        let lines = if self.options == TextOptions::default() {
            shared_lines(Slot::Text, chunk, selection, |selected| encode(chunk, selected))
        } else {
            self.dressed_lines(chunk, selection, zone)
        };
        let mark = self.mark(source_index, name);
        self.is_mid_line = chunk.ends().partial && lines.last() != Some(&b'\n');
        let is_line_without_end =
            !chunk.ends().partial && lines.last().is_some_and(|c| *c != b'\n');
        match (mark, is_line_without_end) {
            (None, false) => lines,
            (mark, is_line_without_end) => {
                let mut out = mark.unwrap_or_default().into_bytes();
                out.extend_from_slice(&lines);
                if is_line_without_end {
                    out.push(b'\n');
                }
                Bytes::from(out)
            }
        }
    }

    /// An event between two lines: only a gap is shown.
    pub fn event(&mut self, source_index: usize, name: &str, kind: EventKind) -> Bytes {
        match kind {
            EventKind::Rotated(_) => Bytes::new(),
            EventKind::Gap { bytes, reason } => {
                let mut out = self.mark(source_index, name).unwrap_or_default();
                out.push_str(self.line_break());
                let reason = reason.as_str();
                out.push_str(&format!("==> {name}: gap of {bytes} bytes ({reason}) <==\n"));
                Bytes::from(out)
            }
        }
    }

    /// A source that cannot be read: it has no lines, so that its mark says why.
    pub fn unreadable(&mut self, name: &str, reason: &str) -> Bytes {
        let line_break = self.line_break();
        let empty_line = if self.shown.is_some() { "\n" } else { "" };
        Bytes::from(format!("{line_break}{empty_line}==> {name}: cannot be read: {reason} <==\n"))
    }

    /// A heartbeat: an empty line, unless that would split a line.
    #[must_use]
    pub fn heartbeat(&self) -> Bytes {
        if self.is_mid_line { Bytes::new() } else { Bytes::from_static(b"\n") }
    }

    /// What goes before the lines of another source than the last one.
    fn mark(&mut self, source_index: usize, name: &str) -> Option<String> {
        if !self.has_marks || self.shown == Some(source_index) {
            return None;
        }
        let empty_line = if self.shown.is_some() { "\n" } else { "" };
        let mark = format!("{}{empty_line}==> {name} <==\n", self.line_break());
        self.shown = Some(source_index);
        Some(mark)
    }

    fn line_break(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_mid_line) { "\n" } else { "" }
    }

    fn dressed_lines(&mut self, chunk: &Chunk, selection: &Selection, zone: &Zone) -> Bytes {
        let selected = match selection {
            Selection::All => None,
            Selection::Lines(selected) => Some(selected.as_slice()),
        };
        let mut out = Vec::new();
        for_each_line(chunk, selected, zone, |line, metadata| {
            self.write_line(line, metadata, &mut out);
        });
        text_of(out).into_bytes()
    }

    fn write_line(&mut self, line: &LineRef<'_>, metadata: LineMetadata, out: &mut Vec<u8>) {
        self.shown_time = metadata.time.or(self.shown_time);
        if self.options.timestamps && !line.continues {
            match self.shown_time {
                Some(time) => time.write_rfc3339(out),
                None => out.push(b'-'),
            }
            out.push(b' ');
        }
        let mut put = |part: &[u8]| {
            out.extend_from_slice(String::from_utf8_lossy(part).as_bytes());
        };
        if self.options.is_plain {
            for_each_shown(line.text, |at| put(line.text.get(at).unwrap_or_default()));
        } else {
            put(line.text);
        }
    }
}

/// The selected lines as text; where all of a chunk is UTF-8, the chunk's own bytes.
fn encode(chunk: &Chunk, selected: Option<&[u32]>) -> Encoded {
    match selected {
        None => {
            let bytes = match ByteString::try_from(chunk.text().clone()) {
                Ok(text) => text,
                Err(_not_text) => lossy(chunk),
            };
            let is_own = bytes.len() == chunk.text().len();
            let ends = match is_own {
                true => chunk.line_ends().iter().map(|end| end.text).collect(),
                false => lossy_ends(&bytes),
            };
            Encoded { bytes, ends }
        }
        Some(selected) => {
            let mut out = Vec::new();
            let mut selected = selected.iter().peekable();
            for line in chunk.lines() {
                if selected.next_if(|index| **index as usize == line.index).is_some() {
                    out.extend_from_slice(String::from_utf8_lossy(line.text).as_bytes());
                }
            }
            Encoded { bytes: text_of(out), ends: Vec::new() }
        }
    }
}

fn lossy(chunk: &Chunk) -> ByteString {
    match String::from_utf8_lossy(chunk.text()) {
        Cow::Borrowed(text) => ByteString::from(text),
        Cow::Owned(text) => ByteString::from(text),
    }
}

/// Replacing what is not UTF-8 adds and removes no line end.
fn lossy_ends(text: &str) -> Vec<u32> {
    let mut ends = Vec::new();
    crate::line::split::Encoding::Utf8.for_each_line_end(text.as_bytes(), |end| {
        ends.push(u32::try_from(end).unwrap_or(u32::MAX));
    });
    if !text.ends_with('\n') {
        ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
    }
    ends
}
