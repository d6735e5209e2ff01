//! What container runtimes wrap around a line.

use memchr::{memchr, memmem};

use crate::line::stamp::CivilTime;
use crate::line::time::LineTime;

/// The line within CRI's `2026-11-21T10:00:00.123456789Z stdout F inner…`, given what follows the
/// time.
#[inline]
pub(super) fn cri(after_time: &[u8]) -> Option<&[u8]> {
    let rest = after_time.strip_prefix(b" std")?;
    let rest = rest.strip_prefix(b"out ").or_else(|| rest.strip_prefix(b"err "))?;
    match rest {
        [b'F' | b'P', b' ', inner @ ..] => Some(inner),
        [b'F' | b'P', b':', tags @ ..] => {
            let head = tags.get(..MAX_TAG_BYTES).unwrap_or(tags);
            tags.get(memchr(b' ', head)? + 1..)
        }
        _ => None,
    }
}

/// The time at the very end of Docker's `{"log":"…","stream":"stdout","time":"…"}`, which may lie
/// beyond the part of a line that is read.
pub(super) fn docker_tail_time(line: &[u8]) -> Option<LineTime> {
    let tail = line.get(line.len().saturating_sub(TAIL_BYTES)..)?;
    let at = memmem::rfind(tail, TIME_MEMBER)?;
    let (stamp, rest) = CivilTime::iso(tail.get(at + TIME_MEMBER.len()..)?)?;
    if rest.starts_with(b"\"}") { stamp.zoned_time() } else { None }
}

/// The start of a JSON string's text with its escapes undone, as far as a line's facts need it:
/// characters beyond ASCII that are escaped become `?`.
pub(super) fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut rest = raw.get(..INNER_BYTES).unwrap_or(raw);
    let mut text = Vec::with_capacity(rest.len());
    while let Some(at) = memchr(b'\\', rest) {
        let (clean, escape) = rest.split_at(at);
        text.extend_from_slice(clean);
        let (byte, after) = unescape(escape);
        text.push(byte);
        rest = after;
    }
    text.extend_from_slice(rest);
    text
}

/// The byte that the escape at the start stands for, and what follows it.
fn unescape(escape: &[u8]) -> (u8, &[u8]) {
    match escape {
        [_, b'n', rest @ ..] => (b'\n', rest),
        [_, b't', rest @ ..] => (b'\t', rest),
        [_, b'r', rest @ ..] => (b'\r', rest),
        [_, b'u', a, b, c, d, rest @ ..] => {
            let digits = [*a, *b, *c, *d];
            let code = std::str::from_utf8(&digits)
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .filter(u8::is_ascii);
            (code.unwrap_or(b'?'), rest)
        }
        [_, other, rest @ ..] => (*other, rest),
        _ => (b'?', &[]),
    }
}

const TIME_MEMBER: &[u8] = b"\"time\":\"";
/// Longer than the last member of a Docker line.
const TAIL_BYTES: usize = 64;
/// So much of the inner line is looked at.
const INNER_BYTES: usize = 4_096;
const MAX_TAG_BYTES: usize = 64;
