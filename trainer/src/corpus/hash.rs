//! Hashes that decide about rows: the same in every version and on every machine.

use sha2::{Digest, Sha256};

use crate::rows::Context;

/// 64 bits of [`stable_digest`].
pub fn stable_hash(seed: u64, parts: &[&[u8]]) -> u64 {
    first_bytes(&stable_digest(seed, parts))
}

/// SHA-256 over a seed and parts; where one part ends and the next begins counts.
pub fn stable_digest(seed: u64, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The repository of a hole, as intervals and partitions tell repositories apart.
pub fn repository_hash(context: &Context) -> u64 {
    stable_hash(0, &[context.repo.as_bytes()])
}

/// The first eight bytes of a digest as a number.
pub(super) fn first_bytes(digest: &[u8]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_pinned() {
        assert_ne!(
            stable_hash(1, &[b"ab", b"c"]),
            stable_hash(1, &[b"a", b"bc"])
        );
        assert_ne!(stable_hash(1, &[b"ab"]), stable_hash(2, &[b"ab"]));
        assert_eq!(stable_hash(0, &[]), 0xaf55_70f5_a181_0b7a);
    }
}
