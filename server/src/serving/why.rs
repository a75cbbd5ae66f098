//! Remembers for each document what became of its last request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::status::{Notice, Status, StatusKind};
use crate::silence::Silence;

/// What became of a request, as `truefill.why` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether there was a suggestion.
    pub suggested: bool,
    /// The code of the reason where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// A sentence for the user.
    pub message: String,
    /// How far suggestions go at that place, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// What the guard had to say about the suggestion that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}

impl Verdict {
    /// A request that stayed without a suggestion.
    pub fn silent(silence: &Silence) -> Self {
        let reason = Some(silence.code());
        Self {
            suggested: false,
            reason,
            message: silence.sentence(),
            shape: None,
            guard: None,
        }
    }

    /// A request that was answered, with what the guard flagged.
    pub fn suggested(count: usize, guard: Option<String>) -> Self {
        let plural = if count == 1 { "" } else { "s" };
        let message = format!("The last request got {count} suggestion{plural}.");
        Self {
            suggested: true,
            reason: None,
            message,
            shape: None,
            guard,
        }
    }
}

/// The last verdict of each document.
#[derive(Default)]
pub struct Why {
    last: Mutex<HashMap<String, Verdict>>,
}

impl Why {
    /// Takes note, and says what the client should hear: the status of a document whose
    /// kind of verdict changed. Reasons that pass with the next key are not told.
    pub fn note(&self, uri: &str, verdict: Verdict) -> Option<Notice> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.insert(uri.to_owned(), verdict.clone());
        drop(last);
        let lasting = |verdict: &Verdict| verdict.reason.filter(|reason| lasting(reason));
        let was = before.as_ref().and_then(lasting);
        let now = lasting(&verdict);
        if was == now {
            return None;
        }
        let kind = if now.is_some() {
            StatusKind::Inactive
        } else {
            StatusKind::Normal
        };
        let message = match now {
            Some(_) => verdict.message,
            None => "Suggestions are given here.".to_owned(),
        };
        Some(Notice::Status(Status {
            kind,
            message,
            uri: Some(uri.to_owned()),
            reason: now,
        }))
    }

    /// The document's last verdict.
    pub fn last(&self, uri: &str) -> Option<Verdict> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(uri)
            .cloned()
    }

    /// Forgets a closed document.
    pub fn forget(&self, uri: &str) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uri);
    }
}

/// Reasons that hold for the document until something is done about them.
fn lasting(reason: &str) -> bool {
    matches!(
        reason,
        "poisoned"
            | "disabled_language"
            | "denied"
            | "ignored"
            | "binary"
            | "too_large"
            | "model_unavailable"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_of_lasting_reasons_are_told() {
        let why = Why::default();
        let note = |silence: &Silence| why.note("a", Verdict::silent(silence));
        assert_eq!(note(&Silence::InsideWord), None);
        let Some(Notice::Status(status)) = note(&Silence::Binary) else {
            panic!("no status")
        };
        assert_eq!(
            (status.kind, status.reason),
            (StatusKind::Inactive, Some("binary"))
        );
        assert_eq!(note(&Silence::Binary), None);
        let Some(Notice::Status(status)) = note(&Silence::AfterDeletion) else {
            panic!("no status")
        };
        assert_eq!((status.kind, status.reason), (StatusKind::Normal, None));
        assert_eq!(why.last("a").unwrap().reason, Some("after_deletion"));
    }
}
