use std::io::Write as _;
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
