//! What can be wrong with a tokenizer or with a text for it.

/// The tokenizer's error.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// `tokenizer.json` that is not what its format says.
    #[error("tokenizer.json: {0}")]
    Json(String),
    /// A kind of tokenizer that would not give the text back byte for byte, or that is not known.
    #[error("tokenizer: expected {expected}, found {found}")]
    Unsupported {
        /// What can be read.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The GGUF file's `tokenizer.ggml.pre` is not one of those that are known.
    #[error("tokenizer.ggml.pre: unknown pre-tokenizer `{found}`, expected one of: {known}")]
    UnknownPre {
        /// In the file.
        found: String,
        /// All known names, by commas.
        known: String,
    },
    /// Tokens, types, scores and merges that do not fit each other.
    #[error("tokenizer vocabulary: {0}")]
    Vocabulary(String),
    /// A character that no sequence of the vocabulary's tokens spells.
    #[error(
        "the vocabulary has no token for {character:?} (U+{:04X}) at byte {offset}; take it out of the text",
        u32::from(*.character)
    )]
    Unspellable {
        /// The first such character.
        character: char,
        /// Its place in the text, in bytes.
        offset: usize,
    },
    /// The tokenizer library refused.
    #[error("tokenizer: {0}")]
    Library(String),
}

impl From<serde_json::Error> for TokenizerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

impl From<tokenizers::Error> for TokenizerError {
    fn from(error: tokenizers::Error) -> Self {
        Self::Library(error.to_string())
    }
}
