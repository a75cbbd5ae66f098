//! The gate: what must have risen, and what may have fallen by how much, before a checkpoint takes another
//! one's place.
//!
//! A rule asks for one figure of one suite, on the rows that both were measured on. `rises` passes where the
//! whole 95 % interval of the gain is above `by`; `holds` where the whole interval is above −`by`, so that
//! a fall of more than `by` is ruled out and not merely unseen (a test of non-inferiority). A gain is
//! towards the better: of the rate of hallucinations it is the fall. Over each type or language all must
//! pass, so that no correction for their number is due: to let one slip through, all have to be wrong at
//! once (Berger 1982, intersection-union tests).

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::alike::{self, Unlike};
use super::figures::{Comparison, Difference, Group};
use super::output::{self, Evaluated, ModelInfo};

mod rule;

#[cfg(test)]
mod tests;

pub use rule::{GateRecipe, Over, Require, Rule};

/// What became of the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// All of them passed.
    pub passed: bool,
    /// One for each rule and group.
    pub findings: Vec<Finding>,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Of which rows.
    pub group: Group,
    /// Both figures and the interval of their difference; nothing where there is none.
    pub difference: Option<Difference>,
    /// Whether it passed.
    pub passed: bool,
    /// Why it did not.
    pub problem: Option<String>,
}

/// Judges what is in the folder `after` against what is in the folder `before`. A folder may have files of
/// another model, which an earlier command left: those in `after` have to be of `measured`, those in `before` of
/// one model.
///
/// # Errors
/// Where a folder has no figures, or others than it says.
pub fn judge(
    recipe: &GateRecipe,
    before: &Path,
    after: &Path,
    measured: &ModelInfo,
) -> Result<Judgement> {
    recipe.check()?;
    let mut folders = Vec::new();
    for path in [before, after] {
        let mut suites = output::read(path)?;
        suites.retain(|found| recipe.asked().any(|rule| rule.suite == found.suite));
        folders.push(Folder { path, suites });
    }
    let [old, new] = [&folders[0], &folders[1]];
    let mixed = old.mixed();
    let mut suites: Vec<(&str, Result<Comparison, String>)> = Vec::new();
    let mut findings = Vec::new();
    for rule in recipe.asked() {
        if !suites.iter().any(|(name, _)| *name == rule.suite) {
            let compared = match &mixed {
                Some(problem) => Err(problem.clone()),
                None => compared(&rule.suite, [old, new], measured)?,
            };
            suites.push((&rule.suite, compared));
        }
        let found = suites.iter().find(|(name, _)| *name == rule.suite);
        findings.extend(found.into_iter().flat_map(|(_, found)| rule.judge(found)));
    }
    Ok(Judgement {
        passed: findings.iter().all(|finding| finding.passed),
        findings,
    })
}

/// A folder's suites that rules speak of.
struct Folder<'a> {
    path: &'a Path,
    suites: Vec<Evaluated>,
}

impl Folder<'_> {
    fn find(&self, suite: &str) -> Result<&Evaluated, String> {
        let found = self.suites.iter().find(|found| found.suite == suite);
        found.ok_or_else(|| format!("{} has no figures of `{suite}`", self.path.display()))
    }

    /// Why they are no one's figures.
    fn mixed(&self) -> Option<String> {
        let (first, rest) = self.suites.split_first()?;
        let of = |one: &&Evaluated| one.model.identity != first.model.identity;
        let other = rest.iter().find(of)?;
        Some(format!(
            "{}: `{}` is of another model than `{}`; measure both with one, in a folder of its own",
            self.path.display(),
            other.suite,
            first.suite
        ))
    }
}

/// A suite's comparison, or why there is none.
fn compared(
    suite: &str,
    [before, after]: [&Folder<'_>; 2],
    measured: &ModelInfo,
) -> Result<Result<Comparison, String>> {
    let (old, new) = match (before.find(suite), after.find(suite)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(problem), _) | (_, Err(problem)) => return Ok(Err(problem)),
    };
    if new.model.identity != measured.identity {
        return Ok(Err(format!(
            "{}: `{suite}` is of another model than the one that was measured, `{}`; measure it too, or \
             write to a folder of its own",
            after.path.display(),
            measured.name
        )));
    }
    if let Some(problem) = differ(old, new) {
        return Ok(Err(problem));
    }
    let compared = output::compared((before.path, old), (after.path, new))?;
    Ok(match compared.unpaired {
        0 => Ok(compared),
        unpaired => Err(format!(
            "`{suite}` was measured on other rows: {unpaired} are in one folder alone; measure both with the \
             same `limit` and seed"
        )),
    })
}

/// Why two evaluations of a suite cannot be held against each other.
fn differ(old: &Evaluated, new: &Evaluated) -> Option<String> {
    let suite = &new.suite;
    let mut unlike = alike::unlike(old, new);
    // Models of different makes are asked in formats of their own.
    unlike.retain(|what| *what != Unlike::Format || is_of_one_make(&old.model, &new.model));
    if !unlike.is_empty() {
        return Some(format!(
            "`{suite}` was measured with {}; measure both alike",
            alike::listed(&unlike)
        ));
    }
    (!old.failed.is_empty() || !new.failed.is_empty())
        .then(|| format!("rows of `{suite}` could not be completed; measure them first"))
}

/// Whether the store says that one was trained from the other, or both from one.
fn is_of_one_make(old: &ModelInfo, new: &ModelInfo) -> bool {
    let origins = |it: &ModelInfo| [it.id.clone(), it.parent.clone()];
    let (old, new) = (origins(old), origins(new));
    old.iter()
        .flatten()
        .any(|id| new.iter().flatten().any(|it| it == id))
}
