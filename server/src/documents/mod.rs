//! The open documents, kept equal to the editor's.
//!
//! Edits are applied synchronously under one mutex, in the order in which they
//! arrive. A completion works on a [`Snapshot`], which costs O(1) and never changes.
//! An edit that cannot be applied *poisons* its document: what the editor shows is
//! unknown from there on, so nothing is suggested until full text or a re-open.

mod document;
mod edit;
mod position;
mod typing;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use document::{Snapshot, Unusable};
pub use edit::{Change, EditError, Range, Splice};
pub use position::{ByteOffset, CharOffset, Encoding, Line, Position, PositionError, Units};
pub use typing::{EditKind, Typing};

use document::Document;

/// Every open document, by the URI that the client gave it.
#[derive(Default)]
pub struct Documents {
    open: Mutex<HashMap<String, Document>>,
}

impl Documents {
    /// Takes over a document; opening it again replaces it and heals it.
    pub fn open(&self, uri: &str, language_id: &str, version: i32, text: &str) {
        let document = Document::new(uri, language_id, version, text);
        self.lock().insert(uri.to_owned(), document);
    }

    /// Applies the changes of one notification, in order, and says what they did. `now` feeds the
    /// typing statistics.
    ///
    /// # Errors
    /// [`EditError`] where the document is not open, or the change cannot be applied
    /// and poisoned it.
    pub fn change(
        &self,
        uri: &str,
        version: i32,
        changes: &[Change],
        encoding: Encoding,
        now: Instant,
    ) -> Result<Vec<Splice>, EditError> {
        let mut open = self.lock();
        let document = open.get_mut(uri).ok_or(EditError::NotOpen)?;
        document.apply(version, changes, encoding, now)
    }

    /// Marks a document as unknown, because a change to it could not even be read.
    /// Says whether it was open.
    pub fn poison(&self, uri: &str, error: EditError) -> bool {
        self.lock()
            .get_mut(uri)
            .map(|document| document.poison(error))
            .is_some()
    }

    /// Forgets a document. Says whether it was open.
    pub fn close(&self, uri: &str) -> bool {
        self.lock().remove(uri).is_some()
    }

    /// The document as it is now.
    ///
    /// # Errors
    /// [`Unusable`] where it is not open or poisoned.
    pub fn snapshot(&self, uri: &str) -> Result<Snapshot, Unusable> {
        self.lock().get(uri).ok_or(Unusable::NotOpen)?.snapshot()
    }

    /// The newest version of a document, poisoned or not.
    pub fn version(&self, uri: &str) -> Option<i32> {
        self.lock().get(uri).map(Document::version)
    }

    /// URIs of all open documents, in no order.
    pub fn uris(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// A panic under this lock can only leave one document half edited, and that one
    /// is poisoned before its edit starts.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Document>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
