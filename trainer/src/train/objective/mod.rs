//! What is minimised: pure functions from log-probabilities to a loss and its derivatives.
//!
//! The engine gives the natural logarithm of the probability of every wanted token and takes back the
//! derivative of the loss by each of them; nothing here knows a tensor. One row is graded by itself:
//! what it is divided by are the counts of the whole accumulation window, which are known before the
//! first forward pass, so the sum over a window does not depend on how the window is split.
//!
//! Symbols: `x` prompt, `c` chosen (golden) and `w` rejected (wrong) completion, both with their end
//! token; `|c|` tokens of `c`; `ℓ_t` the natural log-probability of token `t` (nats); `N` rows and `T`
//! chosen tokens of the window; `σ` the logistic function. All figures are in nats.

mod dpo;
mod fgit;
mod figures;
mod math;
mod orpo;
mod sft;

use serde::{Deserialize, Serialize};

pub use dpo::Dpo;
pub use fgit::{Fgit, Normalise, Weight, WeightForm};
pub use figures::{Degenerate, Figures};
pub use orpo::{Nll, Orpo, odds_gradient};
pub use sft::Sft;

/// Log-probabilities of the prompt's tokens, from its second.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptLogs<'a>(pub &'a [f32]);

/// Log-probabilities of the chosen completion's tokens, the end token last.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChosenLogs<'a>(pub &'a [f32]);

/// Log-probabilities of the rejected completion's tokens, the end token last.
#[derive(Clone, Copy, Debug, Default)]
pub struct RejectedLogs<'a>(pub &'a [f32]);

/// FGit's marks of the chosen completion's tokens: 0, 1 or 2.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChosenMask<'a>(pub &'a [u8]);

/// FGit's marks of the rejected completion's tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct RejectedMask<'a>(pub &'a [u8]);

/// Summed log-probabilities of a pair under the model that training started from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Of the chosen completion.
    pub chosen: f64,
    /// Of the rejected one.
    pub rejected: f64,
}

/// What the model says about a row. What an objective does not need may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowLogs<'a> {
    /// Where [`Needs::prompt`]; a prompt of one token has none of them.
    pub prompt: Option<PromptLogs<'a>>,
    /// Always.
    pub chosen: ChosenLogs<'a>,
    /// Where [`Needs::rejected`].
    pub rejected: RejectedLogs<'a>,
    /// Where [`Needs::reference`].
    pub reference: Option<Reference>,
    /// Where [`Needs::mask`].
    pub chosen_mask: ChosenMask<'a>,
    /// Where [`Needs::mask`].
    pub rejected_mask: RejectedMask<'a>,
}

/// What the engine has to compute, and the loop to prepare, for an objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Log-probabilities of the prompt.
    pub prompt: bool,
    /// The rejected completion.
    pub rejected: bool,
    /// Log-probabilities under the model that training started from.
    pub reference: bool,
    /// FGit's marks.
    pub mask: bool,
}

/// Counts of a whole accumulation window: what its rows are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Rows.
    pub rows: u64,
    /// Supervised tokens of the chosen completions.
    pub chosen_tokens: u64,
    /// Targets in the prompts: their tokens but for the first of each.
    pub prompt_tokens: u64,
}

impl Window {
    /// Adds a row of so many chosen tokens and prompt targets.
    pub fn add(&mut self, chosen_tokens: usize, prompt_targets: usize) {
        self.rows += 1;
        self.chosen_tokens += chosen_tokens as u64;
        self.prompt_tokens += prompt_targets as u64;
    }

    fn rows(&self) -> f64 {
        self.rows.max(1) as f64
    }

    fn tokens(&self) -> f64 {
        self.chosen_tokens.max(1) as f64
    }
}

/// A row's part of the window's loss, and the derivative of the loss by every log-probability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graded {
    /// In nats, divided by the window's counts already.
    pub loss: f64,
    /// By each of [`RowLogs::prompt`]; empty where the loss does not depend on it.
    pub prompt: Vec<f64>,
    /// By each of [`RowLogs::chosen`].
    pub chosen: Vec<f64>,
    /// By each of [`RowLogs::rejected`]; empty where the loss does not depend on it.
    pub rejected: Vec<f64>,
    /// For the log.
    pub figures: Figures,
}

/// Why a row cannot be graded: the loop gave it less than the objective needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// A part is missing.
    #[error("the objective `{objective}` needs {what}, found none")]
    Missing {
        /// Its name.
        objective: &'static str,
        /// What is not there.
        what: &'static str,
    },
    /// Marks and tokens do not belong together.
    #[error("expected a mark for each of {tokens} {side} tokens, found {marks}")]
    Mask {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// Tokens of the completion.
        tokens: usize,
        /// Marks.
        marks: usize,
    },
    /// The model's numbers are none.
    #[error("expected finite log-probabilities of at most 0, found {found} of a {side} token")]
    NotFinite {
        /// `prompt`, `chosen` or `rejected`.
        side: &'static str,
        /// The number, as text.
        found: String,
    },
}

