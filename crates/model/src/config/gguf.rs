//! The metadata of a GGUF file.

use super::{ConfigError, Family, ModelConfig, Origin, RopeLayout, RopeScaling};
use crate::weights::{GgufFile, LayerPart, Naming, TensorName, WeightSource, shown};

impl ModelConfig {
    /// The configuration of the model in a GGUF file.
    ///
    /// What the metadata does not say is read off the tensors: which biases there are, whether
    /// the head is the embedding, the vocabulary's size.
    ///
    /// # Errors
    /// [`ConfigError`] where the architecture is none of [`Family`], a size is missing or absurd,
    /// or the model needs something that the decoder does not compute.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, ConfigError> {
        let origin = Origin::file(file.path());
        let name = file
            .string("general.architecture")?
            .ok_or_else(|| origin.value("general.architecture", "a name", "none"))?;
        let reader = Reader {
            file,
            family: origin.family(name)?,
            origin,
        };
        reader.refuse_unsupported()?;
        reader.read()
    }
}

struct Reader<'a> {
    file: &'a GgufFile,
    family: Family,
    origin: Origin,
}

impl Reader<'_> {
    fn read(&self) -> Result<ModelConfig, ConfigError> {
        let family = self.family;
        let hidden = self.size("embedding_length")?;
        let heads = self.size("attention.head_count")?;
        let head_dim = self.head_size(hidden, heads)?;
        ModelConfig {
            family,
            hidden,
            layers: self.size("block_count")?,
            heads,
            kv_heads: self
                .optional_size("attention.head_count_kv")?
                .unwrap_or(heads),
            head_dim,
            ffn: self.size("feed_forward_length")?,
            vocabulary: self.vocabulary(hidden)?,
            max_positions: self.size("context_length")?,
            norm: family.norm(),
            norm_epsilon: self.epsilon()?,
            activation: family.activation(),
            rope_base: self.number("rope.freq_base")?.unwrap_or(10_000.0),
            rope_scaling: self.rope_scaling(head_dim)?,
            rope_layout: match family {
                Family::Llama => RopeLayout::Interleaved,
                Family::Qwen2 | Family::StarCoder2 => RopeLayout::HalfSplit,
            },
            attention_bias: self.has(TensorName::bias(0, LayerPart::Q)),
            output_bias: self.has(TensorName::bias(0, LayerPart::O)),
            mlp_bias: self.has(TensorName::bias(0, LayerPart::Up)),
            tied_head: !self.has(TensorName::Head),
            sliding_window: self
                .optional_size("attention.sliding_window")?
                .filter(|w| *w > 0),
        }
        .checked(&self.origin)
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.family.name())
    }

    fn has(&self, name: TensorName) -> bool {
        name.spell(self.family, Naming::Gguf)
            .is_some_and(|name| self.file.has(&name))
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        let key = self.key(key);
        let Some(size) = self.file.unsigned(&key)? else {
            return Ok(None);
        };
        match usize::try_from(size) {
            Ok(size) => Ok(Some(size)),
            Err(_) => Err(self
                .origin
                .value(key, "a size that fits memory", size.to_string())),
        }
    }

    fn size(&self, key: &str) -> Result<usize, ConfigError> {
        self.optional_size(key)?
            .ok_or_else(|| self.origin.value(self.key(key), "a size", "none"))
    }

    fn number(&self, key: &str) -> Result<Option<f32>, ConfigError> {
        Ok(self.file.float(&self.key(key))?.map(|value| value as f32))
    }

    fn refuse_unsupported(&self) -> Result<(), ConfigError> {
        let kind = self.file.string("general.type")?.unwrap_or("model");
        if kind != "model" {
            return Err(self.origin.unsupported(
                format!("a GGUF file of the type `{}`", shown(kind)),
                "name a file that holds a whole model",
            ));
        }
        if self.optional_size("expert_count")?.unwrap_or(0) > 0 {
            return Err(self
                .origin
                .unsupported("a mixture of experts", "use a dense model"));
        }
        let ffn_bias =
            [LayerPart::Gate, LayerPart::Up, LayerPart::Down].map(|part| TensorName::bias(0, part));
        if self.family != Family::StarCoder2 && ffn_bias.into_iter().any(|name| self.has(name)) {
            return Err(self.origin.unsupported(
                format!(
                    "a bias in the feed-forward network of {}",
                    self.family.name()
                ),
                "use a model without it",
            ));
        }
        Ok(())
    }

    fn head_size(&self, hidden: usize, heads: usize) -> Result<usize, ConfigError> {
        let size = match self.optional_size("attention.key_length")? {
            Some(size) => size,
            None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                let expected = format!("a divisor of the hidden size {hidden}");
                let key = self.key("attention.head_count");
                return Err(self.origin.value(key, expected, heads.to_string()));
            }
        };
        for key in ["attention.value_length", "rope.dimension_count"] {
            if let Some(other) = self.optional_size(key)?.filter(|other| *other != size) {
                return Err(self.origin.unsupported(
                    format!("`{}` {other} beside heads of size {size}", self.key(key)),
                    "use a model whose heads are of one size and rotated whole",
                ));
            }
        }
        Ok(size)
    }

    fn vocabulary(&self, hidden: usize) -> Result<usize, ConfigError> {
        let name = "token_embd.weight";
        let shape = self.file.tensor(name)?.shape;
        match shape.as_slice() {
            [rows, cols] if *cols == hidden => Ok(*rows),
            _ => {
                let expected = format!("the shape [vocabulary, {hidden}]");
                Err(self.origin.value(name, expected, format!("{shape:?}")))
            }
        }
    }

    fn epsilon(&self) -> Result<f32, ConfigError> {
        let key = match self.family {
            Family::StarCoder2 => "attention.layer_norm_epsilon",
            _ => "attention.layer_norm_rms_epsilon",
        };
        self.number(key)?
            .ok_or_else(|| self.origin.value(self.key(key), "a number", "none"))
    }

    fn rope_scaling(&self, head_dim: usize) -> Result<RopeScaling, ConfigError> {
        let factor = match self.file.string(&self.key("rope.scaling.type"))? {
            Some("none") => None,
            // Older files have the factor alone, under either name.
            None | Some("linear") => match self.number("rope.scaling.factor")? {
                Some(factor) => Some(factor),
                None => self.number("rope.scale_linear")?,
            },
            Some(other) => {
                return Err(self.origin.unsupported(
                    format!("rope scaling \"{}\"", shown(other)),
                    "use a model without it or with \"linear\"",
                ));
            }
        };
        // Converters write 0 for none.
        let factor = factor.filter(|factor| *factor != 0.0 && *factor != 1.0);
        let name = "rope_freqs.weight";
        if !self.file.has(name) {
            return Ok(factor.map_or(RopeScaling::None, |factor| RopeScaling::Linear { factor }));
        }
        let tensor = self.file.tensor(name)?;
        if tensor.shape != [head_dim / 2] {
            let expected = format!("the shape [{}]", head_dim / 2);
            return Err(self
                .origin
                .value(name, expected, format!("{:?}", tensor.shape)));
        }
        let mut factors = tensor.to_f32();
        factors
            .iter_mut()
            .for_each(|value| *value *= factor.unwrap_or(1.0));
        Ok(RopeScaling::Factors(factors))
    }
}
