//! What the database holds: records after redaction, as they are read back.

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
    /// The prompt format's name.
    pub format: String,
    /// The prompt format's version.
    pub format_version: u32,
    /// SHA-256 of the prompt's tokens, in hexadecimal.
    pub prompt_sha256: Option<String>,
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
}
