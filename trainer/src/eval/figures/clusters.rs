//! A figure's values by cluster, and what they say of other clusters without a draw.

/// How alike two rows of a cluster are where it is only known that (next to) none of them differs (the correlation
/// within clusters). That cannot be estimated then; it is assumed, at five times the median of what trials
/// over clinics found (Adams et al. 2004).
const ALIKE: f64 = 0.05;

/// A figure's values by cluster: their sum, and how many they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    sums: Vec<(f64, f64)>,
    other_than_0: usize,
    other_than_1: usize,
}

impl Clusters {
    /// Of clusters' values.
    #[must_use]
    pub fn of<'v>(clusters: impl IntoIterator<Item = &'v [f64]>) -> Self {
        let mut all = Self::default();
        for values in clusters.into_iter().filter(|values| !values.is_empty()) {
            all.sums.push((values.iter().sum(), values.len() as f64));
            let other_than = |one: f64| values.iter().filter(|value| **value != one).count();
            all.other_than_0 += other_than(0.0);
            all.other_than_1 += other_than(1.0);
        }
        all
    }

    /// How many have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// None has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// How many values there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.sums.iter().map(|(_, rows)| *rows as u64).sum()
    }

    /// How many values are not 0.
    #[must_use]
    pub fn other_than_0(&self) -> usize {
        self.other_than_0
    }

    /// How many values are not 1.
    #[must_use]
    pub fn other_than_1(&self) -> usize {
        self.other_than_1
    }

    /// How many clusters have a sum other than 0.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.sums.iter().filter(|(sum, _)| *sum != 0.0).count()
    }

    /// Each one's sum and number of values.
    #[must_use]
    pub fn sums(&self) -> &[(f64, f64)] {
        &self.sums
    }

    /// The average of all values; nothing of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        ratio(self.sums.iter().copied())
    }

    /// Whether no cluster differs from the others: draws say nothing then.
    #[must_use]
    pub fn is_uniform(&self) -> bool {
        let Some(mean) = self.mean() else {
            return true;
        };
        let same = |(sum, rows): &&(f64, f64)| (sum / rows - mean).abs() < 1e-12;
        self.sums.iter().all(|cluster| same(&cluster))
    }

    /// The standard error of the average by leaving out one cluster after the other: √((n−1)/n Σ(θ₋ᵢ − θ)²).
    /// Unlike the one of residuals it is not too small where one of few clusters has most of the rows.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        let (mean, n) = (self.mean()?, self.len() as f64);
        let (sum, rows) = self.sums.iter().fold((0.0, 0.0), add);
        let without = |cluster: &(f64, f64)| (sum - cluster.0) / (rows - cluster.1);
        let squares = self.sums.iter().map(|one| (without(one) - mean).powi(2));
        (self.len() > 1).then(|| ((n - 1.0) / n * squares.sum::<f64>()).sqrt())
    }

    /// As many clusters of one size are worth as much as these, whose sizes differ (Kish 1965).
    #[must_use]
    pub fn effective(&self) -> f64 {
        let (_, rows) = self.sums.iter().fold((0.0, 0.0), add);
        let squares: f64 = self.sums.iter().map(|(_, rows)| rows * rows).sum();
        rows * rows / squares
    }

    /// As how many independent rows these count where none differs: their number over the design effect
    /// 1 + (m − 1) · 0.05, m the size of the cluster that a row is in on average (Kish 1965). It is never more
    /// than twenty rows for each cluster of equal ones.
    #[must_use]
    pub fn effective_rows(&self) -> f64 {
        let (_, rows) = self.sums.iter().fold((0.0, 0.0), add);
        let squares: f64 = self.sums.iter().map(|(_, rows)| rows * rows).sum();
        rows / (1.0 + (squares / rows - 1.0) * ALIKE)
    }
}

fn add(all: (f64, f64), one: &(f64, f64)) -> (f64, f64) {
    (all.0 + one.0, all.1 + one.1)
}

/// The average of clusters' values.
pub(super) fn ratio(clusters: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, rows) = clusters.fold((0.0, 0.0), |all, one| add(all, &one));
    (rows > 0.0).then(|| sum / rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clusters of one and eleven rows: the error is √(½ · (11² + 1²)/12²) of what they differ by, whose
    /// square is that of the figure on average.
    #[test]
    fn the_error_counts_how_large_clusters_are() {
        let values = [vec![1.0], vec![0.0; 11]];
        let found = Clusters::of(values.iter().map(Vec::as_slice));
        let error = found.error().expect("two clusters");
        assert!((error - (122.0f64 / 288.0).sqrt()).abs() < 1e-12, "{error}");
        let one = Clusters::of([&[0.0, 1.0][..]]);
        assert_eq!((one.error(), one.rows(), one.other_than_0()), (None, 2, 1));
    }

    #[test]
    fn rows_of_one_cluster_count_for_less() {
        let of = |clusters: usize, rows: usize| {
            let values = vec![vec![0.0; rows]; clusters];
            Clusters::of(values.iter().map(Vec::as_slice)).effective_rows()
        };
        assert!((of(50, 1) - 50.0).abs() < 1e-9);
        assert!((of(30, 20) - 600.0 / 1.95).abs() < 1e-9);
        assert!(of(2, 1_000_000) < 40.0);
    }
}
