//! Rows to read: what the last checkpoint gets wrong, and in comparisons what it lost and gained.

use std::collections::BTreeMap;

use serde::Serialize;

use super::charts::coloured;
use super::diff::{self, Line};
use super::grid::percent;
use super::study::{Study, SuiteStudy};
use super::text::{shown, shown_before};
use crate::corpus::stable_digest;
use crate::eval::backend::Stop;
use crate::eval::figures::{Figure, Metric, Variant};
use crate::eval::output::MeasuredRow;

/// What tells whether a completion is right: the first that a row has.
const JUDGED: [Figure; 5] = [
    Figure::new(Metric::Pass, Variant::Cut),
    Figure::whole(Metric::Pass),
    Figure::new(Metric::StatementMatch, Variant::Cut),
    Figure::new(Metric::ExactMatch, Variant::Cut),
    Figure::whole(Metric::ExactMatch),
];

/// A suite's rows to read.
#[derive(Clone, Debug, Serialize)]
pub struct Failures {
    /// The suite.
    pub suite: String,
    /// What they have in common, with its rows.
    pub parts: Vec<Part>,
}

/// Rows that went the same way.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// `Lost`, `Gained`, `Wrong in both`, `Wrong`.
    pub title: String,
    /// How many there are, and of how many.
    pub lead: String,
    /// Those that are shown.
    pub rows: Vec<Shown>,
}

/// A row to read.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// Kind, language and cluster.
    pub facts: String,
    /// The last lines before the hole.
    pub before: String,
    /// What stood in it.
    pub golden: String,
    /// The first lines behind it.
    pub behind: String,
    /// What it is not to be taken for.
    pub rejected: Option<String>,
    /// What each checkpoint wrote.
    pub written: Vec<Written>,
}

/// What a checkpoint wrote.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// The checkpoint.
    pub name: String,
    /// Its colour.
    pub class: String,
    /// Whether it is right.
    pub right: bool,
    /// How that was found out, and other figures.
    pub facts: String,
    /// How near it is to the rejected completion, where it is as near as to the golden one or nearer.
    pub near: Option<&'static str>,
    /// The text.
    pub text: String,
    /// What differs from the golden completion.
    pub diff: Vec<Line>,
    /// The same as text.
    pub diff_text: String,
}

/// A way that rows went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Lost,
    Gained,
    Both,
    Wrong,
}

impl Way {
    fn title(self) -> &'static str {
        match self {
            Self::Lost => "Lost",
            Self::Gained => "Gained",
            Self::Both => "Wrong in both",
            Self::Wrong => "Wrong",
        }
    }

    fn meaning(self, base: &str, last: &str) -> String {
        match self {
            Self::Lost => format!("{base} is right, {last} is wrong"),
            Self::Gained => format!("{base} is wrong, {last} is right"),
            Self::Both => format!("{base} and {last} are wrong"),
            Self::Wrong => format!("{last} is wrong"),
        }
    }
}

/// Rows by their ids.
type ById<'s> = BTreeMap<&'s str, &'s MeasuredRow>;

/// Of a suite, `most` rows at most, drawn by the seed over ways and kinds; nothing where the last checkpoint
/// was not measured.
pub fn of_suite(study: &Study, suite: &SuiteStudy, most: usize) -> Option<Failures> {
    let measured = suite.measured.iter();
    let rows: Vec<ById<'_>> = measured
        .map(|it| {
            let rows = it.iter().flat_map(|it| &it.rows);
            rows.map(|row| (&*row.figures.id, row)).collect()
        })
        .collect();
    let (last, base) = (rows.last()?, rows.first()?);
    let mut ways: BTreeMap<Way, Vec<&MeasuredRow>> = BTreeMap::new();
    for row in last.values() {
        let before = base.get(&*row.figures.id).filter(|_| rows.len() > 1);
        if let Some(way) = way(before.copied(), row) {
            ways.entry(way).or_default().push(row);
        }
    }
    let drawn: Vec<Vec<(Way, &MeasuredRow)>> = ways
        .iter()
        .map(|(way, rows)| {
            let rows = over_kinds(rows, study.bootstrap.seed).into_iter();
            rows.map(|row| (*way, row)).collect()
        })
        .collect();
    let mut chosen = in_turn(drawn);
    chosen.truncate(most);
    let part = |(way, all): (&Way, &Vec<&MeasuredRow>)| {
        let own = chosen.iter().filter(|(other, _)| other == way);
        let own: Vec<Shown> = own.map(|(_, row)| read(study, &rows, row)).collect();
        let (base, name) = (study.names.first()?, study.names.last()?);
        Some(Part {
            title: way.title().to_owned(),
            lead: format!(
                "{}: {} of {} rows, of which {} are shown.",
                way.meaning(base, name),
                all.len(),
                last.len(),
                own.len()
            ),
            rows: own,
        })
    };
    let parts: Vec<Part> = ways.iter().filter_map(part).collect();
    (most > 0 && !parts.is_empty()).then(|| Failures {
        suite: suite.title.clone(),
        parts,
    })
}

