//! Redact: masks secrets according to rules, in the bytes read from a file, before they are
//! filtered or encoded. A mask is as long as what it hides, so that offsets in the log do not
//! change.

mod shown;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::bytes::Regex;

use crate::cursor::hash32;
use crate::line::escape::may_hide;
use crate::line::split::Encoding;
use crate::redact::shown::Shown;

/// How much context before and after a piece of a line is searched: a secret of up to this length
/// is masked even where a long line is cut.
pub const CONTEXT_BYTES: usize = 4096;

/// Masks the secrets of one source.
#[derive(Clone, Default)]
pub struct Redactor {
    patterns: Arc<[Regex]>,
}

impl Redactor {
    /// Masks what any of these patterns matches: their groups, or all where one has none.
    #[must_use]
    pub fn new(patterns: Vec<Regex>) -> Self {
        Redactor { patterns: patterns.into() }
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// A fingerprint of the rules, the same in every process; 0 if there are none.
    #[must_use]
    pub fn fingerprint(&self) -> u8 {
        if self.is_empty() {
            return 0;
        }
        let patterns: Vec<&str> = self.patterns.iter().map(Regex::as_str).collect();
        u8::try_from(hash32(patterns.join("\n").as_bytes()) % 255).map_or(1, |hash| hash + 1)
    }

    /// `bytes` with masks, or `None` if they hold no secret. `before` is the beginning of their
    /// first line, `after` the continuation of their last one, up to [`CONTEXT_BYTES`] of it. A
    /// pattern is matched with each line as it is, and without its escape sequences; with an
    /// unterminated line also as if it ended in one of the usual ways.
    #[must_use]
    pub fn mask(
        &self,
        encoding: Encoding,
        before: &[u8],
        bytes: &[u8],
        after: &[u8],
    ) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let joined;
        let all = if before.is_empty() && after.is_empty() {
            bytes
        } else {
            joined = [before, bytes, after].concat();
            &joined
        };
        let own = before.len()..before.len() + bytes.len();
        let mut masked = None;
        let mut hide_in_line = |from: usize, secret: Range<usize>| {
            let start = (from + secret.start).max(own.start);
            let end = (from + secret.end).min(own.end);
            if start < end {
                let masked = masked.get_or_insert_with(|| bytes.to_vec());
                hide(masked, start - own.start..end - own.start, encoding);
            }
        };
        let mut from = 0;
        let mut line_ends = Vec::new();
        encoding.for_each_line_end(all, |end| line_ends.push(end));
        for end in line_ends {
            let line = all.get(from..end).unwrap_or_default();
            self.for_each_secret(encoding, line, |secret| hide_in_line(from, secret));
            from = end;
        }
        let rest = all.get(from..).unwrap_or_default();
        self.for_each_secret(encoding, rest, |secret| hide_in_line(from, secret));
        if !rest.is_empty() && after.len() < CONTEXT_BYTES {
            self.for_each_unended(encoding, rest, |secret| hide_in_line(from, secret));
        }
        masked
    }

    /// Calls for what would be masked in an unterminated line if it continued with a usual end of a
    /// secret: a rotation or a crash may have cut off the quotation mark that a pattern requires.
    fn for_each_unended(
        &self,
        encoding: Encoding,
        line: &[u8],
        mut found: impl FnMut(Range<usize>),
    ) {
        let skipped = line.len().saturating_sub(2 * CONTEXT_BYTES) & !1;
        let mut ended = line.get(skipped..).unwrap_or_default().to_vec();
        let n_bytes = ended.len();
        let closers = (b' '..=b'~').map(|byte| vec![byte]);
        for closer in closers.chain(CLOSERS.map(|closer| closer.as_bytes().to_vec())) {
            ended.truncate(n_bytes);
            for byte in closer {
                encoding.push_ascii(byte, &mut ended);
            }
            self.for_each_secret(encoding, &ended, |at| {
                found(skipped + at.start..skipped + at.end.min(n_bytes));
            });
        }
    }

