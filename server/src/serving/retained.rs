//! What became of suggestions after they were served: the watch with its clock and its files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use ropey::Rope;
use truefill_journal::{Censored, Document, Event, SuggestionId};

use super::Serving;
use super::ask::{Ask, Suggestion};
use super::plan::Plan;
use crate::documents::{Snapshot, Splice};
use crate::retention::{self, Watch};

/// Bytes of a repository's `HEAD` that are read at most.
const HEAD_BYTES: u64 = 4096;

impl Serving {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        // Between two calls it is whole: an event more or less is all that a panic can cost.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rope(&self, uri: &str) -> Option<Rope> {
        self.documents.snapshot(uri).ok().map(|it| it.rope)
    }

    /// Whether text of documents may be recorded from now on.
    pub(super) fn watch_text(&self, text: bool) {
        self.watch().keep_text(text);
    }

    /// Follows the place of suggestions that are about to be given to the editor.
    pub(super) fn watch_served(
        &self,
        ask: &Ask,
        snapshot: &Snapshot,
        plan: &Plan,
        suggestions: &[Suggestion],
    ) {
        let Some(first) = suggestions.first() else {
            return;
        };
        let Ok(byte) = snapshot.byte_offset(first.range.start, ask.encoding) else {
            return;
        };
        let at = snapshot.rope.byte_to_char(byte.0);
        let end = snapshot.byte_offset(first.range.end, ask.encoding);
        let end = end.map_or(at, |byte| snapshot.rope.byte_to_char(byte.0));
        let document = self.journal_document(&ask.uri);
        let served = suggestions.iter().filter_map(|suggestion| {
            Some(retention::Served {
                id: suggestion.id.parse().ok()?,
                document: document.clone(),
                at,
                replaces: end.saturating_sub(at),
                text: suggestion.text.clone(),
                language: plan.language,
                shape: plan.shape,
                menu: ask.menu,
            })
        });
        let events = self
            .watch()
            .served(&ask.uri, served.collect(), Instant::now());
        self.write_all(events);
        self.due.notify_one();
    }

    /// The user took so much of a suggestion.
    pub(super) fn watch_accepted(&self, id: SuggestionId, text: &str) {
        let rope = |uri: &str| self.rope(uri);
        self.watch().accepted(id, text, rope, Instant::now());
        self.due.notify_one();
    }

    /// A shadow completed what a suggestion was given for.
    pub(super) fn watch_shadow(&self, shown: SuggestionId, shadow: SuggestionId, text: String) {
        self.watch().shadowed(shown, shadow, text);
    }

    /// The user turned a suggestion down.
    pub(super) fn watch_rejected(&self, id: SuggestionId) {
        self.watch().rejected(id);
    }

    /// A document was edited.
    pub(super) fn watch_edited(&self, uri: &str, splices: &[Splice]) {
        let Some(rope) = self.rope(uri) else { return };
        let mut watch = self.watch();
        let next = watch.next();
        let events = watch.edited(uri, splices, &rope, Instant::now());
        let sooner = watch.next() < next || next.is_none();
        drop(watch);
        self.write_all(events);
        if sooner {
            self.due.notify_one();
        }
    }

    /// Nothing more can be said of a document.
    pub(super) fn watch_lost(&self, uri: &str, why: Censored) {
        let events = self.watch().lost(uri, why);
        self.write_all(events);
    }

    /// Nothing more can be said of any document.
    pub(super) fn watch_ends(&self) {
        let events = self.watch().close();
        self.write_all(events);
    }

    fn write_all(&self, events: Vec<Event>) {
        events.into_iter().for_each(|event| self.write(event));
    }

    /// Takes what is due. It reads files, and nobody waits for them.
    fn take_due(&self) {
        let asked = self.watch().asks_heads(Instant::now());
        let heads = asked.into_iter().map(|document| {
            let found = head(&document);
            (document.path, found)
        });
        let heads = heads.collect();
        let events = self
            .watch()
            .take(Instant::now(), |uri| self.rope(uri), &heads);
        self.write_all(events);
    }
}

/// Takes samples when they are due, until the server is gone.
pub async fn follow(serving: Weak<Serving>) {
    loop {
        let Some(strong) = serving.upgrade() else {
            return;
        };
        let (next, due) = (strong.watch().next(), Arc::clone(&strong.due));
        drop(strong);
        match next {
            Some(at) => {
                let at = tokio::time::Instant::from_std(at);
                let _ = tokio::time::timeout_at(at, due.notified()).await;
            }
            None => due.notified().await,
        }
        let Some(strong) = serving.upgrade() else {
            return;
        };
        if strong.watch().next().is_some_and(|at| at <= Instant::now()) {
            let _ = tokio::task::spawn_blocking(move || strong.take_due()).await;
        }
    }
}

/// What a document's repository has checked out: the contents of its `HEAD`.
fn head(document: &Document) -> Option<String> {
    let path = Path::new(&document.path);
    let git = path.ancestors().skip(1).map(|above| above.join(".git"));
    let git = git.into_iter().find(|git| git.exists())?;
    let folder = match git.is_dir() {
        true => git,
        // A worktree or a submodule names its folder.
        false => {
            let named = read(&git)?;
            let named = PathBuf::from(named.strip_prefix("gitdir:")?.trim());
            git.parent()?.join(named)
        }
    };
    read(&folder.join("HEAD"))
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    // A pipe would keep who opens it.
    std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let file = std::fs::File::open(path).ok()?;
    file.take(HEAD_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use truefill_journal::PathPolicy;

    use super::*;

    #[test]
    fn what_is_checked_out_is_read_from_the_repository_around() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |path: &str| {
            head(&Document {
                path: folder.path().join(path).to_string_lossy().into_owned(),
                repository: None,
                policy: PathPolicy::Open,
            })
        };
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("main/.git/HEAD", "ref: refs/heads/main\n");
        write("main/.git/worktrees/tree/HEAD", "ref: refs/heads/tree\n");
        write("tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
        let main = Some("ref: refs/heads/main\n".to_owned());
        assert_eq!(of("main/src/deep/a.rs"), main);
        assert_eq!(of("tree/a.rs").as_deref(), Some("ref: refs/heads/tree\n"));
        assert_ne!(of("elsewhere/a.rs"), main);
    }
}
