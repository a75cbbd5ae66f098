//! Typing through a suggestion: while the user types what was suggested, the
//! rest is served without the model; so it is after deleting back to a place
//! where it was suggested.
//!
//! An entry is found by what stands before the place where it was suggested,
//! not by an offset, so that edits elsewhere in the file do not lose it. Each
//! keystroke reads a bounded window ([`LOOK_BEHIND_BYTES`], [`AFTER_BYTES`]),
//! hashes it once with a rolling hash and tries every place of the last
//! [`LOOK_BACK_CHARS`] characters. A hash only proposes; the window's bytes,
//! the typed text and the text after the cursor are compared.

mod rolling;
mod typing;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rolling::{Rolling, polynomial};
use typing::{MOST_CLOSERS, OPENED_BY, before_closer, typed_through};

use super::lines;
use super::surroundings::Trigger;

/// How far behind the cursor a suggestion may have begun, in characters.
pub const LOOK_BACK_CHARS: usize = 128;

/// Bytes before a suggestion's place that have to be the same.
pub const BEFORE_BYTES: usize = 192;

/// Bytes after a suggestion's place that have to be the same.
pub const AFTER_BYTES: usize = 128;

/// Bytes before the cursor that a look-up reads at most: a caller with a rope
/// may pass the prefix's tail of this length instead of the whole prefix.
pub const LOOK_BEHIND_BYTES: usize = BEFORE_BYTES + 4 * LOOK_BACK_CHARS;

/// What a suggestion came from; a suggestion of another model is never served.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The checkpoint's id.
    pub checkpoint: String,
    /// The prompt format's name and version.
    pub format: String,
    /// The document's URI.
    pub document: String,
}

/// The text around a place in a document.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The text before; its last [`LOOK_BEHIND_BYTES`] are read.
    pub before: &'a str,
    /// The text after; its first [`AFTER_BYTES`] and a little more are read.
    pub after: &'a str,
}

/// A suggestion as it was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The suggestion's id, which its rest keeps.
    pub id: String,
    /// What was to be inserted.
    pub text: String,
}

/// What is left of a suggestion that is being typed through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The origin's id.
    pub id: String,
    /// What is left to insert.
    pub text: String,
    /// Bytes of the suggestion that stand in the document already.
    pub typed_bytes: usize,
}

struct Entry {
    source: u64,
    trigger: Trigger,
    before: Box<[u8]>,
    after: Box<[u8]>,
    offers: Vec<Offer>,
    used: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        let offers: usize = self
            .offers
            .iter()
            .map(|offer| offer.text.len() + offer.id.len())
            .sum();
        self.before.len() + self.after.len() + offers + size_of::<Self>()
    }

    /// What is left of each offer after `typed`, if the text after the cursor still fits.
    fn rests(&self, typed: &str, after: &str) -> Vec<Rest> {
        let Some(closer) = self.fits_after(typed, after) else {
            return Vec::new();
        };
        let rest = |offer: &Offer| {
            let typed_bytes = typed_through(&offer.text, typed)?;
            let left = &offer.text[typed_bytes..];
            let left = match closer {
                Some(closer) => &left[..before_closer(left, closer)?],
                None => left,
            };
            let text = left.to_owned();
            (!text.trim().is_empty()).then(|| Rest {
                id: offer.id.clone(),
                text,
                typed_bytes,
            })
        };
        self.offers.iter().filter_map(rest).collect()
    }

    /// Whether the text after the cursor is what it was: `Some(None)`, or what it
    /// was behind brackets or quotes that the editor closed by itself:
    /// `Some(Some(first))`.
    fn fits_after(&self, typed: &str, after: &str) -> Option<Option<char>> {
        if head(after.as_bytes()) == &*self.after {
            return Some(None);
        }
        let first = after.chars().next()?;
        let closes = |c: char| {
            OPENED_BY
                .iter()
                .any(|&(open, close)| close == c && typed.contains(open))
        };
        let own = after
            .bytes()
            .take(MOST_CLOSERS)
            .take_while(|&b| closes(char::from(b)))
            .count();
        let fits = (1..=own).any(|n| head(&after.as_bytes()[n..]) == &*self.after);
        fits.then_some(Some(first))
    }
}

fn window(before: &str) -> &[u8] {
    let bytes = before.as_bytes();
    &bytes[bytes.len().saturating_sub(BEFORE_BYTES)..]
}

