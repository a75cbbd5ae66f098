//! What differs between two checkpoints on the same rows.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Of};
use super::metric::Figure;
use super::summary::{Group, LEVEL, RowFigures, clustered, grouped};

/// Two checkpoints' figures on the rows that both were measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Rows that both have.
    pub rows: u64,
    /// Rows that one of them lacks.
    pub unpaired: u64,
    /// The differences, by group and figure.
    pub differences: Vec<Difference>,
}

/// A figure of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Of which rows.
    pub group: Group,
    /// Of what.
    pub figure: Figure,
    /// The first one's.
    pub before: f64,
    /// The second one's.
    pub after: f64,
    /// The 95 % interval of `after − before`, by drawing clusters of pairs.
    pub interval: [f64; 2],
    /// Rows that have both.
    pub rows: u64,
    /// Clusters that they are of.
    pub clusters: u64,
    /// What may be said of it.
    pub verdict: Verdict,
}

/// Whether a difference is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The second one's figure is higher.
    Higher,
    /// It is lower.
    Lower,
    /// Rows of other clusters may show the opposite.
    Open,
}

impl Difference {
    /// By how much the second one's figure is higher.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.after - self.before
    }

    /// Whether the second one is better; nothing where it is not told apart.
    #[must_use]
    pub fn is_better(&self) -> Option<bool> {
        let higher = match self.verdict {
            Verdict::Open => return None,
            Verdict::Higher => true,
            Verdict::Lower => false,
        };
        Some(higher != self.figure.metric.lower_is_better())
    }
}

impl Comparison {
    /// What differs in a figure of a group.
    #[must_use]
    pub fn of(&self, group: &Group, figure: Figure) -> Option<&Difference> {
        let mut all = self.differences.iter();
        all.find(|found| found.figure == figure && found.group == *group)
    }
}

/// Compares two checkpoints. A figure of all rows is said to differ where its 95 % interval leaves out 0.
/// The kinds are looked at together, so are the languages and the cells, and one of many would seem to
/// differ by chance: with `n` of them the interval that has to leave out 0 is the one of confidence
/// 1 − 0.05/n (Bonferroni).
#[must_use]
pub fn compare(before: &[RowFigures], after: &[RowFigures], bootstrap: Bootstrap) -> Comparison {
    let old: BTreeMap<&str, &RowFigures> = before.iter().map(|row| (&*row.id, row)).collect();
    let paired: Vec<RowFigures> = after
        .iter()
        .filter(|row| old.contains_key(&*row.id))
        .cloned()
        .collect();
    let groups = grouped(&paired);
    let family = |of: fn(&Group) -> bool| groups.keys().filter(|group| of(group)).count();
    let sizes = [
        1,
        family(Group::is_kind),
        family(Group::is_language),
        family(Group::is_cell),
    ];
    let size = |group: &Group| match group {
        Group::All => sizes[0],
        Group::Kind(_) => sizes[1],
        Group::Language(_) => sizes[2],
        Group::Cell { .. } => sizes[3],
    };
    let pairs = groups.par_iter().map(|(group, rows)| {
        let pairs: Vec<Pair<'_>> = rows
            .iter()
            .filter_map(|row| Some((*old.get(&*row.id)?, *row)))
            .collect();
        differences(group, &pairs, size(group), bootstrap)
    });
    let differences: Vec<Vec<Difference>> = pairs.collect();
    Comparison {
        rows: paired.len() as u64,
        unpaired: (before.len() + after.len() - 2 * paired.len()) as u64,
        differences: differences.into_iter().flatten().collect(),
    }
}

/// A row's figures, the first one's and the second one's.
type Pair<'r> = (&'r RowFigures, &'r RowFigures);

