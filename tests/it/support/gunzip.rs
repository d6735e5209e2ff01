//! Gunzip: a stream that somebody has packed on its way, piece by piece.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};

/// Unpacks what comes, as far as it has come.
pub struct Gunzip {
    /// What of the head is still to come; proxies write one without optional fields.
    head: usize,
    state: Box<InflateState>,
}

impl Default for Gunzip {
    fn default() -> Self {
        Gunzip { head: 10, state: InflateState::new_boxed(DataFormat::Raw) }
    }
}

impl std::fmt::Debug for Gunzip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gunzip").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Gunzip {
    /// What the bytes hold.
    pub fn unpack(&mut self, packed: &[u8]) -> Vec<u8> {
        let of_head = self.head.min(packed.len());
        self.head -= of_head;
        let mut packed = &packed[of_head..];
        let mut unpacked = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let result = inflate(&mut self.state, packed, &mut buffer, MZFlush::None);
            packed = &packed[result.bytes_consumed..];
            unpacked.extend_from_slice(&buffer[..result.bytes_written]);
            if result.bytes_written < buffer.len() {
                return unpacked;
            }
        }
    }
}
