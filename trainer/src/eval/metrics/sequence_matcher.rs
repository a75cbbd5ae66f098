//! The edit similarity of "Hard negatives": the ratio of CPython's `difflib.SequenceMatcher`, to the last
//! bit.
//!
//! Ratcliff and Obershelp's: find the longest block that both texts have in common, then the same to its
//! left and to its right, and so on; the ratio is twice what is in common over what there is. Of blocks as
//! long as each other the one that begins first counts, in the first text, then in the second, and a
//! block is only looked for from characters that are not *popular*. So the order of the arguments
//! matters: (prediction, golden).

use std::collections::HashMap;

/// Second texts as long as this have popular characters.
const POPULAR_FROM: usize = 200;

/// Twice the characters in common over all characters, from 0 to 1; 1 where both texts are empty.
///
/// `SequenceMatcher(None, prediction, golden).ratio()`, its `autojunk` heuristic included: in a golden
/// completion of 200 characters or more no block is looked for from characters that stand for
/// more than a hundredth of it, which lowers the figures of long completions.
#[must_use]
pub fn ratio(prediction: &str, golden: &str) -> f64 {
    ratio_of(prediction, golden, true)
}

fn ratio_of(first: &str, second: &str, autojunk: bool) -> f64 {
    let (first, second): (Vec<char>, Vec<char>) =
        (first.chars().collect(), second.chars().collect());
    let length = first.len() + second.len();
    if length == 0 {
        return 1.0;
    }
    let common = Matcher::new(&first, &second, autojunk).common();
    2.0 * common as f64 / length as f64
}

/// What is left to compare: a range of each text.
#[derive(Clone, Copy)]
struct Part {
    first: (usize, usize),
    second: (usize, usize),
}

impl Part {
    fn is_empty(self) -> bool {
        self.first.0 >= self.first.1 || self.second.0 >= self.second.1
    }
}

/// A block that both texts have: where it starts in each, and its length.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    second: usize,
    length: usize,
}

/// A run of equal characters that ends at a position of the second text, and the row (position of the
/// first text) that it was found in. Rows are numbered on and on, so that nothing has to be cleared.
#[derive(Clone, Copy, Default)]
struct Run {
    row: u64,
    length: usize,
}

struct Matcher<'a> {
    first: &'a [char],
    second: &'a [char],
    /// Where each character of the first text stands in the second, ascending; an index into
    /// `positions`, `None` where it does not stand there or is popular.
    places: Vec<Option<usize>>,
    positions: Vec<Vec<usize>>,
    runs: Vec<Run>,
    row: u64,
}

impl<'a> Matcher<'a> {
    fn new(first: &'a [char], second: &'a [char], autojunk: bool) -> Self {
        let mut by_character: HashMap<char, Vec<usize>> = HashMap::new();
        for (at, character) in second.iter().enumerate() {
            by_character.entry(*character).or_default().push(at);
        }
        if autojunk && second.len() >= POPULAR_FROM {
            let most = second.len() / 100 + 1;
            by_character.retain(|_, found| found.len() <= most);
        }
        let (characters, positions): (Vec<char>, Vec<_>) = by_character.into_iter().unzip();
        let index: HashMap<char, usize> = characters.into_iter().zip(0..).collect();
        Self {
            first,
            second,
            places: first.iter().map(|c| index.get(c).copied()).collect(),
            positions,
            runs: vec![Run::default(); second.len()],
            row: 0,
        }
    }

