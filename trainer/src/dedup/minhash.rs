//! MinHash with locality-sensitive buckets (Broder 1997): near-duplicates without comparing all
//! pairs.
//!
//! The numbers are those of the established pipelines: runs of five words, buckets of eight hashes
//! in fourteen bands (datatrove), similarity from 0.7 (bigcode).

use std::collections::HashMap;

use super::words::{grams, mix};

/// Words in a shingle.
const SHINGLE: usize = 5;

/// Texts with fewer shingles say too little to be compared.
const FEWEST_SHINGLES: usize = 10;

/// How texts are hashed.
#[derive(Clone, Debug)]
pub struct MinHash {
    bands: usize,
    rows: usize,
    /// One multiply-shift hash for each place of a signature: factor (odd) and summand.
    permutations: Vec<(u64, u64)>,
}

/// A text's signature: the share of equal places of two estimates the share of common shingles.
/// Sixteen bits of each hash are kept, so unequal ones agree by chance once in 65,536.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(Box<[u16]>);

impl Default for MinHash {
    fn default() -> Self {
        Self::new(14, 8)
    }
}

impl MinHash {
    /// Signatures of `bands` times `rows` places. Texts of similarity `(1 / bands)^(1 / rows)` share
    /// a bucket as often as not.
    pub fn new(bands: usize, rows: usize) -> Self {
        let permutation = |place: usize| {
            let seed = place as u64 * 2;
            (mix(seed) | 1, mix(seed + 1))
        };
        Self {
            bands,
            rows,
            permutations: (0..bands * rows).map(permutation).collect(),
        }
    }

    /// The signature of a text, and its buckets, one for each band; nothing for a text of a few
    /// words.
    pub fn signature(&self, text: &str) -> Option<(Signature, Vec<u64>)> {
        let mut least = vec![u32::MAX; self.permutations.len()];
        let mut shingles = 0;
        for shingle in grams(text, SHINGLE) {
            shingles += 1;
            for (least, (factor, summand)) in least.iter_mut().zip(&self.permutations) {
                let hash = shingle.wrapping_mul(*factor).wrapping_add(*summand) >> 32;
                *least = (*least).min(hash as u32);
            }
        }
        if shingles < FEWEST_SHINGLES {
            return None;
        }
        let bucket = |band: usize| {
            let places = &least[band * self.rows..(band + 1) * self.rows];
            let joined = places
                .iter()
                .fold(mix(band as u64), |sum, place| mix(sum ^ u64::from(*place)));
            mix(joined)
        };
        let buckets = (0..self.bands).map(bucket).collect();
        let signature = least.iter().map(|hash| *hash as u16).collect();
        Some((Signature(signature), buckets))
    }
}

impl Signature {
    /// The estimated similarity (Jaccard index) of two texts, 0 to 1.
    pub fn similarity(&self, other: &Self) -> f64 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        equal as f64 / self.0.len().max(1) as f64
    }
}

/// Texts seen so far. The first of several near-duplicates stays. A text costs about 600 bytes.
pub struct NearDuplicates {
    hash: MinHash,
    threshold: f64,
    buckets: HashMap<u64, u32>,
    /// The group of a text and its signature.
    kept: Vec<(u64, Signature)>,
}

impl NearDuplicates {
    /// None so far; texts of `threshold` similarity and more count as the same.
    pub fn new(hash: MinHash, threshold: f64) -> Self {
        Self {
            hash,
            threshold,
            buckets: HashMap::new(),
            kept: Vec::new(),
        }
    }

    /// Whether a text of another group is nearly the same as this one; if not, this one is kept.
    /// Texts of one group are never compared: two holes in one file share most of their text.
    pub fn seen(&mut self, group: u64, text: &str) -> bool {
        let Some((signature, buckets)) = self.hash.signature(text) else {
            return false;
        };
        let same = |bucket: &u64| {
            let Some(place) = self.buckets.get(bucket) else {
                return false;
            };
            let (other, kept) = &self.kept[*place as usize];
            *other != group && kept.similarity(&signature) >= self.threshold
        };
        if buckets.iter().any(same) {
            return true;
        }
        let place = self.kept.len() as u32;
        self.kept.push((group, signature));
        for bucket in buckets {
            self.buckets.entry(bucket).or_insert(place);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(from: usize, to: usize) -> String {
        (from..to).map(|word| format!("word{word} ")).collect()
    }

    #[test]
    fn similarity_is_that_of_the_shingles() {
        let hash = MinHash::new(32, 8);
        let signature = |text: &str| hash.signature(text).expect("long enough").0;
        let whole = signature(&text(0, 1000));
        for (from, expected) in [(0, 1.0), (100, 0.81), (333, 0.5), (990, 0.0)] {
            let found = whole.similarity(&signature(&text(from, 1000 + from)));
            assert!((found - expected).abs() < 0.12, "{from}: {found}");
        }
        assert_eq!(hash.signature("a b c"), None);
    }

    #[test]
    fn the_first_of_near_duplicates_stays() {
        let mut seen = NearDuplicates::new(MinHash::default(), 0.7);
        assert!(!seen.seen(1, &text(0, 300)));
        assert!(seen.seen(2, &text(5, 300)), "95 of 100 shingles in common");
        assert!(!seen.seen(1, &text(5, 300)), "the same file");
        assert!(!seen.seen(3, &text(1000, 1300)));
        assert!(!seen.seen(4, "short text"));
        assert!(!seen.seen(5, "short text"));
    }
}