fn head(after: &[u8]) -> &[u8] {
    &after[..after.len().min(AFTER_BYTES)]
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn key(source: u64, window: u64, length: usize) -> u64 {
    hash_of((source, window, length))
}

/// The suggestions served last, least recently used out first.
pub struct TypedThrough {
    entries: HashMap<u64, Entry>,
    /// Ids of entries by the hash of source and window.
    places: HashMap<u64, Vec<u64>>,
    max_entries: usize,
    max_bytes: usize,
    bytes: usize,
    clock: u64,
}

impl TypedThrough {
    /// A cache of at most so many suggestions and so many bytes.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            entries: HashMap::new(),
            places: HashMap::new(),
            max_entries,
            max_bytes,
            bytes: 0,
            clock: 0,
        }
    }

    /// How many places are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Remembers what was served at a place; an older memory of the same place goes.
    pub fn remember(
        &mut self,
        source: &Source,
        trigger: Trigger,
        place: Place<'_>,
        offers: Vec<Offer>,
    ) {
        let source = hash_of(source);
        let before = window(place.before);
        let key = key(source, polynomial(before), before.len());
        self.forget_equal(key, source, before);
        self.clock += 1;
        let entry = Entry {
            source,
            trigger,
            before: before.into(),
            after: head(place.after.as_bytes()).into(),
            offers,
            used: self.clock,
        };
        self.bytes += entry.bytes();
        self.entries.insert(self.clock, entry);
        self.places.entry(key).or_default().push(self.clock);
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some((&id, _)) = oldest else { break };
            self.remove(id);
        }
    }

    /// What is left of the suggestions that the text before the cursor runs through.
    ///
    /// Of several places the one that was served last. Asked for by the user,
    /// only what was asked for by the user before. Empty where nothing fits.
    pub fn rest(&mut self, source: &Source, trigger: Trigger, place: Place<'_>) -> Vec<Rest> {
        let source = hash_of(source);
        let tail = lines::tail(place.before, LOOK_BEHIND_BYTES);
        let whole = tail.len() == place.before.len();
        let hashes = Rolling::new(tail.as_bytes());
        let starts = tail
            .char_indices()
            .rev()
            .map(|(at, _)| at)
            .take(LOOK_BACK_CHARS);
        let mut best: Option<(u64, u64, Vec<Rest>)> = None;
        for start in std::iter::once(tail.len()).chain(starts) {
            let from = start.saturating_sub(BEFORE_BYTES);
            if !whole && start < BEFORE_BYTES {
                break;
            }
            let key = key(source, hashes.of(from, start), start - from);
            for &id in self.places.get(&key).into_iter().flatten() {
                let Some(entry) = self.entries.get(&id) else {
                    continue;
                };
                if best.as_ref().is_some_and(|(used, ..)| *used > entry.used)
                    || entry.source != source
                    || *entry.before != tail.as_bytes()[from..start]
                    || (trigger == Trigger::Invoked && entry.trigger != trigger)
                {
                    continue;
                }
                let rests = entry.rests(&tail[start..], place.after);
                if !rests.is_empty() {
                    best = Some((entry.used, id, rests));
                }
            }
        }
        let Some((_, id, rests)) = best else {
            return Vec::new();
        };
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.used = self.clock;
        }
        rests
    }

    /// Forgets a suggestion that the user rejected: it must not come back with the next key.
    pub fn forget(&mut self, suggestion: &str) {
        let has_it = |entry: &Entry| entry.offers.iter().any(|offer| offer.id == suggestion);
        let ids = self
            .entries
            .iter()
            .filter(|(_, entry)| has_it(entry))
            .map(|(&id, _)| id);
        ids.collect::<Vec<u64>>()
            .into_iter()
            .for_each(|id| self.remove(id));
    }

    fn forget_equal(&mut self, key: u64, source: u64, before: &[u8]) {
        let ids = self.places.get(&key).cloned().unwrap_or_default();
        for id in ids {
            let equal = |entry: &Entry| entry.source == source && *entry.before == *before;
            if self.entries.get(&id).is_some_and(equal) {
                self.remove(id);
            }
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.bytes -= entry.bytes();
        let key = key(entry.source, polynomial(&entry.before), entry.before.len());
        if let Some(ids) = self.places.get_mut(&key) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.places.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
