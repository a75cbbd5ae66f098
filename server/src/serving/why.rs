//! Remembers for each document what became of its last request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    #[serde(skip)]
    says: Says,
}

/// What a verdict says about its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Nothing: it is about the request alone.
    Nothing,
    /// Suggestions are given there, if not every time.
    Works,
    /// There are none until something is done about the reason.
    Inactive,
}

impl Verdict {
    /// A request that stayed without a suggestion.
    pub fn silent(silence: &Silence) -> Self {
        let reason = Some(silence.code());
        let says = match (silence.says_nothing(), silence.is_lasting()) {
            (true, _) => Says::Nothing,
            (_, true) => Says::Inactive,
            _ => Says::Works,
        };
        Self {
            suggested: false,
            reason,
            message: silence.sentence(),
            shape: None,
            guard: None,
            says,
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
            says: Says::Works,
        }
    }
}

/// What is known about an open document.
#[derive(Default)]
struct Last {
    /// The newest request, or other happening, whose verdict is known.
    number: u64,
    verdict: Option<Verdict>,
    /// The lasting reason that the client knows of.
    told: Option<&'static str>,
}

/// The last verdict of each open document.
#[derive(Default)]
pub struct Why {
    documents: Mutex<HashMap<String, Last>>,
}

impl Why {
    /// A document was opened. Opened again, what became of requests before says nothing any
    /// more; what the client was told stays until something else is known.
    pub fn opened(&self, uri: &str, number: u64) {
        let mut documents = self.lock();
        let last = documents.entry(uri.to_owned()).or_default();
        (last.number, last.verdict) = (number, None);
    }

    /// Takes note of what became of a request, unless the document is closed or the verdict on
    /// a newer one is known: requests end in any order.
    ///
    /// Says what the client should hear: the status of a document whose kind of verdict
    /// changed. Reasons that pass with the next key are not told, and a request that was cut short
    /// takes nothing back.
    pub fn note(&self, uri: &str, number: u64, verdict: Verdict) -> Option<Notice> {
        let mut documents = self.lock();
        let last = documents.get_mut(uri)?;
        if number < last.number {
            return None;
        }
        last.number = number;
        let verdict = last.verdict.insert(verdict);
        let (kind, now, message) = match verdict.says {
            Says::Nothing => return None,
            Says::Inactive => (StatusKind::Inactive, verdict.reason, &*verdict.message),
            Says::Works => (StatusKind::Normal, None, "Suggestions are given here."),
        };
        let was = std::mem::replace(&mut last.told, now);
        (was != now).then(|| {
            Notice::Status(Status {
                kind,
                message: message.to_owned(),
                uri: Some(uri.to_owned()),
                reason: now,
            })
        })
    }

    /// The document's last verdict.
    pub fn last(&self, uri: &str) -> Option<Verdict> {
        self.lock().get(uri)?.verdict.clone()
    }

    /// Forgets a closed document.
    pub fn forget(&self, uri: &str) {
        self.lock().remove(uri);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Last>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(
        why: &Why,
        number: u64,
        silence: &Silence,
    ) -> Option<(StatusKind, Option<&'static str>)> {
        match why.note("a", number, Verdict::silent(silence)) {
            Some(Notice::Status(status)) => Some((status.kind, status.reason)),
            Some(notice) => panic!("{notice:?}"),
            None => None,
        }
    }

    fn last(why: &Why) -> Option<&'static str> {
        why.last("a").and_then(|verdict| verdict.reason)
    }

    #[test]
    fn only_changes_of_lasting_reasons_are_told() {
        let why = Why::default();
        why.opened("a", 0);
        assert_eq!(note(&why, 1, &Silence::TypedOn), None);
        let binary = Some((StatusKind::Inactive, Some("binary")));
        assert_eq!(note(&why, 2, &Silence::Binary), binary);
        assert_eq!(note(&why, 3, &Silence::Binary), None);
        let normal = Some((StatusKind::Normal, None));
        assert_eq!(note(&why, 4, &Silence::AfterDeletion), normal);
        assert_eq!(last(&why), Some("after_deletion"));
        let inside = Some((StatusKind::Inactive, Some("inside_word")));
        assert_eq!(note(&why, 5, &Silence::InsideWord), inside);
        assert_eq!(note(&why, 6, &Silence::InsideWord), None);
    }

    #[test]
    fn a_request_that_was_cut_short_takes_no_reason_back() {
        let why = Why::default();
        why.opened("a", 0);
        let ignored = Some((StatusKind::Inactive, Some("ignored")));
        assert_eq!(note(&why, 1, &Silence::Ignored), ignored);
        let version = Silence::OtherVersion {
            asked: 1,
            current: 2,
        };
        for (number, silence) in [
            Silence::Superseded,
            Silence::Cancelled,
            Silence::TypedOn,
            Silence::Panicked,
            version,
        ]
        .into_iter()
        .enumerate()
        {
            let number = number as u64 + 2;
            assert_eq!(note(&why, number, &silence), None, "{silence:?}");
            assert_eq!(last(&why), Some(silence.code()));
        }
        assert_eq!(note(&why, 9, &Silence::Ignored), None, "it was told");
        let normal = Some((StatusKind::Normal, None));
        assert_eq!(note(&why, 10, &Silence::NothingGenerated), normal);
    }

    #[test]
    fn an_older_request_that_ends_later_changes_nothing() {
        let why = Why::default();
        why.opened("a", 0);
        assert!(note(&why, 2, &Silence::Binary).is_some());
        assert_eq!(note(&why, 1, &Silence::Superseded), None);
        assert_eq!(last(&why), Some("binary"));
    }

    #[test]
    fn a_document_opened_again_has_no_verdict_until_one_comes() {
        let why = Why::default();
        why.opened("a", 0);
        assert!(note(&why, 1, &Silence::Binary).is_some());
        why.opened("a", 3);
        assert_eq!(last(&why), None);
        assert_eq!(note(&why, 2, &Silence::Binary), None, "of the text before");
        assert_eq!(last(&why), None);
        let normal = Some((StatusKind::Normal, None));
        assert_eq!(note(&why, 4, &Silence::NothingGenerated), normal);
    }

    #[test]
    fn only_open_documents_are_remembered() {
        let why = Why::default();
        assert_eq!(note(&why, 1, &Silence::NotOpen), None);
        why.opened("a", 2);
        why.forget("a");
        assert_eq!(note(&why, 3, &Silence::Cancelled), None);
        assert!(why.lock().is_empty());
    }
}
