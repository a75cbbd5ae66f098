//! The recipe's section `[run]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// What becomes of a candidate that was trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Promotion {
    /// It is put into the store.
    None,
    /// It is measured beside what is served, and the gate says what it thinks.
    #[default]
    Gate,
    /// It gets a share of the work if the gate lets it.
    Canary,
    /// It takes over if the gate lets it.
    Full,
}

/// How the steps hang together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunRecipe {
    /// Where everything goes, from the recipe's folder; `run-` and the recipe's name without one.
    pub folder: Option<PathBuf>,
    /// Whether the journal is harvested; where the recipe has `[harvest]` without a word.
    pub harvest: Option<bool>,
    /// Whether sources are mined; where `[mine]` names some without a word.
    pub mine: Option<bool>,
    /// What becomes of the candidate.
    pub promotion: Promotion,
    /// Percentage of the work of a canary.
    pub canary: f64,
}

impl Default for RunRecipe {
    fn default() -> Self {
        Self {
            folder: None,
            harvest: None,
            mine: None,
            promotion: Promotion::default(),
            canary: 10.0,
        }
    }
}

impl RunRecipe {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check(&self) -> anyhow::Result<()> {
        match self.canary > 0.0 && self.canary < 100.0 {
            true => Ok(()),
            false => Err(Usage::error(format!(
                "section `[run]`: `canary`: expected a percentage between 0 and 100, found {}",
                self.canary
            ))),
        }
    }
}
