//! Asks the resolver whether a suggestion names something that does not exist.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use truefill_journal::{Guard, GuardVerdict};
use truefill_syntax::{Evidence, Index, Judge, Judgement, Language, NameKind};

use super::text::Around;
use super::turns::FileLock;
use crate::config::GuardMode;
use crate::silence::Silence;
use crate::workspace::index::WorkspaceIndex;

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

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.reason)
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

/// What the suggestions of one request are judged by.
pub struct Court {
    /// What is done about what is found.
    pub mode: GuardMode,
    /// The language; without a grammar there is nothing to judge by.
    pub language: Option<Language>,
    /// The document.
    pub path: PathBuf,
    /// The text around the suggestions.
    pub around: Arc<Around>,
    /// The workspace, where it is known.
    pub index: Option<Arc<WorkspaceIndex>>,
}

impl Court {
    /// Judges suggestions, in their order. They are parsed, and the file system may be asked, so
    /// this happens on a thread that no other request waits for, which holds `lock` meanwhile.
    ///
    /// # Errors
    /// [`Silence::Cancelled`] where the runtime ends.
    pub async fn judge(self, texts: Vec<String>, lock: FileLock) -> Result<Vec<Guarded>, Silence> {
        let Self { around, path, .. } = self;
        let of_unknown = match self.mode {
            GuardMode::Off => None,
            GuardMode::Flag => Some(GuardVerdict::Flag),
            GuardMode::Block => Some(GuardVerdict::Block),
        };
        let (Some(of_unknown), Some(language), Some(index)) =
            (of_unknown, self.language, self.index)
        else {
            return Ok(texts.iter().map(|_| nothing(GuardVerdict::Off)).collect());
        };
        let held = lock.lock_owned().await;
        let judged = tokio::task::spawn_blocking(move || {
            let _held = held;
            let mut judge = Judge::new(language, &path, &around.prefix, &around.suffix);
            let judge = |text: &String| guarded(of_unknown, &mut judge, text, index.index());
            texts.iter().map(judge).collect()
        });
        match judged.await {
            Ok(judged) => Ok(judged),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Silence::Cancelled),
        }
    }
}

fn guarded(of_unknown: GuardVerdict, judge: &mut Judge<'_>, text: &str, index: &Index) -> Guarded {
    match judge.judge_with(text, index, &exists) {
        Judgement::Known => nothing(GuardVerdict::Pass),
        Judgement::Unknown {
            name,
            kind,
            evidence,
            reason,
            ..
        } => unknown(of_unknown, kind, evidence, Found { name, reason }),
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
        detail: Some(found.to_string()),
    };
    let found = Some(found);
    Guarded { guard, found }
}

/// The evidence by the name that the syntax crate gives it.
fn code(evidence: Evidence) -> Option<String> {
    let value = serde_json::to_value(evidence).ok()?;
    value.as_str().map(str::to_owned)
}

/// Entries of a folder that are looked at; what more it holds, nobody knows.
const MOST_ENTRIES: usize = 10_000;

/// Whether a folder has, or may have, anything by this name, with any extension or none: a module
/// that version control ignores, one that a tool wrote, or a file of data.
fn exists(place: &Path) -> bool {
    may_exist(place, MOST_ENTRIES)
}

fn may_exist(place: &Path, most_entries: usize) -> bool {
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
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Any other error says that nobody could look.
        Err(error) => {
            return !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        }
    };
    let mut looked_at = entries.enumerate();
    looked_at.any(|(number, entry)| match entry {
        Ok(entry) if number < most_entries => is_so_called(entry.file_name().as_encoded_bytes()),
        _ => true,
    })
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
        assert!(!exists(&folder.path().join("exact/data")), "no folder");
    }

    #[test]
    fn a_module_may_exist_where_nobody_could_look() {
        let folder = tempfile::tempdir().unwrap();
        assert!(exists(&folder.path().join("no\0folder/data")));
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let data = folder.path().join("data");
        assert!(!may_exist(&data, 3));
        assert!(may_exist(&data, 2), "there are more");
    }
}
