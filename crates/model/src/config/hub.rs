//! The hub's `config.json`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, Family, ModelConfig, Origin, RopeLayout, RopeScaling};
use crate::weights::shown;

/// Real files take some kilobytes.
const MAX_JSON_BYTES: u64 = 1 << 20;

/// What is read of the file. Where a key is missing, the model's own code has a default.
#[derive(Deserialize)]
struct HubConfig {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: Option<f64>,
    norm_epsilon: Option<f64>,
    norm_type: Option<String>,
    mlp_type: Option<String>,
    hidden_act: Option<String>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Rope>,
    rope_parameters: Option<Rope>,
    partial_rotary_factor: Option<f64>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    quantization_config: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Rope {
    rope_type: Option<String>,
    /// The older name of `rope_type`; some files have both.
    r#type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    partial_rotary_factor: Option<f64>,
}

impl ModelConfig {
    /// The configuration of a checkpoint in the hub's layout, from its `config.json`.
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read or is larger than any such file, the JSON is
    /// malformed, the architecture is none of [`Family`], a size is missing or absurd, or the
    /// model needs something that the decoder does not compute.
    pub fn from_hub_file(path: &Path) -> Result<Self, ConfigError> {
        let read = |reason| ConfigError::Read {
            path: path.to_owned(),
            reason,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(read)?;
        file.take(MAX_JSON_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(read)?;
        Self::from_json(&bytes, &Origin::file(path))
    }

    /// As [`ModelConfig::from_hub_file`], from the bytes of the file at `path`.
    pub(crate) fn from_hub_bytes(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::from_json(bytes, &Origin::file(path))
    }

    /// As [`ModelConfig::from_hub_file`], from the file's bytes.
    ///
    /// # Errors
    /// As there.
    pub fn from_hub_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::from_json(bytes, &Origin("the model's config.json".to_owned()))
    }

    fn from_json(bytes: &[u8], origin: &Origin) -> Result<Self, ConfigError> {
        let malformed = |found| ConfigError::Malformed {
            origin: origin.0.clone(),
            expected: format!("a model's configuration in at most {MAX_JSON_BYTES} bytes of JSON"),
            found,
        };
        if bytes.len() as u64 > MAX_JSON_BYTES {
            return Err(malformed("more".to_owned()));
        }
        let hub: HubConfig =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        hub.convert(origin)
    }
}

impl HubConfig {
    fn convert(&self, origin: &Origin) -> Result<ModelConfig, ConfigError> {
        let family = self.family(origin)?;
        self.refuse_unsupported(family, origin)?;
        let heads = self.num_attention_heads;
        let biased = self.biased(family);
        ModelConfig {
            family,
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim: self.head_size(origin)?,
            ffn: self.intermediate_size,
            vocabulary: self.vocab_size,
            max_positions: self.max_position_embeddings,
            norm: family.norm(),
            norm_epsilon: self.epsilon(family),
            activation: family.activation(),
            rope_base: self.rope_base(),
            rope_scaling: self.rope_scaling(origin)?,
            rope_layout: RopeLayout::HalfSplit,
            attention_bias: biased || family == Family::Qwen2,
            output_bias: biased,
            mlp_bias: biased && family == Family::StarCoder2,
            tied_head: self
                .tie_word_embeddings
                .unwrap_or(family == Family::StarCoder2),
            sliding_window: self.window(family, origin)?,
        }
        .checked(origin)
    }

    fn family(&self, origin: &Origin) -> Result<Family, ConfigError> {
        let class = self
            .architectures
            .as_ref()
            .and_then(|classes| classes.first());
        let name = match (&self.model_type, class) {
            (Some(name), _) => name.clone(),
            (None, Some(class)) => class.trim_end_matches("ForCausalLM").to_lowercase(),
            (None, None) => {
                return Err(origin.value("model_type", "the architecture's name", "none"));
            }
        };
        let family = origin.family(&name)?;
        match class {
            Some(class) if !class.ends_with("ForCausalLM") => Err(origin.unsupported(
                format!("the model class `{}`", shown(class)),
                "use a causal language model, whose class ends in `ForCausalLM`",
            )),
            _ => Ok(family),
        }
    }

