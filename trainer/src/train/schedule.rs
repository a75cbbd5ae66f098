//! The learning rate over the steps, as transformers' `get_*_schedule_with_warmup` compute it.

use serde::{Deserialize, Serialize};

/// How the rate falls after warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
    /// It does not fall.
    Constant,
}

/// The length of warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// So many steps.
    Steps(u64),
    /// A share of all steps, rounded up.
    Ratio(f64),
}

/// A schedule for a known number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    decay: Decay,
    warmup: u64,
    steps: u64,
    min_ratio: f64,
}

impl Schedule {
    /// A schedule over `steps` steps that falls to `min_ratio` of the highest rate.
    pub fn new(decay: Decay, warmup: Warmup, steps: u64, min_ratio: f64) -> Self {
        let warmup = match warmup {
            Warmup::Steps(steps) => steps,
            Warmup::Ratio(ratio) => (steps as f64 * ratio).ceil() as u64,
        };
        Self {
            decay,
            warmup,
            steps,
            min_ratio,
        }
    }

    /// What the rate of a step, counted from 0, is multiplied by. As in transformers, the first step
    /// of a warm-up has 0, and steps beyond the last keep what the last came to.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup.max(1) as f64;
        }
        let rest = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / rest).min(1.0);
        let left = match self.decay {
            Decay::Constant => return 1.0,
            Decay::Linear => 1.0 - progress,
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        left * (1.0 - self.min_ratio) + self.min_ratio
    }

    /// Steps of warm-up.
    pub fn warmup(&self) -> u64 {
        self.warmup
    }

    /// All steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}
