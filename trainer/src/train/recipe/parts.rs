//! The tables below `[train]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use truefill_model::config::Family;
use truefill_model::training::AdamSettings;
use truefill_model::weights::WeightDtype;

use crate::train::mask::{Granularity, OneLine};
use crate::train::objective::{Fgit, Normalise, Weight, WeightForm};
use crate::train::schedule::{Decay, Warmup};

/// What training changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameters {
    /// All weights (both papers).
    #[default]
    Full,
    /// A low-rank adapter.
    Lora,
}

/// What is computed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `bf16` where the device multiplies it in hardware, else `f32`.
    #[default]
    Auto,
    /// Single precision.
    F32,
    /// Brain floating point; the optimiser's states stay in single precision.
    Bf16,
}

/// `[train.fgit]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FgitRecipe {
    /// The largest weight.
    pub alpha: f64,
    /// How the weight falls as the model tells the pair apart.
    pub weight_form: WeightForm,
    /// Take the weight for a constant in the derivative.
    pub detach: bool,
    /// The same weight for all rows, in place of the dynamic one.
    pub fixed_weight: Option<f64>,
    /// What marks a token.
    pub granularity: Granularity,
    /// What becomes of a golden completion of one line.
    pub one_line: OneLine,
    /// What the sum over tokens is divided by.
    pub normalise: Normalise,
}

impl Default for FgitRecipe {
    fn default() -> Self {
        Self {
            alpha: 2.0,
            weight_form: WeightForm::OneSided,
            detach: false,
            fixed_weight: None,
            granularity: Granularity::Hybrid,
            one_line: OneLine::Token,
            normalise: Normalise::Sample,
        }
    }
}

impl FgitRecipe {
    /// The objective.
    pub fn objective(&self) -> Fgit {
        let dynamic = Weight::Dynamic {
            alpha: self.alpha,
            form: self.weight_form,
            detach: self.detach,
        };
        Fgit {
            weight: self.fixed_weight.map_or(dynamic, Weight::Fixed),
            normalise: self.normalise,
        }
    }
}

/// `[train.lora]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraRecipe {
    /// Width of the adapter.
    pub rank: usize,
    /// Its product is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Matrices of every layer that it changes, by their names in PEFT; without any, all.
    pub targets: Vec<String>,
    /// Train the embedding's rows of the format's sentinels and of the end token beside it. A format
    /// that is taught needs it: no other weight gives a token a meaning.
    pub new_rows: bool,
}

impl Default for LoraRecipe {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            targets: Vec::new(),
            new_rows: false,
        }
    }
}

impl LoraRecipe {
    /// The matrices that it changes in a model of this family.
    pub fn matrices(&self, family: Family) -> Vec<String> {
        if !self.targets.is_empty() {
            return self.targets.clone();
        }
        let feed_forward: &[&str] = match family {
            Family::Llama | Family::Qwen2 => &["gate_proj", "up_proj", "down_proj"],
            Family::StarCoder2 => &["c_fc", "c_proj"],
        };
        let attention = ["q_proj", "k_proj", "v_proj", "o_proj"].iter();
        let all = attention.chain(feed_forward);
        all.map(|name| (*name).to_owned()).collect()
    }
}

/// `[train.schedule]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleRecipe {
    /// How the rate falls.
    pub decay: Decay,
    /// Share of all steps in which it rises.
    pub warmup_ratio: f64,
    /// Steps in which it rises, in place of `warmup_ratio`.
    pub warmup_steps: Option<u64>,
    /// What it falls to, as a share of the highest.
    pub min_ratio: f64,
}

impl Default for ScheduleRecipe {
    fn default() -> Self {
        Self {
            decay: Decay::Cosine,
            warmup_ratio: 0.1,
            warmup_steps: None,
            min_ratio: 0.0,
        }
    }
}

impl ScheduleRecipe {
    /// The length of warm-up.
    pub fn warmup(&self) -> Warmup {
        let ratio = Warmup::Ratio(self.warmup_ratio);
        self.warmup_steps.map_or(ratio, Warmup::Steps)
    }
}

/// `[train.adam]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamRecipe {
    /// Of the gradient's average.
    pub beta1: f64,
    /// Of its square's.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub epsilon: f64,
    /// Share of a weight that each step takes off, times the learning rate.
    pub weight_decay: f64,
}

impl Default for AdamRecipe {
    fn default() -> Self {
        let AdamSettings {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = AdamSettings::default();
        Self {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        }
    }
}

/// `[train.eval]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalRecipe {
    /// Files of held-out rows; without any, nothing is measured.
    pub data: Vec<PathBuf>,
    /// Steps between two measurements.
    pub every: u64,
    /// Rows that are measured at most, drawn by the seed.
    pub rows: usize,
    /// Tokens of a completion at most.
    pub max_tokens: usize,
    /// Measurements without a better exact match after which training ends; none: it goes on.
    pub patience: Option<u64>,
}

impl Default for EvalRecipe {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            every: 100,
            rows: 200,
            max_tokens: 128,
            patience: None,
        }
    }
}

/// `[train.save]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaveRecipe {
    /// Steps between two states.
    pub every: u64,
    /// States that are kept, the best one not counted.
    pub keep: usize,
    /// How the finished checkpoint's weights are written.
    pub dtype: SavedDtype,
}

/// Types of a checkpoint's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SavedDtype {
    /// As the hub's models are.
    #[default]
    Bf16,
    /// Half precision.
    F16,
    /// Every digit that was trained.
    F32,
}

impl SavedDtype {
    /// The type by the writer's name.
    pub const fn weights(self) -> WeightDtype {
        match self {
            Self::Bf16 => WeightDtype::BF16,
            Self::F16 => WeightDtype::F16,
            Self::F32 => WeightDtype::F32,
        }
    }
}

impl Default for SaveRecipe {
    fn default() -> Self {
        Self {
            every: 200,
            keep: 2,
            dtype: SavedDtype::Bf16,
        }
    }
}
