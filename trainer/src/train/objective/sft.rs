//! Supervised fine-tuning.

use super::math::sum;
use super::{Graded, RowLogs, Window};

/// `L = −(1/T) Σ_rows Σ_t ℓ_t`: every supervised token of the window counts the same, the end token
/// among them, however rows are split over micro-batches (paper A §3.5; TRL's and transformers'
/// `num_items_in_batch`).
pub(super) fn grade(row: &RowLogs<'_>, window: &Window, graded: &mut Graded) {
    let share = 1.0 / window.tokens();
    graded.loss -= sum(row.chosen.0) * share;
    graded.chosen.fill(-share);
}