    fn refuse_unsupported(&self, family: Family, origin: &Origin) -> Result<(), ConfigError> {
        if self.quantization_config.is_some() {
            return Err(origin.unsupported(
                "a `quantization_config`",
                "use the unquantised weights or a GGUF file",
            ));
        }
        let expected_act = match family {
            Family::StarCoder2 => "gelu_pytorch_tanh",
            _ => "silu",
        };
        for (key, value, supported) in [
            ("hidden_act", &self.hidden_act, expected_act),
            ("norm_type", &self.norm_type, "layer_norm"),
            ("mlp_type", &self.mlp_type, "default"),
        ] {
            if let Some(value) = value.as_deref().filter(|value| *value != supported) {
                return Err(origin.unsupported(
                    format!("`{key}` \"{}\"", shown(value)),
                    format!("{} models have \"{supported}\"", family.name()),
                ));
            }
        }
        if family != Family::StarCoder2 && self.mlp_bias == Some(true) {
            return Err(origin.unsupported("`mlp_bias`", "use a model without it"));
        }
        let partial = self.rope().and_then(|rope| rope.partial_rotary_factor);
        match self.partial_rotary_factor.or(partial) {
            Some(factor) if factor != 1.0 => Err(origin.unsupported(
                format!("`partial_rotary_factor` {factor}"),
                "use a model that rotates whole heads",
            )),
            _ => Ok(()),
        }
    }

    /// The biases that a key switches: Llama's attention, all of StarCoder2's matrices.
    fn biased(&self, family: Family) -> bool {
        match family {
            Family::Llama => self.attention_bias.unwrap_or(false),
            Family::Qwen2 => false,
            Family::StarCoder2 => self.use_bias.unwrap_or(true),
        }
    }

    fn head_size(&self, origin: &Origin) -> Result<usize, ConfigError> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if let Some(size) = self.head_dim {
            return Ok(size);
        }
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let expected = format!("a divisor of the hidden size {hidden}");
            return Err(origin.value("num_attention_heads", expected, heads.to_string()));
        }
        Ok(hidden / heads)
    }

    fn epsilon(&self, family: Family) -> f32 {
        match family {
            Family::StarCoder2 => self.norm_epsilon.unwrap_or(1e-5) as f32,
            _ => self.rms_norm_eps.unwrap_or(1e-6) as f32,
        }
    }

    /// Newer files have one object for all of it, older ones two keys.
    fn rope(&self) -> Option<&Rope> {
        self.rope_parameters.as_ref().or(self.rope_scaling.as_ref())
    }

    fn rope_base(&self) -> f32 {
        let base = self
            .rope()
            .and_then(|rope| rope.rope_theta)
            .or(self.rope_theta);
        base.unwrap_or(10_000.0) as f32
    }

    fn rope_scaling(&self, origin: &Origin) -> Result<RopeScaling, ConfigError> {
        let Some(rope) = self.rope() else {
            return Ok(RopeScaling::None);
        };
        let need = |key, value: Option<f64>| {
            value
                .map(|value| value as f32)
                .ok_or_else(|| origin.value(format!("rope_scaling.{key}"), "a number", "none"))
        };
        match rope.rope_type.as_deref().or(rope.r#type.as_deref()) {
            None | Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear {
                factor: need("factor", rope.factor)?,
            }),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: need("factor", rope.factor)?,
                low_frequency: need("low_freq_factor", rope.low_freq_factor)?,
                high_frequency: need("high_freq_factor", rope.high_freq_factor)?,
                original_positions: need(
                    "original_max_position_embeddings",
                    rope.original_max_position_embeddings,
                )?,
            }),
            Some(other) => Err(origin.unsupported(
                format!("rope scaling \"{}\"", shown(other)),
                "remove `rope_scaling` to use the model within the context it was trained on, \
                 or use one with \"linear\" or \"llama3\"",
            )),
        }
    }

    fn window(&self, family: Family, origin: &Origin) -> Result<Option<usize>, ConfigError> {
        let window = match family {
            Family::Llama => None,
            Family::Qwen2 if self.use_sliding_window != Some(true) => None,
            Family::Qwen2 | Family::StarCoder2 => self.sliding_window,
        };
        let Some(window) = window else {
            return Ok(None);
        };
        let full = self.full_attention_layers(family);
        match full {
            0 => Ok(Some(window)),
            full if full == self.num_hidden_layers => Ok(None),
            full => Err(origin.unsupported(
                format!("a sliding window in some layers and not in {full} others"),
                "set `use_sliding_window` to false to use the model within its window",
            )),
        }
    }

    /// Layers without the sliding window where there is one.
    fn full_attention_layers(&self, family: Family) -> usize {
        match (&self.layer_types, family) {
            (Some(types), _) => types
                .iter()
                .filter(|kind| *kind == "full_attention")
                .count(),
            (None, Family::Qwen2) => self
                .max_window_layers
                .unwrap_or(28)
                .min(self.num_hidden_layers),
            (None, _) => 0,
        }
    }
}
