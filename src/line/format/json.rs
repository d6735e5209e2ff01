//! JSON objects, one a line: the members of the outermost object, read one after the other.
//!
//! Nothing is built and nothing is checked: what is cut off or invalid ends the reading, and what
//! was found up to there counts.

use memchr::{memchr, memchr2};

use crate::line::format::container;
use crate::line::format::field::{self, Field};
use crate::line::format::{LineMetadata, nested_metadata};
use crate::line::level::Level;
use crate::line::time::LineTime;
use crate::line::zone::Zone;

/// The facts of an object: the first member that is a time, the first that is a level; where they
/// are missing or a container runtime wrapped the line, those of the line in `log`.
pub(super) fn metadata(line: &[u8], zone: &Zone, depth: usize) -> LineMetadata {
    let mut metadata = LineMetadata::default();
    let mut members = Members::new(line);
    let mut wrapped = None;
    while let Some((key, value)) = members.next() {
        match Field::of(key) {
            Field::Time if metadata.time.is_none() => metadata.time = time(value, zone),
            Field::Level if metadata.level.is_none() => metadata.level = level(value),
            Field::Log if wrapped.is_none() => wrapped = value.text(),
            Field::Time | Field::Level | Field::Log | Field::Other => continue,
        }
        if metadata.time.is_some() && metadata.level.is_some() {
            return metadata;
        }
    }
    let Some(raw) = wrapped else {
        return metadata;
    };
    let inner = wrapped_metadata(raw, zone, depth + 1);
    let outer_time = metadata.time.or_else(|| container::docker_tail_time(line));
    LineMetadata::new(inner.time.or(outer_time), metadata.level.or(inner.level))
}

/// The level of an object, without its time.
pub(super) fn object_level(line: &[u8]) -> Option<Level> {
    let mut members = Members::new(line);
    while let Some((key, value)) = members.next() {
        if Field::of(key) == Field::Level
            && let Some(level) = level(value)
        {
            return Some(level);
        }
    }
    None
}

/// The facts of the line that is the text of a member, still escaped.
fn wrapped_metadata(raw: &[u8], zone: &Zone, depth: usize) -> LineMetadata {
    match memchr(b'\\', raw) {
        // Docker ends each line with an escaped newline.
        Some(at) if at + 2 < raw.len() => nested_metadata(&container::unescaped(raw), zone, depth),
        Some(at) => nested_metadata(raw.get(..at).unwrap_or_default(), zone, depth),
        None => nested_metadata(raw, zone, depth),
    }
}

fn time(value: Value<'_>, zone: &Zone) -> Option<LineTime> {
    match value {
        Value::Text(text) | Value::Bare(text) => field::time(text, zone),
        // MongoDB writes {"t":{"$date":"…"}}.
        Value::Nested(object) => match Members::new(object).next()? {
            (b"$date", Value::Text(text)) => field::time(text, zone),
            _ => None,
        },
    }
}

fn level(value: Value<'_>) -> Option<Level> {
    match value {
        Value::Text(text) | Value::Bare(text) => field::level(text),
        Value::Nested(_) => None,
    }
}

/// The value of a member, as it stands in the line.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    /// What stands between the quotes, still escaped.
    Text(&'a [u8]),
    /// A number, or `true`, `false`, `null`.
    Bare(&'a [u8]),
    /// An object or array, from its bracket on; only its start is of use.
    Nested(&'a [u8]),
}

impl<'a> Value<'a> {
    fn text(self) -> Option<&'a [u8]> {
        match self {
            Value::Text(text) => Some(text),
            Value::Bare(_) | Value::Nested(_) => None,
        }
    }
}

/// The members of an object, as far as it can be read within [`MAX_BYTES`].
struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Members<'a> {
    fn new(object: &'a [u8]) -> Members<'a> {
        let head = object.get(..MAX_BYTES).unwrap_or(object);
        Members { rest: head.strip_prefix(b"{").unwrap_or_default() }
    }

    fn next(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let mut rest = trimmed(self.rest);
        if let Some(after) = rest.strip_prefix(b",") {
            rest = trimmed(after);
        }
        let (key, rest) = string(rest.strip_prefix(b"\"")?)?;
        let rest = trimmed(trimmed(rest).strip_prefix(b":")?);
        let (value, rest) = value(rest)?;
        self.rest = rest;
        Some((key, value))
    }
}

#[inline]
fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&first, after) = text.split_first()?;
    match first {
        b'"' => match string(after) {
            Some((text, rest)) => Some((Value::Text(text), rest)),
            // Cut off: the value may still be a whole time, or a wrapped line.
            None => Some((Value::Text(after), &[])),
        },
        b'{' | b'[' => Some((Value::Nested(text), after_nested(text))),
        _ => {
            let n_bytes = text.iter().position(|byte| b",} \t\r\n".contains(byte))?;
            let (bare, rest) = text.split_at_checked(n_bytes)?;
            Some((Value::Bare(bare), rest))
        }
    }
}

/// A string's text and what follows its closing quote, given what follows the opening one.
#[inline]
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let found = at + memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(found) == Some(&b'"') {
            return Some((text.get(..found)?, text.get(found + 1..)?));
        }
        at = found + 2;
    }
}

/// What follows the object or array at the start; nothing where it does not end.
fn after_nested(text: &[u8]) -> &[u8] {
    let mut rest = text;
    let mut depth = 0_usize;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => match string(after) {
                Some((_, after_string)) => rest = after_string,
                None => return &[],
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return rest;
                }
            }
            _ => {}
        }
    }
    rest
}

#[inline]
fn trimmed(text: &[u8]) -> &[u8] {
    match text.first() {
        Some(b' ' | b'\t' | b'\r' | b'\n') => text.trim_ascii_start(),
        _ => text,
    }
}

/// Members beyond are not looked at.
const MAX_BYTES: usize = 16 * 1_024;
