//! Asks the resolver whether a suggestion names something that does not exist.

use std::path::Path;

use truefill_journal::{Guard, GuardVerdict};
use truefill_syntax::{Index, Judgement, NameKind, judge};

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
        return verdict(GuardVerdict::Off, None);
    };
    match judge(language, path, &around.prefix, text, &around.suffix, index) {
        Judgement::Known => verdict(GuardVerdict::Pass, None),
        Judgement::Unknown {
            name, kind, reason, ..
        } => {
            let verdict_of_mode = match mode {
                GuardMode::Block => GuardVerdict::Block,
                GuardMode::Flag | GuardMode::Off => GuardVerdict::Flag,
            };
            verdict(verdict_of_mode, Some((kind, Found { name, reason })))
        }
    }
}

fn verdict(verdict: GuardVerdict, found: Option<(NameKind, Found)>) -> Guarded {
    let kind = found.as_ref().map(|(kind, _)| kind_name(*kind).to_owned());
    let detail = found
        .as_ref()
        .map(|(_, found)| format!("{}: {}", found.name, found.reason));
    Guarded {
        guard: Guard {
            verdict,
            kind,
            detail,
        },
        found: found.map(|(_, found)| found),
    }
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
