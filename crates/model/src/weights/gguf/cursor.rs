//! Reading a header without trusting it: every step is checked against what is left.

use std::ops::Range;

use super::super::error::{Fault, shown};

/// A position in a file's bytes.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at: at.min(bytes.len()),
        }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Bytes to the end of the file.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes, as a range of the file.
    pub(super) fn skip(&mut self, count: u64, what: &str) -> Result<Range<usize>, Fault> {
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => {
                let start = self.at;
                self.at += count;
                Ok(start..self.at)
            }
            _ => Err(Fault::damaged(
                format!("{what} at byte {}", self.at),
                format!("{count} bytes"),
                format!("{} to the end of the file", self.left()),
            )),
        }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let range = self.skip(N as u64, what)?;
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[range]);
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// The range of a string's bytes, behind its length.
    pub(super) fn string(&mut self, what: &str) -> Result<Range<usize>, Fault> {
        let length = self.u64(what)?;
        self.skip(length, what)
    }

    /// A name of 1 to `limit` bytes of UTF-8.
    pub(super) fn name(&mut self, what: &str, limit: u64) -> Result<&'a str, Fault> {
        let at = self.at;
        let length = self.u64(what)?;
        if length == 0 || length > limit {
            return Err(Fault::damaged(
                format!("{what} at byte {at}"),
                format!("a length of 1 to {limit} bytes"),
                length.to_string(),
            ));
        }
        let range = self.skip(length, what)?;
        std::str::from_utf8(&self.bytes[range]).map_err(|_| {
            Fault::damaged(
                format!("{what} at byte {at}"),
                "UTF-8",
                "bytes that are none",
            )
        })
    }

    /// A count of things of which each takes at least `least` bytes of the file.
    pub(super) fn count(&mut self, what: &str, least: u64, limit: u64) -> Result<usize, Fault> {
        let at = self.at;
        let count = self.u64(what)?;
        let room = (self.left() as u64 / least).min(limit);
        if count > room {
            return Err(Fault::damaged(
                format!("{what} at byte {at}"),
                format!("at most {room}"),
                count.to_string(),
            ));
        }
        usize::try_from(count)
            .map_err(|_| Fault::damaged(what, "a count that fits memory", count.to_string()))
    }
}

/// A string of the file.
pub(super) fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| {
        Fault::damaged(
            shown(what),
            "UTF-8",
            format!(
                "a string that is none from its byte {}",
                error.valid_up_to()
            ),
        )
    })
}
