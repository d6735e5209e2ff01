//! Escape sequences and control characters (ECMA-48): which parts of a line are text.
//!
//! A sequence has to end within its line: of an unterminated one (a title, a device string, a lone
//! escape) only the introducer is hidden, so that it does not swallow the next line and no text is
//! lost. Both forms are known: `ESC [` and the 8-bit U+009B, as UTF-8 or as a single byte.

use std::ops::Range;

/// Calls for each range of `line` that remains without sequences and controls. Tabs and line ends
/// remain.
pub fn for_each_shown(line: &[u8], mut shown: impl FnMut(Range<usize>)) {
    let (mut from, mut at) = (0, 0);
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        match hidden_bytes(rest) {
            0 => at += character_bytes(rest),
            n_hidden => {
                if from < at {
                    shown(from..at);
                }
                at += n_hidden;
                from = at;
            }
        }
    }
    if from < at {
        shown(from..at);
    }
}

/// Whether a part of `line` may be hidden; cheaper than finding it.
#[must_use]
pub fn may_hide(line: &[u8]) -> bool {
    line.iter().any(|byte| is_hidden_control(*byte) || matches!(byte, 0x80..=0x9f))
}

/// How many bytes at the start of `text` are not shown.
fn hidden_bytes(text: &[u8]) -> usize {
    match text {
        [ESCAPE, kind, after @ ..] => 1 + escape_bytes(*kind, after),
        // As UTF-8 these are controls whether they begin a sequence or not.
        [0xc2, kind @ 0x80..=0x9f, after @ ..] => 2 + body_bytes(kind - 0x40, after),
        // A single byte is a control in one encoding and a letter in others (a quotation mark in
        // CP1252): it is a control where a whole sequence follows.
        [0x9b, after @ ..] if !matches!(after.first(), Some(0x30..=0x3f)) => 0,
        [kind @ 0x80..=0x9f, after @ ..] => match body_bytes(kind - 0x40, after) {
            0 => 0,
            n_body => 1 + n_body,
        },
        [byte, ..] if is_hidden_control(*byte) => 1,
        _ => 0,
    }
}

/// The length of an escape after its first byte; `kind` is the second.
fn escape_bytes(kind: u8, after: &[u8]) -> usize {
    match kind {
        b'[' | b']' | b'P' | b'X' | b'^' | b'_' => 1 + body_bytes(kind, after),
        // With intermediate bytes, such as the choice of a character set.
        0x20..=0x2f => {
            let n_more = after.iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            match after.get(n_more) {
                Some(0x30..=0x7e) => n_more + 2,
                Some(_) | None => 0,
            }
        }
        0x30..=0x7e => 1,
        _ => 0,
    }
}

/// The rest of a sequence whose introducer has been read; 0 if it does not end within the line.
fn body_bytes(kind: u8, after: &[u8]) -> usize {
    match kind {
        b'[' => control_sequence_bytes(after),
        b']' | b'P' | b'X' | b'^' | b'_' => string_bytes(after),
        _ => 0,
    }
}

fn control_sequence_bytes(text: &[u8]) -> usize {
    let n_parameters = text.iter().take_while(|byte| matches!(byte, 0x30..=0x3f)).count();
    let more = text.get(n_parameters..).unwrap_or_default();
    let n_more = more.iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
    match more.get(n_more) {
        Some(0x40..=0x7e) => n_parameters + n_more + 1,
        Some(_) | None => 0,
    }
}

/// A string up to its terminator: BEL, `ESC \` or U+009C. Another control that begins a sequence,
/// or a line end, means that it has none; so each byte is scanned once only.
fn string_bytes(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match rest {
            [BELL | 0x9c, ..] => return at + 1,
            [ESCAPE, b'\\', ..] | [0xc2, 0x9c, ..] => return at + 2,
            [ESCAPE | b'\n' | b'\r' | 0x80..=0x9f, ..] | [0xc2, 0x80..=0x9f, ..] => return 0,
            _ => at += character_bytes(rest),
        }
    }
    0
}

