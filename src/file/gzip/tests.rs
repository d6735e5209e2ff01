use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::{GzipIndex, GzipReader};

/// As `gzip` packs it.
fn packed(parts: &[&[u8]]) -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    for part in parts {
        let output = file.try_clone().unwrap();
        let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(output).spawn().unwrap();
        gzip.stdin.take().unwrap().write_all(part).unwrap();
        assert!(gzip.wait().unwrap().success());
    }
    file
}

fn unpack(file: &std::fs::File, index: &Arc<GzipIndex>, from: u64) -> std::io::Result<Vec<u8>> {
    let mut reader = GzipReader::open(file.try_clone()?, Arc::clone(index), from);
    let mut all = vec![b'?'; usize::try_from(reader.offset()).unwrap()];
    let mut buffer = vec![0; 100_000];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(all),
            n_bytes => all.extend_from_slice(&buffer[..n_bytes]),
        }
    }
}

fn numbered(n_lines: u32) -> Vec<u8> {
    (0..n_lines)
        .flat_map(|n| format!("line {n} {}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

#[test]
fn what_gzip_packs_is_unpacked_from_any_place() {
    let text = numbered(1_500_000);
    let (one, two) = text.split_at(text.len() / 3);
    let file = packed(&[one, two]);
    let index = Arc::new(GzipIndex::default());
    assert!(unpack(&file, &index, 0).unwrap() == text);
    assert!(index.lock().all.len() > 5, "{index:?}");
    for from in [1, 5 << 20, text.len() as u64 / 3, text.len() as u64 - 10] {
        let again = unpack(&file, &index, from).unwrap();
        let start = again.iter().position(|byte| *byte != b'?').unwrap_or(0);
        assert!(start as u64 <= from && from - (start as u64) < 9 << 20, "{start} for {from}");
        assert!(again[start..] == text[start..]);
    }
}

#[test]
fn a_cut_or_foreign_file_is_an_error() {
    let file = packed(&[&numbered(10_000)]);
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
    let index = Arc::new(GzipIndex::default());
    assert_eq!(unpack(&file, &index, 0).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    let mut foreign = tempfile::tempfile().unwrap();
    foreign.write_all(b"plain text").unwrap();
    assert!(unpack(&foreign, &index, 0).is_err());
}

#[test]
fn an_empty_file_has_no_content() {
    let index = Arc::new(GzipIndex::default());
    assert!(unpack(&packed(&[b""]), &index, 0).unwrap().is_empty());
    assert!(unpack(&tempfile::tempfile().unwrap(), &index, 0).unwrap().is_empty());
}

/// Unpacks from `from` (or the place before it that the index knows) up to the end or an error.
fn unpack_to_error(
    file: &std::fs::File,
    index: &Arc<GzipIndex>,
    from: u64,
) -> (u64, Option<std::io::Error>) {
    let mut reader = GzipReader::open(file.try_clone().unwrap(), Arc::clone(index), from);
    let mut buffer = vec![0; 100_000];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return (reader.offset(), None),
            Ok(_) => {}
            Err(error) => return (reader.offset(), Some(error)),
        }
    }
}

/// The file with the byte at this place changed; a negative one counts from the end.
fn with_change(file: &std::fs::File, at: i64) -> std::fs::File {
    let mut bytes = std::fs::read(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    let from = if at < 0 { bytes.len() } else { 0 };
    let at = from.checked_add_signed(isize::try_from(at).unwrap()).unwrap();
    bytes[at] ^= 0x40;
    let mut changed = tempfile::tempfile().unwrap();
    changed.write_all(&bytes).unwrap();
    changed
}

#[test]
fn a_checksum_or_a_length_that_does_not_fit_is_damage_after_all_that_was_unpacked() {
    let text = numbered(10_000);
    let file = packed(&[&text]);
    for (at, word) in [(-8, "CRC-32"), (-5, "CRC-32"), (-4, "length"), (-1, "length")] {
        let (offset, error) =
            unpack_to_error(&with_change(&file, at), &Arc::new(GzipIndex::default()), 0);
        assert_eq!(offset, text.len() as u64);
        let error = error.unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        let told = error.to_string();
        assert!(told.contains(word) && told.contains(&offset.to_string()), "{at}: {told}");
    }
}

#[test]
fn a_checksum_is_looked_at_from_any_place_of_the_index_and_at_each_try() {
    let text = numbered(1_500_000);
    let file = with_change(&packed(&[&text]), -6);
    let index = Arc::new(GzipIndex::default());
    let length = text.len() as u64;
    for from in [0, 5 << 20, length - 10, length] {
        let (offset, error) = unpack_to_error(&file, &index, from);
        assert_eq!((offset, error.is_some()), (length, true), "from {from}");
        assert!(index.lock().all.len() > 5, "{index:?}");
    }
    // And where it fits, it fits from any place.
    let file = packed(&[&text[..1 << 20], &text[1 << 20..]]);
    let index = Arc::new(GzipIndex::default());
    for from in [0, 5 << 20, length - 10, length] {
        let (offset, error) = unpack_to_error(&file, &index, from);
        assert!(offset == length && error.is_none(), "{error:?} from {from}");
    }
}

#[test]
fn nothing_after_a_damaged_member_is_unpacked() {
    let (one, two) = (numbered(1000), numbered(2000));
    let whole = packed(&[&one, &two]);
    let first_bytes = packed(&[&one]).metadata().unwrap().len();
    let in_trailer = i64::try_from(first_bytes).unwrap() - 8;
    let (offset, error) =
        unpack_to_error(&with_change(&whole, in_trailer), &Arc::new(GzipIndex::default()), 0);
    assert_eq!((offset, error.is_some()), (one.len() as u64, true));
}

#[test]
fn what_follows_a_member_and_is_none_is_damage_unless_it_is_padding() {
    let text = numbered(1000);
    let length = text.len() as u64;
    let first_bytes = i64::try_from(packed(&[&text]).metadata().unwrap().len()).unwrap();
    // The header of a second member, damaged or cut.
    let two = packed(&[&text, &text]);
    let mut damaged = vec![with_change(&two, first_bytes), with_change(&two, first_bytes + 1)];
    let cut = packed(&[&text, &text]);
    cut.set_len(u64::try_from(first_bytes).unwrap() + 2).unwrap();
    damaged.push(cut);
    for rest in [&b"plain text\n"[..], b"\0\0\0text", b"\0\0\0\x1f\x8b"] {
        let mut file = packed(&[&text]);
        file.write_all(rest).unwrap();
        damaged.push(file);
    }
    for (number, file) in damaged.iter().enumerate() {
        let (offset, error) = unpack_to_error(file, &Arc::new(GzipIndex::default()), 0);
        assert_eq!((offset, error.is_some()), (length, true), "{number}");
    }
    let mut padded = packed(&[&text]);
    padded.write_all(&vec![0; 100_000]).unwrap();
    let (offset, error) = unpack_to_error(&padded, &Arc::new(GzipIndex::default()), 0);
    assert!(offset == length && error.is_none(), "{error:?}");
}

#[test]
fn a_trailer_that_is_cut_is_damage() {
    let text = numbered(1000);
    for n_cut in 1..=8 {
        let file = packed(&[&text]);
        file.set_len(file.metadata().unwrap().len() - n_cut).unwrap();
        let (offset, error) = unpack_to_error(&file, &Arc::new(GzipIndex::default()), 0);
        assert_eq!((offset, error.is_some()), (text.len() as u64, true), "{n_cut}");
    }
}
