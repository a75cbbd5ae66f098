//! Levenshtein's edit similarity: Delulu's, and the one of figures during training.

/// 1 − distance in characters over the longer text's length; 1 where both are empty.
#[must_use]
pub fn similarity(a: &str, b: &str) -> f64 {
    strsim::normalized_levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(similarity("", ""), 1.0);
        assert_eq!(similarity("", "é"), 0.0);
        assert_eq!(similarity("né", "ne"), 0.5);
    }

    proptest! {
        #[test]
        fn it_is_a_share_and_has_no_order(a in ".{0,20}", b in ".{0,20}") {
            let found = similarity(&a, &b);
            prop_assert!((0.0..=1.0).contains(&found));
            prop_assert_eq!(found, similarity(&b, &a));
            prop_assert_eq!(found == 1.0, a == b);
        }
    }
}
