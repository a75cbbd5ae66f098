//! A GGUF file that llama.cpp and this crate load.

use std::collections::BTreeMap;
use std::io::Error;
use std::path::Path;

use super::{Model, spell, tensors};
use crate::config::{Family, ModelConfig, RopeScaling};
use crate::error::{ModelError, Result};
use crate::rope;
use crate::tokenizer::{GgufVocabulary, Tokenizer};
use crate::tokens::TokenId;
use crate::weights::gguf::MetadataValue;
use crate::weights::{GgufWriter, Naming, TensorName, WeightDtype, quantise};

/// How a file stores its matrices; norms and biases are always `F32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// As they are trained.
    F32,
    /// Half precision.
    F16,
    /// Eight bits.
    Q8_0,
    /// Four bits in blocks of 32.
    Q4_0,
    /// Four bits in blocks of 256.
    Q4K,
}

impl FileType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Q8_0, Self::Q4_0, Self::Q4K];

    /// As the command line writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q4K => "q4_k",
        }
    }

    /// llama.cpp's number of the type (`general.file_type`).
    const fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
            Self::Q4K => 14,
        }
    }

    const fn dtype(self) -> WeightDtype {
        match self {
            Self::F32 => WeightDtype::F32,
            Self::F16 => WeightDtype::F16,
            Self::Q8_0 => WeightDtype::Q8_0,
            Self::Q4_0 => WeightDtype::Q4_0,
            Self::Q4K => WeightDtype::Q4K,
        }
    }

    /// The type of a tensor, and whether it is another one than the file's because its rows do not
    /// fill blocks. As in llama.cpp, the head keeps six bits in files of four.
    fn of(self, name: TensorName, config: &ModelConfig) -> (WeightDtype, bool) {
        let shape = name.shape(config);
        let [_, columns] = shape.as_slice() else {
            return (WeightDtype::F32, false);
        };
        let head = match name {
            TensorName::Head => true,
            TensorName::Embedding => config.tied_head,
            _ => false,
        };
        let wanted = match self {
            Self::Q4_0 | Self::Q4K if head => WeightDtype::Q6K,
            _ => self.dtype(),
        };
        let smaller = match wanted {
            WeightDtype::Q4K => WeightDtype::Q5_0,
            WeightDtype::Q6K => WeightDtype::Q8_0,
            other => other,
        };
        let fits = |dtype: &WeightDtype| columns.is_multiple_of(dtype.block_size());
        let found = [wanted, smaller].into_iter().find(fits);
        let found = found.unwrap_or(WeightDtype::F16);
        (found, found != wanted)
    }
}

impl std::str::FromStr for FileType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("expected one of {known}, found `{text}`"))
    }
}

/// What a file says about itself, for people and for llama.cpp.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// The model's name.
    pub name: String,
    /// The token that ends a completion, where it is another one than the tokenizer's end token.
    pub end: Option<TokenId>,
    /// The Jinja template by which a chat becomes a prompt.
    pub chat_template: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GgufReport {
    /// Tensors by their types.
    pub types: BTreeMap<&'static str, usize>,
    /// Matrices of another type than asked for, because their rows do not fill its blocks.
    pub fallbacks: usize,
}

/// Writes a model as one GGUF file.
///
/// # Errors
/// What cannot be written, and a vocabulary with another number of rows than the embedding, which
/// llama.cpp refuses.
pub fn write_gguf(
    path: &Path,
    model: &Model<'_>,
    tokenizer: &Tokenizer,
    vocabulary: GgufVocabulary,
    kind: FileType,
    labels: &Labels,
) -> Result<GgufReport> {
    let config = model.config();
    if vocabulary.tokens.len() != config.vocabulary {
        return Err(ModelError::Checkpoint {
            path: path.to_owned(),
            problem: format!(
                "expected as many tokens as the embedding has rows ({}), found {}",
                config.vocabulary,
                vocabulary.tokens.len()
            ),
        });
    }
    let mut file = GgufWriter::new();
    about(&mut file, &config, kind, labels);
    put_vocabulary(&mut file, vocabulary, tokenizer, labels);
    let factors = rope_factors(&config);
    if let Some(factors) = &factors {
        let half = [config.head_dim / 2];
        file.encode("rope_freqs.weight", WeightDtype::F32, &half, factors)?;
    }
    let mut report = GgufReport::default();
    for (name, shape) in tensors(&config) {
        let (dtype, other) = kind.of(name, &config);
        *report.types.entry(dtype.name()).or_default() += 1;
        report.fallbacks += usize::from(other);
        let spelled = spell(name, &config, Naming::Gguf)?;
        file.make(spelled, dtype, &shape, move || {
            let values = model.gguf_values(name).map_err(Error::other)?;
            quantise(dtype, &values).map_err(Error::other)
        });
    }
    file.save(path)?;
    Ok(report)
}

/// Sizes fit: a configuration is checked against limits far below.
fn size(value: usize) -> MetadataValue {
    MetadataValue::U32(u32::try_from(value).unwrap_or(u32::MAX))
}