    /// Calls for each range of a line to be masked, in bytes from its start.
    fn for_each_secret(
        &self,
        encoding: Encoding,
        line: &[u8],
        mut found: impl FnMut(Range<usize>),
    ) {
        match encoding {
            Encoding::Utf8 => {
                match std::str::from_utf8(line) {
                    Ok(_text) => self.search(line, &mut found),
                    Err(_odd) => self.search(&plain(line), |at| found(whole_characters(line, at))),
                }
                if may_hide(line) {
                    let shown = Shown::of(line);
                    self.search(&plain(&shown.text), |at| {
                        found(whole_characters(line, shown.in_line(at)));
                    });
                }
            }
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let (text, offsets) = decoded(line, encoding);
                let source_offset = |at: usize| {
                    let character = offsets.partition_point(|(offset, _)| *offset < at);
                    offsets.get(character).map_or(line.len(), |(_, source_offset)| *source_offset)
                };
                self.search(text.as_bytes(), |at| {
                    found(source_offset(at.start)..source_offset(at.end));
                });
                if may_hide(text.as_bytes()) {
                    let shown = Shown::of(text.as_bytes());
                    self.search(&shown.text, |at| {
                        let at = shown.in_line(at);
                        found(source_offset(at.start)..source_offset(at.end));
                    });
                }
            }
        }
    }

    fn search(&self, text: &[u8], mut found: impl FnMut(Range<usize>)) {
        for pattern in self.patterns.iter().filter(|pattern| pattern.is_match(text)) {
            for captures in pattern.captures_iter(text) {
                let mut groups = captures.iter();
                let whole = groups.next().flatten();
                let mut has_group = false;
                for group in groups.flatten() {
                    has_group = true;
                    found(group.range());
                }
                if let Some(whole) = whole.filter(|_| !has_group) {
                    found(whole.range());
                }
            }
        }
    }
}

/// Masks a range. Line ends are kept: no rule joins two lines.
fn hide(bytes: &mut [u8], stretch: Range<usize>, encoding: Encoding) {
    let Some(stretch) = bytes.get_mut(stretch) else { return };
    match encoding {
        Encoding::Utf8 => {
            let hidden = stretch.iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r'));
            hidden.for_each(|byte| *byte = MASK);
        }
        Encoding::Utf16Le => fill(stretch, [MASK, 0]),
        Encoding::Utf16Be => fill(stretch, [0, MASK]),
    }
}

fn fill(stretch: &mut [u8], mask: [u8; 2]) {
    for unit in stretch.chunks_exact_mut(2) {
        let is_line_end =
            unit.iter().any(|byte| matches!(byte, b'\n' | b'\r')) && unit.contains(&0);
        if !is_line_end {
            unit.copy_from_slice(&mask);
        }
    }
}

/// The line with a plain character in place of each byte that is not text, so that it does not end
/// a secret.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(line.len());
    for part in line.utf8_chunks() {
        plain.extend_from_slice(part.valid().as_bytes());
        plain.resize(plain.len() + part.invalid().len(), b'?');
    }
    plain
}

/// A range extended to whole characters: a pattern may match single bytes.
fn whole_characters(line: &[u8], stretch: Range<usize>) -> Range<usize> {
    let is_inside = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let (mut start, mut end) = (stretch.start, stretch.end);
    while start > 0 && is_inside(start) {
        start -= 1;
    }
    while is_inside(end) {
        end += 1;
    }
    start..end
}

/// A line of UTF-16 as text, and for each character its offset in the text and in the line.
fn decoded(line: &[u8], encoding: Encoding) -> (String, Vec<(usize, usize)>) {
    let units = line.chunks_exact(2).map(|unit| {
        let unit = [unit.first().copied().unwrap_or(0), unit.get(1).copied().unwrap_or(0)];
        if encoding == Encoding::Utf16Be {
            u16::from_be_bytes(unit)
        } else {
            u16::from_le_bytes(unit)
        }
    });
    let (mut text, mut offsets, mut at) = (String::new(), Vec::new(), 0);
    for character in char::decode_utf16(units) {
        let character = character.unwrap_or('?');
        offsets.push((text.len(), at));
        text.push(character);
        at += 2 * character.len_utf16();
    }
    (text, offsets)
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} patterns)", self.patterns.len())
    }
}

/// Ends of secrets that have more than one character.
const CLOSERS: [&str; 9] = ["\"}", "\",", "\";", "\"]", "\")", "',", "';", "'}", "</"];

