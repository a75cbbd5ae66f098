//! Intervals by drawing clusters again and again.
//!
//! Rows of one repository, or holes of one problem, are alike, so what is drawn with replacement is the
//! cluster (Davison and Hinkley 1997, §3.8). A figure is a ratio, the sum over all rows over their number,
//! and both are drawn. The percentile interval is too narrow where clusters are few; it is widened as
//! Hesterberg ("What Teachers Should Know about the Bootstrap", 2015, §4.3) proposes: the percentiles are
//! those that make the interval of a mean of normal values Student's.
//!
//! No draw leaves the range of the clusters' own means, though, and two means have the true one between them
//! half of the time. So the interval has Student's in it too, with the error of leaving out one cluster after
//! the other (MacKinnon, Nielsen and Webb, "Cluster-robust inference: A guide to empirical practice", 2023) and
//! one degree of freedom less than the effective number of clusters: of clusters of different sizes the few
//! large ones decide (Carter, Schnepel and Steigerwald 2017). One cluster says nothing of others.
//!
//! Where no row, or next to none, differs from the others, nothing varies between draws, though it would between
//! samples. Of other rows a share u = 1 − (α/2)^(1/n) at most is of a kind that was not seen (the exact bound of
//! 0 in n, Clopper and Pearson 1934), n the effective number of rows ([`Clusters::effective_rows`]), and may have
//! any value. So the interval has (1 − u) · mean + u · [least, most] in it.
//!
//! A change is none as long as chance alone could have given all clusters that changed the same sign: with m of
//! them it does so in 2^(1−m) of all cases (Fisher's sign test), and 0 stays in the interval where that is more
//! than α.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::clusters::{Clusters, ratio};
use crate::stats::student;

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

/// What an average is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Values of rows, from 0 to 1.
    Values,
    /// Their changes, from −1 to 1.
    Changes,
}

impl Of {
    const fn range(self) -> [f64; 2] {
        match self {
            Self::Values => [0.0, 1.0],
            Self::Changes => [-1.0, 1.0],
        }
    }
}

impl Bootstrap {
    /// The interval of the average, with `level` (0.95) of confidence, for rows of other clusters; nothing
    /// of nothing.
    #[must_use]
    pub fn interval(&self, clusters: &Clusters, level: f64, of: Of) -> Option<[f64; 2]> {
        let [interval] = self.intervals(clusters, [level], of)?;
        Some(interval)
    }

    /// The same with several levels, from the same draws.
    #[must_use]
    pub fn intervals<const LEVELS: usize>(
        &self,
        clusters: &Clusters,
        levels: [f64; LEVELS],
        of: Of,
    ) -> Option<[[f64; 2]; LEVELS]> {
        let mean = clusters.mean()?;
        if clusters.len() == 1 {
            return Some([of.range(); LEVELS]);
        }
        let mut drawn = self.drawn(clusters.sums());
        drawn.sort_unstable_by(f64::total_cmp);
        let mut found = [[0.0; 2]; LEVELS];
        for (found, level) in found.iter_mut().zip(levels) {
            let spread = spread(clusters, &drawn, mean, level)?;
            *found = allowing(spread, clusters, mean, level, of);
        }
        Some(found)
    }

    /// The figure of each draw.
    fn drawn(&self, clusters: &[(f64, f64)]) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut draw = || {
            let one = |_| clusters[random.random_range(0..clusters.len())];
            ratio((0..clusters.len()).map(one))
        };
        (0..self.draws).filter_map(|_| draw()).collect()
    }
}

/// An interval with what was not seen and what chance may do in it.
fn allowing(spread: [f64; 2], clusters: &Clusters, mean: f64, level: f64, of: Of) -> [f64; 2] {
    let [least, most] = of.range();
    let mut found = spread;
    if clusters.is_uniform() || is_sparse(clusters, level, of) {
        let unseen = 1.0 - ((1.0 - level) / 2.0).powf(1.0 / clusters.effective_rows());
        let with = |value| (1.0 - unseen) * mean + unseen * value;
        found = union(found, [with(least), with(most)]);
    }
    let by_chance = 0.5f64.powf(clusters.changed() as f64 - 1.0);
    if of == Of::Changes && by_chance > 1.0 - level {
        found = union(found, [0.0, 0.0]);
    }
    found.map(|bound| bound.clamp(least, most))
}

