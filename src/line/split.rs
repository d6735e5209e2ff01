//! Splitting: where lines end in a block of bytes, and where an overlong line may be cut.

/// The encoding of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or anything else in which a byte 0x0A ends a line.
    Utf8,
    /// UTF-16, low byte first, with the mark FF FE.
    Utf16Le,
    /// UTF-16, high byte first, with the mark FE FF.
    Utf16Be,
}

impl Encoding {
    /// Detects the encoding by the byte order mark at the start of a file.
    #[must_use]
    pub fn of_head(head: &[u8]) -> Self {
        match head {
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            [..] => Self::Utf8,
        }
    }

    /// The offset just after the last LF in `block`, whose start is a multiple of
    /// [`Self::unit_bytes`] from the start of the file.
    #[must_use]
    pub fn last_line_end(self, block: &[u8]) -> Option<usize> {
        match self.newline_unit() {
            None => memchr::memrchr(b'\n', block).map(|at| at + 1),
            Some(unit) => {
                let n_units = block.len() / 2;
                let last = block.chunks_exact(2).rposition(|pair| pair == unit)?;
                debug_assert!(last < n_units);
                Some((last + 1) * 2)
            }
        }
    }

    /// The offsets just after each LF in `block`, ascending.
    pub fn for_each_line_end(self, block: &[u8], mut found: impl FnMut(usize)) {
        match self.newline_unit() {
            None => memchr::memchr_iter(b'\n', block).for_each(|at| found(at + 1)),
            Some(unit) => block
                .chunks_exact(2)
                .enumerate()
                .filter(|(_, pair)| *pair == unit)
                .for_each(|(at, _)| found((at + 1) * 2)),
        }
    }

    /// How many lines end in `block`.
    #[must_use]
    pub fn count_line_ends(self, block: &[u8]) -> usize {
        match self.newline_unit() {
            None => memchr::memchr_iter(b'\n', block).count(),
            Some(unit) => block.chunks_exact(2).filter(|pair| *pair == unit).count(),
        }
    }

    /// The greatest length up to `block.len()` at which a line may be cut without cutting a
    /// character. A block that is not text may be cut anywhere.
    #[must_use]
    pub fn piece_bytes(self, block: &[u8]) -> usize {
        match self {
            Self::Utf8 => {
                let is_inside = |byte: &u8| byte & 0xc0 == 0x80;
                let n_inside =
                    block.iter().rev().take(3).take_while(|byte| is_inside(byte)).count();
                let first = block.len() - n_inside;
                let width = match first.checked_sub(1).and_then(|at| block.get(at)) {
                    Some(0xc0..=0xdf) => 2,
                    Some(0xe0..=0xef) => 3,
                    Some(0xf0..=0xf7) => 4,
                    Some(_) | None => 1,
                };
                if width > n_inside + 1 && first > 1 { first - 1 } else { block.len() }
            }
            Self::Utf16Le | Self::Utf16Be => {
                let even = block.len() & !1;
                let high =
                    if self == Self::Utf16Le { even.checked_sub(1) } else { even.checked_sub(2) };
                let is_lead = high
                    .and_then(|at| block.get(at))
                    .is_some_and(|byte| (0xd8..=0xdb).contains(byte));
                if is_lead && even > 2 { even - 2 } else { even }
            }
        }
    }

    /// Appends an ASCII character.
    pub fn push_ascii(self, character: u8, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.push(character),
            Self::Utf16Le => out.extend_from_slice(&[character, 0]),
            Self::Utf16Be => out.extend_from_slice(&[0, character]),
        }
    }

    /// Bytes of a unit: offsets in the file are multiples of it.
    #[must_use]
    pub const fn unit_bytes(self) -> usize {
        match self {
            Self::Utf8 => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    const fn newline_unit(self) -> Option<[u8; 2]> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some([b'\n', 0]),
            Self::Utf16Be => Some([0, b'\n']),
        }
    }
}

/// A line without what ends it: LF, or CR LF.
#[must_use]
pub fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Encoding, trim_line_end};

    const ALL: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be];

    fn ends(encoding: Encoding, block: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        encoding.for_each_line_end(block, |end| ends.push(end));
        ends
    }

    fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    proptest! {
        #[test]
        fn the_ways_to_find_line_ends_agree(block: Vec<u8>) {
            for encoding in ALL {
                let ends = ends(encoding, &block);
                prop_assert_eq!(encoding.last_line_end(&block), ends.last().copied());
                prop_assert_eq!(encoding.count_line_ends(&block), ends.len());
                prop_assert!(ends.is_sorted());
            }
        }

        #[test]
        fn lines_joined_are_the_block(text in "[a-z\n\r\u{a}\u{2028}\u{10a0a}]{0,60}") {
            for encoding in ALL {
                let block = encoded(&text, encoding);
                let mut from = 0;
                let n_lines = text.matches('\n').count();
                let ends = ends(encoding, &block);
                prop_assert_eq!(ends.len(), n_lines);
                for (end, line) in ends.into_iter().zip(text.split_inclusive('\n')) {
                    prop_assert_eq!(&block[from..end], &encoded(line, encoding)[..]);
                    from = end;
                }
            }
        }

        #[test]
        fn a_piece_never_cuts_a_character(text in "[a\u{e9}\u{20ac}\u{1f600}]{2,40}", at in 0.0..1.0) {
            for encoding in ALL {
                let bytes = encoded(&text, encoding);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
                let cut = 8 + ((bytes.len().saturating_sub(8)) as f64 * at) as usize;
                let block = &bytes[..cut.min(bytes.len())];
                let n_bytes = encoding.piece_bytes(block);
                prop_assert!(n_bytes <= block.len() && block.len() - n_bytes < 4 && n_bytes > 0);
                let piece = &bytes[..n_bytes];
                match encoding {
                    Encoding::Utf8 => prop_assert!(std::str::from_utf8(piece).is_ok()),
                    Encoding::Utf16Le | Encoding::Utf16Be => {
                        let units = piece.chunks_exact(2).map(|pair| if encoding == Encoding::Utf16Le {
                            u16::from_le_bytes([pair[0], pair[1]])
                        } else {
                            u16::from_be_bytes([pair[0], pair[1]])
                        });
                        prop_assert!(char::decode_utf16(units).all(|c| c.is_ok()));
                    }
                }
            }
        }

        #[test]
        fn a_piece_of_any_bytes_is_never_empty(block in proptest::collection::vec(any::<u8>(), 4..20)) {
            for encoding in ALL {
                prop_assert!(encoding.piece_bytes(&block) > 0);
            }
        }
    }

    #[test]
    fn only_what_ends_a_line_is_trimmed() {
        assert_eq!(trim_line_end(b"a\r\n"), b"a");
        assert_eq!(trim_line_end(b"a\n"), b"a");
        assert_eq!(trim_line_end(b"a\r\r\n"), b"a\r");
        assert_eq!(trim_line_end(b"10%\r20%\n"), b"10%\r20%");
        assert_eq!(trim_line_end(b"\n"), b"");
        assert_eq!(trim_line_end(b"a"), b"a");
    }
}
