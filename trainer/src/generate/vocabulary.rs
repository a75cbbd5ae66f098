//! The words that a repository uses, gathered from its golden completions in one pass.
//!
//! A golden completion is short and there are many of a repository, so its names are found without
//! a parser, and memory is bounded whatever the number of contexts: of each repository the names
//! with the smallest hashes are kept, which is a sample that does not depend on the order.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::rows::{Context, RowError, RowReader};

/// Names of each kind that are kept of a repository.
const NAMES: usize = 96;
/// Repositories that have a vocabulary of their own; those after them have only their files'.
const REPOSITORIES: usize = 20_000;
/// Longer names say little about how names are made.
const LONGEST: usize = 40;

/// A sample of names, by their hash.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<u64, Box<str>>);

impl Names {
    fn add(&mut self, name: &str) {
        if name.len() < 3 || name.len() > LONGEST {
            return;
        }
        self.0
            .entry(hash(name))
            .or_insert_with(|| name.to_owned().into_boxed_str());
        if self.0.len() > NAMES {
            self.0.pop_last();
        }
    }

    /// The names, in an order that depends on them alone.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|name| &**name)
    }

    /// Whether `name` is in the sample.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.get(&hash(name)).is_some_and(|kept| &**kept == name)
    }
}

/// What a repository calls things.
#[derive(Debug, Default)]
pub struct Words {
    /// Names that stand before an opening bracket.
    pub called: Names,
    /// Other names.
    pub plain: Names,
}

/// The vocabularies of all repositories.
#[derive(Debug, Default)]
pub struct Vocabulary {
    repositories: HashMap<u64, Words>,
    nothing: Words,
}

impl Vocabulary {
    /// Gathers the vocabularies of a file of contexts, and counts its rows.
    ///
    /// # Errors
    /// [`RowError`].
    pub fn gather(path: &Path) -> Result<(Self, u64), RowError> {
        let (mut vocabulary, mut rows) = (Self::default(), 0);
        for context in RowReader::<Context>::open(path, "contexts")? {
            let context = context?;
            vocabulary.add(&context.repo, &context.golden);
            rows += 1;
        }
        Ok((vocabulary, rows))
    }

    /// Adds the names of a golden completion.
    pub fn add(&mut self, repo: &str, golden: &str) {
        let key = hash(repo);
        if self.repositories.len() >= REPOSITORIES && !self.repositories.contains_key(&key) {
            return;
        }
        let words = self.repositories.entry(key).or_default();
        for (name, called) in names(golden) {
            if called {
                words.called.add(name);
            } else {
                words.plain.add(name);
            }
        }
    }

    /// A repository's.
    #[must_use]
    pub fn of(&self, repo: &str) -> &Words {
        self.repositories.get(&hash(repo)).unwrap_or(&self.nothing)
    }
}

fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

/// The names in a text, and whether each is called.
fn names(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c.is_alphabetic() || c == '_')?;
            let tail = &rest[start..];
            let end = tail.find(|c: char| !is_part(c)).unwrap_or(tail.len());
            let inside = rest[..start].ends_with(is_part);
            let name = &tail[..end];
            rest = &tail[end..];
            if !inside {
                return Some((name, rest.starts_with('(')));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_bounded() {
        let found: Vec<_> = names("store.load_all(path, 2x, é_1)").collect();
        assert_eq!(
            found,
            [
                ("store", false),
                ("load_all", true),
                ("path", false),
                ("é_1", false)
            ]
        );
        let mut forwards = Vocabulary::default();
        let mut backwards = Vocabulary::default();
        for number in 0..500 {
            forwards.add("r", &format!("call_{number}(x)"));
            backwards.add("r", &format!("call_{}(x)", 499 - number));
        }
        let list = |vocabulary: &Vocabulary| -> Vec<String> {
            vocabulary
                .of("r")
                .called
                .iter()
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(list(&forwards).len(), NAMES);
        assert_eq!(list(&forwards), list(&backwards));
        assert_eq!(forwards.of("other").called.iter().count(), 0);
    }
}
