//! What is recorded: suggestions and what became of them.

use serde::{Deserialize, Serialize};

use crate::id::SuggestionId;

/// Something to write down.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A request and what came of it; also one that gave nothing.
    Suggestion(Box<SuggestionRecord>),
    /// What happened to a suggestion later.
    Outcome(OutcomeRecord),
}

impl Event {
    /// About how much memory the event takes in the queue, in bytes.
    pub(crate) fn size(&self) -> usize {
        let text = match self {
            Self::Suggestion(record) => {
                let completion = record.completion.as_ref();
                let detail = record.guard.as_ref().and_then(|g| g.detail.as_ref());
                record.document.path.len()
                    + completion.map_or(0, |c| c.text.len() + c.line_before.len())
                    + detail.map_or(0, String::len)
                    + size_of::<SuggestionRecord>()
            }
            Self::Outcome(_) => 0,
        };
        text + size_of::<Self>()
    }
}

/// A text enum's names in the database and in exports.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// The name in the database and in exports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value of a name; `None` for a name of a later version.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

names! {
    /// Who asked.
    Trigger {
        /// The user, by a key.
        Invoked = "invoked",
        /// The editor, while the user typed.
        Automatic = "automatic",
    }
}

names! {
    /// How far the suggestion was to go.
    Shape {
        /// The rest of one line.
        OneLine = "one_line",
        /// Several lines.
        Block = "block",
    }
}

names! {
    /// Whether text of a document may be kept.
    PathPolicy {
        /// It may, if the journal keeps context at all.
        Open = "open",
        /// Never: the path is on a deny-list, or ignored, or outside the workspace.
        Denied = "denied",
    }
}

names! {
    /// What the guard said about a suggestion.
    GuardVerdict {
        /// The guard did not look.
        Off = "off",
        /// Every name is known.
        Pass = "pass",
        /// A name is unknown; the suggestion was shown.
        Flag = "flag",
        /// A name is unknown; the suggestion was not shown.
        Block = "block",
    }
}

names! {
    /// How much of a suggestion was accepted by one command.
    Extent {
        /// All of it.
        Whole = "whole",
        /// The next word.
        Word = "word",
        /// The next line.
        Line = "line",
    }
}

/// The document that a suggestion was made for. The path itself is not
/// written: its salted hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Absolute path or URI.
    pub path: String,
    /// Whether its text may be kept; the journal's own deny-list comes on top.
    pub policy: PathPolicy,
}

/// The prompt format that a suggestion was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
}

/// A completion's text, as it was to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The text to be inserted.
    pub text: String,
    /// The cursor's line up to the cursor. It is read to tell whether the text
    /// is part of a secret (`password = "`), and not written.
    pub line_before: String,
}

/// The guard's judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What it said.
    pub verdict: GuardVerdict,
    /// The kind of the name that is unknown, as a code: always written.
    pub kind: Option<String>,
    /// What speaks against the name, as a code: always written.
    pub reason: Option<String>,
    /// The reason as a sentence, with names from the code: written where text of the
    /// document may be, whether or not there is a completion, and without a secret in it.
    pub detail: Option<String>,
}

/// Time spent in each stage, in microseconds; `None` where a stage was not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    /// The delay before an automatic request is asked.
    pub delay: Option<u64>,
    /// Waiting for the engine.
    pub queue: Option<u64>,
    /// Rendering the prompt.
    pub render: Option<u64>,
    /// Reading the prompt.
    pub prefill: Option<u64>,
    /// From the engine's start to the first token.
    pub first_token: Option<u64>,
    /// Writing the completion.
    pub decode: Option<u64>,
    /// The clean-up.
    pub clean_up: Option<u64>,
    /// The guard.
    pub guard: Option<u64>,
    /// From the request to the reply.
    pub total: Option<u64>,
}

/// A request for a suggestion and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SuggestionRecord {
    /// The suggestion's id; a request that gave nothing has one too.
    pub id: SuggestionId,
    /// The server process's session.
    pub session: String,
    /// The document.
    pub document: Document,
    /// The document's language id.
    pub language: String,
    /// The checkpoint's id.
    pub checkpoint: String,
    /// The arm of the comparison that the request was assigned to.
    pub arm: String,
    /// The prompt format.
    pub format: Format,
    /// SHA-256 of the prompt's tokens, in hexadecimal; `None` where none was rendered.
    pub prompt_sha256: Option<String>,
    /// Who asked.
    pub trigger: Trigger,
    /// How far the suggestion was to go; `None` where that was not decided.
    pub shape: Option<Shape>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens of the prompt that were in the KV cache already.
    pub cached_tokens: Option<u32>,
    /// Tokens written.
    pub completion_tokens: Option<u32>,
    /// Time spent in each stage.
    pub stages: Stages,
    /// What was to be shown.
    pub completion: Option<Completion>,
    /// Why generation stopped.
    pub stop_reason: Option<String>,
    /// What the guard said.
    pub guard: Option<Guard>,
    /// The seed of the sampling; `None` for greedy decoding.
    pub seed: Option<u64>,
    /// The code of the reason for giving nothing; `None` where something was given.
    pub silence: Option<String>,
}

/// What happened to a suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRecord {
    /// The suggestion; a typed-through one keeps its origin's id.
    pub suggestion: SuggestionId,
    /// Tells events of one kind of one suggestion apart. Recording the same
    /// (suggestion, event, sequence) again changes nothing.
    pub sequence: u32,
    /// What happened.
    pub outcome: Outcome,
    /// Whether it was inferred from later edits rather than told by the editor.
    pub inferred: bool,
}

/// The kinds of events after a suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was given to the editor.
    Served,
    /// The editor showed it.
    Shown,
    /// It was accepted, or a part of it.
    Accepted {
        /// How much one command took.
        extent: Extent,
        /// Characters (Unicode scalar values) accepted so far, from its beginning: those
        /// that were typed through before the command are among them.
        chars: u32,
    },
    /// The user turned it down.
    Rejected {
        /// Why, as a code.
        reason: Option<String>,
    },
    /// The user typed what it said, and its rest was served again.
    TypedThrough {
        /// Characters (Unicode scalar values) of it that stand in the document.
        chars: u32,
    },
}

impl Outcome {
    /// The event's name in the database and in exports.
    pub fn event(&self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Shown => "shown",
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::TypedThrough { .. } => "typed_through",
        }
    }

    pub(crate) fn extent(&self) -> Option<Extent> {
        match self {
            Self::Accepted { extent, .. } => Some(*extent),
            _ => None,
        }
    }

    pub(crate) fn chars(&self) -> Option<u32> {
        match self {
            Self::Accepted { chars, .. } | Self::TypedThrough { chars } => Some(*chars),
            _ => None,
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected { reason } => reason.as_deref(),
            _ => None,
        }
    }
}
