//! Intervals by drawing clusters again and again.
//!
//! Rows of one repository, or holes of one problem, are alike, so what is drawn with replacement is the
//! cluster (Davison and Hinkley 1997, §3.8). A figure is a ratio, the sum over all rows over their number,
//! and both are drawn. The percentile interval is too narrow where clusters are few; it is widened as
//! Hesterberg ("What Teachers Should Know about the Bootstrap", 2015, §4.3) proposes: the percentiles are
//! those that make the interval of a mean of normal values Student's.
//!
//! Where all clusters have the same mean nothing varies between draws, though it would between samples. At
//! most z²/(n + z²) of other clusters are different then (Wilson's bound of 0 in n), and each by 1 at most.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// How often clusters are drawn, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Draws.
    pub draws: usize,
    /// Of the draws. The same seed gives figures with the same clusters the same draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            draws: 10_000,
            seed: 1,
        }
    }
}

/// A figure's values by cluster: their sum, and how many they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters(Vec<(f64, f64)>);

impl Clusters {
    /// Of clusters' values.
    #[must_use]
    pub fn of<'v>(clusters: impl IntoIterator<Item = &'v [f64]>) -> Self {
        let clusters = clusters.into_iter().filter(|values| !values.is_empty());
        Self(
            clusters
                .map(|values| (values.iter().sum(), values.len() as f64))
                .collect(),
        )
    }

    /// How many have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.iter().map(|(_, rows)| *rows as u64).sum()
    }

    /// The average of all values; nothing of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        ratio(self.0.iter().copied())
    }

    /// Whether no cluster differs from the others: draws say nothing then.
    fn is_uniform(&self) -> bool {
        let Some(mean) = self.mean() else {
            return true;
        };
        let same = |(sum, rows): &&(f64, f64)| (sum / rows - mean).abs() < 1e-12;
        self.0.iter().all(|cluster| same(&cluster))
    }
}

fn ratio(clusters: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, rows) = clusters.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    (rows > 0.0).then(|| sum / rows)
}

impl Bootstrap {
    /// The interval of the figure, with `level` (0.95) of confidence, for rows of other clusters; nothing
    /// of nothing. Values lie in `range`.
    #[must_use]
    pub fn interval(&self, of: &Clusters, level: f64, range: [f64; 2]) -> Option<[f64; 2]> {
        let (mean, [low, high]) = (of.mean()?, range);
        if of.is_uniform() {
            let z = Normal::standard().inverse_cdf(f64::midpoint(level, 1.0));
            let bound = z * z / (of.len() as f64 + z * z);
            return Some([(mean - bound).max(low), (mean + bound).min(high)]);
        }
        let mut drawn = self.drawn(of);
        drawn.sort_unstable_by(f64::total_cmp);
        let tail = tail(of.len(), level);
        let last = drawn.len().checked_sub(1)?;
        let at = |share: f64| drawn.get((share * last as f64).round() as usize).copied();
        Some([at(tail)?, at(1.0 - tail)?])
    }

    /// The figure of each draw.
    fn drawn(&self, of: &Clusters) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let clusters = &of.0;
        let mut draw = || {
            let one = |_| clusters[random.random_range(0..clusters.len())];
            ratio((0..clusters.len()).map(one))
        };
        (0..self.draws).filter_map(|_| draw()).collect()
    }
}

/// The share of draws to leave out on each side: Φ(−√(n/(n−1)) · t), t Student's with n − 1 degrees of
/// freedom.
fn tail(clusters: usize, level: f64) -> f64 {
    let n = clusters as f64;
    let Ok(student) = StudentsT::new(0.0, 1.0, n - 1.0) else {
        return 0.0;
    };
    let t = student.inverse_cdf(f64::midpoint(level, 1.0));
    Normal::standard().cdf(-(n / (n - 1.0)).sqrt() * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: [f64; 2] = [0.0, 1.0];

    fn clusters(values: &[Vec<f64>]) -> Clusters {
        Clusters::of(values.iter().map(Vec::as_slice))
    }

    const TAILS: [(usize, f64); 4] = [
        (2, 1.69521907261e-72),
        (5, 0.000954100551882),
        (20, 0.0158808299203),
        (164, 0.0238140068855),
    ];

    /// scipy's `norm.cdf(-sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))`.
    #[test]
    fn the_percentiles_are_students() {
        for (n, expected) in TAILS {
            assert!(
                (tail(n, 0.95) - expected).abs() < 1e-7,
                "{n}: {}",
                tail(n, 0.95)
            );
        }
    }

    /// The share of samples whose interval has the true figure: rows of a cluster have the cluster's own
    /// chance, which is drawn.
    #[test]
    fn intervals_have_the_figure_as_often_as_they_say() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let bootstrap = Bootstrap {
            draws: 1000,
            seed: 1,
        };
        for (count, least) in [(10, 0.90), (60, 0.92)] {
            let (samples, mut hits) = (400, 0);
            for _ in 0..samples {
                let mut cluster = |_| {
                    let chance: f64 = random.random();
                    let rows = random.random_range(1..12);
                    let row = |_| f64::from(u8::from(random.random::<f64>() < chance));
                    (0..rows).map(row).collect::<Vec<f64>>()
                };
                let values: Vec<Vec<f64>> = (0..count).map(&mut cluster).collect();
                let [low, high] = bootstrap
                    .interval(&clusters(&values), 0.95, UNIT)
                    .expect("values");
                hits += usize::from(low <= 0.5 && 0.5 <= high);
            }
            let share = hits as f64 / f64::from(samples);
            assert!(share >= least && share < 0.985, "{count} clusters: {share}");
        }
    }

    /// For the mean of many independent values it is the interval of the central limit theorem.
    #[test]
    fn independent_rows_have_the_textbooks_interval() {
        let values: Vec<Vec<f64>> = (0..1000)
            .map(|at| vec![f64::from(u8::from(at % 4 == 0))])
            .collect();
        let found = Bootstrap::default().interval(&clusters(&values), 0.95, UNIT);
        let [low, high] = found.expect("values");
        let half = 1.96 * (0.25 * 0.75 / 1000.0f64).sqrt();
        assert!((low - (0.25 - half)).abs() < 0.002, "{low}");
        assert!((high - (0.25 + half)).abs() < 0.002, "{high}");
        let wide = Bootstrap::default().interval(&clusters(&values), 0.999, UNIT);
        let [lower, higher] = wide.expect("values");
        assert!(lower < low && higher > high);
    }

    #[test]
    fn what_never_varied_may_still_vary() {
        let none = clusters(&vec![vec![0.0, 0.0]; 20]);
        let [low, high] = Bootstrap::default()
            .interval(&none, 0.95, UNIT)
            .expect("values");
        // statsmodels' `proportion_confint(0, 20, method="wilson")`.
        assert!(low == 0.0 && (high - 0.161_125).abs() < 1e-5, "{high}");
        let same = Bootstrap::default()
            .interval(&none, 0.95, [-1.0, 1.0])
            .expect("values");
        assert!((same[0] + high).abs() < 1e-12 && (same[1] - high).abs() < 1e-12);
        assert_eq!(
            Bootstrap::default().interval(&clusters(&[]), 0.95, UNIT),
            None
        );
        assert_eq!(none.rows(), 40);
    }
}
