//! Models that have a published shape and random weights: what a device does with them takes as
//! long as with trained ones, and no file is needed.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use truefill_model::config::{Family, ModelConfig, RopeLayout, RopeScaling};
use truefill_model::weights::{Naming, RawTensor, WeightDtype, WeightError, WeightSource};

/// Values until they repeat: prime, so that the rows of a matrix differ.
const PERIOD: usize = 65_521;

/// The shapes by name: hidden, layers, heads, KV heads, feed-forward, vocabulary, tied head.
#[rustfmt::skip]
const SHAPES: [(&str, [usize; 6], bool); 4] = [
    ("tiny", [64, 2, 4, 2, 160, 512], true),
    ("qwen2.5-coder-0.5b", [896, 24, 14, 2, 4864, 151_936], true),
    ("qwen2.5-coder-1.5b", [1536, 28, 12, 2, 8960, 151_936], true),
    ("qwen2.5-coder-7b", [3584, 28, 28, 4, 18_944, 152_064], false),
];

/// The names, for messages.
pub fn names() -> String {
    SHAPES.map(|(name, ..)| name).join(", ")
}

/// The configuration of a shape; `None` where the name is unknown.
pub fn config(name: &str) -> Option<ModelConfig> {
    let (_, [hidden, layers, heads, kv_heads, ffn, vocabulary], tied_head) =
        SHAPES.into_iter().find(|(known, ..)| *known == name)?;
    let family = Family::Qwen2;
    Some(ModelConfig {
        family,
        hidden,
        layers,
        heads,
        kv_heads,
        head_dim: hidden / heads,
        ffn,
        vocabulary,
        max_positions: 32_768,
        norm: family.norm(),
        norm_epsilon: 1e-6,
        activation: family.activation(),
        rope_base: 1e6,
        rope_scaling: RopeScaling::None,
        rope_layout: RopeLayout::HalfSplit,
        attention_bias: true,
        output_bias: false,
        mlp_bias: false,
        tied_head,
        sliding_window: None,
    })
}

/// BF16 weights that all read the same buffer, as large as the largest tensor.
pub struct RandomWeights {
    tensors: BTreeMap<String, Vec<usize>>,
    values: Vec<u8>,
    ones: Vec<u8>,
}

impl RandomWeights {
    /// Every tensor that the configuration asks for; values are even within ±0.035, the spread of
    /// trained ones, and norms are 1.
    pub fn new(config: &ModelConfig, seed: u64) -> Self {
        let tensors = tensors(config);
        let sizes = tensors.values().map(|shape| shape.iter().product());
        let largest: usize = sizes.max().unwrap_or(0);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = Vec::with_capacity(2 * largest);
        for _ in 0..PERIOD.min(largest) {
            let value = half::bf16::from_f32(random.random_range(-0.035..0.035));
            values.extend_from_slice(&value.to_le_bytes());
        }
        while values.len() < 2 * largest {
            let more = values.len().min(2 * largest - values.len());
            values.extend_from_within(..more);
        }
        let ones = half::bf16::ONE.to_le_bytes().repeat(config.hidden);
        Self {
            tensors,
            values,
            ones,
        }
    }
}

/// Names and shapes of the tensors of a model, as the hub spells them.
fn tensors(config: &ModelConfig) -> BTreeMap<String, Vec<usize>> {
    let named = truefill_model::write::tensors(config).into_iter();
    named
        .filter_map(|(name, shape)| Some((name.spell(config.family, Naming::Hub)?, shape)))
        .collect()
}

/// Values in all tensors.
#[cfg(test)]
pub fn parameters(config: &ModelConfig) -> usize {
    let sizes = tensors(config).into_values();
    sizes.map(|shape| shape.iter().product::<usize>()).sum()
}

impl WeightSource for RandomWeights {
    fn tensor(&self, name: &str) -> Result<RawTensor<'_>, WeightError> {
        let shape = self
            .tensors
            .get(name)
            .ok_or_else(|| WeightError::MissingTensor {
                path: "(random)".into(),
                name: name.to_owned(),
                count: self.tensors.len(),
            })?;
        let norm = shape.len() == 1 && name.ends_with(".weight");
        let values = if norm { &self.ones } else { &self.values };
        Ok(RawTensor {
            dtype: WeightDtype::BF16,
            shape: shape.clone(),
            data: &values[..2 * shape.iter().product::<usize>()],
        })
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn naming(&self) -> Naming {
        Naming::Hub
    }
}
