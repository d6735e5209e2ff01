//! Reserve: descriptors kept back for log files. When connections have used up all others, a
//! rotation can still be followed before the old file is gone.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

/// Some descriptors that are closed when there are no others.
#[derive(Debug, Default)]
pub struct FdReserve {
    spare: Mutex<Vec<File>>,
}

impl FdReserve {
    /// Opens a file, with a descriptor of the reserve if there is no other; and refills the reserve
    /// if possible.
    pub fn open<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        loop {
            match open() {
                Ok(opened) => {
                    self.fill();
                    return Ok(opened);
                }
                Err(error) if is_want_of_descriptors(&error) => {
                    let spare = self.lock().pop();
                    if spare.is_none() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Refills it, as far as possible.
    pub fn fill(&self) {
        let mut spare = self.lock();
        while spare.len() < N_SPARE {
            match File::open("/dev/null") {
                Ok(file) => spare.push(file),
                Err(error) => {
                    tracing::debug!(%error, "the reserve of descriptors is not full");
                    return;
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<File>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_want_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// A rotation takes two: one for the folder, one for the new file.
const N_SPARE: usize = 16;
