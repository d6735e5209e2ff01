//! Hole: the run of zeros that a file begins with when it was truncated under a writer that does
//! not append but continues at its own offset (`java > app.log` under copytruncate). It is not
//! content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::file::archive::ArchiveReader;

/// The first bytes of a file behind its hole, at most `max_bytes`, and their offset.
pub fn head_of(file: &File, max_bytes: usize) -> io::Result<(u64, Vec<u8>)> {
    let head = read_at(file, 0, max_bytes)?;
    if head.first() != Some(&0) {
        return Ok((0, head));
    }
    match data_start(file)? {
        start if start < MIN_BYTES => Ok((0, head)),
        start => Ok((start, read_at(file, start, max_bytes)?)),
    }
}

/// The end of the hole at the start of a file; the file's size, if it has no other content.
pub fn data_start(file: &File) -> io::Result<u64> {
    // The seek moves the shared file offset, which is unused, as all reads pass theirs.
    let mut start = match seek(file, SeekFrom::Data(0)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(file.metadata()?.len()),
        // Not every file system supports this.
        Err(Errno::INVAL | Errno::NOTSUP) => 0,
        Err(error) => return Err(error.into()),
    };
    loop {
        let block = read_at(file, start, BLOCK_BYTES)?;
        let n_zeros = count_zeros(&block);
        start += n_zeros as u64;
        if n_zeros < block.len() || block.is_empty() {
            return Ok(start);
        }
    }
}

/// [`head_of`] the content of an archive.
pub fn head_of_archive(
    archive: &mut ArchiveReader,
    max_bytes: usize,
) -> io::Result<(u64, Vec<u8>)> {
    let (mut start, mut head) = (0, Vec::new());
    // Fewer zeros count as content.
    let mut zeros = Vec::new();
    while start < MAX_PACKED_HOLE_BYTES {
        let mut block = vec![0; max_bytes - head.len()];
        let n_read = archive.read_full(&mut block)?;
        block.truncate(n_read);
        if head.is_empty() {
            let n_zeros = count_zeros(&block);
            start += n_zeros as u64;
            let odd: Vec<u8> = block.drain(..n_zeros).collect();
            if start < MIN_BYTES {
                zeros.extend_from_slice(&odd);
            }
        }
        head.extend_from_slice(&block);
        if n_read == 0 || head.len() >= max_bytes {
            break;
        }
    }
    if start < MIN_BYTES {
        zeros.extend_from_slice(&head);
        zeros.truncate(max_bytes);
        return Ok((0, zeros));
    }
    Ok((start, head))
}

/// The number of zeros at the start of `bytes`.
#[must_use]
pub fn count_zeros(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

fn read_at(file: &File, offset: u64, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; max_bytes];
    let mut n_read = 0;
    while let Some(rest) = bytes.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + n_read as u64) {
            Ok(0) => break,
            Ok(n_bytes) => n_read += n_bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(n_read);
    Ok(bytes)
}

/// Fewer zeros are content.
const MIN_BYTES: u64 = 128;

const BLOCK_BYTES: usize = 64 * 1024;

/// A compressed file is not decompressed further than this to find its head.
const MAX_PACKED_HOLE_BYTES: u64 = 256 << 20;