/// An objective with everything that it can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Negative log-likelihood of the golden completion, and perhaps of the prompt.
    Sft(Sft),
    /// Likelihood and odds ratio in one.
    Orpo(Orpo),
    /// Preference against a frozen reference.
    Dpo(Dpo),
    /// Likelihood that weighs the tokens in which the pair differs.
    Fgit(Fgit),
    /// FGit in the place of ORPO's likelihood.
    FgitOrpo(Fgit, Orpo),
}

impl Objective {
    /// The name in recipes and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sft(_) => "sft",
            Self::Orpo(_) => "orpo",
            Self::Dpo(_) => "dpo",
            Self::Fgit(_) => "fgit",
            Self::FgitOrpo(..) => "fgit+orpo",
        }
    }

    /// What it needs of a row.
    pub fn needs(&self) -> Needs {
        let pair = Needs {
            rejected: true,
            ..Needs::default()
        };
        match self {
            Self::Sft(sft) => Needs {
                prompt: sft.prompt_weight > 0.0,
                ..Needs::default()
            },
            Self::Orpo(orpo) => Needs {
                prompt: orpo.nll == Nll::PromptResponse,
                ..pair
            },
            Self::Dpo(_) => Needs {
                reference: true,
                ..pair
            },
            Self::Fgit(fgit) => Needs {
                rejected: fgit.is_dynamic(),
                mask: true,
                ..Needs::default()
            },
            Self::FgitOrpo(..) => Needs { mask: true, ..pair },
        }
    }

    /// Grades a row as a part of `window`.
    ///
    /// # Errors
    /// [`ObjectiveError`] where a part is missing, or the model's numbers are no log-probabilities.
    pub fn grade(&self, row: &RowLogs<'_>, window: &Window) -> Result<Graded, ObjectiveError> {
        self.check(row)?;
        let mut graded = Graded {
            chosen: vec![0.0; row.chosen.0.len()],
            ..Graded::default()
        };
        graded.figures.add_row(row);
        match self {
            Self::Sft(sft) => sft.grade(row, window, &mut graded),
            Self::Orpo(orpo) => {
                orpo.likelihood(row, window, &mut graded);
                orpo.odds_ratio(row, window, &mut graded);
            }
            Self::Dpo(dpo) => dpo.grade(row, window, &mut graded),
            Self::Fgit(fgit) => fgit.grade(row, window, &mut graded),
            Self::FgitOrpo(fgit, orpo) => {
                fgit.grade(row, window, &mut graded);
                orpo.odds_ratio(row, window, &mut graded);
            }
        }
        graded.figures.loss = graded.loss;
        Ok(graded)
    }

    fn check(&self, row: &RowLogs<'_>) -> Result<(), ObjectiveError> {
        let needs = self.needs();
        let objective = self.name();
        let missing = |what| Err(ObjectiveError::Missing { objective, what });
        if row.chosen.0.is_empty() {
            return missing("log-probabilities of the chosen completion");
        }
        if needs.prompt && row.prompt.is_none() {
            return missing("log-probabilities of the prompt");
        }
        if needs.rejected && row.rejected.0.is_empty() {
            return missing("log-probabilities of the rejected completion");
        }
        if needs.reference && row.reference.is_none() {
            return missing("log-probabilities under the reference");
        }
        finite("prompt", row.prompt.unwrap_or_default().0)?;
        finite("chosen", row.chosen.0)?;
        finite("rejected", row.rejected.0)?;
        if needs.mask {
            same_length("chosen", row.chosen.0, row.chosen_mask.0)?;
            if needs.rejected {
                same_length("rejected", row.rejected.0, row.rejected_mask.0)?;
            }
        }
        Ok(())
    }
}

/// Rounding may leave a certain token a hair above zero.
const ABOVE_ZERO: f32 = 1e-4;

fn finite(side: &'static str, logs: &[f32]) -> Result<(), ObjectiveError> {
    let wrong = logs
        .iter()
        .find(|log| !log.is_finite() || **log > ABOVE_ZERO);
    match wrong {
        None => Ok(()),
        Some(log) => Err(ObjectiveError::NotFinite {
            side,
            found: log.to_string(),
        }),
    }
}

fn same_length(side: &'static str, logs: &[f32], marks: &[u8]) -> Result<(), ObjectiveError> {
    if logs.len() == marks.len() {
        return Ok(());
    }
    Err(ObjectiveError::Mask {
        side,
        tokens: logs.len(),
        marks: marks.len(),
    })
}
