//! bzip2: the streams of a file, one after the other. Unlike the library's own reader, this returns
//! what was decompressed by the call that found damage.

use std::io::{self, BufRead, Read};

use bzip2::{Decompress, Status};

/// Unpacks one file.
pub(super) struct Bzip2Streams<R> {
    packed: R,
    /// `None` between two streams.
    stream: Option<Decompress>,
    /// Returned after the bytes before it.
    error: Option<io::Error>,
}

impl<R: BufRead> Bzip2Streams<R> {
    pub(super) fn new(packed: R) -> Self {
        Bzip2Streams { packed, stream: None, error: None }
    }
}

impl<R: BufRead> Read for Bzip2Streams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        while !buffer.is_empty() {
            let packed = self.packed.fill_buf()?;
            let is_end = packed.is_empty();
            if is_end && self.stream.is_none() {
                break;
            }
            let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
            let (n_in, n_out) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(packed, buffer);
            let (n_in, n_out) = (stream.total_in() - n_in, stream.total_out() - n_out);
            self.packed.consume(usize::try_from(n_in).map_err(io::Error::other)?);
            let n_out = usize::try_from(n_out).map_err(io::Error::other)?;
            match status {
                Ok(Status::StreamEnd) => self.stream = None,
                Ok(
                    Status::Ok
                    | Status::FlushOk
                    | Status::RunOk
                    | Status::FinishOk
                    | Status::MemNeeded,
                ) => {
                    if is_end && n_out == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) if n_out == 0 => return Err(error.into()),
                Err(error) => self.error = Some(error.into()),
            }
            if n_out > 0 {
                return Ok(n_out);
            }
        }
        Ok(0)
    }
}
