//! Fault-guided fine-tuning.

use serde::{Deserialize, Serialize};

use super::math::sigmoid;
use super::{Graded, RowLogs, Window};

/// FGit (paper B, §II-B): the golden completion's likelihood, in which the tokens that differ from a
/// similar wrong completion weigh more while the model takes the two for equally likely.
///
/// With marks `h_t` of 0, 1 or 2 ([`crate::train::mask`]) and `p_y = Σ_t e^{ℓ_t} h_t / Σ_t h_t`:
/// `L = −(1/D) Σ_rows Σ_{t∈c} m_t ℓ_t`, where `m_t = w` for `h_t > 0` and 1 elsewhere, `D = N` as in
/// the paper's equation 2, or `D = T`. With Bradley–Terry's `r = p_c / (p_c + p_w)`:
/// - `f1`: `w = 1 + (α − 1)(1 − |p_c − p_w| / (p_c + p_w))`, that is `1 − |2r − 1|`;
/// - `f2`: `w = 1 + (α − 1)·4 p_c p_w / (p_c + p_w)²`, that is `4r(1 − r)`;
/// - `one_sided`: `w = 1 + (α − 1)·min(1, 2 p_w / (p_c + p_w))`, that is `min(1, 2(1 − r))`.
///
/// The paper's own formula was lost from its published text. These are reconstructions from what it
/// says: `w` in (1, α), near α where the probabilities are close, near 1 where they diverge, and
/// differentiable. `f1` differentiated is unsafe: where the wrong completion is the likelier one and
/// both are unlikely, the derivative lowers the golden one; `f2` is so where they are very unlikely. `one_sided` equals `f1` where `p_c ≥ p_w`
/// and stays at α elsewhere.
///
/// Where a side has no marks, `w = 1`; the row is counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fgit {
    /// How the weight is found.
    pub weight: Weight,
    /// What the sum is divided by.
    pub normalise: Normalise,
}

/// The weight of marked tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// By how well the model tells the pair apart.
    Dynamic {
        /// The largest weight, from 1.
        alpha: f64,
        /// The formula.
        form: WeightForm,
        /// Take the weight for a constant in the derivative.
        detach: bool,
    },
    /// The same for all rows (paper B's ablation); 1 is SFT.
    Fixed(f64),
}

/// How the weight falls as the model tells the pair apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightForm {
    /// Linear in the difference of Bradley–Terry's probabilities.
    F1,
    /// Quadratic in it.
    F2,
    /// `f1`, but at its largest as long as the wrong completion is the likelier one.
    #[default]
    OneSided,
}

/// What FGit's sum over tokens is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Rows of the window (paper B, equation 2).
    #[default]
    Sample,
    /// Chosen tokens of the window, as SFT.
    Token,
}

impl Default for Fgit {
    fn default() -> Self {
        Self {
            weight: Weight::Dynamic {
                alpha: 2.0,
                form: WeightForm::OneSided,
                detach: false,
            },
            normalise: Normalise::Sample,
        }
    }
}

impl WeightForm {
    /// The weight's part above 1 as a share of `α − 1`, and its derivative by `ln p_c`. That by
    /// `ln p_w` is the opposite, because `r` depends on the difference alone.
    fn at(self, log_ratio: f64) -> (f64, f64) {
        let (r, rest) = (sigmoid(log_ratio), sigmoid(-log_ratio));
        let slope = r * rest;
        match self {
            Self::F1 => {
                let sign = f64::from(log_ratio.partial_cmp(&0.0).map_or(0, |order| order as i8));
                (2.0 * r.min(rest), -2.0 * sign * slope)
            }
            Self::F2 => (4.0 * slope, 4.0 * (rest - r) * slope),
            Self::OneSided if log_ratio > 0.0 => (2.0 * rest, -2.0 * slope),
            Self::OneSided => (1.0, 0.0),
        }
    }
}

impl Fgit {
    /// Whether the weight depends on the rejected completion.
    pub fn is_dynamic(&self) -> bool {
        matches!(self.weight, Weight::Dynamic { .. })
    }

