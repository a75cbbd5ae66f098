//! What became of the suggestions that were served, and the journal of it all.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use truefill_journal::{
    Document, Event, Extent, Journal, Options, Outcome, OutcomeRecord, PathPolicy, SuggestionId,
};

use super::Serving;
use super::ask::Ask;
use super::served::{Accepted, Served};
use super::trail::{Shown, Trail};
use crate::arms::{Assigned, Place};
use crate::config::Config;
use crate::engine::lineup::{Lineup, Slot};
use crate::suggest::typed_through::Rest;
use crate::workspace::file_path;

/// How long the end of the server waits for the journal's last events.
const LAST_EVENTS: Duration = Duration::from_millis(1500);

impl Serving {
    /// The editor showed a suggestion.
    pub fn shown(&self, id: &str) {
        self.outcome(id, |_| Outcome::Shown);
    }

    /// The user took a suggestion, or what was left of it.
    pub fn accepted(&self, id: &str) {
        self.outcome(id, |served| self.taken(id, served, served.whole()));
    }

    /// The user took the first `length` UTF-16 units of an item; `inserts` is its text.
    pub fn partially_accepted(&self, id: &str, inserts: Option<&str>, length: usize) {
        self.outcome(id, |served| {
            self.taken(id, served, served.part(inserts, length))
        });
    }

    fn taken(&self, id: &str, served: &Served, part: Accepted) -> Outcome {
        if let Ok(id) = id.parse() {
            self.watch_accepted(id, served.beginning(part.chars));
        }
        accepted(part)
    }

    /// The user turned a suggestion down: it does not come back with the next key.
    pub fn rejected(&self, id: &str, reason: &str) {
        self.cache().forget(id);
        if let Ok(id) = id.parse() {
            self.watch_rejected(id);
        }
        let reason = (!reason.is_empty()).then(|| code(reason).to_owned());
        self.outcome(id, |_| Outcome::Rejected { reason });
    }

    /// The user typed the beginning of a suggestion, and its rest is served.
    pub(super) fn typed_through(&self, rest: &Rest, selected: &str) {
        self.served
            .rest(&rest.id, rest.typed_bytes, rest.text.len(), selected);
        self.outcome(&rest.id, |served| Outcome::TypedThrough {
            chars: narrow(served.chars(rest.typed_bytes)),
        });
    }

    /// Outcomes of suggestions that this process did not serve, or long ago, are not taken.
    fn outcome(&self, id: &str, outcome: impl FnOnce(&Served) -> Outcome) {
        let Some(served) = self.served.outcome(id) else {
            return;
        };
        let Ok(suggestion) = id.parse::<SuggestionId>() else {
            return;
        };
        let outcome = outcome(&served);
        let record = OutcomeRecord {
            suggestion,
            sequence: served.outcomes,
            outcome,
            inferred: false,
        };
        self.write(Event::Outcome(record));
    }

    /// Writes the row of a request, if it asked the engine.
    pub(super) fn record(
        &self,
        trail: &Trail,
        ask: &Ask,
        language: &str,
        shown: Option<Shown<'_>>,
        silence: Option<&str>,
    ) {
        let id = shown.as_ref().map(|shown| shown.id);
        let document = self.journal_document(&ask.uri);
        if let Some(row) = trail.row(&self.session, ask, language, document, shown, silence) {
            self.write(row);
        }
        if let Some(suggestion) = id {
            let outcome = Outcome::Served;
            let record = OutcomeRecord {
                suggestion,
                sequence: 0,
                outcome,
                inferred: false,
            };
            self.write(Event::Outcome(record));
        }
    }

    /// The document as the journal knows it.
    pub(super) fn journal_document(&self, uri: &str) -> Document {
        let path = file_path(uri);
        // The folder that the editor has opened: nothing here may wait for the file system.
        let repository = path
            .as_deref()
            .and_then(|path| self.workspace.folder_of(path));
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Document {
            repository: repository.map(text),
            path: path.map_or_else(|| uri.to_owned(), text),
            policy: self.policy(uri),
        }
    }

