//! Bounds on a model's sizes. They are far beyond the models that exist, and small enough that no
//! product of sizes that the decoder forms can overflow.

use super::{ConfigError, ModelConfig, Origin, RopeScaling};

const MAX_HIDDEN: usize = 1 << 16;
const MAX_LAYERS: usize = 1 << 10;
const MAX_HEADS: usize = 1 << 10;
const MAX_HEAD_DIM: usize = 1 << 10;
const MAX_FFN: usize = 1 << 20;
const MAX_VOCABULARY: usize = 1 << 22;
const MAX_POSITIONS: usize = 1 << 24;

impl ModelConfig {
    pub(super) fn checked(self, origin: &Origin) -> Result<Self, ConfigError> {
        for (key, size, limit) in [
            ("hidden size", self.hidden, MAX_HIDDEN),
            ("layers", self.layers, MAX_LAYERS),
            ("attention heads", self.heads, MAX_HEADS),
            ("key and value heads", self.kv_heads, MAX_HEADS),
            ("head size", self.head_dim, MAX_HEAD_DIM),
            ("feed-forward size", self.ffn, MAX_FFN),
            ("vocabulary", self.vocabulary, MAX_VOCABULARY),
            ("positions", self.max_positions, MAX_POSITIONS),
            (
                "sliding window",
                self.sliding_window.unwrap_or(1),
                MAX_POSITIONS,
            ),
        ] {
            if size == 0 || size > limit {
                return Err(origin.value(key, format!("1 to {limit}"), size.to_string()));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let expected = format!("a divisor of the {} attention heads", self.heads);
            return Err(origin.value("key and value heads", expected, self.kv_heads.to_string()));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(origin.value("head size", "an even number", self.head_dim.to_string()));
        }
        self.check_numbers(origin)?;
        Ok(self)
    }

    fn check_numbers(&self, origin: &Origin) -> Result<(), ConfigError> {
        let epsilon = self.norm_epsilon;
        if !(epsilon > 0.0 && epsilon < 1.0) {
            return Err(origin.value("norm epsilon", "between 0 and 1", epsilon.to_string()));
        }
        // The angle of a position, which is its product with a frequency, must stay a number.
        if !(self.rope_base >= 1.0 && self.rope_base <= 1e12) {
            return Err(origin.value("rope base", "1 to 1e12", self.rope_base.to_string()));
        }
        let factors: &[f32] = match &self.rope_scaling {
            RopeScaling::None => &[],
            RopeScaling::Linear { factor } => std::slice::from_ref(factor),
            RopeScaling::Factors(factors) => {
                let expected = self.head_dim / 2;
                if factors.len() != expected {
                    let found = factors.len().to_string();
                    return Err(origin.value("rope factors", expected.to_string(), found));
                }
                factors
            }
            RopeScaling::Llama3 {
                factor,
                low_frequency,
                high_frequency,
                original_positions,
            } => {
                if high_frequency.partial_cmp(low_frequency) != Some(std::cmp::Ordering::Greater) {
                    let found = format!("{high_frequency} and {low_frequency}");
                    return Err(origin.value(
                        "rope scaling",
                        "a `high_freq_factor` above the `low_freq_factor`",
                        found,
                    ));
                }
                &[
                    *factor,
                    *low_frequency,
                    *high_frequency,
                    *original_positions,
                ]
            }
        };
        match factors
            .iter()
            .find(|factor| !(**factor >= 1e-6 && **factor <= 1e9))
        {
            None => Ok(()),
            Some(factor) => {
                Err(origin.value("rope scaling", "factors of 1e-6 to 1e9", factor.to_string()))
            }
        }
    }
}
