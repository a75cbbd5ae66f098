//! Shares with their denominators and intervals, and quantiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// How tables name the intervals of [`Clustered`].
pub const INTERVALS: &str = "95 % intervals for code of other repositories";

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
}

/// Wilson's interval of a share of `n` independent observations.
fn wilson(share: f64, n: f64) -> [f64; 2] {
    let square = Z * Z / n;
    let middle = share + square / 2.0;
    let half = Z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
    let bound = |side: f64| ((middle + side) / (1.0 + square)).clamp(0.0, 1.0);
    [bound(-half), bound(half)]
}

/// A share of rows that come from repositories, whose own rows are alike: a thousand rows of one of
/// them say less about others than a thousand rows of a hundred.
#[derive(Clone, Debug, Default)]
pub struct Clustered {
    all: Share,
    repositories: BTreeMap<u64, Share>,
}

impl Clustered {
    /// Takes a row of a repository into account.
    pub fn add(&mut self, repository: u64, has: bool) {
        self.all.add(has);
        self.repositories.entry(repository).or_default().add(has);
    }

    /// The share of all rows.
    pub fn share(&self) -> Share {
        self.all
    }

    /// The 95 % interval of the share in rows of other repositories: Wilson's, of as many
    /// independent rows as would have the share's variance (Korn and Graubard 1998), at most of the
    /// rows that there are. The variance is the jackknife's, which leaves out one repository at a
    /// time, with Student's t for as many equally large repositories as would weigh the same
    /// (Kish). Where fewer than two repositories have the property, or fewer than two lack it, a
    /// variance says nothing, and each of so many repositories counts as one row.
    pub fn interval(&self) -> Option<[f64; 2]> {
        let share = self.all.value()?;
        let repositories = self.repositories.values();
        let rows = self.all.of as f64;
        let squares: f64 = repositories.clone().map(|it| (it.of as f64).powi(2)).sum();
        let kish = rows * rows / squares;
        let has = repositories.clone().filter(|it| it.part > 0).count();
        let lacks = repositories.clone().filter(|it| it.part < it.of).count();
        if has.min(lacks) < 2 {
            return Some(wilson(share, kish));
        }
        let without = |it: &Share| {
            let [part, of] = [self.all.part - it.part, self.all.of - it.of];
            part as f64 / of as f64
        };
        let groups = self.repositories.len() as f64;
        let spread: f64 = repositories.map(|it| (without(it) - share).powi(2)).sum();
        let variance = spread * (groups - 1.0) / groups;
        let degrees = (Z / student(kish - 1.0, 0.95)?).powi(2);
        let effective = share * (1.0 - share) / variance * degrees;
        Some(wilson(share, effective.min(rows)))
    }
}

/// Student's two-sided quantile; fewer degrees of freedom than one count as one.
pub(crate) fn student(degrees: f64, level: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, degrees.max(1.0)).ok()?;
    Some(student.inverse_cdf(f64::midpoint(level, 1.0)))
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
            let found = wilson(f64::from(part) / f64::from(of), f64::from(of));
            assert!((found[0] - low).abs() < 1e-5, "{part}/{of}: {found:?}");
            assert!((found[1] - high).abs() < 1e-5, "{part}/{of}: {found:?}");
        }
        // scipy's `t.ppf(0.975, degrees)`.
        for (degrees, t) in [
            (1.0, 12.706_205),
            (2.0, 4.302_653),
            (3.0, 3.182_446),
            (10.0, 2.228_139),
            (99.0, 1.984_217),
        ] {
            let found = student(degrees, 0.95).expect("a quantile");
            assert!((found / t - 1.0).abs() < 1e-6, "{degrees}: {found}");
        }
        assert_eq!(student(0.1, 0.95), student(1.0, 0.95));
    }

    fn clustered(repositories: &[(u64, u64)]) -> Clustered {
        let mut clustered = Clustered::default();
        for (repository, (part, of)) in repositories.iter().enumerate() {
            for row in 0..*of {
                clustered.add(repository as u64, row < *part);
            }
        }
        clustered
    }

    #[test]
    fn a_repository_says_less_than_its_rows() {
        let near = |found: Option<[f64; 2]>, expected: [f64; 2]| {
            let found = found.expect("rows");
            let pairs = found.iter().zip(expected);
            assert!(
                pairs.clone().all(|(a, b)| (a - b).abs() < 0.005),
                "{found:?}"
            );
        };
        // A row of each repository is as good as independent rows.
        let single: Vec<(u64, u64)> = (0..100).map(|at| (at % 2, 1)).collect();
        near(clustered(&single).interval(), wilson(0.5, 97.0));
        // Fifty rows that are all alike say as much as one.
        let alike: Vec<(u64, u64)> = (0..100).map(|at| (at % 2 * 50, 50)).collect();
        near(clustered(&alike).interval(), wilson(0.5, 97.0));
        assert_eq!(
            clustered(&alike).share(),
            Share {
                part: 2500,
                of: 5000
            }
        );
        // Repositories that are all the same do not make rows better than independent ones.
        near(clustered(&[(5, 10); 20]).interval(), wilson(0.5, 200.0));
        // The order of rows is no matter.
        let mut mixed = Clustered::default();
        for row in 0..5000 {
            mixed.add(row % 100, row % 2 == 1);
        }
        assert_eq!(mixed.interval(), clustered(&alike).interval());
        assert_eq!(Clustered::default().interval(), None);
    }

    #[test]
    fn a_large_repository_does_not_speak_for_others() {
        // One repository of four has nearly all rows: without it the share is another.
        let large = [(1600, 3485), (19, 44), (18, 30), (2, 6)];
        let [low, high] = clustered(&large).interval().expect("rows");
        assert!(low < 0.25 && high > 0.7, "{low} {high}");
        // One repository is one row; so are all where none has it, or just one.
        assert_eq!(clustered(&[(40, 80)]).interval(), Some(wilson(0.5, 1.0)));
        assert_eq!(
            clustered(&[(0, 80), (0, 80)]).interval(),
            Some(wilson(0.0, 2.0))
        );
        let one = clustered(&[(1, 100), (0, 100), (0, 100)]).interval();
        assert_eq!(one, Some(wilson(1.0 / 300.0, 3.0)));
    }

    /// The ratio's variance over repositories, computed another way: linearised (Cochran 1977).
    #[test]
    fn the_interval_has_the_variance_of_the_ratio() {
        let rows = |at: u64| (at * 7 % 11, 11 + at % 5);
        let repositories: Vec<(u64, u64)> = (1..=60).map(rows).collect();
        let sum = |of: &dyn Fn(&(u64, u64)) -> f64| repositories.iter().map(of).sum::<f64>();
        let (part, of) = (sum(&|it| it.0 as f64), sum(&|it| it.1 as f64));
        let share = part / of;
        let spread = sum(&|it| (it.0 as f64 - share * it.1 as f64).powi(2));
        let variance = 60.0 / 59.0 * spread / (of * of);
        let degrees = (Z / student(59.0, 0.95).expect("a quantile")).powi(2);
        let expected = wilson(share, share * (1.0 - share) / variance * degrees);
        let found = clustered(&repositories).interval().expect("rows");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.002, "{found} {expected}");
        }
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