/// The length of the first character of `text`; 1 if it is invalid.
fn character_bytes(text: &[u8]) -> usize {
    let n_bytes = match text.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        Some(_) | None => return 1,
    };
    match text.get(..n_bytes).map(std::str::from_utf8) {
        Some(Ok(_character)) => n_bytes,
        Some(Err(_)) | None => 1,
    }
}

const fn is_hidden_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f
}

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for_each_shown(line, |at| out.extend_from_slice(&line[at]));
        out
    }

    #[track_caller]
    fn check(line: &[u8], expected: &[u8]) {
        let found = shown(line).escape_ascii().to_string();
        assert_eq!(found, expected.escape_ascii().to_string(), "{}", line.escape_ascii());
        assert!(line == expected || may_hide(line), "{}", line.escape_ascii());
    }

    #[test]
    fn whole_sequences_are_hidden() {
        check(b"\x1b[1;31mERROR\x1b[0m x\n", b"ERROR x\n");
        check(b"a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\n", b"abc\n");
        check(b"a\x1bP1$rq\x1b\\b\x1b(Bc\x1b7d\x1b[?25le\n", b"abcde\n");
        check("a\u{9b}31mb\u{9d}0;t\u{9c}c\u{85}d\n".as_bytes(), b"abcd\n");
        check(b"a\x9b31mb\x9d0;t\x07c\n", b"abc\n");
        check(b"a\0b\x08c\x7fd\te\r\n", b"abcd\te\r\n");
    }

    #[test]
    fn what_is_not_ended_hides_neither_text_nor_the_line_end() {
        check(b"a\x1b]0;title\n", b"a0;title\n");
        check(b"a\x1bPdevice\r\n", b"adevice\r\n");
        check(b"a\x1b\n", b"a\n");
        check(b"a\x1b", b"a");
        check(b"a\x1b[31\n", b"a31\n");
        check(b"a\x1b[\n", b"a\n");
        check(b"a\x1b(\n", b"a(\n");
        check(b"a\x1b\x1b[mb\n", b"ab\n");
        check(b"a\x1b]0;t\x1b[31mb\n", b"a0;tb\n");
        check("a\u{9d}0;t\n\u{90}b\n".as_bytes(), b"a0;t\nb\n");
        check(b"a\x9d0;t\n", b"a\x9d0;t\n");
    }

    #[test]
    fn letters_of_other_encodings_stay() {
        // `›a‹` in CP1252, and text whose last bytes look like 8-bit controls.
        check(b"\x9ba\x8b\n", b"\x9ba\x8b\n");
        check("ћ \u{1f61b} \u{45b}1m\n".as_bytes(), "ћ \u{1f61b} \u{45b}1m\n".as_bytes());
    }

    fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
        let parts: Vec<&'static [u8]> = vec![
            b"\x1b",
            b"[",
            b"]",
            b"P",
            b"\\",
            b"\x07",
            b"31",
            b";",
            b"m",
            b"a",
            b"\n",
            b"\r\n",
            b" ",
            b"\x9b",
            b"\x9d",
            b"\x90",
            b"\x9c",
            b"\xc2",
            b"\xd1",
            b"\xe2\x80\xa6",
            b"\0",
            b"(",
        ];
        proptest::collection::vec(proptest::sample::select(parts), 0..40)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn line_ends_stay_as_many_as_they_are(bytes in hostile_bytes()) {
            let n_ends = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
            let plain = shown(&bytes);
            prop_assert_eq!(n_ends(&bytes), n_ends(&plain));
            prop_assert!(!plain.contains(&ESCAPE));
            // Line by line or at once is the same.
            let by_line: Vec<u8> = bytes.split_inclusive(|byte| *byte == b'\n').flat_map(shown).collect();
            prop_assert_eq!(by_line, plain);
        }

        #[test]
        fn nothing_is_hidden_where_nothing_may_be(bytes: Vec<u8>) {
            prop_assert!(may_hide(&bytes) || shown(&bytes) == bytes);
        }
    }
}
