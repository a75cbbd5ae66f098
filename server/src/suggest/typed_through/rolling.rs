//! A rolling hash: the hash of any window of a text, at the cost of one pass.

use super::BEFORE_BYTES;

/// An odd base: the rolling hash is a polynomial in it, modulo 2⁶⁴.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

const POWERS: [u64; BEFORE_BYTES + 1] = {
    let mut powers = [1u64; BEFORE_BYTES + 1];
    let mut at = 1;
    while at <= BEFORE_BYTES {
        powers[at] = powers[at - 1].wrapping_mul(BASE);
        at += 1;
    }
    powers
};

fn push(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1)
}

pub(super) fn polynomial(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |hash, &byte| push(hash, byte))
}

/// The hashes of all beginnings of a text, from which any window's hash follows.
pub(super) struct Rolling(Vec<u64>);

impl Rolling {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut hashes = Vec::with_capacity(bytes.len() + 1);
        hashes.push(0);
        let mut hash = 0;
        hashes.extend(bytes.iter().map(|&byte| {
            hash = push(hash, byte);
            hash
        }));
        Self(hashes)
    }

    /// The hash of the bytes from `from` to `to`, at most [`BEFORE_BYTES`] of them.
    pub(super) fn of(&self, from: usize, to: usize) -> u64 {
        self.0[to].wrapping_sub(self.0[from].wrapping_mul(POWERS[to - from]))
    }
}
