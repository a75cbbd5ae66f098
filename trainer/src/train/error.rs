//! Why training does not start.

use truefill_model::fim::FimError;
use truefill_model::tokenizer::TokenizerError;

use super::chat::ChatError;
use super::data::Place;
use super::held_out::Overlap;
use crate::rows::RowError;

/// What is wrong with the data, or with how they fit the checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file cannot be read, or a line is no row.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The format does not fit the tokenizer.
    #[error(transparent)]
    Format(#[from] FimError),
    /// The chat template does not fit.
    #[error("section `[train.chat]`: {0}")]
    Chat(ChatError),
    /// The vocabulary has no token that ends a middle.
    #[error(
        "the FIM format `{format}` has no end token in this tokenizer: the model would never learn to \
         stop; choose another format"
    )]
    NoEnd {
        /// The format's name.
        format: String,
    },
    /// Rows were tokenised for another model.
    #[error(
        "expected the tokenizer {expected} that the checkpoint's manifest names, found {found}: the \
         checkpoint's files do not belong together"
    )]
    Tokenizer {
        /// SHA-256 of the manifest's.
        expected: String,
        /// SHA-256 of the one at hand.
        found: String,
    },
    /// The checkpoint was trained with another format.
    #[error(
        "expected the FIM format `{expected}` that the checkpoint was trained with, found `{found}`; \
         to teach it another one, set `teach_format = true` in section `[train]`, or give `import` `--teach-format`"
    )]
    OtherFormat {
        /// Name and version in the manifest.
        expected: String,
        /// Name and version at hand.
        found: String,
    },
    /// The model has fewer rows than the vocabulary has tokens.
    #[error("expected a model of at least {expected} tokens for this tokenizer, found {found}")]
    Vocabulary {
        /// The tokenizer's tokens.
        expected: usize,
        /// The embedding's rows.
        found: usize,
    },
    /// Code spells a control token.
    #[error(
        "{place}: the text spells the control token `{sentinel}`; leave such rows out in curation, or \
         set `sentinels = \"drop\"` in section `[train]`"
    )]
    Sentinel {
        /// The row.
        place: Place,
        /// Its spelling.
        sentinel: String,
    },
    /// The row is what the model is measured with.
    #[error(
        "{place}: the row is held out for evaluation, by its {by}; train on rows of other \
         repositories, name other files in `held_out`, or leave such rows out with `overlap = \"drop\"` \
         in section `[train]`"
    )]
    HeldOut {
        /// The row.
        place: Place,
        /// What it has in common with a held-out row.
        by: Overlap,
    },
    /// The objective compares two completions.
    #[error(
        "{place}: the objective `{objective}` needs pairs, found a row without `rejected`; give it \
         `pairs.jsonl`"
    )]
    NoRejected {
        /// The row.
        place: Place,
        /// Its name.
        objective: &'static str,
    },
    /// Instructions without a template.
    #[error("{place}: expected a section `[train.chat]` for rows of instructions, found none")]
    NoChat {
        /// The row.
        place: Place,
    },
    /// Nothing is left.
    #[error("expected rows to train on, found none: of {read} that were read, {left_out}")]
    NoRows {
        /// Rows of the files.
        read: u64,
        /// Why they are left out, with counts.
        left_out: String,
    },
    /// The tokenizer's library failed.
    #[error("{place}: {reason}")]
    Encode {
        /// The row.
        place: Place,
        /// What it said.
        reason: TokenizerError,
    },
}
