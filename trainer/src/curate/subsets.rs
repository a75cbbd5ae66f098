//! Subsets of the training rows: sizes that nest, and bands that differ in nothing but the fool
//! rate.

use std::collections::{BTreeMap, HashMap};

use super::pool::Pool;
use super::recipe::CurateRecipe;
use super::select::{Bucket, Chosen};
use super::splits::Split;
use crate::rows::Difficulty;

/// Which subsets the rows are in.
#[derive(Debug, Default)]
pub struct Subsets {
    /// Where a context's training row stands: it is in every subset of more rows.
    positions: HashMap<u32, u32>,
    /// The band's subset that a row is in, by its place in the pool: a context's other pairs fooled
    /// other judges.
    bands: HashMap<usize, Difficulty>,
    /// Sizes that there are enough rows for.
    pub sizes: Vec<usize>,
    /// Sizes that there are not enough rows for, and how many are missing.
    pub missing: Vec<(usize, usize)>,
    /// Rows of each band's subset.
    pub band_rows: usize,
}

impl Subsets {
    /// Whether the context's rows are in the subset of `size` rows.
    pub fn in_size(&self, context: u32, size: usize) -> bool {
        let position = self.positions.get(&context);
        position.is_some_and(|position| (*position as usize) < size)
    }

    /// The band whose subset the row at a place in the pool is in.
    pub fn band(&self, row: usize) -> Option<Difficulty> {
        self.bands.get(&row).copied()
    }

    /// Forms the subsets.
    pub fn form(pool: &Pool, chosen: &[Chosen], recipe: &CurateRecipe) -> Self {
        let training: Vec<usize> = chosen
            .iter()
            .filter(|chosen| chosen.sft)
            .map(|chosen| chosen.row)
            .filter(|row| pool.contexts.get(pool.rows[*row].context).own.split == Split::Train)
            .collect();
        let ordered = evenly(buckets(pool, &training));
        let context = |row: &usize| pool.rows[*row].context;
        let positions = ordered.iter().map(context).zip(0..).collect();
        let mut sizes: Vec<usize> = recipe.sizes.clone();
        sizes.sort_unstable();
        sizes.dedup();
        let large = sizes.split_off(sizes.partition_point(|size| *size <= training.len()));
        let missing = large.into_iter().map(|size| (size, size - training.len()));
        let (bands, band_rows) = balanced_bands(pool, &training, recipe);
        Self {
            positions,
            bands,
            sizes,
            missing: missing.collect(),
            band_rows,
        }
    }
}

/// The rows of each bucket, in the order of the draw.
fn buckets(pool: &Pool, rows: &[usize]) -> BTreeMap<Bucket, Vec<usize>> {
    let mut buckets: BTreeMap<Bucket, Vec<usize>> = BTreeMap::new();
    for place in rows {
        let row = &pool.rows[*place];
        let language = pool.contexts.get(row.context).own.language;
        buckets
            .entry((language, row.kind))
            .or_default()
            .push(*place);
    }
    buckets
}

/// All rows in an order of which every beginning has the buckets' mix, to within a row each: the
/// `i`th of `n` rows of a bucket stands at `(i + 1/2) / n` of the way.
fn evenly<K>(buckets: BTreeMap<K, Vec<usize>>) -> Vec<usize> {
    let mut placed: Vec<(u64, u64, usize)> = Vec::new();
    for rows in buckets.values() {
        let of = 2 * rows.len() as u64;
        placed.extend(rows.iter().zip(0..).map(|(row, at)| (2 * at + 1, of, *row)));
    }
    // Stable: buckets in their order where two stand at the same place.
    placed.sort_by(|(a, a_of, _), (b, b_of, _)| (a * b_of).cmp(&(b * a_of)));
    placed.into_iter().map(|(_, _, row)| row).collect()
}

/// For each band as many rows of each bucket as for the others.
fn balanced_bands(
    pool: &Pool,
    training: &[usize],
    recipe: &CurateRecipe,
) -> (HashMap<usize, Difficulty>, usize) {
    let mut by_band: BTreeMap<Bucket, BTreeMap<Difficulty, Vec<usize>>> = BTreeMap::new();
    for (bucket, rows) in buckets(pool, training) {
        for place in rows {
            if let Some(band) = recipe.bands.band(pool.rows[place].fooled(), pool.panel()) {
                let bands = by_band.entry(bucket).or_default();
                bands.entry(band).or_default().push(place);
            }
        }
    }
    let least = |bands: &BTreeMap<Difficulty, Vec<usize>>| {
        let counts = Difficulty::ALL.map(|band| bands.get(&band).map_or(0, Vec::len));
        counts.into_iter().min().unwrap_or(0)
    };
    let available: Vec<usize> = by_band.values().map(least).collect();
    let quotas = apportion(&available, recipe.bands.rows);
    let mut bands = HashMap::new();
    for (of_bucket, quota) in by_band.values().zip(&quotas) {
        for (band, rows) in of_bucket {
            let taken = rows.iter().take(*quota);
            bands.extend(taken.map(|row| (*row, *band)));
        }
    }
    (bands, quotas.iter().sum())
}

/// At most `total` of `available`, in proportion: whole parts, then largest remainders.
fn apportion(available: &[usize], total: usize) -> Vec<usize> {
    let all: usize = available.iter().sum();
    if all <= total {
        return available.to_vec();
    }
    let mut parts: Vec<usize> = available.iter().map(|count| count * total / all).collect();
    let mut by_remainder: Vec<usize> = (0..available.len()).collect();
    by_remainder.sort_by_key(|at| std::cmp::Reverse(available[*at] * total % all));
    let missing = total - parts.iter().sum::<usize>();
    for at in by_remainder.into_iter().take(missing) {
        parts[at] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_has_the_mix() {
        let buckets = BTreeMap::from([
            ("a", (0..60).collect()),
            ("b", (100..130).collect()),
            ("c", vec![200]),
        ]);
        let ordered = evenly(buckets);
        assert_eq!(ordered.len(), 91);
        for length in [9, 30, 60] {
            let a = ordered[..length].iter().filter(|row| **row < 100).count() as f64;
            assert!(
                (a - 60.0 / 91.0 * length as f64).abs() <= 1.0,
                "{length}: {a}"
            );
        }
        let a: Vec<usize> = ordered.into_iter().filter(|row| *row < 100).collect();
        assert!(a.is_sorted(), "the draw's order is kept in a bucket");
    }

    #[test]
    fn parts_add_up_to_the_total() {
        let table: [(&[usize], usize, &[usize]); 5] = [
            (&[3, 4], 10, &[3, 4]),
            (&[10, 10], 10, &[5, 5]),
            (&[10, 10, 10], 10, &[4, 3, 3]),
            (&[1, 99], 10, &[0, 10]),
            (&[], 5, &[]),
        ];
        for (available, total, expected) in table {
            assert_eq!(apportion(available, total), expected, "{available:?}");
        }
    }
}