const MASK: u8 = b'*';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor(patterns: &[&str]) -> Redactor {
        Redactor::new(patterns.iter().map(|pattern| Regex::new(pattern).unwrap()).collect())
    }

    #[track_caller]
    fn check(pattern: &str, line: &[u8], expected: &[u8]) {
        let masked = redactor(&[pattern]).mask(Encoding::Utf8, b"", line, b"");
        let masked = masked.unwrap_or_else(|| line.to_vec());
        assert_eq!(masked.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn groups_are_masked_or_all_of_a_match() {
        check(r"password=(\S+)", b"a password=x1 b\n", b"a password=** b\n");
        check(r"password=\S+", b"a password=x1 b\n", b"a *********** b\n");
        check(r"k=(\d+)|t=(\d+)", b"k=12 t=345\n", b"k=** t=***\n");
        check(r"(?i)token", b"TOKEN\ntoken\n", b"*****\n*****\n");
        check(r"^a", b"a\nba\na\n", b"*\nba\n*\n");
        check(r"x*", b"axxb\n", b"a**b\n");
        check(r"a\sb", b"a\nb\n", b"a\nb\n");
        check(r"(?s)p=(.*)", b"p=1\r\nq\r\n", b"p=*\r\nq\r\n");
    }

    #[test]
    fn characters_stay_whole_and_odd_bytes_end_no_secret() {
        check(r"p=(\S+)", "p=äöü ä\n".as_bytes(), "p=****** ä\n".as_bytes());
        check(r"p=(\S+)", b"p=ab\xffcd e\n", b"p=***** e\n");
        check(r"p=(\S+)", b"p=\xc3\xa4\xff e\xff\n", b"p=*** e\xff\n");
    }

    #[test]
    fn a_secret_is_masked_across_the_cut_on_both_sides() {
        let redactor = redactor(&[r#""pw":"([^"]*)""#]);
        let line = b"{\"pw\":\"secret\"}\n";
        for cut in 0..line.len() {
            let (one, two) = line.split_at(cut);
            let hide = |before: &[u8], bytes: &[u8], after: &[u8]| {
                let masked = redactor.mask(Encoding::Utf8, before, bytes, after);
                masked.unwrap_or_else(|| bytes.to_vec())
            };
            let joined = [hide(b"", one, two), hide(one, two, b"")].concat();
            assert_eq!(joined, b"{\"pw\":\"******\"}\n", "cut at {cut}");
        }
    }

    #[test]
    fn a_colour_inside_hides_no_secret() {
        let token = r"token=([0-9a-f]+)";
        check(token, b"token=ab\x1b[31mcd\x1b[0m x\n", b"token=*********\x1b[0m x\n");
        check(token, b"to\x1b[1mken=abcd x\n", b"to\x1b[1mken=**** x\n");
        check(token, b"token=ab\x1b]0;t\x07cd x\n", b"token=********** x\n");
        check(token, b"token=ab\0cd x\n", b"token=***** x\n");
        check(token, b"\xff token=ab\x9b31mcd x\n", b"\xff token=******** x\n");
        check(token, "token=ab\u{9b}31mcd x\n".as_bytes(), b"token=********* x\n");
        // Text that only a terminal hides is matched as it is, too.
        check(
            token,
            b"\x1b]8;;http://x?token=abcd\x07link\n",
            b"\x1b]8;;http://x?token=****\x07link\n",
        );
    }

    #[test]
    fn a_secret_that_is_cut_off_is_masked() {
        let card = r#""card":"([^"]*)""#;
        check(card, br#"{"card":"4111"#, br#"{"card":"****"#);
        check(card, br#"{"card":"4111", "card":"42"#, br#"{"card":"****", "card":"**"#);
        check(r"k='(\w+)';", b"x k='abc", b"x k='***");
        check(r"\[(\d+)\]", b"a [123", b"a [***");
        check(card, br#"{"id":"4111"#, br#"{"id":"4111"#);
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let masked = redactor(&[card]).mask(Encoding::Utf16Le, b"", &wide("ä\"card\":\"41"), b"");
        assert_eq!(masked.unwrap(), wide("ä\"card\":\"**"));
    }

    proptest! {
        /// Wherever sequences are in a line, the text without them holds no secret.
        #[test]
        fn nothing_of_a_secret_is_shown(
            sequences in proptest::collection::vec((0_usize..22, 0_usize..6), 0..6),
            has_end in any::<bool>(),
        ) {
            let kinds: [&[u8]; 6] =
                [b"\x1b[35m", b"\x1b]0;t\x07", b"\x1b", b"\x01", b"\xc2\x9b5m", b"\x9b5m"];
            let mut line = br#"a {"card":"4111222"} b"#.to_vec();
            let mut sequences = sequences;
            sequences.sort_unstable();
            for (at, kind) in sequences.iter().rev() {
                line.splice(at..at, kinds[*kind].iter().copied());
            }
            if has_end {
                line.push(b'\n');
            }
            let visible = |line: &[u8]| {
                let text = Shown::of(line).text;
                String::from_utf8_lossy(&text).into_owned()
            };
            // A lone escape may take the character after it along.
            prop_assume!(visible(&line).contains("\"card\":\"4111222\""));
            let masked = redactor(&[r#""card":"([^"]*)""#]).mask(Encoding::Utf8, b"", &line, b"");
            let masked = masked.unwrap();
            prop_assert_eq!(masked.len(), line.len());
            prop_assert!(!visible(&masked).contains(['1', '2', '4']), "{}", masked.escape_ascii());
        }
    }

    #[test]
    fn utf_16_is_masked_unit_by_unit() {
        for (encoding, to_bytes) in [
            (Encoding::Utf16Le, u16::to_le_bytes as fn(u16) -> [u8; 2]),
            (Encoding::Utf16Be, u16::to_be_bytes),
        ] {
            let bytes = |text: &str| text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>();
            let masked = redactor(&[r"p=(\S+)"]).mask(encoding, b"", &bytes("ä p=s€𝄞 x\nq\n"), b"");
            assert_eq!(masked.unwrap(), bytes("ä p=**** x\nq\n"));
        }
    }
}