    /// Characters in blocks that the texts have in common.
    fn common(&mut self) -> usize {
        let mut common = 0;
        let mut parts = vec![Part {
            first: (0, self.first.len()),
            second: (0, self.second.len()),
        }];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let block = self.longest(part);
            if block.length > 0 {
                common += block.length;
                parts.push(Part {
                    first: (part.first.0, block.first),
                    second: (part.second.0, block.second),
                });
                parts.push(Part {
                    first: (block.first + block.length, part.first.1),
                    second: (block.second + block.length, part.second.1),
                });
            }
        }
        common
    }

    /// The longest block without popular characters, and with whatever is equal around it. Where there
    /// is none, what is equal at the very start.
    fn longest(&mut self, part: Part) -> Block {
        let mut best = Block {
            first: part.first.0,
            second: part.second.0,
            length: 0,
        };
        // No run of another part goes on into this one.
        self.row += 1;
        for at in part.first.0..part.first.1 {
            self.row += 1;
            if let Some(place) = self.places[at] {
                self.extend_runs(at, place, part.second, &mut best);
            }
        }
        self.widen(best, part)
    }

    /// The runs that end at one character of the first text.
    fn extend_runs(&mut self, at: usize, place: usize, range: (usize, usize), best: &mut Block) {
        let positions = &self.positions[place];
        let from = positions.partition_point(|position| *position < range.0);
        // The left neighbour's run of the row above, where this row has written over it already.
        let mut above = (usize::MAX, Run::default());
        for &to in positions[from..].iter().take_while(|to| **to < range.1) {
            let before = match to.checked_sub(1) {
                Some(left) if left == above.0 => above.1,
                Some(left) => self.runs[left],
                None => Run::default(),
            };
            let length = match before.row + 1 == self.row {
                true => before.length + 1,
                false => 1,
            };
            above = (to, self.runs[to]);
            self.runs[to] = Run {
                row: self.row,
                length,
            };
            if length > best.length {
                *best = Block {
                    first: at + 1 - length,
                    second: to + 1 - length,
                    length,
                };
            }
        }
    }

    fn widen(&self, block: Block, part: Part) -> Block {
        let before = self.first[part.first.0..block.first]
            .iter()
            .rev()
            .zip(self.second[part.second.0..block.second].iter().rev());
        let before = before.take_while(|(a, b)| a == b).count();
        let after = self.first[block.first + block.length..part.first.1]
            .iter()
            .zip(&self.second[block.second + block.length..part.second.1]);
        let after = after.take_while(|(a, b)| a == b).count();
        Block {
            first: block.first - before,
            second: block.second - before,
            length: before + block.length + after,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::eval::reference;

    #[derive(Deserialize)]
    struct Pair {
        pred: String,
        gold: String,
        ratio_pred_gold: f64,
        ratio_pred_gold_autojunk_false: f64,
        ratio_gold_pred: f64,
    }

    #[test]
    fn ratios_are_those_of_cpython() {
        let pairs: Vec<Pair> = reference::rows("difflib.jsonl.gz");
        assert!(pairs.len() >= 600);
        for pair in &pairs {
            let Pair { pred, gold, .. } = pair;
            assert_eq!(ratio(pred, gold), pair.ratio_pred_gold, "{pred:?} {gold:?}");
            assert_eq!(ratio(gold, pred), pair.ratio_gold_pred, "{gold:?} {pred:?}");
            let whole = ratio_of(pred, gold, false);
            assert_eq!(
                whole, pair.ratio_pred_gold_autojunk_false,
                "{pred:?} {gold:?}"
            );
        }
        let popular = pairs
            .iter()
            .filter(|p| p.ratio_pred_gold != p.ratio_pred_gold_autojunk_false);
        assert!(popular.count() > 50);
    }

    #[test]
    fn nothing_is_like_nothing() {
        assert_eq!(ratio("", ""), 1.0);
        assert_eq!(ratio("a", ""), 0.0);
        assert_eq!(ratio("", "é"), 0.0);
    }

    /// Text of `length` characters out of `kinds`, as a generator of pseudo-random numbers draws them.
    fn drawn(length: usize, kinds: u32, mut seed: u64) -> String {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            0x100 + u32::try_from(seed >> 33).unwrap() % kinds
        };
        (0..length).filter_map(|_| char::from_u32(next())).collect()
    }

    #[test]
    fn long_texts_are_compared_in_time() {
        let code: String = (0..4000)
            .map(|n| format!("let a{n} = f(b{n}, {n});\n"))
            .collect();
        let other = code.replace("f(b", "g(c");
        let started = Instant::now();
        assert_eq!(ratio(&code, &code), 1.0);
        // Every character is popular, so that what is equal at the start is all that is found.
        assert_eq!(ratio(&code, &other), 2.0 * 9.0 / (2.0 * code.len() as f64));
        // No character is popular here, and every one is a start.
        let (a, b) = (drawn(100_000, 400, 1), drawn(100_000, 400, 2));
        assert!(ratio(&a, &b) < 0.5);
        assert!(ratio(&"ab(c)\n".repeat(17_000), &"ab(d)\n".repeat(30)) < 0.1);
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{:?}",
            started.elapsed()
        );
    }

    proptest! {
        #[test]
        fn a_ratio_is_a_share(a in "[abc é]{0,300}", b in "[abc é]{0,300}") {
            prop_assert!((0.0..=1.0).contains(&ratio(&a, &b)));
            prop_assert_eq!(ratio(&a, &a), 1.0);
        }
    }
}
