//! What a model is trained on.

use serde::{Deserialize, Serialize};
use truefill_syntax::Language;

use super::context::Span;
use super::negative::HallucinationType;
use super::score::Difficulty;

/// A row of `sft.jsonl`: a prompt's two sides and the golden completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftRow {
    /// The context.
    pub context_id: String,
    /// The file's language.
    pub language: Language,
    /// The bucket that the row counts for.
    #[serde(rename = "type")]
    pub kind: HallucinationType,
    /// The repository, by which splits are made.
    pub repo: String,
    /// SPDX identifier.
    pub license: String,
    /// The file's path in `repo`.
    pub path: String,
    /// Before the hole.
    pub prefix: String,
    /// What belongs into the hole.
    pub golden: String,
    /// After the hole.
    pub suffix: String,
    /// Where the hole lies in the file.
    #[serde(flatten)]
    pub span: Span,
}

/// A row of `pairs.jsonl`: an SFT row with a hard negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// The prompt and the golden completion.
    #[serde(flatten)]
    pub chosen: SftRow,
    /// The wrong completion.
    pub rejected: String,
    /// Who made it.
    pub generator: String,
    /// Version of the prompt or of the rules.
    pub prompt_version: String,
    /// Share of the blind verdicts that exist which called it correct; nothing without a verdict.
    pub fool_rate: Option<f64>,
    /// Blind judges whom it fooled.
    pub fooled: u64,
    /// Blind judges with a verdict.
    pub judged: u64,
    /// From the scorers' margins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<Difficulty>,
    /// The resolver catches it and not the golden completion; nothing where it cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught: Option<bool>,
}