fn about(file: &mut GgufWriter<'_>, config: &ModelConfig, kind: FileType, labels: &Labels) {
    let architecture = config.family.name();
    let text = |text: &str| MetadataValue::String(text.to_owned());
    file.metadata("general.architecture", text(architecture));
    file.metadata("general.type", text("model"));
    file.metadata("general.name", text(&labels.name));
    file.metadata("general.file_type", MetadataValue::U32(kind.number()));
    if kind.number() > 1 {
        file.metadata("general.quantization_version", MetadataValue::U32(2));
    }
    let mut put = |key: &str, value: MetadataValue| {
        file.metadata(format!("{architecture}.{key}"), value);
    };
    put("block_count", size(config.layers));
    put("context_length", size(config.max_positions));
    put("embedding_length", size(config.hidden));
    put("feed_forward_length", size(config.ffn));
    put("attention.head_count", size(config.heads));
    put("attention.head_count_kv", size(config.kv_heads));
    put("rope.freq_base", MetadataValue::F32(config.rope_base));
    put("rope.dimension_count", size(config.head_dim));
    if config.head_dim * config.heads != config.hidden {
        put("attention.key_length", size(config.head_dim));
        put("attention.value_length", size(config.head_dim));
    }
    let epsilon = match config.family {
        Family::StarCoder2 => "attention.layer_norm_epsilon",
        _ => "attention.layer_norm_rms_epsilon",
    };
    put(epsilon, MetadataValue::F32(config.norm_epsilon));
    put("vocab_size", size(config.vocabulary));
    if let Some(window) = config.sliding_window {
        put("attention.sliding_window", size(window));
    }
    if let RopeScaling::Linear { factor } = config.rope_scaling {
        put("rope.scaling.type", text("linear"));
        put("rope.scaling.factor", MetadataValue::F32(factor));
    }
}

/// GGUF files hold Llama 3's scaling as the factor of each frequency.
fn rope_factors(config: &ModelConfig) -> Option<Vec<f32>> {
    match &config.rope_scaling {
        RopeScaling::None | RopeScaling::Linear { .. } => None,
        RopeScaling::Factors(factors) => Some(factors.clone()),
        RopeScaling::Llama3 { .. } => Some(rope::factors(config)),
    }
}

fn put_vocabulary(
    file: &mut GgufWriter<'_>,
    vocabulary: GgufVocabulary,
    tokenizer: &Tokenizer,
    labels: &Labels,
) {
    let mut put = |key: &str, value: MetadataValue| {
        file.metadata(format!("tokenizer.ggml.{key}"), value);
    };
    let tokens = vocabulary.tokens.len();
    put("model", MetadataValue::String(vocabulary.model.clone()));
    if let Some(pre) = vocabulary.pre {
        put("pre", MetadataValue::String(pre));
    }
    put("tokens", MetadataValue::Strings(vocabulary.tokens));
    let types = match vocabulary.token_types.is_empty() {
        true => vec![1; tokens],
        false => vocabulary.token_types,
    };
    let types = types.into_iter().map(|kind| kind as i32).collect();
    put("token_type", MetadataValue::I32s(types));
    if !vocabulary.scores.is_empty() {
        put("scores", MetadataValue::F32s(vocabulary.scores));
    }
    if !vocabulary.merges.is_empty() {
        put("merges", MetadataValue::Strings(vocabulary.merges));
    }
    let end = labels.end.filter(|end| Some(*end) != tokenizer.eos());
    for (key, id) in [
        ("bos_token_id", tokenizer.bos()),
        ("eos_token_id", tokenizer.eos()),
        ("eot_token_id", end),
    ] {
        if let Some(id) = id {
            put(key, MetadataValue::U32(id.0));
        }
    }
    put("add_bos_token", MetadataValue::Bool(tokenizer.add_bos()));
    put(
        "add_space_prefix",
        MetadataValue::Bool(tokenizer.lead_space()),
    );
    if let Some(template) = &labels.chat_template {
        let template = MetadataValue::String(template.clone());
        file.metadata("tokenizer.chat_template", template);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::LayerPart;

    #[test]
    fn rows_that_fill_no_block_get_the_type_that_llama_cpp_gives_them() {
        let json = |hidden: usize, ffn: usize| {
            serde_json::json!({
                "model_type": "llama", "hidden_size": hidden, "num_hidden_layers": 1,
                "num_attention_heads": 2, "intermediate_size": ffn, "vocab_size": 64,
                "max_position_embeddings": 64, "tie_word_embeddings": true,
            })
            .to_string()
        };
        let types = |kind: FileType, hidden, ffn| {
            let config = ModelConfig::from_hub_json(json(hidden, ffn).as_bytes()).unwrap();
            [
                TensorName::Embedding,
                TensorName::weight(0, LayerPart::Q),
                TensorName::weight(0, LayerPart::Down),
                TensorName::weight(0, LayerPart::AttnNorm),
            ]
            .map(|name| kind.of(name, &config))
        };
        use WeightDtype::{F16, F32, Q4_0, Q4K, Q5_0, Q6K, Q8_0};
        for (kind, hidden, ffn, expected) in [
            (
                FileType::Q4K,
                256,
                512,
                [(Q6K, false), (Q4K, false), (Q4K, false)],
            ),
            (
                FileType::Q4K,
                576,
                1536,
                [(Q8_0, true), (Q5_0, true), (Q4K, false)],
            ),
            (
                FileType::Q4_0,
                64,
                96,
                [(Q8_0, true), (Q4_0, false), (Q4_0, false)],
            ),
            (
                FileType::Q8_0,
                48,
                64,
                [(F16, true), (F16, true), (Q8_0, false)],
            ),
            (
                FileType::F16,
                48,
                64,
                [(F16, false), (F16, false), (F16, false)],
            ),
        ] {
            let [a, b, c] = expected;
            assert_eq!(
                types(kind, hidden, ffn),
                [a, b, c, (F32, false)],
                "{kind:?}"
            );
        }
    }
}