    pub(super) fn grade(&self, row: &RowLogs<'_>, window: &Window, graded: &mut Graded) {
        let share = match self.normalise {
            Normalise::Sample => 1.0 / window.rows(),
            Normalise::Token => 1.0 / window.tokens(),
        };
        let marks = row.chosen_mask.0;
        let weight = self.weigh(row, graded);
        let (mut plain, mut marked) = (0.0, 0.0);
        let tokens = row.chosen.0.iter().zip(marks).zip(&mut graded.chosen);
        for ((log, mark), slot) in tokens {
            let log = f64::from(*log);
            if *mark > 0 {
                marked -= log;
                *slot = -share * weight.value;
            } else {
                plain -= log;
                *slot = -share;
            }
        }
        graded.loss += share * (plain + weight.value * marked);
        graded.rejected.resize(row.rejected.0.len(), 0.0);
        // The derivative through the weight: dw/dℓ_t = (dw/d ln p)·(d ln p/dℓ_t).
        for (slot, part) in graded.chosen.iter_mut().zip(&weight.chosen) {
            *slot += share * marked * weight.slope * part;
        }
        for (slot, part) in graded.rejected.iter_mut().zip(&weight.rejected) {
            *slot -= share * marked * weight.slope * part;
        }
        graded.figures.weight = weight.value;
        graded.figures.weighted = 1;
    }

    fn weigh(&self, row: &RowLogs<'_>, graded: &mut Graded) -> Weighed {
        let (alpha, form, detach) = match self.weight {
            Weight::Fixed(value) => {
                let unmarked = row.chosen_mask.0.iter().all(|mark| *mark == 0);
                graded.figures.degenerate.unmarked += u64::from(unmarked);
                return Weighed::constant(if unmarked { 1.0 } else { value });
            }
            Weight::Dynamic {
                alpha,
                form,
                detach,
            } => (alpha, form, detach),
        };
        let chosen = MarkedMean::of(row.chosen.0, row.chosen_mask.0);
        let rejected = MarkedMean::of(row.rejected.0, row.rejected_mask.0);
        let (Some(chosen), Some(rejected)) = (chosen, rejected) else {
            graded.figures.degenerate.unmarked += 1;
            return Weighed::constant(1.0);
        };
        let (above, slope) = form.at(chosen.log - rejected.log);
        let value = 1.0 + (alpha - 1.0) * above;
        if detach {
            return Weighed::constant(value);
        }
        Weighed {
            value,
            slope: (alpha - 1.0) * slope,
            chosen: chosen.parts,
            rejected: rejected.parts,
        }
    }
}

/// A row's weight with its derivatives.
struct Weighed {
    value: f64,
    /// By `ln p_c`.
    slope: f64,
    /// `d ln p_c / dℓ_t`.
    chosen: Vec<f64>,
    /// `d ln p_w / dℓ_t`.
    rejected: Vec<f64>,
}

impl Weighed {
    fn constant(value: f64) -> Self {
        Self {
            value,
            slope: 0.0,
            chosen: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

/// `ln p` with `p = Σ e^{ℓ_t} h_t / Σ h_t`, in logarithms, so that nothing underflows.
struct MarkedMean {
    log: f64,
    /// What each token has of `p`: the derivative of its logarithm; they add up to 1.
    parts: Vec<f64>,
}

impl MarkedMean {
    /// Nothing where nothing is marked.
    fn of(logs: &[f32], marks: &[u8]) -> Option<Self> {
        let marked = |(log, mark): (&f32, &u8)| (*mark > 0).then_some(f64::from(*log));
        let largest = logs.iter().zip(marks).filter_map(marked).reduce(f64::max)?;
        let terms = logs.iter().zip(marks);
        let mut parts: Vec<f64> = terms
            .map(|(log, mark)| match mark {
                0 => 0.0,
                _ => f64::from(*mark) * (f64::from(*log) - largest).exp(),
            })
            .collect();
        let total: f64 = parts.iter().sum();
        for part in &mut parts {
            *part /= total;
        }
        let count: f64 = marks.iter().map(|mark| f64::from(*mark)).sum();
        Some(Self {
            log: largest + (total / count).ln(),
            parts,
        })
    }
}
