//! Tokens of a text as hashes, in any language: runs of letters and digits, and single other
//! characters.

/// Hashes bytes (FNV-1a, then SplitMix64's last step): the same on every machine and in every
/// release.
pub fn hash(bytes: &[u8]) -> u64 {
    let folded = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(folded)
}

/// Spreads a number over all bits (SplitMix64).
pub const fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The tokens of a text, white space aside.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        if at == start && at < bytes.len() {
            at += 1;
        }
        // Bytes of 0x80 and above are words, so a cut never falls into a character.
        (at > start).then(|| &text[start..at])
    })
}

/// The words of a text: its tokens without signs.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    tokens(text).filter(|token| is_word(token.as_bytes()[0]))
}

/// The hash of a run of tokens, from their own hashes.
pub fn gram(run: &[u64]) -> u64 {
    folded(run.iter().copied())
}

fn folded(run: impl Iterator<Item = u64>) -> u64 {
    run.fold(0, |gram, token| mix(gram.rotate_left(5) ^ token))
}

/// Hashes of `n` tokens in a row. An iterator of fewer gives one hash of all, an empty one none.
pub fn grams<'a>(tokens: impl Iterator<Item = &'a str>, n: usize) -> impl Iterator<Item = u64> {
    let mut ring = vec![0_u64; n];
    let mut seen = 0_usize;
    let mut tokens = tokens.map(|token| hash(token.as_bytes()));
    let mut ended = false;
    std::iter::from_fn(move || {
        while !ended {
            match tokens.next() {
                Some(token) => {
                    ring[seen % n] = token;
                    seen += 1;
                }
                None => {
                    ended = true;
                    if seen == 0 || seen >= n {
                        return None;
                    }
                }
            }
            if seen >= n || ended {
                let oldest = if seen >= n { seen % n } else { 0 };
                return Some(folded((0..n).map(|step| ring[(oldest + step) % n])));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_signs() {
        let found: Vec<_> = tokens("a_1+ü(\n b)").collect();
        assert_eq!(found, ["a_1", "+", "ü", "(", "b", ")"]);
        assert_eq!(words("a = b").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn grams_depend_on_their_tokens_and_order_alone() {
        let of = |text: &str| grams(tokens(text), 3).collect::<Vec<_>>();
        assert_eq!(of("").len(), 0);
        assert_eq!(of("a b").len(), 1);
        assert_eq!(of("a b c").len(), 1);
        assert_eq!(of("x a b c")[1], of("a b c")[0]);
        assert_ne!(of("a b c"), of("c b a"));
        assert_eq!(of("a b c d e f").len(), 4);
    }
}
