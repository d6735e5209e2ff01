use proptest::prelude::*;

use super::{Cursor, CursorError, GenerationKey, Version, check_of, parse_set};

fn cursor(
    source: u32,
    file: u32,
    head_bytes: u16,
    head: u32,
    written: u64,
    offset: u64,
    check: u32,
) -> Cursor {
    let version = Version::V2;
    let redaction = u8::from(version == Version::V2);
    let generation = GenerationKey { version, source, file, head_bytes, head, written, redaction };
    Cursor { generation, offset, check }
}

proptest! {
    #[test]
    fn a_token_gives_back_its_cursor(
        source: u32, file: u32, head_bytes in 0..=1024_u16, head: u32, written in 0..1_u64 << 48,
        offset in 0..1_u64 << 48, check: u32, is_old: bool,
    ) {
        let mut cursor = cursor(source, file, head_bytes, head, written, offset, check);
        if is_old {
            cursor.generation.version = Version::V1;
            cursor.generation.redaction = 0;
            cursor.check &= 0xffff;
        }
        let token = cursor.to_string();
        prop_assert_eq!(token.len(), if is_old { 44 } else { 48 });
        prop_assert!(token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'));
        prop_assert_eq!(token.parse::<Cursor>(), Ok(cursor));
    }

    #[test]
    fn any_text_is_a_cursor_or_an_error(text in ".{0,60}") {
        let read: Result<Cursor, CursorError> = text.parse();
        prop_assert!(read.is_err() || matches!(text.len(), 44 | 48));
    }

    #[test]
    fn one_changed_character_is_noticed(at in 0..48_usize, to in "[A-Za-z0-9_-]") {
        let token = cursor(1, 2, 3, 4, 9, 5, 6).to_string();
        let mut changed = token.clone();
        changed.replace_range(at..=at, &to);
        prop_assert!(changed == token || changed.parse::<Cursor>().is_err());
    }
}

#[test]
fn errors_name_what_was_expected() {
    let check = |text: &str, expected: &str| {
        assert_eq!(text.parse::<Cursor>().unwrap_err().to_string(), expected);
    };
    let expected = "is not a cursor: expected 48 characters of A-Z a-z 0-9 - _ (44 in tokens of release 0.1.0)";
    check("", expected);
    check(&"A".repeat(44), "is of cursor version 0, expected version 1 or 2");
    check(&"A".repeat(48), "is of cursor version 0, expected version 1 or 2");
    check(&format!("AQ{}", "A".repeat(42)), "is damaged: its checksum does not fit");
    check(&format!("Ag{}", "A".repeat(46)), "is damaged: its checksum does not fit");
}

#[test]
fn a_set_is_joined_by_tildes() {
    let (a, b) = (cursor(1, 2, 3, 4, 9, 5, 6), cursor(7, 8, 9, 10, 9, 11, 12));
    assert_eq!(parse_set(&format!("{a}~{b}")), Ok(vec![a, b]));
    assert!(parse_set(&format!("{a}~")).is_err());
}

#[test]
fn a_check_looks_at_the_last_line_only() {
    assert_eq!(check_of(b"one\ntwo\n"), check_of(b"another\ntwo\n"));
    assert_ne!(check_of(b"one\ntwo\n"), check_of(b"one\ntwa\n"));
    assert_ne!(check_of(b""), 0);
}

#[test]
fn a_token_of_the_first_release_is_read_and_written_as_it_was() {
    let key = GenerationKey {
        version: Version::V1,
        source: 1,
        file: 2,
        head_bytes: 3,
        head: 4,
        written: 9,
        redaction: 0,
    };
    let old = Cursor { generation: key, offset: 5, check: 6 };
    let token = "AQAAAAEAAAACAAMAAAAEAAAAAAAJAAAAAAAFAAavF5xd";
    assert_eq!(old.to_string(), token);
    assert_eq!(token.parse(), Ok(old));
}