fn differences(
    group: &Group,
    pairs: &[Pair<'_>],
    family: usize,
    bootstrap: Bootstrap,
) -> Vec<Difference> {
    let figures = pairs.iter().flat_map(|(_, after)| after.values.keys());
    let mut figures: Vec<Figure> = figures.copied().collect();
    figures.sort_unstable();
    figures.dedup();
    let found = figures.par_iter().filter_map(|figure| {
        let both = |(before, after): &Pair<'_>| {
            Some((*before.values.get(figure)?, *after.values.get(figure)?))
        };
        let values = pairs.iter().filter_map(|pair| Some((pair.1, both(pair)?)));
        let of = |which: fn((f64, f64)) -> f64| {
            let values = values.clone();
            clustered(values.map(move |(row, both)| (&*row.cluster, which(both))))
        };
        let change = of(|(before, after)| after - before);
        let corrected = 1.0 - (1.0 - LEVEL) / family.max(1) as f64;
        let [interval, told] = bootstrap.intervals(&change, [LEVEL, corrected], Of::Changes)?;
        Some(Difference {
            group: group.clone(),
            figure: *figure,
            before: of(|(before, _)| before).mean()?,
            after: of(|(_, after)| after).mean()?,
            interval,
            rows: change.rows(),
            clusters: change.len() as u64,
            verdict: verdict(told),
        })
    });
    found.collect()
}

fn verdict([low, high]: [f64; 2]) -> Verdict {
    if low > 0.0 {
        Verdict::Higher
    } else if high < 0.0 {
        Verdict::Lower
    } else {
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::figures::metric::Metric;

    fn rows(count: usize, value: impl Fn(usize) -> f64) -> Vec<RowFigures> {
        let row = |at: usize| RowFigures {
            id: format!("{at}"),
            kind: format!("k{}", at % 10),
            language: "python".into(),
            cluster: format!("c{at}"),
            values: [(Figure::whole(Metric::ExactMatch), value(at))].into(),
        };
        (0..count).map(row).collect()
    }

    fn share(part: bool) -> f64 {
        f64::from(u8::from(part))
    }

    /// What both get right or wrong alike says nothing: the same gain of 5 in 100 is a difference
    /// where it is all gain, and none where as much was lost elsewhere.
    #[test]
    fn a_difference_is_of_pairs() {
        let before = rows(400, |at| share(at % 2 == 0));
        let gained = rows(400, |at| share(at % 2 == 0 || at % 40 == 1));
        let found = compare(&before, &gained, Bootstrap::default());
        let all = &found.differences[0];
        assert_eq!((all.group.clone(), all.rows), (Group::All, 400));
        assert!((all.value() - 0.025).abs() < 1e-12, "{all:?}");
        assert_eq!(all.verdict, Verdict::Higher);
        let swapped = rows(400, |at| share(at % 2 == 1));
        let none = compare(&before, &swapped, Bootstrap::default());
        assert_eq!(none.differences[0].verdict, Verdict::Open);
        assert_eq!(found.unpaired, 0);
        let same = compare(&before, &before, Bootstrap::default());
        assert!(
            same.differences
                .iter()
                .all(|one| one.verdict == Verdict::Open)
        );
        let reversed = compare(&gained, &before, Bootstrap::default());
        assert_eq!(reversed.differences[0].verdict, Verdict::Lower);
    }

    /// Of ten kinds one gains seven rows in sixty: looked at alone that is told apart, as one of ten it is
    /// not. With ten rows it is.
    #[test]
    fn one_of_many_groups_does_not_differ_by_chance() {
        let before = rows(600, |_| 0.0);
        for (gained, verdict) in [(7, Verdict::Open), (10, Verdict::Higher)] {
            let after = rows(600, |at| share(at % 10 == 3 && at < gained * 10));
            let found = compare(&before, &after, Bootstrap::default());
            let kind = |name: &str| {
                let group = Group::Kind(name.into());
                let mut all = found.differences.iter();
                all.find(|one| one.group == group).expect("a kind")
            };
            assert!(kind("k3").interval[0] > 0.0, "{:?}", kind("k3"));
            assert_eq!(kind("k3").verdict, verdict, "{:?}", kind("k3"));
            assert_eq!(kind("k4").verdict, Verdict::Open);
        }
    }

    #[test]
    fn rows_of_one_alone_are_counted() {
        let found = compare(&rows(5, |_| 1.0), &rows(3, |_| 0.0), Bootstrap::default());
        assert_eq!((found.rows, found.unpaired), (3, 2));
    }
}
