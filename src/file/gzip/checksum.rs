//! The trailer of a gzip member: CRC-32 and length (RFC 1952, section 2.3.1).

use std::io;

use crate::file::gzip::damaged;

/// The checksum of one member's content so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Checksum {
    crc: crc32fast::Hasher,
    /// Modulo 2^32, as in the trailer.
    length: u32,
}

impl Checksum {
    /// Adds the next bytes of the content.
    pub(super) fn update(&mut self, content: &[u8]) {
        self.crc.update(content);
        // The format requires wrapping at 4 GiB.
        let length = u64::from(self.length) + content.len() as u64;
        self.length = u32::try_from(length & u64::from(u32::MAX)).unwrap_or_default();
    }

    /// Compares the content, which ends at `offset` in the file, with the member's trailer.
    pub(super) fn compare(self, trailer: [u8; TRAILER_BYTES], offset: u64) -> io::Result<()> {
        let [c0, c1, c2, c3, l0, l1, l2, l3] = trailer;
        let (crc, length) =
            (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([l0, l1, l2, l3]));
        let of_content = self.crc.finalize();
        if crc != of_content {
            return Err(damaged(&format!(
                "the CRC-32 of the content up to byte {offset} is {of_content:08x}, \
                 expected {crc:08x}"
            )));
        }
        if length != self.length {
            return Err(damaged(&format!(
                "the length of the member that ends at byte {offset} of the content is {}, \
                 expected {length}",
                self.length
            )));
        }
        Ok(())
    }
}

/// The size of a member's trailer.
pub(super) const TRAILER_BYTES: usize = 8;
