//! Direct preference optimisation.

use serde::{Deserialize, Serialize};

use super::math::{log_sigmoid, sigmoid, sum};
use super::{Graded, RowLogs, Window};

/// DPO (Rafailov et al. 2023, arXiv 2305.18290, equation 7), with two mends.
///
/// With `r_y = Σ_t ℓ_t − Σ_t ℓ_t^ref` (sums, not averages):
/// `L = (1/N) Σ_rows [ −ln σ(β (r_c − r_w − δ max(0, −r_c))) + γ·(−(1/|c|) Σ_t ℓ_t) ]`.
///
/// - `δ` is `dpop`, the penalty of DPO-Positive (Pal et al. 2024, arXiv 2402.13228, equation 3; their
///   λ, 50 there): on pairs of small edit distance, which these are, plain DPO lowers the likelihood
///   of the chosen completion.
/// - `γ` is `pref_ftx`, the share of the chosen completion's average negative log-likelihood
///   (LLaMA-Factory's `pref_ftx`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dpo {
    /// How hard the policy is held to the reference.
    pub beta: f64,
    /// Weight of the penalty where the chosen completion has become less likely; 0 is plain DPO.
    pub dpop: f64,
    /// Weight of the chosen completion's likelihood; 0 is plain DPO.
    pub pref_ftx: f64,
}

impl Default for Dpo {
    fn default() -> Self {
        Self {
            beta: 0.1,
            dpop: 0.0,
            pref_ftx: 0.0,
        }
    }
}

impl Dpo {
    pub(super) fn grade(&self, row: &RowLogs<'_>, window: &Window, graded: &mut Graded) {
        let Some(reference) = row.reference else {
            return;
        };
        let chosen = sum(row.chosen.0) - reference.chosen;
        let rejected = sum(row.rejected.0) - reference.rejected;
        let fell = chosen < 0.0;
        let penalty = self.dpop * (-chosen).max(0.0);
        let logit = self.beta * (chosen - rejected - penalty);
        let share = 1.0 / window.rows();
        let length = row.chosen.0.len() as f64;

        graded.loss -= share * log_sigmoid(logit);
        graded.loss -= share * self.pref_ftx * sum(row.chosen.0) / length;
        let slope = -share * sigmoid(-logit) * self.beta;
        let steeper = if fell { 1.0 + self.dpop } else { 1.0 };
        graded
            .chosen
            .fill(slope * steeper - share * self.pref_ftx / length);
        graded.rejected = vec![-slope; row.rejected.0.len()];

        graded
            .figures
            .reward(self.beta * chosen, self.beta * rejected);
        graded.figures.chosen_drift = chosen;
        graded.figures.references = 1;
    }
}
