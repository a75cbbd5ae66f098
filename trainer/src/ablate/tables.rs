//! The cells' figures beside each other, shaped as "hard negatives" has them (Tables 6 and 8): a row a
//! cell, a column a suite's figure, the gain over the checkpoint that training started from behind it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Measured;
use super::recipe::AblateRecipe;
use crate::eval::figures::{Bootstrap, Comparison, Figure, Group, RowFigures, Verdict, compare};
use crate::eval::output::{self, Evaluated};
use crate::rows::write_whole;
use crate::table::{Cell, Table, Tables, by_name};

/// A table for each axis; of a grid one table.
///
/// # Errors
/// Where figures cannot be read.
pub fn of(recipe: &AblateRecipe, measured: &[Measured]) -> Result<Tables> {
    let mut lines = Vec::new();
    for cell in measured {
        lines.push(Line::read(cell)?);
    }
    let columns = columns(recipe, &lines);
    if recipe.grid {
        return Ok(vec![(
            "grid".to_owned(),
            table("Grid", &columns, lines.iter()),
        )]);
    }
    let axes = recipe.axis.iter().map(|axis| {
        let own = |line: &&Line<'_>| {
            let on = &line.measured.cell.on;
            on.is_empty() || on.contains_key(&axis.name)
        };
        let lines = lines.iter().filter(own);
        (axis.name.clone(), table(&axis.name, &columns, lines))
    });
    Ok(axes.collect())
}

/// A cell with what it is compared by.
struct Line<'m> {
    measured: &'m Measured,
    suites: Vec<(Evaluated, Option<Comparison>)>,
}

impl<'m> Line<'m> {
    fn read(measured: &'m Measured) -> Result<Self> {
        let base = output::read(&measured.base)?;
        let mut suites = Vec::new();
        for found in output::read(&measured.figures)? {
            let old = base.iter().find(|old| old.suite == found.suite);
            let compared = match old {
                Some(old) => Some(compared(
                    (&measured.base, old),
                    (&measured.figures, &found),
                )?),
                None => None,
            };
            suites.push((found, compared));
        }
        Ok(Self { measured, suites })
    }

    fn name(&self) -> String {
        let on = &self.measured.cell.on;
        match on.is_empty() {
            true => "the recipe".to_owned(),
            false => on.values().cloned().collect::<Vec<_>>().join(", "),
        }
    }

    /// A figure, its gain, and whether the gain is one.
    fn cell(&self, suite: &str, figure: Figure) -> Cell {
        let found = self.suites.iter().find(|(found, _)| found.suite == suite);
        let Some((found, compared)) = found else {
            return Cell::Nothing;
        };
        let mut all = found
            .groups
            .iter()
            .filter(|group| group.group == Group::All);
        let Some(estimate) = all.next().and_then(|group| group.figures.get(&figure)) else {
            return Cell::Nothing;
        };
        let mut differences = compared.iter().flat_map(|compared| &compared.differences);
        let difference =
            differences.find(|found| found.group == Group::All && found.figure == figure);
        let gain = difference.map_or(String::new(), |difference| {
            let mark = match difference.verdict {
                Verdict::Open => "",
                Verdict::Higher | Verdict::Lower => "*",
            };
            format!(" ({:+.1}{mark})", difference.value() * 100.0)
        });
        Cell::Text(format!("{:.1}{gain}", estimate.value * 100.0))
    }
}

fn compared(before: (&Path, &Evaluated), after: (&Path, &Evaluated)) -> Result<Comparison> {
    let rows = |(folder, evaluated): (&Path, &Evaluated)| -> Result<Vec<RowFigures>> {
        let rows = output::read_rows(folder, evaluated)?;
        Ok(rows.into_iter().map(|row| row.figures).collect())
    };
    Ok(compare(&rows(before)?, &rows(after)?, Bootstrap::default()))
}

/// The suites and figures that any cell has.
fn columns(recipe: &AblateRecipe, lines: &[Line<'_>]) -> Vec<(String, Figure)> {
    let mut columns = Vec::new();
    let suites = lines.iter().flat_map(|line| &line.suites);
    for (found, _) in suites {
        let all = found.groups.iter().find(|group| group.group == Group::All);
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

fn table<'l>(
    title: &str,
    columns: &[(String, Figure)],
    lines: impl Iterator<Item = &'l Line<'l>>,
) -> Table {
    let shown = columns
        .iter()
        .map(|(suite, figure)| format!("{suite} {}", figure.title()));
    let mut names = vec!["cell".to_owned(), "rows".to_owned(), "tokens".to_owned()];
    names.extend(shown);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let title = format!(
        "{title}: percent (gain over the checkpoint that training started from; * where it is told apart)"
    );
    let mut table = Table::new(title, &names);
    for line in lines {
        let trained = &line.measured.trained;
        let mut cells: Vec<Cell> = vec![
            line.name().into(),
            trained.rows.into(),
            trained.tokens.into(),
        ];
        cells.extend(
            columns
                .iter()
                .map(|(suite, figure)| line.cell(suite, *figure)),
        );
        table.row(cells);
    }
    table
}

/// Writes the tables as Markdown and as JSON.
///
/// # Errors
/// Where they cannot be written.
pub fn write(folder: &Path, tables: &[(String, Table)]) -> Result<()> {
    let mut page = String::from("# Ablation\n");
    for (_, table) in tables {
        let _ = write!(page, "\n{}\n\n{}", table.title, table.to_markdown());
    }
    let json = serde_json::to_string_pretty(&by_name(tables))? + "\n";
    for (name, text) in [("ablation.md", page), ("ablation.json", json)] {
        let path = folder.join(name);
        write_whole(&path, text.as_bytes())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(())
}