/// By how much clusters vary: the percentiles of sorted draws and Student's interval, the wider on each side.
fn spread(clusters: &Clusters, drawn: &[f64], mean: f64, level: f64) -> Option<[f64; 2]> {
    let t = student(clusters.effective() - 1.0, level)?;
    let tail = tail(clusters.len(), level)?;
    let last = drawn.len().checked_sub(1)?;
    let at = |share: f64| drawn.get((share * last as f64).round() as usize).copied();
    let drawn = [at(tail)?, at(1.0 - tail)?];
    Some(union(drawn, around(mean, t * clusters.error()?)))
}

/// So few rows differ from all others that what was not seen may be more than what varies: as many as
/// z² · d² (d the design effect), from where on Student's interval is the wider one.
fn is_sparse(clusters: &Clusters, level: f64, of: Of) -> bool {
    let differing = match of {
        Of::Changes => clusters.other_than_0(),
        Of::Values => clusters.other_than_0().min(clusters.other_than_1()),
    };
    let z = Normal::standard().inverse_cdf(f64::midpoint(level, 1.0));
    let effect = clusters.rows() as f64 / clusters.effective_rows();
    (differing as f64) < (z * effect).powi(2)
}

fn around(mean: f64, by: f64) -> [f64; 2] {
    [mean - by, mean + by]
}

fn union(one: [f64; 2], other: [f64; 2]) -> [f64; 2] {
    [one[0].min(other[0]), one[1].max(other[1])]
}

