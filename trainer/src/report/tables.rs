//! The page's tables, shaped like the papers'.

use serde::Serialize;

use super::grid::{Cell, Column, Gain, Grid, Heat, Key, Row, percent};
use super::study::{Study, SuiteStudy};
use crate::eval::figures::{Figure, Group, Metric, Variant};

/// What tables show, where it was measured; all other figures have a table of their own for each suite.
const SHOWN: [Figure; 15] = [
    Figure::whole(Metric::ExactMatch),
    Figure::new(Metric::ExactMatch, Variant::FirstLines),
    Figure::new(Metric::ExactMatch, Variant::Cut),
    Figure::whole(Metric::EditSimilarity),
    Figure::new(Metric::EditSimilarity, Variant::FirstLines),
    Figure::new(Metric::EditSimilarity, Variant::Cut),
    Figure::new(Metric::StatementMatch, Variant::Cut),
    Figure::new(Metric::StatementSimilarity, Variant::Cut),
    Figure::whole(Metric::Pass),
    Figure::new(Metric::Pass, Variant::FirstLines),
    Figure::new(Metric::Pass, Variant::Cut),
    Figure::whole(Metric::HallucinationAligned),
    Figure::whole(Metric::Preference),
    Figure::whole(Metric::Ended),
    Figure::whole(Metric::OverGeneration),
];

/// What no headline has, that it may be read at a glance.
const ASIDE: [Metric; 2] = [Metric::Ended, Metric::OverGeneration];

/// What heat tables, curves and gains against strength show: the first of each line that a suite has.
const CHIEF: [&[Figure]; 2] = [
    &[
        Figure::whole(Metric::ExactMatch),
        Figure::new(Metric::StatementMatch, Variant::Cut),
    ],
    &[
        Figure::whole(Metric::Pass),
        Figure::new(Metric::Pass, Variant::Cut),
    ],
];

/// What bars show beside that.
const BARS: [&[Figure]; 3] = [
    &[
        Figure::whole(Metric::EditSimilarity),
        Figure::new(Metric::StatementSimilarity, Variant::Cut),
    ],
    &[Figure::whole(Metric::HallucinationAligned)],
    &[Figure::whole(Metric::Preference)],
];

/// What tells most of a suite.
pub fn chief(suite: &SuiteStudy) -> Vec<Figure> {
    CHIEF.iter().filter_map(|it| first(suite, it)).collect()
}

/// What a suite's bars show, in the order of figures.
pub fn barred(suite: &SuiteStudy) -> Vec<Figure> {
    let others = BARS.iter().filter_map(|it| first(suite, it));
    let mut figures: Vec<Figure> = chief(suite).into_iter().chain(others).collect();
    figures.sort_unstable();
    figures
}

fn first(suite: &SuiteStudy, figures: &[Figure]) -> Option<Figure> {
    figures.iter().copied().find(|it| suite.has(*it))
}

/// A suite's figures of all rows.
#[derive(Clone, Debug, Serialize)]
pub struct Headline {
    /// The chief ones, a line for each checkpoint.
    pub chief: Grid,
    /// Every one, a line for each; nothing where those are all.
    pub all: Option<Grid>,
}

/// Of each suite.
pub fn headline(study: &Study) -> Vec<Headline> {
    let of = |suite: &SuiteStudy| Headline {
        chief: of_suite(study, suite),
        all: all_figures(study, suite),
    };
    study.suites.iter().map(of).collect()
}

fn is_headline(figure: &Figure) -> bool {
    SHOWN.contains(figure) && !ASIDE.contains(&figure.metric)
}

/// Every figure and variant that a checkpoint has.
fn all_figures(study: &Study, suite: &SuiteStudy) -> Option<Grid> {
    let all = suite.figures();
    if all.iter().all(is_headline) {
        return None;
    }
    let entry = (String::new(), suite, Group::All);
    let title = format!("{}: all figures", suite.title);
    let mut grid = side_by_side(study, &title, "", &[entry], &all);
    // One group needs no name in front of each line.
    grid.keys.remove(0);
    for row in &mut grid.rows {
        row.keys.remove(0);
    }
    Some(grid)
}

