//! What a model's files say about its shape, whichever files they are.

mod gguf;
mod hub;
mod limits;

use std::path::PathBuf;

use crate::weights::{WeightError, shown};

/// The architectures that the decoder computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Llama: SmolLM2, CodeLlama, DeepSeek-Coder v1.
    Llama,
    /// Qwen2: Qwen2.5-Coder.
    Qwen2,
    /// StarCoder2.
    StarCoder2,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 3] = [Self::Llama, Self::Qwen2, Self::StarCoder2];

    /// The name in `model_type` of the hub's `config.json` and in `general.architecture` of GGUF
    /// files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::StarCoder2 => "starcoder2",
        }
    }

    /// The family of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The norm that the family computes.
    pub const fn norm(self) -> NormKind {
        match self {
            Self::Llama | Self::Qwen2 => NormKind::Rms,
            Self::StarCoder2 => NormKind::Layer,
        }
    }

    /// The feed-forward network that the family computes.
    pub const fn activation(self) -> Activation {
        match self {
            Self::Llama | Self::Qwen2 => Activation::SiluGated,
            Self::StarCoder2 => Activation::GeluTanh,
        }
    }
}

/// How activations are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// By their root mean square, with a weight.
    Rms,
    /// To mean 0 and variance 1, with a weight and a bias.
    Layer,
}

/// The feed-forward network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `down(silu(gate(x)) * up(x))`.
    SiluGated,
    /// `down(gelu(up(x)))`, in the form with tanh.
    GeluTanh,
}

/// How rotary frequencies are stretched for contexts longer than those trained first.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All divided by one factor.
    Linear {
        /// At least 1 in practice.
        factor: f32,
    },
    /// Llama 3's: long wavelengths divided by `factor`, short ones kept, those between blended.
    Llama3 {
        /// By which long wavelengths are stretched.
        factor: f32,
        /// Wavelengths above `original_positions / low_frequency` are long.
        low_frequency: f32,
        /// Wavelengths below `original_positions / high_frequency` are short.
        high_frequency: f32,
        /// Positions trained first.
        original_positions: f32,
    },
    /// Each divided by its own factor, `[head_dim / 2]`: how GGUF files store Llama 3's.
    Factors(Vec<f32>),
}

/// The order of the rows of query and key weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeLayout {
    /// Feature `i` of a head turns with `i + head_dim / 2`.
    HalfSplit,
    /// Feature `2i` turns with `2i + 1`: GGUF files of the llama architecture. See
    /// [`crate::ops::NamedWeight::source_row`].
    Interleaved,
}

/// A model's shape. All sizes are positive and bounded, so products of a few of them fit `usize`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The architecture.
    pub family: Family,
    /// Features of a token between blocks.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Features of a head; even.
    pub head_dim: usize,
    /// Features inside the feed-forward network.
    pub ffn: usize,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// Positions that the model is made for.
    pub max_positions: usize,
    /// How activations are normalised.
    pub norm: NormKind,
    /// Added to the mean square or variance.
    pub norm_epsilon: f32,
    /// The feed-forward network.
    pub activation: Activation,
    /// The base of the rotary frequencies.
    pub rope_base: f32,
    /// Their scaling.
    pub rope_scaling: RopeScaling,
    /// The order of query and key rows in the weights that belong to this configuration.
    pub rope_layout: RopeLayout,
    /// Queries, keys and values have a bias.
    pub attention_bias: bool,
    /// Attention's output has a bias.
    pub output_bias: bool,
    /// The feed-forward network's matrices have a bias.
    pub mlp_bias: bool,
    /// The embedding serves as the head.
    pub tied_head: bool,
    /// A token attends to this many positions up to its own; to all where `None`.
    pub sliding_window: Option<usize>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// Not JSON, or not of the expected types.
    #[error("{origin}: expected {expected}, found {found}")]
    Malformed {
        /// The file.
        origin: String,
        /// What the reader needs.
        expected: String,
        /// What the parser says.
        found: String,
    },
    /// A number that is missing, or that no model of the family has.
    #[error("{origin}: `{key}`: expected {expected}, found {found}")]
    Value {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// What the decoder needs.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A feature that the decoder does not compute.
    #[error("{origin}: {what} is not supported; {advice}")]
    Unsupported {
        /// The file.
        origin: String,
        /// The feature.
        what: String,
        /// What to do instead.
        advice: String,
    },
    /// The file that the configuration comes from.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// Where a configuration comes from, for messages.
#[derive(Clone, Debug)]
struct Origin(String);

impl Origin {
    fn file(path: &std::path::Path) -> Self {
        Self(PathBuf::from(path).display().to_string())
    }

    fn value(
        &self,
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Value {
            origin: self.0.clone(),
            key: key.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    fn unsupported(&self, what: impl Into<String>, advice: impl Into<String>) -> ConfigError {
        ConfigError::Unsupported {
            origin: self.0.clone(),
            what: what.into(),
            advice: advice.into(),
        }
    }

    fn family(&self, name: &str) -> Result<Family, ConfigError> {
        Family::from_name(name).ok_or_else(|| {
            let supported = Family::ALL.map(Family::name).join(", ");
            self.unsupported(
                format!("the architecture `{}`", shown(name)),
                format!("use a model of one of {supported}"),
            )
        })
    }
}
