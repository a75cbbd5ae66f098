//! What makes candidates, and what comes of asking it.

use std::pin::Pin;
use std::sync::Arc;

use super::scene::Scene;
use crate::panel::Heard;
use crate::rows::{HallucinationType, Split};

/// A candidate, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The wrong completion.
    pub rejected: String,
    /// The hole, where it is not the context's own.
    pub split: Option<Split>,
}

impl Proposal {
    /// For the context's own hole.
    #[must_use]
    pub fn in_hole(rejected: String) -> Self {
        Self {
            rejected,
            split: None,
        }
    }
}

/// Why there is no candidate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The hole has nothing of the type: no call, no import in the window.
    #[error("nothing of this type in the hole")]
    NoSite,
    /// An import takes the whole file, and the row holds a part of it.
    #[error("a row that does not hold its whole file")]
    PartOfFile,
    /// The reply has not the form that was asked for.
    #[error("a reply without the line that was asked for")]
    NoContract,
    /// The import that the reply names is not in the file.
    #[error("a reply that names an import which the file does not have")]
    NoSuchImport,
    /// A content filter.
    #[error("blocked by a content filter")]
    Blocked,
    /// The reply was cut at its limit of tokens.
    #[error("a reply that was cut")]
    Cut,
    /// The text may not leave this machine: it holds a secret.
    #[error("a context that holds a secret")]
    Secret,
    /// The question is larger than the recipe allows.
    #[error("a context that is too large to ask about")]
    TooLarge,
    /// No answer after all attempts. Another run asks again.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The budget has no room for the question. A run with a larger one asks it.
    #[error("the budget is spent")]
    Budget,
    /// The member takes no questions any more, as when its key is refused. Another run asks again.
    #[error("stopped: {0}")]
    Stopped(String),
}

impl Refusal {
    /// The reason's name in tables.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoSite => "no_site",
            Self::PartOfFile => "part_of_file",
            Self::NoContract => "no_contract",
            Self::NoSuchImport => "no_such_import",
            Self::Blocked => "blocked",
            Self::Cut => "cut",
            Self::Secret => "secret",
            Self::TooLarge => "too_large",
            Self::NoAnswer(_) => "no_answer",
            Self::Budget => "budget",
            Self::Stopped(_) => "stopped",
        }
    }

    /// What it says of the member that was asked.
    pub(super) fn heard(&self) -> Heard {
        match self {
            Self::NoContract | Self::NoSuchImport | Self::Blocked | Self::Cut => Heard::Answer,
            Self::NoSite | Self::PartOfFile | Self::Secret | Self::TooLarge => Heard::Nothing,
            Self::NoAnswer(why) => Heard::Failed(why.clone()),
            Self::Budget => Heard::Budget,
            Self::Stopped(why) => Heard::Stopped(why.clone()),
        }
    }
}

/// What came of one request for a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The type that was asked for; nothing where the text decides.
    pub kind: Option<HallucinationType>,
    /// Version of the prompt or of the rules.
    pub version: String,
    /// The question showed less than the row holds.
    pub shortened: bool,
    /// The candidate.
    pub result: Result<Proposal, Refusal>,
}

/// Outcomes on their way. An error ends the step.
pub type Answered<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Outcome>>> + Send + 'a>>;

/// Makes candidates for a context.
pub trait Generator: Send + Sync {
    /// Its name in rows and tables.
    fn name(&self) -> &str;

    /// Candidates of these types for a context, in an order that does not depend on chance.
    fn propose<'a>(&'a self, scene: &'a Arc<Scene>, kinds: &'a [HallucinationType])
    -> Answered<'a>;
}
