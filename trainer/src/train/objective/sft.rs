//! Supervised fine-tuning.

use serde::{Deserialize, Serialize};

use super::math::sum;
use super::{Graded, RowLogs, Window};

/// `L = −(1/(T + ω P)) Σ_rows (Σ_t ℓ_t(c) + ω Σ_t ℓ_t(x))`, with `P` the window's prompt targets.
///
/// Without `ω`, every supervised token of the window counts the same, the end token among them, however
/// rows are split over micro-batches (paper A §3.5; TRL's and transformers' `num_items_in_batch`). With
/// 1, whole texts are learned as in FIM pretraining (Bavarian et al. 2022, arXiv 2207.14255, §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sft {
    /// `ω`: what a prompt's token counts beside a golden completion's.
    pub prompt_weight: f64,
}

impl Sft {
    pub(super) fn grade(&self, row: &RowLogs<'_>, window: &Window, graded: &mut Graded) {
        let share = 1.0 / (window.tokens() + self.prompt_weight * window.prompt_tokens as f64);
        graded.loss -= sum(row.chosen.0) * share;
        graded.chosen.fill(-share);
        if self.prompt_weight > 0.0 {
            let (prompt, share) = (row.prompt.unwrap_or_default().0, share * self.prompt_weight);
            graded.loss -= sum(prompt) * share;
            graded.prompt = vec![-share; prompt.len()];
        }
    }
}
