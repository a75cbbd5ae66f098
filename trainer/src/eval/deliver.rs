//! From results to files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::figures::{Bootstrap, RowFigures, summarise};
use super::measure::figures;
use super::output::{self, Evaluated, MeasuredRow, ModelInfo, Speed};
use super::recipe::{EvalRecipe, SuiteRecipe};
use super::run::{Outcome, Runner};
use super::suite::Loaded;
use crate::score::LONGEST_MIDDLE;

/// What was measured, and where it goes.
pub struct Delivery<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The suite as the recipe has it.
    pub suite: &'a SuiteRecipe,
    /// Its rows.
    pub loaded: &'a Loaded,
    /// Rows of its files, those beyond the limit too.
    pub rows_in_files: u64,
    /// How it was measured.
    pub recipe: &'a EvalRecipe,
    /// Who.
    pub info: &'a ModelInfo,
    /// Who ran programs.
    pub runner: Option<&'a dyn Runner>,
}

impl Delivery<'_> {
    /// Writes the rows, then the figures; gives both.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn write(&self, outcome: &Outcome) -> Result<(Evaluated, Vec<RowFigures>)> {
        let results = self.loaded.rows.iter().zip(&outcome.results);
        let measured = results.filter_map(|(row, result)| {
            let result = result.as_ref()?;
            Some(MeasuredRow::new(row, figures(row, result), result.clone()))
        });
        let rows: Vec<MeasuredRow> = measured.collect();
        let title = self.suite.title();
        let rows_file = output::write_rows(self.folder, &title, &rows)?;
        let figures: Vec<RowFigures> = rows.iter().map(|row| row.figures.clone()).collect();
        let bootstrap = Bootstrap {
            seed: self.recipe.seed,
            ..Bootstrap::default()
        };
        let evaluated = Evaluated {
            version: output::VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            suite: title,
            model: self.info.clone(),
            decoding: self.recipe.decoding.clone(),
            form: self.suite.form,
            programs: self.programs(),
            files: self.loaded.files.clone(),
            data_sha256: self.loaded.sha256.clone(),
            rows_in_files: self.rows_in_files,
            rows: rows.len() as u64,
            failed: self.failed(outcome),
            shortened: rows
                .iter()
                .filter(|row| row.result.completion.shortened)
                .count() as u64,
            groups: summarise(&figures, bootstrap),
            bootstrap,
            runs: runs(&rows),
            speed: Speed::of(&outcome.timings),
            notes: self.notes(&rows, outcome),
            rows_file,
        };
        output::write(self.folder, &evaluated)?;
        Ok((evaluated, figures))
    }

    fn notes(&self, rows: &[MeasuredRow], outcome: &Outcome) -> Vec<String> {
        let pairs = rows.iter().filter(|row| row.rejected.is_some());
        let pairs = pairs.map(|row| row.result.golden.is_some() && row.result.rejected.is_some());
        let (known, unknown): (Vec<bool>, Vec<bool>) = pairs.partition(|known| *known);
        let mut notes = self.loaded.notes.clone();
        notes.extend(outcome.notes.iter().cloned());
        if !unknown.is_empty() && (!known.is_empty() || self.recipe.server.is_none()) {
            notes.push(format!(
                "preference is of {} rows of {}: of the others a completion is longer than {LONGEST_MIDDLE} tokens, \
                 or the vocabulary cannot spell it",
                known.len(),
                known.len() + unknown.len()
            ));
        }
        notes
    }

    /// What programs were run with, where there are some.
    fn programs(&self) -> Option<String> {
        let has = self.loaded.rows.iter().any(|row| row.program.is_some());
        Some(self.runner.filter(|_| has)?.name())
    }

    fn failed(&self, outcome: &Outcome) -> BTreeMap<String, String> {
        let failed = outcome.failed.iter();
        failed
            .filter_map(|(at, problem)| {
                Some((self.loaded.rows.get(*at)?.id.clone(), problem.clone()))
            })
            .collect()
    }
}

fn runs(
    rows: &[MeasuredRow],
) -> BTreeMap<super::figures::Variant, BTreeMap<super::measure::Run, u64>> {
    let mut runs: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
    for row in rows {
        for (variant, run) in &row.result.runs {
            *runs.entry(*variant).or_default().entry(*run).or_default() += 1;
        }
    }
    runs
}
