//! What can go wrong between a checkpoint on disk and a completion.

use std::path::PathBuf;

/// The model crate's error.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The work was no longer wanted; what the cache holds so far stays valid.
    #[error("cancelled")]
    Cancelled,
    /// A sequence outgrew its cache.
    #[error("the sequence needs {needed} positions, its cache holds {capacity}")]
    CacheFull {
        /// Positions after the pass.
        needed: usize,
        /// Positions of the cache.
        capacity: usize,
    },
    /// A token that the vocabulary lacks.
    #[error("token {token} is outside the model's vocabulary of {vocabulary}")]
    UnknownToken {
        /// The id.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// A tensor whose shape does not fit the configuration.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Its name in the file.
        name: String,
        /// From the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// A bias that the model's configuration does not name.
    #[error(
        "tensor `{name}`: expected none, because the model's configuration names no such bias, \
         found one"
    )]
    UnexpectedBias {
        /// Its name in the file.
        name: String,
    },
    /// A matrix with NaN, infinity or values beyond its blocks' scales.
    #[error("tensor `{name}`: expected finite values, found NaN, infinity or values beyond 8e6")]
    WeightNotFinite {
        /// Its name in the file.
        name: String,
    },
    /// The logits hold NaN or infinity: the weights are damaged or overflow their type.
    #[error("the model gave logits that are not finite; its weights are damaged or overflow")]
    NotFinite,
    /// No such device, or none in this build.
    #[error("{0}")]
    Device(String),
    /// A checkpoint folder or file that is not one.
    #[error("{path}: {problem}")]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// Weight files.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// The tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Sequences that cannot be trained on together.
    #[error("sequence {sequence} of the batch: {problem}")]
    Batch {
        /// Its place.
        sequence: usize,
        /// What was expected and what was found.
        problem: String,
    },
    /// What is asked of a trainer does not fit its model.
    #[error("{0}")]
    Training(String),
    /// A broken promise inside this crate.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl ModelError {
    pub(crate) fn internal(what: &'static str) -> Self {
        Self::Internal(what)
    }
}

/// The crate's result.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;
