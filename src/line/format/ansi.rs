//! What may stand before or within a line's head and is not its text: colours and marks.

/// A line without what may stand before it: a byte order mark, colours, and blanks.
#[inline]
pub(super) fn without_prefix(line: &[u8]) -> &[u8] {
    match line {
        [b' ' | b'\t' | ESCAPE | 0xEF, ..] => {}
        _ => return line,
    }
    let mut rest = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let mut budget = PREFIX_BYTES;
    while let Some((&byte, after)) = rest.split_first() {
        let next = match byte {
            b' ' | b'\t' => after,
            ESCAPE => skip(rest),
            _ => break,
        };
        budget = budget.saturating_sub(rest.len() - next.len());
        if budget == 0 {
            break;
        }
        rest = next;
    }
    rest
}

/// What follows the escape sequence that a text begins with (ECMA-48, section 5.4); only the
/// escape itself is taken where it begins no control sequence. A text without one is given back.
pub(super) fn skip(text: &[u8]) -> &[u8] {
    let Some((&ESCAPE, after)) = text.split_first() else {
        return text;
    };
    let Some(body) = after.strip_prefix(b"[") else {
        return after;
    };
    let n_parameters = body.iter().take(32).take_while(|byte| matches!(byte, 0x20..=0x3F)).count();
    match body.get(n_parameters..).and_then(<[u8]>::split_first) {
        Some((0x40..=0x7E, rest)) => rest,
        _ => body,
    }
}

/// What follows all escape sequences that a text begins with.
#[inline]
pub(super) fn skip_all(mut text: &[u8]) -> &[u8] {
    while text.first() == Some(&ESCAPE) {
        text = skip(text);
    }
    text
}

/// The byte that begins an escape sequence.
pub(super) const ESCAPE: u8 = 0x1B;

/// More is not taken for a prefix.
const PREFIX_BYTES: usize = 160;
