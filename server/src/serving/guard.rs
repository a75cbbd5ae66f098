//! Asks the resolver whether a suggestion names something that does not exist.

use std::path::Path;

use truefill_journal::{Guard, GuardVerdict};
use truefill_syntax::{Evidence, Index, Judgement, NameKind, judge};

use super::plan::Plan;
use super::text::Around;
use crate::config::GuardMode;
use crate::silence::Silence;

/// The guard's verdict on one suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// For the journal.
    pub guard: Guard,
    /// For the user, where something was found.
    pub found: Option<Found>,
}

/// A name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub name: String,
    /// Why it cannot exist.
    pub reason: String,
}

impl Guarded {
    /// Whether the suggestion must not be shown.
    pub fn blocks(&self) -> bool {
        self.guard.verdict == GuardVerdict::Block
    }
}

impl From<Found> for Silence {
    fn from(found: Found) -> Self {
        Self::GuardBlocked {
            name: found.name,
            reason: found.reason,
        }
    }
}

/// Judges a suggestion. Without a grammar there is nothing to judge by.
pub fn guard(
    mode: GuardMode,
    plan: &Plan,
    path: &Path,
    around: &Around,
    text: &str,
    index: &Index,
) -> Guarded {
    let language = plan.language.filter(|_| mode != GuardMode::Off);
    let Some(language) = language else {
        return nothing(GuardVerdict::Off);
    };
    match judge(language, path, &around.prefix, text, &around.suffix, index) {
        Judgement::Known => nothing(GuardVerdict::Pass),
        Judgement::Unknown {
            name,
            kind,
            evidence,
            reason,
            ..
        } => {
            let verdict_of_mode = match mode {
                GuardMode::Block => GuardVerdict::Block,
                GuardMode::Flag | GuardMode::Off => GuardVerdict::Flag,
            };
            unknown(verdict_of_mode, kind, evidence, Found { name, reason })
        }
    }
}

fn nothing(verdict: GuardVerdict) -> Guarded {
    let guard = Guard {
        verdict,
        kind: None,
        reason: None,
        detail: None,
    };
    Guarded { guard, found: None }
}

fn unknown(verdict: GuardVerdict, kind: NameKind, evidence: Evidence, found: Found) -> Guarded {
    let guard = Guard {
        verdict,
        kind: Some(kind_name(kind).to_owned()),
        reason: code(evidence),
        detail: Some(format!("`{}`: {}", found.name, found.reason)),
    };
    let found = Some(found);
    Guarded { guard, found }
}

/// The evidence by the name that the syntax crate gives it.
fn code(evidence: Evidence) -> Option<String> {
    let value = serde_json::to_value(evidence).ok()?;
    value.as_str().map(str::to_owned)
}

fn kind_name(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Identifier => "identifier",
        NameKind::Call => "call",
        NameKind::Type => "type",
        NameKind::Member => "member",
        NameKind::Keyword => "keyword",
        NameKind::Import => "import",
    }
}