fn of_suite(study: &Study, suite: &SuiteStudy) -> Grid {
    let wanted = |figure: &Figure| is_headline(figure) && suite.has(*figure);
    let figures: Vec<Figure> = SHOWN.into_iter().filter(wanted).collect();
    let row = |(at, name): (usize, &String)| Row {
        keys: vec![Key::one(name)],
        cells: figures
            .iter()
            .map(|figure| cell(suite, at, &Group::All, *figure))
            .collect(),
    };
    let column = |figure: &Figure| Column {
        name: said(*figure),
        below: denominators(suite, &Group::All, *figure),
    };
    Grid {
        title: suite.title.clone(),
        lead: "Percent [95 % interval].".to_owned() + changes(study),
        keys: vec!["checkpoint".into()],
        columns: figures.iter().map(column).collect(),
        rows: study.names.iter().enumerate().map(row).collect(),
    }
}

/// A figure's title, and which way is better where it is not up.
pub fn said(figure: Figure) -> String {
    match figure.metric.lower_is_better() {
        true => format!("{} ↓", figure.title()),
        false => figure.title(),
    }
}

fn changes(study: &Study) -> &'static str {
    match study.compares() {
        true => " Then points gained against the base on the same rows [95 % interval].",
        false => "",
    }
}

fn cell(suite: &SuiteStudy, at: usize, group: &Group, figure: Figure) -> Cell {
    Cell::figure(
        suite.estimate(at, group, figure),
        suite.change(at, group, figure),
    )
}

/// `1033 rows, 164 clusters`; from the fewest to the most where checkpoints differ.
fn denominators(suite: &SuiteStudy, group: &Group, figure: Figure) -> String {
    let found = (0..suite.measured.len()).filter_map(|at| suite.estimate(at, group, figure));
    let (rows, clusters): (Vec<u64>, Vec<u64>) = found.map(|it| (it.rows, it.clusters)).unzip();
    let rows = range(&rows);
    format!("{rows} rows, {} clusters", range(&clusters))
}

/// The fewest and the most.
fn range(counts: &[u64]) -> String {
    match (counts.iter().min(), counts.iter().max()) {
        (Some(low), Some(high)) if low < high => format!("{low}–{high}"),
        (Some(low), _) => low.to_string(),
        _ => "–".to_owned(),
    }
}

/// A group of a suite's rows, under the name that its table has for it.
type Entry<'s> = (String, &'s SuiteStudy, Group);

/// What all suites are compared by; each has a table, as "hard negatives" has parts of one (Table 5).
const ACROSS: [(&str, &[Metric]); 3] = [
    ("EM", &[Metric::ExactMatch, Metric::StatementMatch]),
    ("ES", &[Metric::EditSimilarity, Metric::StatementSimilarity]),
    ("pass@1", &[Metric::Pass]),
];

/// All suites with their kinds, checkpoints side by side.
pub fn cross_benchmark(study: &Study) -> Vec<Grid> {
    if study.suites.len() < 2 {
        return Vec::new();
    }
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for suite in &study.suites {
        entries.push((suite.title.clone(), suite, Group::All));
        for group in suite.groups(Group::is_kind) {
            let name = format!("{}: {group}", suite.title);
            entries.push((name, suite, group));
        }
    }
    let grid = |(name, metrics): &(&str, &[Metric])| {
        let shown = SHOWN.into_iter();
        let shown: Vec<Figure> = shown.filter(|it| metrics.contains(&it.metric)).collect();
        let title = format!("All suites: {name}");
        let mut grid = side_by_side(study, &title, "suite", &entries, &shown);
        grid.lead += " Languages and all other figures stand below.";
        Some(grid).filter(|grid| !grid.rows.is_empty())
    };
    ACROSS.iter().filter_map(grid).collect()
}

/// A suite's tables by type, by language and by both.
pub fn parts(study: &Study, suite: &SuiteStudy) -> Vec<Grid> {
    let mut grids = Vec::new();
    for (title, head, wanted) in [
        ("By type", "type", Group::is_kind as fn(&Group) -> bool),
        ("By language", "language", Group::is_language),
    ] {
        let groups = suite.groups(wanted).into_iter();
        let entries = groups.map(|group| (group.to_string(), suite, group));
        let entries: Vec<Entry<'_>> = entries.collect();
        if !entries.is_empty() {
            let title = format!("{}: {}", suite.title, title.to_lowercase());
            grids.push(side_by_side(study, &title, head, &entries, &SHOWN));
        }
    }
    if let Some(figure) = chief(suite).first() {
        let grids_of = (0..study.names.len()).filter_map(|at| heat(study, suite, at, *figure));
        grids.extend(grids_of);
    }
    grids
}

