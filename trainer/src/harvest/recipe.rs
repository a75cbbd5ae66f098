//! The recipe's section `[harvest]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// What is taken from a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HarvestRecipe {
    /// The journal's file; the user's without one.
    pub journal: Option<PathBuf>,
    /// Exports with code (`truefill journal export --with-code`), of a team's other machines.
    pub exports: Vec<PathBuf>,
    /// Only the last so many days.
    pub days: Option<u32>,
    /// Folders whose rows are kept for testing, as the editor opened them.
    pub hold_out: Vec<PathBuf>,
    /// An accepted completion of which less than this share was kept is a wrong one.
    pub discarded_below: f64,
    /// An accepted completion of which at least this share was kept is a right one.
    pub kept_from: f64,
    /// Share of the rows that may be the model's own text, accepted and kept: more would teach it
    /// what it knows.
    pub own_share: f64,
}

impl Default for HarvestRecipe {
    fn default() -> Self {
        Self {
            journal: None,
            exports: Vec::new(),
            days: None,
            hold_out: Vec::new(),
            discarded_below: 0.5,
            kept_from: 0.9,
            own_share: 0.2,
        }
    }
}

impl HarvestRecipe {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check(&self) -> anyhow::Result<()> {
        for (key, share) in [
            ("discarded_below", self.discarded_below),
            ("kept_from", self.kept_from),
            ("own_share", self.own_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(Usage::error(format!(
                    "section `[harvest]`: `{key}`: expected a share from 0 to 1, found {share}"
                )));
            }
        }
        if self.discarded_below > self.kept_from {
            return Err(Usage::error(format!(
                "section `[harvest]`: expected `discarded_below` ({}) to be at most `kept_from` ({})",
                self.discarded_below, self.kept_from
            )));
        }
        Ok(())
    }
}
