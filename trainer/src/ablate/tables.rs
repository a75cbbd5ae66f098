//! The cells' figures beside each other, shaped as "hard negatives" has them (Tables 6 and 8): a row a
//! cell, a column a suite's figure, the gain over the checkpoint that training started from behind it; then
//! one figure by type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::Measured;
use super::recipe::AblateRecipe;
use super::steps::Trained;
use crate::eval::alike;
use crate::eval::figures::{Comparison, Figure, Group, GroupFigures, Verdict, percent, points};
use crate::eval::output::{self, Evaluated};
use crate::rows::write_file;
use crate::table::{Cell, Table, Tables};

/// The cells with what they are compared by.
///
/// # Errors
/// Where figures cannot be read.
pub fn read(measured: &[Measured]) -> Result<Vec<Line<'_>>> {
    measured.iter().map(Line::read).collect()
}

/// For each axis a table, and one by type for each suite that has some; of a grid the same of all cells.
#[must_use]
pub fn of(recipe: &AblateRecipe, lines: &[Line<'_>]) -> Tables {
    let columns = columns(recipe, lines);
    let mut tables = Tables::new();
    let mut add = |title: &str, lines: &[&Line<'_>]| {
        tables.push((title.to_owned(), table(title, &columns, lines)));
        tables.extend(by_type(title, &columns, lines));
    };
    if recipe.grid {
        add("grid", &lines.iter().collect::<Vec<_>>());
        return tables;
    }
    for axis in &recipe.axis {
        let own = |line: &&Line<'_>| {
            let on = &line.measured.cell.on;
            on.is_empty() || on.contains_key(&axis.name)
        };
        add(&axis.name, &lines.iter().filter(own).collect::<Vec<_>>());
    }
    tables
}

/// A cell with what it is compared by.
pub struct Line<'m> {
    measured: &'m Measured,
    suites: Vec<(Evaluated, Option<Comparison>)>,
    /// What has to be known before its gains are read.
    warnings: Vec<String>,
}

