//! What the database holds: records after redaction, as they are read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::id::SuggestionId;
use crate::record::Stages;

/// A suggestion as it is written.
///
/// Names of closed sets (trigger, shape, …) are text here, so that a reader
/// can pass on what a later version wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuggestionRow {
    /// The suggestion's id.
    pub id: SuggestionId,
    /// The first suggestion of the same request; unknown of rows of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<SuggestionId>,
    /// When it was recorded.
    pub at: UnixMicros,
    /// The server process's session.
    pub session: String,
    /// Salted hash of the document's path.
    pub document: String,
    /// [`crate::PathPolicy`].
    pub path_policy: String,
    /// The document's language id.
    pub language: String,
    /// The checkpoint's id.
    pub checkpoint: String,
    /// The arm.
    pub arm: String,
    /// Salted hash of the unit of randomisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The generation of `serving.json` that assigned the arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The share of the units that each arm had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<BTreeMap<String, f64>>,
    /// Names the arrangement of arms: see [`crate::Assignment`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<String>,
    /// Of a shadow arm: the suggestion that was given in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_of: Option<SuggestionId>,
    /// Salted hash of the repository's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Salted hashes of all folders above the document, as [`crate::Reader::folder_key`] makes them; exports are
    /// without.
    #[serde(skip)]
    pub folders: Vec<String>,
    /// The prompt format's name.
    pub format: String,
    /// The prompt format's version.
    pub format_version: u32,
    /// Salted SHA-256 of the prompt's tokens, in hexadecimal.
    pub prompt_sha256: Option<String>,
    /// Salted SHA-256 of the text before the cursor as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_sha256: Option<String>,
    /// Salted SHA-256 of the text after the cursor as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix_sha256: Option<String>,
    /// [`crate::Trigger`].
    pub trigger: String,
    /// [`crate::Shape`].
    pub shape: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens of the prompt that were in the KV cache already.
    pub cached_tokens: Option<u32>,
    /// Tokens written.
    pub completion_tokens: Option<u32>,
    /// Time spent in each stage, in microseconds.
    pub stages: Stages,
    /// The text, where it may be kept.
    pub completion: Option<String>,
    /// Why the text is not there, though there was one: [`crate::Withheld`].
    pub withheld: Option<String>,
    /// The text's length in bytes, kept or not.
    pub completion_bytes: Option<u32>,
    /// Why generation stopped.
    pub stop_reason: Option<String>,
    /// [`crate::GuardVerdict`].
    pub guard: Option<String>,
    /// The kind of the name that the guard does not know.
    pub guard_kind: Option<String>,
    /// What speaks against the name, as a code.
    pub guard_reason: Option<String>,
    /// The guard's reason as a sentence, where text may be kept.
    pub guard_detail: Option<String>,
    /// The seed of the sampling.
    pub seed: Option<u64>,
    /// The code of the reason for giving nothing.
    pub silence: Option<String>,
    /// Token ids of the prompt, where text may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_token_ids: Option<Vec<u32>>,
    /// Token ids of what was generated, where text may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_token_ids: Option<Vec<u32>>,
    /// What stands at its place since it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hole: Option<HoleRow>,
    /// What happened to it, in the order of time.
    pub outcomes: Vec<OutcomeRow>,
}

/// An outcome as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRow {
    /// The event's name: see [`crate::Outcome`].
    pub event: String,
    /// Tells events of one kind apart.
    pub sequence: u32,
    /// When it was recorded.
    pub at: UnixMicros,
    /// [`crate::Extent`].
    pub extent: Option<String>,
    /// Characters accepted, or typed through.
    pub chars: Option<u32>,
    /// The reason's code.
    pub reason: Option<String>,
    /// Whether it was inferred from later edits.
    pub inferred: bool,
    /// Characters of which `chars` were kept, or agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_chars: Option<u32>,
    /// Seconds from the acceptance to the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u32>,
}

/// A settled hole as it is written: see [`crate::HoleRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoleRow {
    /// When it was recorded.
    pub at: UnixMicros,
    /// Text before the hole.
    pub prefix: String,
    /// What stands in it.
    pub golden: String,
    /// Text behind it.
    pub suffix: String,
    /// [`crate::HoleKind`].
    pub kind: String,
    /// Byte ranges of the golden text that came from accepted suggestions.
    pub own: Vec<(u32, u32)>,
}

impl SuggestionRow {
    /// Without any text or token of a document.
    #[must_use]
    pub fn without_text(self) -> Self {
        Self {
            completion: None,
            guard_detail: None,
            prompt_token_ids: None,
            completion_token_ids: None,
            hole: None,
            ..self
        }
    }
}
