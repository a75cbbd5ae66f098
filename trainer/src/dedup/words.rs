//! Words of source text and the hashes of their n-grams.

/// Runs of letters, digits and underscores, as in the clean-up of The Stack (bigcode): everything
/// between them is layout and punctuation.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// A hash of every run of `n` words, in order; the same in every version.
pub fn grams(text: &str, n: usize) -> impl Iterator<Item = u64> {
    let hashes: Vec<u64> = words(text).map(|word| fnv(word.as_bytes())).collect();
    let count = (hashes.len() + 1).saturating_sub(n.max(1));
    (0..count).map(move |start| {
        let run = hashes[start..].iter().take(n.max(1));
        mix(run.fold(0, |sum, hash| mix(sum ^ hash)))
    })
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// SplitMix64's step: every bit of the input moves every bit of the output.
pub(super) fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grams_are_runs_of_words() {
        assert_eq!(
            words("a.b_c(1);é").collect::<Vec<_>>(),
            ["a", "b_c", "1", "é"]
        );
        assert_eq!(grams("a b c d", 2).count(), 3);
        assert_eq!(grams("a b", 3).count(), 0);
        let first: Vec<u64> = grams("a b c", 2).collect();
        let second: Vec<u64> = grams("x, (b c)", 2).collect();
        assert_eq!(first[1], second[1]);
        assert_ne!(first[0], second[0]);
    }
}
