//! What is recorded: suggestions and what became of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::SuggestionId;

/// Something to write down.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A request and what came of it; also one that gave nothing.
    Suggestion(Box<SuggestionRecord>),
    /// What happened to a suggestion later.
    Outcome(OutcomeRecord),
    /// What stands at a suggestion's place once it is settled.
    Hole(Box<HoleRecord>),
}

impl Event {
    /// About how much memory the event takes in the queue, in bytes.
    pub(crate) fn size(&self) -> usize {
        let text = match self {
            Self::Suggestion(record) => {
                let completion = record.completion.as_ref();
                let detail = record.guard.as_ref().and_then(|g| g.detail.as_ref());
                record.document.path.len()
                    + completion.map_or(0, Completion::size)
                    + detail.map_or(0, String::len)
                    + size_of::<SuggestionRecord>()
            }
            Self::Outcome(_) => 0,
            Self::Hole(record) => {
                record.prefix.len()
                    + record.golden.len()
                    + record.suffix.len()
                    + size_of::<HoleRecord>()
            }
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

names! {
    /// Why nothing can be said any more of what was kept of an accepted suggestion.
    Censored {
        /// The document was closed, or the server ended.
        Closed = "closed",
        /// The acceptance was undone; it counts as nothing kept.
        Undone = "undone",
        /// A change that was no typing replaced the text around it, as a formatter does.
        Reformatted = "reformatted",
        /// The repository's checked out commit or branch changed.
        BranchSwitched = "branch_switched",
        /// The text became unknown: a change could not be applied.
        Unreadable = "unreadable",
    }
}

names! {
    /// What a settled hole's golden text is.
    HoleKind {
        /// The rest of a line.
        Line = "line",
        /// Several lines.
        Block = "block",
    }
}

/// The document that a suggestion was made for. Neither the path nor its repository's is
/// written: salted hashes of them and of the folders above are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Absolute path or URI.
    pub path: String,
    /// The path of the folder that holds the document's repository, where it is in one.
    pub repository: Option<String>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The text to be inserted.
    pub text: String,
    /// The cursor's line up to the cursor. It is read to tell whether the text
    /// is part of a secret (`password = "`), and not written.
    pub line_before: String,
    /// The cursor's line from the cursor on; read as `line_before` is, for the prompt's tokens.
    pub line_after: String,
    /// What a replay needs, of a local model.
    pub tokens: Option<Tokens>,
}

impl Completion {
    fn size(&self) -> usize {
        let tokens = self.tokens.as_ref();
        let ids = tokens.map_or(0, |t| {
            size_of::<u32>() * (t.prompt.len() + t.completion.len())
        });
        let raw = tokens.map_or(0, |t| t.completion_text.len());
        self.text.len() + self.line_before.len() + self.line_after.len() + ids + raw
    }
}

/// Token ids of a prompt and of what the model wrote for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The prompt, sentinels included.
    pub prompt: Vec<u32>,
    /// What was generated, before any clean-up.
    pub completion: Vec<u32>,
    /// The text of it: read to tell whether it holds a secret, and not written.
    pub completion_text: String,
}

/// How a request came to its arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The unit of randomisation, such as a document and a block of time: all requests with the
    /// same unit have the same arm. Its salted hash is written.
    pub unit: String,
    /// The generation of `serving.json` that the arm comes from.
    pub generation: u64,
    /// The share of the units that each arm had, 0 to 1: what counts of units are held against.
    pub shares: BTreeMap<String, f64>,
    /// Names the arrangement: the same where arms, checkpoints, shares and kind of unit are, on every
    /// machine. Only what was recorded under one arrangement can be compared.
    pub comparison: String,
}

/// SHA-256, which is salted before it is written, of what a prompt was made from, in hexadecimal: of each side, as it was sent, the 8,192
/// bytes next to the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextHashes {
    /// The text before the cursor.
    pub prefix: String,
    /// The text after it.
    pub suffix: String,
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
    /// The first suggestion of the same request: alternatives are records of their own.
    pub request: SuggestionId,
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
    /// How it came to that arm; `None` where nothing is assigned.
    pub assignment: Option<Assignment>,
    /// Of a shadow arm: the suggestion that was given in its place.
    pub shadow_of: Option<SuggestionId>,
    /// The prompt format.
    pub format: Format,
    /// SHA-256 of the prompt's tokens, in hexadecimal; `None` where none was rendered.
    pub prompt_sha256: Option<String>,
    /// Hashes of what the prompt was made from.
    pub context: Option<ContextHashes>,
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
    /// Something newer took its place before anything was decided about it.
    Superseded,
    /// It was given to the editor and cannot have been shown.
    NotShown {
        /// Why, as a code.
        reason: String,
    },
    /// What was left of its accepted characters some time after the acceptance.
    Kept {
        /// Seconds after the acceptance.
        after_s: u32,
        /// Characters that were accepted.
        of: u32,
        /// What was found.
        kept: Retained,
    },
    /// How much a suggestion agrees with what stood there in the end: of a shadow arm, and of what
    /// was given in its place.
    Agreed {
        /// Characters of the longest common subsequence.
        chars: u32,
        /// Characters of the longer one of both.
        of: u32,
    },
}

/// What was found of an accepted suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    /// Characters (Unicode scalar values) that are still there, in their order: the longest
    /// common subsequence of what was accepted and what stands in its place.
    Chars(u32),
    /// It cannot be told, or means nothing: see there.
    Censored(Censored),
}

/// A settled hole: the text around a suggestion's place and what the user left there. The whole
/// row is dropped where text of the document may not be kept, or a secret is in the golden text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoleRecord {
    /// The suggestion that was shown there.
    pub suggestion: SuggestionId,
    /// The document.
    pub document: Document,
    /// Text before the hole. Secrets in it are replaced before it is written.
    pub prefix: String,
    /// What stands in it.
    pub golden: String,
    /// Text behind it. Secrets in it are replaced before it is written.
    pub suffix: String,
    /// What the golden text is.
    pub kind: HoleKind,
    /// Byte ranges of the golden text that came from accepted suggestions.
    pub own: Vec<(u32, u32)>,
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
            Self::Superseded => "superseded",
            Self::NotShown { .. } => "not_shown",
            Self::Kept { .. } => "kept",
            Self::Agreed { .. } => "agreed",
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
            Self::Accepted { chars, .. }
            | Self::TypedThrough { chars }
            | Self::Agreed { chars, .. } => Some(*chars),
            Self::Kept { kept, .. } => match kept {
                Retained::Chars(chars) => Some(*chars),
                Retained::Censored(Censored::Undone) => Some(0),
                Retained::Censored(_) => None,
            },
            _ => None,
        }
    }

    pub(crate) fn of(&self) -> Option<u32> {
        match self {
            Self::Kept { of, .. } | Self::Agreed { of, .. } => Some(*of),
            _ => None,
        }
    }

    pub(crate) fn after_s(&self) -> Option<u32> {
        match self {
            Self::Kept { after_s, .. } => Some(*after_s),
            _ => None,
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected { reason } => reason.as_deref(),
            Self::NotShown { reason } => Some(reason),
            Self::Kept {
                kept: Retained::Censored(why),
                ..
            } => Some(why.as_str()),
            _ => None,
        }
    }
}
