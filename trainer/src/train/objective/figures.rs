//! What is logged of a step.

use serde::{Deserialize, Serialize};

use super::RowLogs;
use super::math::{mean, sum};

/// Sums over rows; added up over micro-batches and divided when they are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The window's loss, as far as these rows go.
    pub loss: f64,
    /// Rows.
    pub rows: u64,
    /// Rows with a rejected completion.
    pub pairs: u64,
    /// Supervised tokens of the chosen completions.
    pub chosen_tokens: u64,
    /// Supervised tokens of the rejected ones.
    pub rejected_tokens: u64,
    /// Log-probabilities of the chosen completions, summed.
    pub chosen_log: f64,
    /// Log-probabilities of the rejected ones, summed.
    pub rejected_log: f64,
    /// Log-probabilities of the chosen completions' end tokens, summed.
    pub end_log: f64,
    /// By how much rewards differ, summed: see [`Self::reward`].
    pub margin: f64,
    /// Pairs whose chosen completion has the larger reward.
    pub wins: u64,
    /// How far the chosen log-probability has moved from the reference's, summed over the pairs with
    /// a reference.
    pub chosen_drift: f64,
    /// Pairs with a reference.
    pub references: u64,
    /// FGit's weights, summed over the rows with a mask.
    pub weight: f64,
    /// Rows with a mask.
    pub weighted: u64,
    /// What did not go by the formula.
    pub degenerate: Degenerate,
}

/// Counts of cases that a formula has no value for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degenerate {
    /// ORPO: completions whose average log-probability was held at −1e-6.
    pub clamped: u64,
    /// FGit: rows with nothing marked on one side; their weight is 1.
    pub unmarked: u64,
}

impl Figures {
    /// What can be said of a row whatever the objective is.
    pub(super) fn add_row(&mut self, row: &RowLogs<'_>) {
        self.rows = 1;
        self.chosen_tokens = row.chosen.0.len() as u64;
        self.chosen_log = sum(row.chosen.0);
        self.end_log = row.chosen.0.last().copied().map_or(0.0, f64::from);
        if !row.rejected.0.is_empty() {
            self.rejected_tokens = row.rejected.0.len() as u64;
            self.rejected_log = sum(row.rejected.0);
            // Without a reward of the objective's own: the average log-probability.
            self.reward(mean(row.chosen.0), mean(row.rejected.0));
        }
    }

    /// A pair's rewards: DPO's `β(log π − log π_ref)`, for all other objectives the average
    /// log-probability of a token.
    pub(super) fn reward(&mut self, chosen: f64, rejected: f64) {
        self.pairs = 1;
        self.margin = chosen - rejected;
        self.wins = u64::from(chosen > rejected);
    }

    /// Adds the figures of other rows.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.rows += other.rows;
        self.pairs += other.pairs;
        self.chosen_tokens += other.chosen_tokens;
        self.rejected_tokens += other.rejected_tokens;
        self.chosen_log += other.chosen_log;
        self.rejected_log += other.rejected_log;
        self.end_log += other.end_log;
        self.margin += other.margin;
        self.wins += other.wins;
        self.chosen_drift += other.chosen_drift;
        self.references += other.references;
        self.weight += other.weight;
        self.weighted += other.weighted;
        self.degenerate.clamped += other.degenerate.clamped;
        self.degenerate.unmarked += other.degenerate.unmarked;
    }

    /// What a token of the chosen completions costs in nats, on average.
    pub fn token_nats(&self) -> f64 {
        -self.chosen_log / (self.chosen_tokens.max(1) as f64)
    }

    /// Averages by their names in the log, those alone that there are rows for.
    pub fn averages(&self) -> Vec<(&'static str, f64)> {
        let over = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
        let named = [
            ("loss", Some(self.loss)),
            ("chosen_log_prob", over(self.chosen_log, self.rows)),
            (
                "chosen_token_log_prob",
                over(self.chosen_log, self.chosen_tokens),
            ),
            ("end_log_prob", over(self.end_log, self.rows)),
            ("rejected_log_prob", over(self.rejected_log, self.pairs)),
            ("margin", over(self.margin, self.pairs)),
            ("reward_accuracy", over(self.wins as f64, self.pairs)),
            ("chosen_drift", over(self.chosen_drift, self.references)),
            ("weight", over(self.weight, self.weighted)),
        ];
        let averages = named.into_iter();
        averages
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
