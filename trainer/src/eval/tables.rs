//! An evaluation's figures as tables for a terminal.

use super::figures::{
    Comparison, Difference, Estimate, Figure, Group, GroupFigures, Metric, Variant, Verdict,
    percent, points,
};
use super::gate::{Finding, Judgement, Require};
use super::output::{Evaluated, Speed};
use crate::table::{Cell, Table};

/// What tables by type and language show, where it was measured.
const SHOWN: [Figure; 9] = [
    Figure::whole(Metric::ExactMatch),
    Figure::new(Metric::ExactMatch, Variant::FirstLines),
    Figure::whole(Metric::EditSimilarity),
    Figure::new(Metric::EditSimilarity, Variant::FirstLines),
    Figure::whole(Metric::Pass),
    Figure::new(Metric::Pass, Variant::FirstLines),
    Figure::new(Metric::Pass, Variant::Cut),
    Figure::whole(Metric::HallucinationAligned),
    Figure::whole(Metric::Preference),
];

/// The tables: all rows, then kinds and languages.
#[must_use]
pub fn of(evaluated: &Evaluated) -> Vec<Table> {
    let mut tables = vec![whole(evaluated)];
    for (title, head, of) in [
        ("By type", "type", Group::is_kind as fn(&Group) -> bool),
        ("By language", "language", Group::is_language),
    ] {
        let groups = evaluated.groups.iter();
        let groups: Vec<&GroupFigures> = groups.filter(|found| of(&found.group)).collect();
        if !groups.is_empty() {
            tables.push(by(title, head, &groups));
        }
    }
    tables
}

fn whole(evaluated: &Evaluated) -> Table {
    let Evaluated {
        suite, rows, model, ..
    } = evaluated;
    let title = format!(
        "{suite}, {}: {rows} of {} rows",
        model.name, evaluated.rows_in_files
    );
    let mut table = Table::new(
        title,
        &["figure", "percent", "95 % interval", "rows", "clusters"],
    );
    let all = evaluated.group(&Group::All);
    for (figure, found) in all.iter().flat_map(|all| &all.figures) {
        table.row([
            figure.title().into(),
            percent(found.value).into(),
            range(found.interval).into(),
            found.rows.into(),
            found.clusters.into(),
        ]);
    }
    let noted = [
        (
            "rows that could not be completed",
            evaluated.failed.len() as u64,
        ),
        ("prompts that lack a part of the file", evaluated.shortened),
    ];
    for (what, rows) in noted.into_iter().filter(|(_, rows)| *rows > 0) {
        let none = [Cell::Nothing, Cell::Nothing];
        let [percent, interval] = none;
        table.row([what.into(), percent, interval, rows.into(), Cell::Nothing]);
    }
    table
}

fn by(title: &str, head: &str, groups: &[&GroupFigures]) -> Table {
    let is_there = |figure: &&Figure| {
        let mut all = groups.iter();
        all.any(|found| found.figures.contains_key(figure))
    };
    let shown: Vec<Figure> = SHOWN.iter().filter(is_there).copied().collect();
    let mut columns = vec![head, "rows"];
    let titles: Vec<String> = shown.iter().map(|figure| figure.title()).collect();
    columns.extend(titles.iter().map(String::as_str));
    let mut table = Table::new(format!("{title}: percent (95 % interval)"), &columns);
    for found in groups {
        let mut cells: Vec<Cell> = vec![found.group.to_string().into(), found.rows.into()];
        cells.extend(shown.iter().map(|figure| cell(found.figures.get(figure))));
        table.row(cells);
    }
    table
}

fn cell(found: Option<&Estimate>) -> Cell {
    match found {
        Some(found) => Cell::Text(format!(
            "{} ({})",
            percent(found.value),
            range(found.interval)
        )),
        None => Cell::Nothing,
    }
}

fn range(interval: [f64; 2]) -> String {
    let [low, high] = interval.map(percent);
    format!("{low}–{high}")
}

/// What differs between two checkpoints.
#[must_use]
pub fn differences(compared: &Comparison) -> Table {
    let title = format!(
        "Compared on {} rows that both have ({} that one has alone): points of percent",
        compared.rows, compared.unpaired
    );
    let columns = [
        "rows of",
        "figure",
        "before",
        "after",
        "change",
        "95 % interval",
        "is it one?",
    ];
    let mut table = Table::new(title, &columns);
    let shown = compared.differences.iter().filter(|found| {
        let all = found.group == Group::All;
        all || (SHOWN.contains(&found.figure) && !found.group.is_cell())
    });
    for found in shown {
        table.row(difference(found));
    }
    table
}

/// What became of the gate's rules.
#[must_use]
pub fn judgement(judgement: &Judgement) -> Table {
    let title = match judgement.passed {
        true => "Gate: passed",
        false => "Gate: not passed",
    };
    let columns = [
        "suite",
        "rows of",
        "figure",
        "has to",
        "change",
        "95 % interval",
        "found",
    ];
    let mut table = Table::new(title, &columns);
    for Finding {
        rule,
        group,
        difference,
        problem,
        ..
    } in &judgement.findings
    {
        let by = percent(rule.by);
        let has_to = match rule.require {
            Require::Rises if rule.by == 0.0 => "get better".to_owned(),
            Require::Rises => format!("get better by {by}"),
            Require::Holds => format!("get worse by less than {by}"),
        };
        let change = difference.as_ref().map(|it| points(it.value()));
        let interval = difference.as_ref().map(|it| change_range(it.interval));
        table.row([
            rule.suite.clone().into(),
            group.to_string().into(),
            rule.figure.title().into(),
            has_to.into(),
            change.map_or(Cell::Nothing, Cell::Text),
            interval.map_or(Cell::Nothing, Cell::Text),
            problem.clone().unwrap_or_else(|| "passed".into()).into(),
        ]);
    }
    table
}

fn change_range(interval: [f64; 2]) -> String {
    let [low, high] = interval.map(points);
    format!("{low} to {high}")
}

fn difference(found: &Difference) -> [Cell; 7] {
    let better = found
        .is_better()
        .map(|better| if better { "better" } else { "worse" });
    let verdict = match (found.verdict, better) {
        (Verdict::Higher, Some(better)) => format!("higher: {better}"),
        (Verdict::Lower, Some(better)) => format!("lower: {better}"),
        _ => "not told apart".to_owned(),
    };
    [
        found.group.to_string().into(),
        found.figure.title().into(),
        percent(found.before).into(),
        percent(found.after).into(),
        points(found.value()).into(),
        change_range(found.interval).into(),
        verdict.into(),
    ]
}
/// How long completions took: nothing that another machine, or another run, has to give again.
#[must_use]
pub fn speed(speed: &Speed) -> String {
    let told = |[median, high]: [f64; 2]| {
        format!("{median:.0} ms in the median, {high:.0} ms at most in 95 %")
    };
    format!(
        "latency, up to {} rows at a time: first token {}; whole completion {}",
        speed.width,
        told(speed.first_ms),
        told(speed.ms)
    )
}
