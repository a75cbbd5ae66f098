//! KV sessions, one a document, within a budget of bytes; the one unused for longest goes first.

use std::collections::HashMap;

use truefill_model::error::ModelError;
use truefill_model::kv::KvCache;

struct Session {
    cache: KvCache,
    last_used: u64,
}

/// The sessions of one engine.
pub struct Sessions {
    by_document: HashMap<String, Session>,
    budget: usize,
    uses: u64,
}

impl Sessions {
    /// No sessions yet; together they will take at most `budget` bytes, or one session's.
    pub fn new(budget: usize) -> Self {
        Self {
            by_document: HashMap::new(),
            budget,
            uses: 0,
        }
    }

    /// The document's cache, with room for `capacity` tokens or as many as the model can hold.
    ///
    /// # Errors
    /// Where a cache cannot be made.
    pub fn get(
        &mut self,
        document: &str,
        capacity: usize,
        make: impl Fn(usize) -> Result<KvCache, ModelError>,
    ) -> Result<&mut KvCache, ModelError> {
        self.uses += 1;
        let fits = self
            .by_document
            .get(document)
            .is_some_and(|session| session.cache.requested() >= capacity);
        if !fits {
            self.by_document.remove(document);
            let cache = make(capacity)?;
            self.make_room(cache.bytes());
            self.by_document.insert(
                document.to_owned(),
                Session {
                    cache,
                    last_used: self.uses,
                },
            );
        }
        match self.by_document.get_mut(document) {
            Some(session) => {
                session.last_used = self.uses;
                Ok(&mut session.cache)
            }
            None => Err(ModelError::Internal("the session was just inserted")),
        }
    }

    /// Frees the document's session.
    pub fn forget(&mut self, document: &str) {
        self.by_document.remove(document);
    }

    /// Bytes that all sessions may take.
    pub fn bytes(&self) -> usize {
        self.by_document
            .values()
            .map(|session| session.cache.bytes())
            .sum()
    }

    fn make_room(&mut self, needed: usize) {
        while self.bytes() + needed > self.budget {
            let oldest = self
                .by_document
                .iter()
                .min_by_key(|(_, session)| session.last_used);
            let Some(document) = oldest.map(|(document, _)| document.clone()) else {
                return;
            };
            self.by_document.remove(&document);
        }
    }
}
