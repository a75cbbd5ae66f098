//! Odds-ratio preference optimisation.

use serde::{Deserialize, Serialize};

use super::math::{log_sigmoid, log1mexp, mean, sigmoid, sum};
use super::{Graded, RowLogs, Window};

/// The largest average log-probability that odds are formed of: at 0 they are infinite, and short
/// FIM targets come near it.
const LARGEST: f64 = -1e-6;

/// ORPO (Hong et al. 2024, arXiv 2403.07691, equations 4 to 7).
///
/// With `a_y = (1/|y|) Σ_t ℓ_t`, `odds(y) = e^a / (1 − e^a)`, and `a` held at −1e-6 at most:
/// `L = NLL − λ (1/N) Σ_rows ln σ(ln odds(c) − ln odds(w))`.
/// Where `a` is held, the odds ratio has no derivative by that completion; the case is counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orpo {
    /// Weight of the odds ratio; TRL and LLaMA-Factory call it `beta`.
    pub lambda: f64,
    /// Whose likelihood is raised beside it.
    pub nll: Nll,
}

/// ORPO's likelihood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nll {
    /// `−(1/N) Σ_rows a_c`: the completion alone, each row the same (LLaMA-Factory, paper A's stack).
    #[default]
    Response,
    /// `−(Σ ℓ of prompts and chosen completions) / (their targets in the window)` (TRL).
    PromptResponse,
}

impl Default for Orpo {
    fn default() -> Self {
        Self {
            lambda: 0.1,
            nll: Nll::Response,
        }
    }
}

impl Orpo {
    pub(super) fn likelihood(&self, row: &RowLogs<'_>, window: &Window, graded: &mut Graded) {
        let share = match self.nll {
            Nll::Response => 1.0 / (window.rows() * row.chosen.0.len() as f64),
            Nll::PromptResponse => {
                let targets = window.chosen_tokens + window.prompt_tokens;
                1.0 / targets.max(1) as f64
            }
        };
        graded.loss -= sum(row.chosen.0) * share;
        add(&mut graded.chosen, -share);
        if self.nll == Nll::PromptResponse {
            let prompt = row.prompt.unwrap_or_default().0;
            graded.loss -= sum(prompt) * share;
            graded.prompt = vec![-share; prompt.len()];
        }
    }

    pub(super) fn odds_ratio(&self, row: &RowLogs<'_>, window: &Window, graded: &mut Graded) {
        let (chosen, rejected) = (Odds::of(row.chosen.0), Odds::of(row.rejected.0));
        let ratio = chosen.log - rejected.log;
        graded.loss -= self.lambda * log_sigmoid(ratio) / window.rows();
        // d(−ln σ(z)) = −σ(−z) dz.
        let slope = -self.lambda * sigmoid(-ratio) / window.rows();
        add(&mut graded.chosen, slope * chosen.slope);
        graded.rejected.resize(row.rejected.0.len(), 0.0);
        add(&mut graded.rejected, -slope * rejected.slope);
        graded.figures.degenerate.clamped +=
            u64::from(chosen.clamped) + u64::from(rejected.clamped);
    }
}

/// The logarithm of a completion's odds.
struct Odds {
    log: f64,
    /// By the log-probability of one token.
    slope: f64,
    clamped: bool,
}

impl Odds {
    fn of(logs: &[f32]) -> Self {
        let average = mean(logs);
        let clamped = average > LARGEST;
        let average = average.min(LARGEST);
        let slope = match clamped {
            true => 0.0,
            false => odds_gradient(average) / logs.len() as f64,
        };
        Self {
            log: average - log1mexp(average),
            slope,
            clamped,
        }
    }
}

/// `d ln odds / da = 1 / (1 − e^a)`.
pub fn odds_gradient(average: f64) -> f64 {
    -1.0 / average.exp_m1()
}

fn add(gradient: &mut [f64], more: f64) {
    for slot in gradient {
        *slot += more;
    }
}