    /// The arm of a request that comes now.
    pub(super) fn assigned(&self, lineup: &Lineup, uri: &str) -> Assigned {
        self.at_place(uri, |place| {
            self.assigner.assign(lineup, place, (self.clock)())
        })
    }

    /// The arm that a document has now, once the model is open.
    pub fn arm(&self, uri: &str) -> Option<Slot> {
        let lineup = self.engine()?.lineup()?;
        let look = |place: Place<'_>| {
            let slot = self.assigner.look(&lineup, place, (self.clock)());
            slot.clone()
        };
        Some(self.at_place(uri, look))
    }

    fn at_place<T>(&self, uri: &str, act: impl FnOnce(Place<'_>) -> T) -> T {
        let path = file_path(uri);
        let document = path.as_ref().map(|path| path.to_string_lossy());
        let folder = path
            .as_deref()
            .and_then(|path| self.workspace.folder_of(path));
        let folder = folder.map(|folder| folder.to_string_lossy().into_owned());
        act(Place {
            document: document.as_deref().unwrap_or(uri),
            workspace: folder.as_deref(),
        })
    }

    /// Text of files outside the workspace is not kept.
    fn policy(&self, uri: &str) -> PathPolicy {
        let folders = self.workspace.folders();
        let inside = file_path(uri)
            .is_some_and(|path| folders.iter().any(|folder| path.starts_with(folder)));
        if inside {
            PathPolicy::Open
        } else {
            PathPolicy::Denied
        }
    }

    pub(super) fn write(&self, event: Event) {
        if let Some(journal) = &*self.journal.read().unwrap_or_else(PoisonError::into_inner) {
            // What does not fit is counted by the journal, whose health `doctor` tells.
            let _ = journal.record(event);
        }
    }

    /// Opens, reopens or closes the journal as the configuration says.
    pub(super) fn configure_journal(&self, before: &Config, config: &Config) {
        let Some(path) = &self.journal_path else {
            return;
        };
        let mut journal = self.journal.write().unwrap_or_else(PoisonError::into_inner);
        if journal.is_some() && before.journal == config.journal {
            return;
        }
        let options = Options {
            context: config.journal.context,
            max_bytes: Some(config.journal.max_mb.saturating_mul(1_000_000)),
            keep: keep(config.journal.keep_days),
            clock: Arc::clone(&self.clock),
            ..Options::default()
        };
        let opened = config.journal.enabled.then(|| Journal::open(path, options));
        let old = std::mem::replace(&mut *journal, opened.map(Arc::new));
        drop(journal);
        // Closing waits for the disk; nobody here should.
        std::thread::spawn(move || drop(old));
    }

    /// Writes what waits; says whether all of it is committed.
    pub fn flush_journal(&self) -> bool {
        let journal = self
            .journal
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match journal.map(|journal| journal.flush(LAST_EVENTS)) {
            Some(Err(error)) => {
                tracing::warn!(%error, "the journal's last events may be lost");
                false
            }
            Some(Ok(())) => true,
            None => false,
        }
    }
}

/// How long rows are kept; 0 days is for ever.
fn keep(days: u32) -> Option<Duration> {
    (days > 0).then(|| Duration::from_secs(86_400 * u64::from(days)))
}

fn accepted(part: Accepted) -> Outcome {
    let extent = match (part.whole, part.line) {
        (true, _) => Extent::Whole,
        (false, true) => Extent::Line,
        (false, false) => Extent::Word,
    };
    Outcome::Accepted {
        extent,
        chars: narrow(part.chars),
    }
}

/// A reason as it is written down: a code, and no text of the user's.
fn code(reason: &str) -> &str {
    let is_code = |it: char| it.is_ascii_alphanumeric() || "_-.".contains(it);
    match reason.len() <= 40 && reason.chars().all(is_code) {
        true => reason,
        false => "other",
    }
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
