//! A file's bytes, mapped into memory.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::ops::Deref;
use std::path::Path;

use super::WeightError;

/// The bytes of a file, or bytes that never were one.
pub(super) enum Mapping {
    File(memmap2::Mmap),
    Memory(Vec<u8>),
}

impl Mapping {
    /// Maps a whole file for reading.
    pub(super) fn open(path: &Path) -> Result<Self, WeightError> {
        Self::map(path).map_err(|reason| WeightError::Read {
            path: path.to_owned(),
            reason,
        })
    }

    fn map(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let status = file.metadata()?;
        if !status.is_file() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "expected a file, found none",
            ));
        }
        if status.len() == 0 {
            return Ok(Self::Memory(Vec::new()));
        }
        // SAFETY: the bytes are only ever read, through `&[u8]`. Checkpoint files are written
        // under a temporary name and renamed into place, never changed afterwards. Who shortens a
        // mapped file by hand ends the process with SIGBUS; no mapping can rule that out.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self::File(map))
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::File(map) => map,
            Self::Memory(bytes) => bytes,
        }
    }
}