/// What has to be known before the cells' gains are read.
pub fn warnings<'l>(lines: &'l [Line<'_>]) -> impl Iterator<Item = &'l String> {
    lines.iter().flat_map(|line| &line.warnings)
}

impl<'m> Line<'m> {
    fn read(measured: &'m Measured) -> Result<Self> {
        let base = output::read(&measured.base)?;
        let (mut suites, mut warnings) = (Vec::new(), Vec::new());
        for found in output::read(&measured.figures)? {
            let Some(old) = base.iter().find(|old| old.suite == found.suite) else {
                suites.push((found, None));
                continue;
            };
            let compared = output::compared((&measured.base, old), (&measured.figures, &found))?;
            let names = [&*old.model.name, &*measured.cell.name()];
            let unlike = alike::warnings(names, [old, &found], &compared);
            let unlike = unlike.into_iter();
            warnings.extend(unlike.map(|unlike| format!("{}: {unlike}", found.suite)));
            suites.push((found, Some(compared)));
        }
        Ok(Self {
            measured,
            suites,
            warnings,
        })
    }

    fn name(&self) -> String {
        let on = &self.measured.cell.on;
        match on.is_empty() {
            true => "the recipe".to_owned(),
            false => on.values().cloned().collect::<Vec<_>>().join(", "),
        }
    }

    /// A figure, its gain, and whether the gain is one; of all rows its interval too.
    fn cell(&self, suite: &str, figure: Figure, group: &Group) -> Cell {
        let found = self.suites.iter().find(|(found, _)| found.suite == suite);
        let Some((found, compared)) = found else {
            return Cell::Nothing;
        };
        let estimate = found
            .group(group)
            .and_then(|found| found.figures.get(&figure));
        let Some(estimate) = estimate else {
            return Cell::Nothing;
        };
        let difference = compared
            .as_ref()
            .and_then(|compared| compared.of(group, figure));
        let gain = difference.map_or(String::new(), |difference| {
            let mark = match difference.verdict {
                Verdict::Open => "",
                Verdict::Higher | Verdict::Lower => "*",
            };
            let [low, high] = difference.interval.map(points);
            let interval = match group {
                Group::All => format!("; {low} to {high}"),
                _ => String::new(),
            };
            format!(" ({}{mark}{interval})", points(difference.value()))
        });
        Cell::Text(percent(estimate.value) + &gain)
    }

    /// The kinds of a suite's rows.
    fn kinds(&self, suite: &str) -> impl Iterator<Item = &str> {
        let found = self
            .suites
            .iter()
            .find(move |(found, _)| found.suite == *suite);
        let groups = found.into_iter().flat_map(|(found, _)| &found.groups);
        groups.filter_map(|found| match &found.group {
            Group::Kind(kind) => Some(&**kind),
            _ => None,
        })
    }
}

/// The suites and figures that any cell has.
fn columns(recipe: &AblateRecipe, lines: &[Line<'_>]) -> Vec<(String, Figure)> {
    let mut columns = Vec::new();
    let suites = lines.iter().flat_map(|line| &line.suites);
    for (found, _) in suites {
        let all = found.group(&Group::All);
        for figure in &recipe.figures {
            let column = (found.suite.clone(), *figure);
            let is_there = all.is_some_and(|all| all.figures.contains_key(figure));
            if is_there && !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
    columns
}

fn table(title: &str, columns: &[(String, Figure)], lines: &[&Line<'_>]) -> Table {
    let shown = columns
        .iter()
        .map(|(suite, figure)| format!("{suite} {}", figure.title()));
    let mut names = vec!["cell".to_owned(), "rows".to_owned(), "tokens".to_owned()];
    names.extend(shown);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let title = format!(
        "{title}: percent (gain over the checkpoint that training started from, its 95 % interval; * where it \
         is told apart)"
    );
    let mut table = Table::new(title, &names);
    for line in lines {
        let trained = &line.measured.trained;
        let mut cells: Vec<Cell> = vec![
            line.name().into(),
            trained.rows.into(),
            trained.tokens.into(),
        ];
        let figures = columns.iter();
        cells.extend(figures.map(|(suite, figure)| line.cell(suite, *figure, &Group::All)));
        table.row(cells);
    }
    table
}

/// The first figure of each suite whose rows are of several kinds.
fn by_type(title: &str, columns: &[(String, Figure)], lines: &[&Line<'_>]) -> Vec<(String, Table)> {
    let mut tables: Vec<(String, Table)> = Vec::new();
    for (suite, figure) in columns {
        let name = format!("{title} by type, {suite}");
        let kinds: BTreeSet<&str> = lines.iter().flat_map(|line| line.kinds(suite)).collect();
        if kinds.len() < 2 || tables.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let names: Vec<&str> = std::iter::once("cell")
            .chain(kinds.iter().copied())
            .collect();
        let shown = format!(
            "{title} by type, {suite} {}: percent (gain; * where it is told apart, the types looked at together)",
            figure.title()
        );
        let mut table = Table::new(shown, &names);
        for line in lines {
            let mut cells: Vec<Cell> = vec![line.name().into()];
            let kinds = kinds.iter();
            let of = |kind: &&str| line.cell(suite, *figure, &Group::Kind((*kind).to_owned()));
            cells.extend(kinds.map(of));
            table.row(cells);
        }
        tables.push((name, table));
    }
    tables
}

/// All figures of a cell.
#[derive(Serialize)]
struct CellFigures<'m> {
    /// Its name.
    cell: String,
    /// The axes that it is on, and where.
    on: &'m BTreeMap<String, String>,
    /// What training gave.
    trained: &'m Trained,
    suites: Vec<SuiteFigures<'m>>,
    /// What has to be known before its gains are read.
    warnings: &'m [String],
}

/// All figures of a cell on a suite.
#[derive(Serialize)]
struct SuiteFigures<'m> {
    suite: &'m str,
    /// Rows that were measured.
    rows: u64,
    /// Figures by group, with intervals.
    groups: &'m [GroupFigures],
    /// What was gained over the checkpoint that training started from.
    gains: Option<&'m Comparison>,
}

impl<'m> CellFigures<'m> {
    fn of(line: &'m Line<'m>) -> Self {
        let suites = line.suites.iter().map(|(found, gains)| SuiteFigures {
            suite: &found.suite,
            rows: found.rows,
            groups: &found.groups,
            gains: gains.as_ref(),
        });
        Self {
            cell: line.measured.cell.name(),
            on: &line.measured.cell.on,
            trained: &line.measured.trained,
            suites: suites.collect(),
            warnings: &line.warnings,
        }
    }
}

/// Writes the tables as Markdown, and all figures as JSON.
///
/// # Errors
/// Where they cannot be written.
pub fn write(folder: &Path, tables: &[(String, Table)], lines: &[Line<'_>]) -> Result<()> {
    let mut page = String::from("# Ablation\n");
    for warning in warnings(lines) {
        let _ = write!(page, "\n{warning}.\n");
    }
    for (_, table) in tables {
        let _ = write!(page, "\n{}\n\n{}", table.title, table.to_markdown());
    }
    let cells: Vec<CellFigures<'_>> = lines.iter().map(CellFigures::of).collect();
    let json = serde_json::to_string_pretty(&serde_json::json!({ "cells": cells }))? + "\n";
    for (name, text) in [("ablation.md", page), ("ablation.json", json)] {
        write_file(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}