/// The share of draws to leave out on each side: Φ(−√(n/(n−1)) · t).
fn tail(clusters: usize, level: f64) -> Option<f64> {
    let n = clusters as f64;
    let t = student(n - 1.0, level)?;
    Some(Normal::standard().cdf(-(n / (n - 1.0)).sqrt() * t))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = tail(n, 0.95).expect("a share");
            assert!((found - expected).abs() < 1e-7, "{n}: {found}");
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
                    .interval(&clusters(&values), 0.95, Of::Values)
                    .expect("values");
                hits += usize::from(low <= 0.5 && 0.5 <= high);
            }
            let share = hits as f64 / f64::from(samples);
            assert!(share >= least && share < 0.985, "{count} clusters: {share}");
        }
    }

    /// How often an interval leaves out the true change, which is 0, of `count` clusters. Clusters differ, and
    /// rows by what they gain or lose.
    fn misses(count: usize, largest: usize, level: f64, random: &mut ChaCha8Rng) -> f64 {
        let bootstrap = Bootstrap { draws: 50, seed: 1 };
        let (samples, mut misses) = (2000, 0);
        for _ in 0..samples {
            let mut cluster = |_| {
                let own = (random.random::<f64>() + random.random::<f64>() - 1.0) * 0.3;
                let rows = match largest {
                    0 => 20,
                    largest => random.random_range(1..=largest),
                };
                let row = |_| {
                    let lot: f64 = random.random();
                    f64::from(u8::from(lot < 0.2 + own / 2.0))
                        - f64::from(u8::from(lot > 0.8 + own / 2.0))
                };
                (0..rows).map(row).collect::<Vec<f64>>()
            };
            let values: Vec<Vec<f64>> = (0..count).map(&mut cluster).collect();
            let found = bootstrap.interval(&clusters(&values), level, Of::Changes);
            let [low, high] = found.expect("values");
            misses += usize::from(low > 0.0 || high < 0.0);
        }
        misses as f64 / f64::from(samples)
    }

    /// Two to ten repositories in a language are the rule; also where one of six languages is looked at.
    #[test]
    fn few_clusters_do_not_make_a_change() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        for wrong in [0.05, 0.05 / 6.0] {
            // Three standard errors of the share that is counted here.
            let most = wrong + 3.0 * (wrong * (1.0 - wrong) / 2000.0f64).sqrt();
            for count in [2, 3, 5, 10] {
                for largest in [0, 60] {
                    let share = misses(count, largest, 1.0 - wrong, &mut random);
                    let what = format!("{count} clusters of up to {largest} at {wrong}: {share}");
                    assert!(share <= most, "{what}");
                    // Nor are intervals so wide that nothing is ever told apart.
                    assert!(count < 10 || share >= wrong / 5.0, "{what}");
                }
            }
        }
    }

    #[test]
    fn one_cluster_says_nothing_of_others() {
        let one = clusters(&[vec![1.0, 1.0, 0.0]]);
        let interval = |of| Bootstrap::default().interval(&one, 0.95, of);
        assert_eq!(interval(Of::Values), Some([0.0, 1.0]));
        assert_eq!(interval(Of::Changes), Some([-1.0, 1.0]));
    }

    fn changes(values: &[Vec<f64>], level: f64) -> [f64; 2] {
        let found = Bootstrap::default().interval(&clusters(values), level, Of::Changes);
        found.expect("values")
    }

    /// `count` clusters of `rows` rows; of the first `lost` of them one row is lost.
    fn losses(count: usize, rows: usize, lost: usize) -> [f64; 2] {
        let mut values = vec![vec![0.0; rows]; count];
        for cluster in values.iter_mut().take(lost) {
            cluster[0] = -1.0;
        }
        changes(&values, 0.95)
    }

    /// Where nothing changed the bound is of rows, less of those that are alike, and each further row that is
    /// lost makes a larger fall possible.
    #[test]
    fn what_did_not_change_is_bound_by_rows() {
        let bound = |count, rows, lost| -losses(count, rows, lost)[0];
        let effective = 600.0 / (1.0 + 19.0 * 0.05);
        let exact = 1.0 - 0.025f64.powf(1.0 / effective);
        assert!((bound(30, 20, 0) - exact).abs() < 1e-9);
        assert!(bound(164, 6, 0) < 0.005, "{}", bound(164, 6, 0));
        // Two repositories cannot say much, however many rows they have.
        assert!(bound(2, 10_000, 0) > 0.08);
        for (count, rows) in [(30, 20), (164, 6), (60, 1)] {
            for lost in 0..20 {
                let [fewer, more] = [lost, lost + 1].map(|lost| bound(count, rows, lost));
                assert!(more > fewer, "{count} x {rows}, {lost}: {fewer} {more}");
            }
        }
    }

    /// Fisher's sign test: five changes of one sign come by chance in 6 % of all cases, six in 3 %.
    #[test]
    fn a_few_changes_of_one_sign_are_chance() {
        for (count, rows) in [(30, 20), (164, 6)] {
            for lost in 1..6 {
                let [_, high] = losses(count, rows, lost);
                assert!(high >= 0.0, "{lost} of {count} x {rows}: {high}");
            }
            assert!(losses(count, rows, 12)[1] < 0.0);
        }
        for rows in [1, 10] {
            let told = |count: usize, level| changes(&vec![vec![1.0; rows]; count], level)[0] > 0.0;
            for (count, level, expected) in [
                (2, 0.95, false),
                (5, 0.95, false),
                (6, 0.95, true),
                (7, 1.0 - 0.05 / 6.0, false),
                (8, 1.0 - 0.05 / 6.0, true),
            ] {
                assert_eq!(told(count, level), expected, "{count} x {rows} at {level}");
            }
        }
    }

    /// For the mean of many independent values it is the interval of the central limit theorem.
    #[test]
    fn independent_rows_have_the_textbooks_interval() {
        let values: Vec<Vec<f64>> = (0..1000)
            .map(|at| vec![f64::from(u8::from(at % 4 == 0))])
            .collect();
        let found = Bootstrap::default().interval(&clusters(&values), 0.95, Of::Values);
        let [low, high] = found.expect("values");
        let half = 1.96 * (0.25 * 0.75 / 1000.0f64).sqrt();
        assert!((low - (0.25 - half)).abs() < 0.002, "{low}");
        assert!((high - (0.25 + half)).abs() < 0.002, "{high}");
        let wide = Bootstrap::default().interval(&clusters(&values), 0.999, Of::Values);
        let [lower, higher] = wide.expect("values");
        assert!(lower < low && higher > high);
    }

    #[test]
    fn what_never_varied_may_still_vary() {
        let interval = |values: &[Vec<f64>]| {
            let found = Bootstrap::default().interval(&clusters(values), 0.95, Of::Values);
            found.expect("values")
        };
        // statsmodels' `proportion_confint(0, 20, method="beta")`.
        let [low, high] = interval(&vec![vec![0.0]; 20]);
        assert!(low == 0.0 && (high - 0.168_433).abs() < 1e-5, "{high}");
        let same = changes(&vec![vec![0.0]; 20], 0.95);
        assert!((same[0] + high).abs() < 1e-12 && (same[1] - high).abs() < 1e-12);
        // One row that differs makes no interval narrower.
        let mut rows = vec![vec![1.0; 20]; 3];
        let [all, top] = interval(&rows);
        assert!((0.85..0.9).contains(&all) && top == 1.0, "{all}");
        rows[0][0] = 0.0;
        let [most, _] = interval(&rows);
        assert!(most < all, "{most} {all}");
        // All alike, and neither 0 nor 1.
        let [low, high] = interval(&vec![vec![0.0, 1.0]; 20]);
        assert!(low < 0.46 && high > 0.54, "{low} {high}");
        let none = Bootstrap::default().interval(&clusters(&[]), 0.95, Of::Values);
        assert_eq!(none, None);
    }
}
