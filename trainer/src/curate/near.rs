//! Holes whose surroundings stand in another file too.

use crate::corpus::stable_hash;
use crate::dedup::minhash::{Signatures, signature};
use crate::dedup::words::tokens;
use crate::rows::Context;

/// Bytes to each side of a hole that are its surroundings. All of the file would not do: its head, a
/// licence for example, says nothing about the hole.
const SURROUNDINGS: usize = 1000;

/// Surroundings of fewer tokens say too little to be compared.
const FEWEST_TOKENS: usize = 14;

/// A hole that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// A context's own, by its place.
    Own(u32),
    /// Of an import, by its number.
    Import(u64),
}

/// Surroundings so far. A hole costs about 540 bytes.
pub struct Near {
    threshold: f64,
    signatures: Signatures,
    /// The hole and the number of its file.
    holes: Vec<(Hole, u64)>,
}

/// The number of a context's file: a copy of it in another repository is another file.
pub fn file_of(context: &Context) -> u64 {
    let parts = [&context.repo, &context.path, &context.span.file_sha256];
    stable_hash(0, &parts.map(|part| part.as_bytes()))
}

impl Near {
    /// None so far; surroundings of `threshold` similarity and more count as the same.
    pub fn new(threshold: f64) -> Self {
        Self {
            threshold,
            signatures: Signatures::default(),
            holes: Vec::new(),
        }
    }

    /// Adds a hole of a file.
    pub fn add(&mut self, hole: Hole, file: u64, [prefix, golden, suffix]: [&str; 3]) {
        let start = prefix.ceil_char_boundary(prefix.len().saturating_sub(SURROUNDINGS));
        let end = suffix.floor_char_boundary(SURROUNDINGS.min(suffix.len()));
        let around = [&prefix[start..], golden, &suffix[..end]].concat();
        if tokens(&around).nth(FEWEST_TOKENS - 1).is_some() {
            self.signatures.push(&signature(&around));
            self.holes.push((hole, file));
        }
    }

    /// The holes that are nearly the same as an earlier one in another file. Holes of one file are
    /// never duplicates of each other: they share most of their surroundings.
    pub fn duplicates(self) -> Vec<Hole> {
        let firsts = self.signatures.firsts(self.threshold);
        let pairs = self.holes.iter().zip(firsts);
        let other = pairs.filter(|((_, file), first)| self.holes[*first as usize].1 != *file);
        other.map(|((hole, _), _)| *hole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_of_other_files_are_compared() {
        let text = |from: usize| -> String {
            let words = (from..from + 300).map(|word| format!("word{word} "));
            words.collect()
        };
        let (one, nearly, other) = (text(0), text(4), text(1000));
        let mut near = Near::new(0.7);
        let holes = [
            (1, &one),
            (1, &nearly),
            (2, &nearly),
            (3, &other),
            (4, &other),
        ];
        for (place, (file, text)) in holes.into_iter().enumerate() {
            near.add(Hole::Own(place as u32), file, [text, "golden", ""]);
        }
        for file in [5, 6] {
            near.add(Hole::Import(file), file, ["short", "text", ""]);
        }
        assert_eq!(near.duplicates(), [Hole::Own(2), Hole::Own(4)]);
    }
}
