//! Near-duplicates: MinHash over 5-grams of tokens.
//!
//! One hash a gram, its high bits choose one of 256 bins, each bin keeps its least value (Li, Owen
//! and Zhang, "One Permutation Hashing", 2012); bins that stay empty copy another bin by a fixed
//! walk (Shrivastava, "Optimal Densification", 2017). The share of equal bins estimates the Jaccard
//! index with a standard error of at most 0.03 for files with more than a few hundred tokens. A bin
//! keeps 16 bits (b-bit MinHash, Li and König 2010), so a file costs 512 bytes, whatever its size.
//!
//! Candidates come from locality-sensitive hashing with 42 bands of 6 bins: of pairs at 0.7, 99.5 %
//! meet in some band; each pair that meets is checked against its signatures. One band is sorted at
//! a time, so that the bands cost 16 bytes a file in all.

use super::words::{grams, mix, tokens};

/// Values of a signature.
pub const BINS: usize = 256;

/// Bands, and bins in a band.
const BANDS: usize = 42;
const ROWS: usize = 6;

/// Tokens in a gram.
const GRAM: usize = 5;

/// Files of one bucket that a file is compared with.
const COMPARED: usize = 8;

/// What stays of a text.
pub type Signature = [u16; BINS];

/// The signature of a text.
pub fn signature(text: &str) -> Signature {
    let mut least = [u64::MAX; BINS];
    for gram in grams(tokens(text), GRAM) {
        let bin = (gram >> 56) as usize;
        least[bin] = least[bin].min(gram);
    }
    let mut signature = [0; BINS];
    if least.iter().all(|&value| value == u64::MAX) {
        return signature;
    }
    for (bin, value) in signature.iter_mut().enumerate() {
        let mut from = bin;
        let mut step = bin as u64;
        while least[from] == u64::MAX {
            step = mix(step ^ 0x5bd1);
            from = (step % BINS as u64) as usize;
        }
        // Other bits than those that chose the bin, and than those that are small in a minimum.
        *value = mix(least[from]) as u16;
    }
    signature
}

/// The share of grams that two texts have in common, estimated.
pub fn similarity(a: &[u16], b: &[u16]) -> f64 {
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f64 / BINS as f64
}

/// Signatures of many files, one after the other.
#[derive(Default)]
pub struct Signatures {
    values: Vec<u16>,
}

impl Signatures {
    /// Adds a file.
    pub fn push(&mut self, signature: &[u16]) {
        self.values.extend_from_slice(&signature[..BINS]);
    }

    /// Files.
    fn len(&self) -> usize {
        self.values.len() / BINS
    }

    /// The signatures of the files for which `keep` says so, in the memory that all had.
    pub fn only(mut self, keep: &[bool]) -> Self {
        let mut kept = 0;
        for (file, _) in keep.iter().enumerate().filter(|(_, keep)| **keep) {
            self.values
                .copy_within(file * BINS..(file + 1) * BINS, kept * BINS);
            kept += 1;
        }
        self.values.truncate(kept * BINS);
        self
    }

    fn of(&self, file: u32) -> &[u16] {
        &self.values[file as usize * BINS..][..BINS]
    }

    /// For each file whether an earlier one is nearly the same: the first file of a group of
    /// neighbours stays.
    pub fn duplicates(&self, threshold: f64) -> Vec<bool> {
        let firsts = self.firsts(threshold).into_iter().zip(0..);
        firsts.map(|(first, file)| first != file).collect()
    }

    /// For each file the first one of its group of neighbours; itself where it has none before it.
    pub fn firsts(&self, threshold: f64) -> Vec<u32> {
        let count = self.len();
        let mut parents: Vec<u32> = (0..count as u32).collect();
        let mut keyed: Vec<(u64, u32)> = Vec::with_capacity(count);
        for band in 0..BANDS {
            keyed.clear();
            keyed.extend((0..count as u32).map(|file| (self.key(file, band), file)));
            keyed.sort_unstable();
            for bucket in keyed.chunk_by(|a, b| a.0 == b.0) {
                self.join(bucket, threshold, &mut parents);
            }
        }
        (0..count as u32)
            .map(|file| root(&mut parents, file))
            .collect()
    }

    fn key(&self, file: u32, band: usize) -> u64 {
        self.of(file)[band * ROWS..][..ROWS]
            .iter()
            .fold(band as u64, |key, &value| mix(key ^ u64::from(value)))
    }

    /// Joins the files of a bucket that are alike. Each is compared with the bucket's first and
    /// with those right before it: buckets of thousands (a licence with little code below) stay
    /// linear.
    fn join(&self, bucket: &[(u64, u32)], threshold: f64, parents: &mut [u32]) {
        for (at, &(_, file)) in bucket.iter().enumerate().skip(1) {
            let near = at.saturating_sub(COMPARED - 1).max(1)..at;
            for other in std::iter::once(0).chain(near) {
                let other = bucket[other].1;
                let (a, b) = (root(parents, file), root(parents, other));
                if a != b && similarity(self.of(file), self.of(other)) >= threshold {
                    // The lower number is the root, so the first file of a group stays.
                    parents[a.max(b) as usize] = a.min(b);
                }
            }
        }
    }
}

fn root(parents: &mut [u32], mut file: u32) -> u32 {
    while parents[file as usize] != file {
        let above = parents[file as usize];
        parents[file as usize] = parents[above as usize];
        file = above;
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, words: usize, changed: usize) -> String {
        (0..words as u64)
            .map(|at| {
                let fresh = (at as usize) < changed;
                let word = mix(at ^ ((seed << 32 | 7) * u64::from(fresh)));
                format!("w{word:x} ")
            })
            .collect()
    }

    #[test]
    fn the_estimate_is_near_the_jaccard_index() {
        for changed in [0, 100, 200, 400, 900] {
            let (a, b) = (text(1, 1000, changed), text(2, 1000, changed));
            let grams =
                |text: &str| grams(tokens(text), GRAM).collect::<std::collections::HashSet<_>>();
            let (x, y) = (grams(&a), grams(&b));
            let exact = x.intersection(&y).count() as f64 / x.union(&y).count() as f64;
            let estimate = similarity(&signature(&a), &signature(&b));
            assert!((exact - estimate).abs() < 0.1, "{exact} {estimate}");
        }
    }

    #[test]
    fn the_first_of_near_duplicates_stays() {
        let mut signatures = Signatures::default();
        let base = text(1, 500, 500);
        let near = format!("{base} and a little more");
        let other = text(9, 500, 500);
        for text in [&other, &base, &near, &base] {
            signatures.push(&signature(text));
        }
        assert_eq!(signatures.duplicates(0.7), [false, false, true, true]);
        assert_eq!(signatures.firsts(0.7), [0, 1, 1, 1]);
        assert!(Signatures::default().duplicates(0.7).is_empty());
    }

    #[test]
    fn texts_without_tokens_have_a_signature() {
        assert_eq!(signature(" \n"), [0; BINS]);
        assert_ne!(signature("a"), [0; BINS]);
    }
}
