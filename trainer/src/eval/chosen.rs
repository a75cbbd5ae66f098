//! The suites of a run: rows that were read, or a repository that rows are still to be drawn from.

use std::borrow::Cow;

use anyhow::Result;

use super::holes::{Choice, Repository, Surroundings};
use super::recipe::SuiteRecipe;
use super::row::EvalRow;
use super::suite::{self, Loaded, Suite};
use crate::corpus::stable_digest;
use crate::progress::Progress;

/// A suite with what it measures with.
pub struct Chosen<'r> {
    /// As the recipe has it.
    pub suite: &'r SuiteRecipe,
    found: Found,
}

enum Found {
    Rows(Loaded, u64),
    Repository(Box<Repository>),
}

impl<'r> Chosen<'r> {
    /// Reads a suite's files, or opens its repository.
    ///
    /// # Errors
    /// What is wrong with them, and with the sandbox where there is a repository.
    pub fn load(suite: &'r SuiteRecipe, seed: u64, around: &Surroundings) -> Result<Self> {
        if suite.name == Suite::Holes {
            let repository = Box::new(Repository::open(suite, around)?);
            let found = Found::Repository(repository);
            return Ok(Self { suite, found });
        }
        let mut loaded = suite::load(suite.name, &suite.data, suite.form)?;
        let rows_in_files = loaded.rows.len() as u64;
        if let Some(limit) = suite.limit {
            draw(&mut loaded.rows, limit, seed);
        }
        let found = Found::Rows(loaded, rows_in_files);
        Ok(Self { suite, found })
    }

    /// Whether there are programs of Python to run.
    #[must_use]
    pub fn has_programs(&self) -> bool {
        match &self.found {
            Found::Rows(loaded, _) => loaded.rows.iter().any(|row| row.program.is_some()),
            Found::Repository(_) => false,
        }
    }

    /// The repository whose tests run.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        match &self.found {
            Found::Rows(..) => None,
            Found::Repository(repository) => Some(repository),
        }
    }

    /// Whether it can be measured with at all, before a model has done anything.
    ///
    /// # Errors
    /// As [`Repository::pass_unchanged`].
    pub fn check(&self, progress: &Progress) -> Result<()> {
        self.repository()
            .map_or(Ok(()), |repository| repository.pass_unchanged(progress))
    }

    /// The rows, and how many they were drawn from; nothing where it was told to stop.
    ///
    /// # Errors
    /// As [`Repository::rows`].
    pub fn rows(&self, choice: &Choice<'_>) -> Result<Option<(Cow<'_, Loaded>, u64)>> {
        match &self.found {
            Found::Rows(loaded, all) => Ok(Some((Cow::Borrowed(loaded), *all))),
            Found::Repository(repository) => {
                let drawn = repository.rows(choice)?;
                Ok(drawn.map(|(loaded, all)| (Cow::Owned(loaded), all)))
            }
        }
    }
}

/// Keeps `limit` rows, in their order; a larger limit keeps those of a smaller one.
fn draw(rows: &mut Vec<EvalRow>, limit: usize, seed: u64) {
    let mut lots: Vec<[u8; 32]> = rows
        .iter()
        .map(|row| stable_digest(seed, &[b"eval", row.id.as_bytes()]))
        .collect();
    let own = lots.clone();
    lots.sort_unstable();
    if let Some(last) = limit.checked_sub(1).and_then(|at| lots.get(at)) {
        let mut own = own.iter();
        rows.retain(|_| own.next().is_some_and(|lot| lot <= last));
    }
}
