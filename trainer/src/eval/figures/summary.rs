//! Averages by type and by language, with their denominators and intervals.

use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Of};
use super::clusters::Clusters;
use super::metric::Figure;

/// The confidence of intervals that are not corrected for many comparisons.
pub const LEVEL: f64 = 0.95;

/// A row's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowFigures {
    /// The row's id.
    pub id: String,
    /// What kind of row it is.
    pub kind: String,
    /// The language as the benchmark names it.
    pub language: String,
    /// Rows of one cluster are alike.
    pub cluster: String,
    /// What was measured; what does not apply is not there.
    pub values: BTreeMap<Figure, f64>,
}

/// Which rows a figure is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// All of them.
    All,
    /// Those of a kind.
    Kind(String),
    /// Those of a language.
    Language(String),
    /// Those of a language that are of a kind.
    Cell {
        /// The language.
        language: String,
        /// The kind.
        kind: String,
    },
}

impl Group {
    /// The groups of a row.
    pub fn of(row: &RowFigures) -> [Self; 4] {
        let (language, kind) = (row.language.clone(), row.kind.clone());
        [
            Self::All,
            Self::Kind(kind.clone()),
            Self::Language(language.clone()),
            Self::Cell { language, kind },
        ]
    }

    /// Whether rows are parted by type.
    #[must_use]
    pub const fn is_kind(&self) -> bool {
        matches!(self, Self::Kind(_))
    }

    /// Whether they are parted by language.
    #[must_use]
    pub const fn is_language(&self) -> bool {
        matches!(self, Self::Language(_))
    }

    /// Whether they are parted by both.
    #[must_use]
    pub const fn is_cell(&self) -> bool {
        matches!(self, Self::Cell { .. })
    }
}

/// As people read it.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Kind(name) | Self::Language(name) => f.write_str(name),
            Self::Cell { language, kind } => write!(f, "{language}, {kind}"),
        }
    }
}

/// An average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The average of the rows.
    pub value: f64,
    /// The 95 % interval for rows of other clusters.
    pub interval: [f64; 2],
    /// Rows that it is the average of.
    pub rows: u64,
    /// Clusters that they are of.
    pub clusters: u64,
}

/// The figures of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFigures {
    /// Which rows.
    pub group: Group,
    /// How many there are, measured or not.
    pub rows: u64,
    /// The averages.
    pub figures: BTreeMap<Figure, Estimate>,
}

/// The figures of all groups, in the groups' order. A group that has all rows of a larger one is left
/// out: a benchmark of one language has no figures by language.
#[must_use]
pub fn summarise(rows: &[RowFigures], bootstrap: Bootstrap) -> Vec<GroupFigures> {
    let groups: Vec<(Group, Vec<&RowFigures>)> = grouped(rows).into_iter().collect();
    let groups = groups.into_par_iter();
    groups
        .map(|(group, rows)| GroupFigures {
            group,
            rows: rows.len() as u64,
            figures: averages(&rows, bootstrap),
        })
        .collect()
}

/// Rows by their groups, those groups left out that say nothing new.
pub(super) fn grouped(rows: &[RowFigures]) -> BTreeMap<Group, Vec<&RowFigures>> {
    let mut groups: BTreeMap<Group, Vec<&RowFigures>> = BTreeMap::new();
    for row in rows {
        for group in Group::of(row) {
            groups.entry(group).or_default().push(row);
        }
    }
    let count = |group: &Group| groups.get(group).map_or(0, Vec::len);
    let is_new = |group: &Group, len: usize| match group {
        Group::All => true,
        Group::Kind(_) | Group::Language(_) => len < rows.len(),
        Group::Cell { language, kind } => {
            len < count(&Group::Kind(kind.clone()))
                && len < count(&Group::Language(language.clone()))
        }
    };
    let new = groups
        .iter()
        .filter(|(group, rows)| is_new(group, rows.len()));
    let new: Vec<Group> = new.map(|(group, _)| group.clone()).collect();
    groups.retain(|group, _| new.contains(group));
    groups
}

fn averages(rows: &[&RowFigures], bootstrap: Bootstrap) -> BTreeMap<Figure, Estimate> {
    let measured = rows.iter().flat_map(|row| row.values.keys());
    let mut measured: Vec<Figure> = measured.copied().collect();
    measured.sort_unstable();
    measured.dedup();
    let estimates = measured.par_iter().filter_map(|figure| {
        let values = rows
            .iter()
            .filter_map(|row| Some((&*row.cluster, *row.values.get(figure)?)));
        Some((*figure, estimate(&clustered(values), bootstrap)?))
    });
    estimates.collect()
}

fn estimate(clusters: &Clusters, bootstrap: Bootstrap) -> Option<Estimate> {
    Some(Estimate {
        value: clusters.mean()?,
        interval: bootstrap.interval(clusters, LEVEL, Of::Values)?,
        rows: clusters.rows(),
        clusters: clusters.len() as u64,
    })
}

/// Values with their clusters' names, in the names' order.
pub(super) fn clustered<'n>(values: impl Iterator<Item = (&'n str, f64)>) -> Clusters {
    let mut clusters: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (cluster, value) in values {
        clusters.entry(cluster).or_default().push(value);
    }
    Clusters::of(clusters.values().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::figures::metric::Metric;

    pub(in crate::eval::figures) fn row(
        at: usize,
        kind: &str,
        language: &str,
        value: f64,
    ) -> RowFigures {
        let values = [(Figure::whole(Metric::ExactMatch), value)];
        RowFigures {
            id: format!("{at}"),
            kind: kind.into(),
            language: language.into(),
            cluster: format!("c{}", at / 2),
            values: values.into(),
        }
    }

    #[test]
    fn groups_have_their_rows_denominators_and_clusters() {
        let mut rows = vec![
            row(0, "method", "python", 1.0),
            row(1, "method", "go", 0.0),
            row(2, "import", "go", 1.0),
            row(3, "import", "python", 1.0),
        ];
        rows[3].values.clear();
        let figures = summarise(&rows, Bootstrap::default());
        let find = |group: &Group| figures.iter().find(|found| found.group == *group);
        let all = find(&Group::All).expect("all");
        let em = &all.figures[&Figure::whole(Metric::ExactMatch)];
        assert_eq!((all.rows, em.rows, em.clusters), (4, 3, 2));
        assert!((em.value - 2.0 / 3.0).abs() < 1e-12);
        let import = find(&Group::Kind("import".into())).expect("imports");
        assert_eq!(import.rows, 2);
        assert_eq!(import.figures.len(), 1);
        let cell = Group::Cell {
            language: "python".into(),
            kind: "import".into(),
        };
        let cell = find(&cell).expect("the cell is there");
        assert!(cell.figures.is_empty(), "nothing was measured in it");
        assert_eq!(figures.len(), 1 + 2 + 2 + 4);
    }

    #[test]
    fn groups_that_say_nothing_new_are_left_out() {
        let rows = [
            row(0, "method", "python", 1.0),
            row(1, "import", "python", 0.0),
        ];
        let groups = summarise(&rows, Bootstrap::default());
        let groups: Vec<&Group> = groups.iter().map(|found| &found.group).collect();
        let kind = |name: &str| Group::Kind(name.into());
        assert_eq!(groups, [&Group::All, &kind("import"), &kind("method")]);
    }
}
