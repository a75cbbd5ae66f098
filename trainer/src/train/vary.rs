//! How a row is varied from epoch to epoch.

use truefill_model::fim::BoundFormat;

use crate::corpus::stable_hash;

/// What a variation is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// The run's.
    pub seed: u64,
    /// From 0.
    pub epoch: u64,
    /// The row's.
    pub id: &'a str,
}

impl Draw<'_> {
    fn hash(&self, what: &str) -> u64 {
        let epoch = self.epoch.to_le_bytes();
        stable_hash(self.seed, &[what.as_bytes(), &epoch, self.id.as_bytes()])
    }

    /// From 0 up to, without, 1.
    pub(super) fn share(&self, what: &str) -> f64 {
        // As many bits as a double holds, so that 1 is never reached.
        (self.hash(what) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 up to, without, `below`; 0 of none.
    pub(super) fn below(&self, what: &str, below: usize) -> usize {
        ((u128::from(self.hash(what)) * below as u128) >> 64) as usize
    }
}

/// The layout of a row, each as often as its share says.
pub fn layout_of<'f>(draw: &Draw<'_>, formats: &'f [(f64, BoundFormat)]) -> &'f BoundFormat {
    let total: f64 = formats.iter().map(|(share, _)| share).sum();
    let mut left = draw.share("layout") * total;
    for (share, format) in formats {
        if left < *share {
            return format;
        }
        left -= share;
    }
    // Rounding may leave a little of the last share.
    &formats[formats.len() - 1].1
}

/// How many bytes of the completion move to the prefix, 0 for most rows: as where the user has typed
/// a part of it. The place is any character's start, not a token's, so that the model learns to go on
/// inside a word. Both sides of a pair keep a character, and lose the same ones; where the hole ends
/// stays, because the model is to learn it.
pub fn resplit(draw: &Draw<'_>, rate: f64, chosen: &str, rejected: Option<&str>) -> usize {
    if draw.share("resplit") >= rate {
        return 0;
    }
    let common = match rejected {
        None => chosen.len(),
        Some(rejected) => common_prefix(chosen, rejected),
    };
    let shortest = chosen.len().min(rejected.map_or(usize::MAX, str::len));
    let starts = chosen.char_indices().map(|(at, _)| at);
    let places: Vec<usize> = starts
        .filter(|at| (1..=common).contains(at) && *at < shortest)
        .collect();
    match places.len() {
        0 => 0,
        count => places[draw.below("place", count)],
    }
}

/// Bytes of the characters that both texts begin with.
fn common_prefix(one: &str, other: &str) -> usize {
    let pairs = one.chars().zip(other.chars());
    pairs
        .take_while(|(one, other)| one == other)
        .map(|(c, _)| c.len_utf8())
        .sum()
}
