//! logfmt: `ts=… level=warn msg="…"`.

use memchr::memchr2;

use crate::line::format::field::{self, Field};
use crate::line::format::{LineMetadata, level_word};
use crate::line::zone::Zone;

/// The facts of a line that begins with a `key=`; `None` for any other.
pub(super) fn metadata(line: &[u8], zone: &Zone) -> Option<LineMetadata> {
    let head = line.get(..HEAD_BYTES).unwrap_or(line);
    if head.get(key_bytes(head)) != Some(&b'=') {
        return None;
    }
    let mut metadata = LineMetadata::default();
    let mut pairs = Pairs { rest: head };
    while let Some((key, value)) = pairs.next() {
        match Field::of(key) {
            Field::Time if metadata.time.is_none() => metadata.time = field::time(value, zone),
            Field::Level if metadata.level.is_none() => metadata.level = field::level(value),
            Field::Time | Field::Level | Field::Log | Field::Other => continue,
        }
        if metadata.time.is_some() && metadata.level.is_some() {
            return Some(metadata);
        }
    }
    metadata.level = metadata.level.or_else(|| level_word::find(line).map(|(level, _)| level));
    Some(metadata)
}

/// The pairs of a line, in order; words that are no pair are passed over.
struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        loop {
            let rest = self.rest.trim_ascii_start();
            let (key, after) = rest.split_at_checked(key_bytes(rest))?;
            match after.split_first() {
                Some((b'=', after)) => {
                    let (value, after) = value(after);
                    self.rest = after;
                    return Some((key, value));
                }
                // Not a key: skip to the next word.
                Some(_) => self.rest = bare(after).1,
                None => return None,
            }
        }
    }
}

fn value(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(inside) = text.strip_prefix(b"\"") else {
        return bare(text);
    };
    let mut at = 0;
    while let Some(found) = inside.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        let end = at + found;
        if inside.get(end) == Some(&b'"') {
            let (value, rest) = inside.split_at(end);
            return (value, rest.get(1..).unwrap_or_default());
        }
        at = end + 2;
    }
    (inside, &[])
}

/// A value without quotes, or a word: up to the next blank.
fn bare(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(memchr2(b' ', b'\t', text).unwrap_or(text.len()))
}

/// The length of the key that a text begins with.
fn key_bytes(text: &[u8]) -> usize {
    let is_key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.@-/".contains(byte);
    text.iter().take_while(is_key).count()
}

/// Pairs beyond are not looked at.
const HEAD_BYTES: usize = 1_024;
