//! Tables of a page: figures with their intervals, and what differs from the base.

use serde::Serialize;

use crate::eval::figures::{Difference, Estimate};
pub use crate::eval::figures::{percent, points};

/// A table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Grid {
    /// What it shows.
    pub title: String,
    /// What is to be known of it.
    pub lead: String,
    /// The heads of the first columns, which name rows.
    pub keys: Vec<String>,
    /// The heads of the others.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A column's head.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its figures are of.
    pub below: String,
}

impl Column {
    /// With nothing to add.
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            below: String::new(),
        }
    }
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What names it, from left to right.
    pub keys: Vec<Key>,
    /// Its figures.
    pub cells: Vec<Cell>,
}

/// What names a row, or several that stand together.
#[derive(Clone, Debug, Serialize)]
pub struct Key {
    /// The name.
    pub text: String,
    /// Rows that it names; 0 where it stands further up.
    pub span: usize,
}

impl Key {
    /// Of one row.
    pub fn one(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            span: 1,
        }
    }
}

/// A cell.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// Its interval.
    pub interval: Option<String>,
    /// What differs from the base.
    pub gain: Option<Gain>,
    /// How much it is shaded, from 0 to 1, and by which of two colours.
    pub heat: Option<Heat>,
}

/// A shade.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Heat {
    /// From 0 to 1.
    pub strength: f64,
    /// Below nothing.
    pub below: bool,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// In points of percent.
    pub text: String,
    /// Its interval.
    pub interval: String,
    /// `better`, `worse` or `open`.
    pub verdict: &'static str,
    /// The same as a sign.
    pub sign: &'static str,
}

impl Gain {
    /// Of a difference. Only what the comparison calls one is marked as one.
    #[must_use]
    pub fn of(found: &Difference) -> Self {
        let (verdict, sign) = match found.is_better() {
            None => ("open", "≈"),
            Some(true) => ("better", "▲"),
            Some(false) => ("worse", "▼"),
        };
        let [low, high] = found.interval.map(points);
        Self {
            text: points(found.value()),
            interval: format!("[{low}, {high}]"),
            verdict,
            sign,
        }
    }
}

impl Cell {
    /// Nothing to say.
    #[must_use]
    pub fn nothing() -> Self {
        Self::text("–")
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A figure, and what it gained.
    #[must_use]
    pub fn figure(found: Option<&Estimate>, change: Option<&Difference>) -> Self {
        let Some(found) = found else {
            return Self::nothing();
        };
        let [low, high] = found.interval.map(percent);
        Self {
            text: percent(found.value),
            interval: Some(format!("[{low}, {high}]")),
            gain: change.map(Gain::of),
            heat: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::figures::{Figure, Group, Metric, Verdict};

    fn difference(metric: Metric, after: f64, verdict: Verdict) -> Difference {
        Difference {
            group: Group::All,
            figure: Figure::whole(metric),
            before: 0.5,
            after,
            interval: [after - 0.55, after - 0.45],
            rows: 10,
            clusters: 10,
            verdict,
        }
    }

    #[test]
    fn a_gain_is_marked_by_its_verdict_alone() {
        let gain = |metric, after, verdict| Gain::of(&difference(metric, after, verdict));
        let open = gain(Metric::ExactMatch, 0.9, Verdict::Open);
        assert_eq!((open.verdict, &*open.text), ("open", "+40.0"));
        let up = gain(Metric::ExactMatch, 0.625, Verdict::Higher);
        assert_eq!(
            (up.sign, &*up.text, &*up.interval),
            ("▲", "+12.5", "[+7.5, +17.5]")
        );
        let fewer = gain(Metric::OverGeneration, 0.25, Verdict::Lower);
        assert_eq!((fewer.verdict, &*fewer.text), ("better", "-25.0"));
        let aligned = gain(Metric::HallucinationAligned, 0.6, Verdict::Higher);
        assert_eq!(aligned.verdict, "worse");
    }
}
