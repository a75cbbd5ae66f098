//! Shares with their denominators and intervals, and quantiles.

use serde::{Deserialize, Serialize};

/// How tables name their intervals. Rows of one repository are alike, so for code of other repositories
/// the true ones are wider.
pub const INTERVALS: &str = "95 % Wilson intervals, as if all rows were independent";

/// The normal distribution's 97.5 % point: intervals are 95 % wide.
const Z: f64 = 1.959_963_984_540_054;

/// A part of a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many have the property.
    pub part: u64,
    /// How many were looked at.
    pub of: u64,
}

impl Share {
    /// Takes one more into account.
    pub fn add(&mut self, has: bool) {
        self.of += 1;
        self.part += u64::from(has);
    }

    /// The share from 0 to 1; nothing of nothing.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.part as f64 / self.of as f64)
    }

    /// The 95 % interval of the share behind the sample (Wilson 1927, without continuity
    /// correction); nothing of nothing.
    pub fn interval(self) -> Option<[f64; 2]> {
        let share = self.value()?;
        let n = self.of as f64;
        let square = Z * Z / n;
        let middle = share + square / 2.0;
        let half = Z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
        let bound = |side: f64| ((middle + side) / (1.0 + square)).clamp(0.0, 1.0);
        Some([bound(-half), bound(half)])
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Some(value), Some([low, high])) = (self.value(), self.interval()) else {
            return f.write_str("–");
        };
        let (part, of) = (self.part, self.of);
        let [value, low, high] = [value, low, high].map(|share| share * 100.0);
        write!(f, "{value:.1} % ({part}/{of}; {low:.1}–{high:.1})")
    }
}

/// Median, mean and 95th percentile of lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// The middle one, of two the lower.
    pub median: u32,
    /// The average.
    pub mean: f64,
    /// The 95th percentile, nearest rank.
    pub p95: u32,
}

impl Lengths {
    /// Of `values`, which are sorted on the way; nothing of nothing.
    pub fn of(values: &mut [u32]) -> Option<Self> {
        values.sort_unstable();
        let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
        Some(Self {
            median: nearest_rank(values, 1, 2)?,
            mean: sum / values.len() as f64,
            p95: nearest_rank(values, 95, 100)?,
        })
    }
}

/// The value that at least `part` of `of` sorted values do not exceed.
pub fn nearest_rank<T: Copy>(sorted: &[T], part: usize, of: usize) -> Option<T> {
    let rank = (sorted.len() * part).div_ceil(of).max(1);
    sorted.get(rank - 1).copied()
}

/// Shares `total` out by weight; nobody gets more than there is, what one cannot take goes to the
/// others.
pub fn share_out<K: Copy>(kinds: &[(K, f64, u64)], total: u64) -> Vec<(K, u64)> {
    let mut quotas = Vec::new();
    let mut open: Vec<(K, f64, u64)> = kinds.to_vec();
    let mut left = total;
    loop {
        let sum: f64 = open.iter().map(|(_, share, _)| share).sum();
        let fair = |share: f64| (left as f64 * share / sum) as u64;
        let (short, rest): (Vec<_>, Vec<_>) = open
            .iter()
            .partition(|(_, share, seen)| *seen <= fair(*share));
        if short.is_empty() {
            // Whole rows that rounding left over go to the first kinds.
            let given: u64 = rest.iter().map(|(_, share, _)| fair(*share)).sum();
            let mut over = left.saturating_sub(given);
            for (kind, share, seen) in rest {
                let more = u64::from(over > 0 && fair(share) < seen);
                over -= more;
                quotas.push((kind, fair(share) + more));
            }
            return quotas;
        }
        for (kind, _, seen) in short {
            quotas.push((kind, seen));
            left -= seen;
        }
        open = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_literature() {
        // statsmodels' `proportion_confint(part, of, method="wilson")`.
        let table = [
            (0, 10, 0.0, 0.277_533),
            (10, 10, 0.722_467, 1.0),
            (1, 2, 0.094_531, 0.905_469),
            (8, 10, 0.490_162, 0.943_318),
            (1, 3, 0.061_492, 0.792_340),
        ];
        for (part, of, low, high) in table {
            let found = Share { part, of }.interval().expect("some");
            assert!((found[0] - low).abs() < 1e-5, "{part}/{of}: {found:?}");
            assert!((found[1] - high).abs() < 1e-5, "{part}/{of}: {found:?}");
        }
        assert_eq!(Share::default().interval(), None);
        assert_eq!(Share::default().to_string(), "–");
        let share = Share { part: 1, of: 2 };
        assert_eq!(share.to_string(), "50.0 % (1/2; 9.5–90.5)");
    }

    #[test]
    fn lengths_are_by_nearest_rank() {
        let mut values: Vec<u32> = (1..=100).rev().collect();
        let lengths = Lengths::of(&mut values).expect("some");
        assert_eq!((lengths.median, lengths.p95), (50, 95));
        assert!((lengths.mean - 50.5).abs() < 1e-9);
        assert_eq!(Lengths::of(&mut [7]).expect("one").p95, 7);
        assert_eq!(Lengths::of(&mut []), None);
    }
}