/// Whether a row is right, as the first figure tells that it has.
fn right(row: &MeasuredRow) -> Option<(Figure, bool)> {
    let values = &row.figures.values;
    let mut told = JUDGED
        .iter()
        .filter_map(|figure| Some((*figure, *values.get(figure)? >= 1.0)));
    told.next()
}

fn way(before: Option<&MeasuredRow>, after: &MeasuredRow) -> Option<Way> {
    let (figure, after) = right(after)?;
    let before = before.and_then(|row| row.figures.values.get(&figure));
    match (before.map(|value| *value >= 1.0), after) {
        (Some(true), false) => Some(Way::Lost),
        (Some(false), true) => Some(Way::Gained),
        (Some(false), false) => Some(Way::Both),
        (None, false) => Some(Way::Wrong),
        (_, true) => None,
    }
}

/// One of each kind in turn, drawn by the seed.
fn over_kinds<'s>(rows: &[&'s MeasuredRow], seed: u64) -> Vec<&'s MeasuredRow> {
    let mut kinds: BTreeMap<&str, Vec<([u8; 32], &MeasuredRow)>> = BTreeMap::new();
    for row in rows {
        let lot = stable_digest(seed, &[b"report", row.figures.id.as_bytes()]);
        kinds.entry(&row.figures.kind).or_default().push((lot, row));
    }
    for rows in kinds.values_mut() {
        rows.sort_by_key(|(lot, _)| *lot);
    }
    let kinds = kinds.into_values();
    in_turn(
        kinds
            .map(|rows| rows.into_iter().map(|(_, row)| row).collect())
            .collect(),
    )
}

/// The first of each list, then the second of each, until all are through.
fn in_turn<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut out = Vec::new();
    loop {
        let before = out.len();
        out.extend(lists.iter_mut().filter_map(Iterator::next));
        if out.len() == before {
            return out;
        }
    }
}

fn read(study: &Study, rows: &[ById<'_>], row: &MeasuredRow) -> Shown {
    let figures = &row.figures;
    let facts = [&figures.kind, &figures.language, &figures.cluster];
    let facts: Vec<&str> = facts
        .into_iter()
        .map(String::as_str)
        .filter(|it| !it.is_empty() && *it != figures.id)
        .collect();
    let named = coloured(&study.names).into_iter().zip(rows);
    let written = named.filter_map(|(named, rows)| {
        let own = rows.get(&*figures.id)?;
        Some(written(named.name, named.class, own))
    });
    Shown {
        id: shown(&figures.id),
        facts: shown(&facts.join(" · ")),
        before: shown_before(&row.before),
        golden: shown(&row.golden),
        behind: shown(&row.behind),
        rejected: row.rejected.as_deref().map(shown),
        written: written.collect(),
    }
}

fn written(name: String, class: String, row: &MeasuredRow) -> Written {
    let (judged, right) = right(row).map_or((None, false), |(figure, it)| (Some(figure), it));
    let completion = &row.result.completion;
    let text = shown(&completion.text);
    let diff = diff::lines(&shown(&row.golden), &text);
    let stop = match completion.stop {
        // A server does not tell its model's end from a stop text.
        Stop::End => "ended before the limit of tokens",
        Stop::Text => "ended at a stop text",
        Stop::Limit => "ended at the limit of tokens",
        Stop::Unsaid => "ended, the server did not say why",
    };
    let mut facts = vec![stop.to_owned()];
    facts.extend(judged.map(|figure| format!("judged by {}", figure.title())));
    let similarity = Figure::whole(Metric::EditSimilarity);
    let similarity = row.figures.values.get(&similarity);
    facts.extend(similarity.map(|value| format!("ES {}", percent(*value))));
    Written {
        name,
        class,
        right,
        facts: facts.join(" · "),
        near: near(row),
        diff_text: diff::text(&diff),
        diff,
        text,
    }
}

/// What a row's figure and its texts say of the rejected completion.
fn near(row: &MeasuredRow) -> Option<&'static str> {
    let (rejected, text) = (row.rejected.as_deref()?, &row.result.completion.text);
    if !rejected.trim().is_empty() && rejected.trim() == text.trim() {
        return Some("the rejected completion");
    }
    let aligned = Figure::whole(Metric::HallucinationAligned);
    match row.figures.values.get(&aligned)? {
        value if *value >= 1.0 => Some("nearer to the rejected completion than to the golden one"),
        value if *value > 0.0 => Some("as near to the rejected completion as to the golden one"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_take_turns() {
        let lists = vec![vec![1, 2, 3], vec![], vec![4], vec![5, 6]];
        assert_eq!(in_turn(lists), [1, 4, 5, 2, 6, 3]);
    }
}