fn side_by_side(
    study: &Study,
    title: &str,
    head: &str,
    entries: &[Entry<'_>],
    shown: &[Figure],
) -> Grid {
    let mut columns = vec![Column::plain("rows")];
    columns.extend(study.names.iter().map(Column::plain));
    let rows = entries
        .iter()
        .flat_map(|entry| lines(study.names.len(), entry, shown));
    Grid {
        title: title.to_owned(),
        lead: "Percent [95 % interval].".to_owned() + changes(study),
        keys: vec![head.to_owned(), "figure".to_owned()],
        columns,
        rows: rows.collect(),
    }
}

/// A group's figures, one a line.
fn lines(checkpoints: usize, (name, suite, group): &Entry<'_>, shown: &[Figure]) -> Vec<Row> {
    let has =
        |figure: &Figure| (0..checkpoints).any(|at| suite.estimate(at, group, *figure).is_some());
    let figures: Vec<Figure> = shown.iter().copied().filter(has).collect();
    let line = |(at, figure): (usize, &Figure)| {
        let name = Key {
            text: name.clone(),
            span: if at == 0 { figures.len() } else { 0 },
        };
        let counts = (0..checkpoints).filter_map(|at| suite.estimate(at, group, *figure));
        let counts: Vec<u64> = counts.map(|it| it.rows).collect();
        let cells = (0..checkpoints).map(|at| cell(suite, at, group, *figure));
        Row {
            keys: vec![name, Key::one(said(*figure))],
            cells: std::iter::once(Cell::text(range(&counts)))
                .chain(cells)
                .collect(),
        }
    };
    figures.iter().enumerate().map(line).collect()
}

/// A checkpoint's figure by language and type: the base's is shaded by its height, another's by its gain.
fn heat(study: &Study, suite: &SuiteStudy, at: usize, figure: Figure) -> Option<Grid> {
    let cells = suite.groups(Group::is_cell);
    let (mut languages, mut kinds) = (Vec::new(), Vec::new());
    for cell in &cells {
        if let Group::Cell { language, kind } = cell {
            languages.push(language.clone());
            kinds.push(kind.clone());
        }
    }
    for names in [&mut languages, &mut kinds] {
        names.sort();
        names.dedup();
    }
    let is_there = |cell: &Group| suite.estimate(at, cell, figure).is_some();
    if !cells.iter().any(is_there) {
        return None;
    }
    let row = |language: &String| Row {
        keys: vec![Key::one(language)],
        cells: kinds
            .iter()
            .map(|kind| {
                let (language, kind) = (language.clone(), kind.clone());
                shaded(suite, at, &Group::Cell { language, kind }, figure)
            })
            .collect(),
    };
    let name = &study.names[at];
    let title = format!(
        "{}: {} by language and type, {name}",
        suite.title,
        figure.title()
    );
    let lead = match at {
        0 => "Percent [95 % interval] (rows); darker is higher.",
        _ => {
            "Percent [95 % interval] (rows), and points gained against the base; blue is better, orange is \
             worse, darker is more. Only ▲ and ▼ are differences."
        }
    };
    Some(Grid {
        title,
        lead: lead.to_owned(),
        keys: vec!["language".into()],
        columns: kinds.iter().map(Column::plain).collect(),
        rows: languages.iter().map(row).collect(),
    })
}

/// Points of gain that have the darkest shade.
const DARKEST: f64 = 0.3;

fn shaded(suite: &SuiteStudy, at: usize, group: &Group, figure: Figure) -> Cell {
    let Some(found) = suite.estimate(at, group, figure) else {
        return Cell::nothing();
    };
    let change = suite.change(at, group, figure);
    let (strength, below) = match change {
        None => (found.value, false),
        Some(change) => {
            let worse = (change.value() < 0.0) != figure.metric.lower_is_better();
            ((change.value().abs() / DARKEST).min(1.0), worse)
        }
    };
    let own = Cell::figure(Some(found), None);
    Cell {
        text: percent(found.value),
        interval: own.interval.map(|it| format!("{it} ({})", found.rows)),
        gain: change.map(Gain::of),
        heat: Some(Heat {
            strength: (strength * 20.0).round() / 20.0,
            below,
        }),
    }
}
