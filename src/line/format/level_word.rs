//! The level word of a line that has no fields: `INFO`, `[error]`, `<info>`, `level=warn`,
//! `error: …`.
//!
//! A word in running text, a path or a name must not count, so a word in capitals has to stand by
//! itself, and one in any other case in brackets, after `level=`, or at the start of the message
//! with a colon.

use memchr::memchr;

use crate::line::format::ansi::{self, ESCAPE};
use crate::line::format::field::{self, Field};
use crate::line::level::{LONGEST_WORD, Level};

/// The first level word in the head of a text, and what follows it.
#[inline]
pub(super) fn find(text: &[u8]) -> Option<(Level, &[u8])> {
    let mut scan = Scan::new(text.get(..HEAD_BYTES + LONGEST_WORD + 1).unwrap_or(text));
    while let Some((&byte, after)) = scan.rest.split_first() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {
                if let Some(found) = scan.word() {
                    return Some(found);
                }
            }
            b' ' | b'\t' => scan.blank(after)?,
            b'"' => scan.rest = after.get(memchr(b'"', after)? + 1..)?,
            ESCAPE => scan.rest = ansi::skip(scan.rest),
            _ => scan.mark(byte, after),
        }
    }
    None
}

/// A place in the head of a line, and what was seen before it. Colours count as nothing.
struct Scan<'a> {
    rest: &'a [u8],
    /// The byte before.
    before: u8,
    /// The last byte before that is no blank.
    solid: u8,
    in_brackets: bool,
    /// Whether the message may start here: at the line's start, and after what ends a tag.
    at_message: bool,
    n_words: usize,
}

impl<'a> Scan<'a> {
    fn new(rest: &'a [u8]) -> Scan<'a> {
        let (before, in_brackets, at_message) = (b' ', false, true);
        Scan { rest, before, solid: b' ', in_brackets, at_message, n_words: 0 }
    }

    /// Steps over a blank; `None` when enough words were seen.
    fn blank(&mut self, after: &'a [u8]) -> Option<()> {
        if !is_blank(self.before) {
            self.n_words += 1;
            self.at_message = b":]|)>-".contains(&self.before);
        }
        self.before = b' ';
        self.rest = after;
        (self.n_words < MAX_WORDS).then_some(())
    }

    fn mark(&mut self, byte: u8, after: &'a [u8]) {
        match byte {
            b'[' | b'(' | b'<' => self.in_brackets = true,
            b']' | b')' | b'>' => self.in_brackets = false,
            _ => {}
        }
        self.before = byte;
        self.solid = byte;
        self.rest = after;
    }

    /// Steps over a run of letters; gives its level and what follows it, if it is one that counts.
    fn word(&mut self) -> Option<(Level, &'a [u8])> {
        let n_letters = self
            .rest
            .iter()
            .position(|byte| !byte.is_ascii_alphabetic())
            .unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at_checked(n_letters)?;
        let plain_after = ansi::skip_all(after);
        let next = plain_after.first().copied().unwrap_or(b' ');
        if next == b'='
            && Field::of(word) == Field::Level
            && let Some(found) = field_value(plain_after)
        {
            return Some(found);
        }
        if (3..=LONGEST_WORD).contains(&word.len())
            && self.counts(word, next, plain_after)
            && let Some(level) = Level::parse_word(word)
        {
            return Some((level, plain_after));
        }
        let last = word.last().copied().unwrap_or(b' ');
        (self.before, self.solid, self.rest) = (last, last, after);
        None
    }

    /// Whether a word that stands here would count as the line's level, if it is one.
    #[inline]
    fn counts(&self, word: &[u8], next: u8, after: &[u8]) -> bool {
        let starts = is_blank(self.before) || b"[(<|:,;>]})*#".contains(&self.before);
        if !starts {
            return false;
        }
        let is_upper = word.iter().all(u8::is_ascii_uppercase);
        // Without a mark, LOG is a word like any other (PostgreSQL writes `LOG:`).
        if is_upper && word != b"LOG" && (is_blank(next) || b"])>|:,/;[(}\r\n".contains(&next)) {
            return true;
        }
        if next == b':' && self.at_message && is_blank(self.before) {
            return true;
        }
        let opens = b"[(<".contains(&self.solid) || (self.before == b':' && self.in_brackets);
        opens && after.iter().find(|byte| !is_blank(**byte)).is_some_and(|b| b"])>".contains(b))
    }
}

/// The level in `=warn …` or `="warn" …`.
fn field_value(text: &[u8]) -> Option<(Level, &[u8])> {
    let value = text.strip_prefix(b"=")?;
    let value = ansi::skip_all(value.strip_prefix(b"\"").unwrap_or(value));
    let n_bytes = value.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (word, rest) = value.split_at_checked(n_bytes)?;
    Some((field::level(word)?, rest))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A level stands within the first so many words and bytes.
const MAX_WORDS: usize = 10;
const HEAD_BYTES: usize = 160;
