//! A reader that ends in an error where an archive unpacks to more than it may.

use std::cell::Cell;
use std::io::Read;

/// Bytes that an archive may spend between two of its files: headers and long names, which its
/// reader keeps in memory.
const BETWEEN: u64 = 1 << 20;

/// What may still be read.
pub(super) struct Allowance {
    limit: u64,
    left: Cell<u64>,
    between: Cell<Option<u64>>,
}

impl Allowance {
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            limit,
            left: Cell::new(limit),
            between: Cell::new(Some(BETWEEN)),
        }
    }

    /// From here on, the bytes are a file's own, or again what lies between files.
    pub(super) fn inside(&self, inside: bool) {
        self.between.set((!inside).then_some(BETWEEN));
    }

    /// Takes `bytes` that were read.
    pub(super) fn spend(&self, bytes: u64) -> std::io::Result<()> {
        let Some(left) = self.left.get().checked_sub(bytes) else {
            return Err(std::io::Error::other(format!(
                "expected at most {} bytes unpacked, found more; raise `limits.bytes` if the archive is sound",
                self.limit
            )));
        };
        self.left.set(left);
        if let Some(between) = self.between.get() {
            let Some(left) = between.checked_sub(bytes) else {
                return Err(std::io::Error::other(format!(
                    "expected headers of at most {BETWEEN} bytes, found more"
                )));
            };
            self.between.set(Some(left));
        }
        Ok(())
    }
}

/// Reads as far as the allowance goes.
pub(super) struct Limited<'a, R> {
    pub inner: R,
    pub allowance: &'a Allowance,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.allowance.spend(read as u64)?;
        Ok(read)
    }
}
