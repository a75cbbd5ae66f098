//! Fill-in-the-middle prompts: which tokens a model sees for a cursor in a file.
//!
//! Formats are data (`formats.toml`). A format bound to a tokenizer renders prompts for serving and
//! examples for training through one code path. Prompts are laid out for reuse of the KV cache:
//! while the user types, all tokens but the last few stay the same; see [`BoundFormat::render`].

mod bind;
mod comment;
mod context;
mod format;
mod memo;
mod render;
mod text;
mod window;

use std::ops::Range;

use crate::tokenizer::TokenizerError;
use crate::tokens::TokenId;

pub use bind::BoundFormat;
pub use format::{FimFormat, Layout};
pub use window::MAX_BYTES_PER_TOKEN;

/// What a prompt is made from.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptParts<'a> {
    /// The document before the cursor, whole.
    pub prefix: &'a str,
    /// The document behind the cursor, whole.
    pub suffix: &'a str,
    /// The document's path, best relative to the workspace.
    pub path: Option<&'a str>,
    /// The repository's name.
    pub repo: Option<&'a str>,
    /// Pieces of other files, the most useful first.
    pub chunks: &'a [ContextChunk],
}

/// A piece of another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextChunk {
    /// Where it is from, best relative to the workspace.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The suffix's share of a prompt where nobody says otherwise: what is made or scored for training has
/// the prompts that are served.
pub const SUFFIX_SHARE: f32 = 0.25;

/// How many tokens a prompt may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Hard upper limit on the prompt's tokens, sentinels and chunks included.
    pub total: usize,
    /// The share of `total` that the suffix may take, 0 to 0.9; the prefix gets what it leaves.
    pub suffix_share: f32,
    /// The share of `total` that chunks may take, 0 to 0.9.
    pub chunk_share: f32,
}

/// A rendered prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What the model reads; at least one token.
    pub tokens: Vec<TokenId>,
    /// The part of [`PromptParts::prefix`] that is in the prompt, in bytes.
    pub prefix_window: Range<usize>,
    /// The part of [`PromptParts::suffix`] that is in the prompt, in bytes.
    pub suffix_window: Range<usize>,
    /// How many of [`PromptParts::chunks`] are in the prompt, counted from the first.
    pub chunks: usize,
}

/// A prompt with the middle that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingExample {
    /// The prompt as serving renders it, the middle, the end token.
    pub tokens: Vec<TokenId>,
    /// The tokens to learn: the middle and the end token.
    pub supervised: Range<usize>,
    /// As in [`Prompt::prefix_window`].
    pub prefix_window: Range<usize>,
    /// As in [`Prompt::suffix_window`].
    pub suffix_window: Range<usize>,
}

/// What can be wrong with a format, a tokenizer for it, or a request.
#[derive(Debug, thiserror::Error)]
pub enum FimError {
    /// The tokenizer lacks a sentinel of the format.
    #[error(
        "the FIM format `{format}` needs the token `{token}`, which this tokenizer lacks; choose \
         another format, `causal` fits any model"
    )]
    MissingToken {
        /// The format's name.
        format: String,
        /// Its literal spelling.
        token: String,
    },
    /// The format has no such layout.
    #[error("the FIM format `{format}` has no layout `{layout}`, expected one of: {known}")]
    UnknownLayout {
        /// The format's name.
        format: String,
        /// What was asked for.
        layout: String,
        /// All that it has, by commas.
        known: String,
    },
    /// Sentinels alone exceed the budget.
    #[error("a prompt budget of {total} tokens is too small, the sentinels alone take {needed}")]
    Budget {
        /// Tokens that every prompt of the layout has.
        needed: usize,
        /// From [`Budget::total`].
        total: usize,
    },
    /// The code spells a sentinel or an end token itself, in a prompt that is text.
    #[error("the code spells the sentinel `{sentinel}`, which a server would take for its own")]
    SentinelInText {
        /// Its literal spelling.
        sentinel: String,
    },
    /// A text could not be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
