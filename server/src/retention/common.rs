//! How much of a text is left in another one.

/// Characters of each text that are compared at most: what is longer is cut, which can only
/// say that less was kept.
const MOST: usize = 8192;

/// Characters of the longest common subsequence of two texts.
pub fn common(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(MOST).collect();
    let other: Vec<char> = other.chars().take(MOST).collect();
    let head = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[head..], &other[head..]);
    let tail = one.iter().rev().zip(other.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    head + tail + inner(&one[..one.len() - tail], &other[..other.len() - tail])
}

/// Row by row; one row of lengths is enough.
fn inner(one: &[char], other: &[char]) -> usize {
    let mut lengths = vec![0usize; other.len() + 1];
    for a in one {
        let mut diagonal = 0;
        for (at, b) in other.iter().enumerate() {
            let above = lengths[at + 1];
            lengths[at + 1] = match a == b {
                true => diagonal + 1,
                false => above.max(lengths[at]),
            };
            diagonal = above;
        }
    }
    lengths.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kept_characters_in_their_order() {
        for (one, other, expected) in [
            ("", "", 0),
            ("abc", "", 0),
            ("abc", "abc", 3),
            ("total(a, b)", "total(a, c)", 10),
            ("x=1", "x = 1", 3),
            ("abcd", "dcba", 1),
            ("é😀z", "z😀é", 1),
            ("let x = 1;", "let mut y = 1;", 9),
        ] {
            assert_eq!(common(one, other), expected, "{one:?} {other:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_a_subsequence_of_both(one in "[ab\n]{0,40}", other in "[ab\n]{0,40}") {
            let both = common(&one, &other);
            prop_assert_eq!(both, common(&other, &one));
            prop_assert!(both <= one.len().min(other.len()));
            let of_joined = common(&one, &format!("{one}{other}"));
            prop_assert_eq!(of_joined, one.len());
        }
    }
}
