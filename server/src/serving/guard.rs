//! Asks the resolver whether a suggestion names something that does not exist.

use std::path::Path;

use truefill_journal::{Guard, GuardVerdict};
use truefill_syntax::{Index, Judge, Judgement, NameKind};

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
    let mut judge = Judge::new(language, path, &around.prefix, &around.suffix);
    match judge.judge_with(text, index, &exists) {
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

/// Entries of a folder that are looked at before a module is taken for missing.
const MOST_ENTRIES: usize = 10_000;

/// Whether a folder has anything by this name, with any extension or none: a module that version
/// control ignores, one that a tool wrote, or a file of data.
fn exists(place: &Path) -> bool {
    let (Some(folder), Some(stem)) = (place.parent(), place.file_name()) else {
        return true;
    };
    // A document without a place on disk says nothing about its neighbours.
    if !place.is_absolute() {
        return true;
    }
    let stem = stem.as_encoded_bytes();
    let is_so_called = |name: &[u8]| {
        let rest = name.strip_prefix(stem);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut names = entries.take(MOST_ENTRIES).flatten();
    names.any(|entry| is_so_called(entry.file_name().as_encoded_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_exists_with_any_extension() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["speedups.cpython-311.so", "data.json", "exact"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for (name, expected) in [
            ("speedups", true),
            ("data", true),
            ("exact", true),
            ("dat", false),
            ("gone", false),
            ("below/data", false),
        ] {
            assert_eq!(exists(&folder.path().join(name)), expected, "{name}");
        }
        assert!(exists(Path::new("untitled")), "no place to look at");
    }
}
