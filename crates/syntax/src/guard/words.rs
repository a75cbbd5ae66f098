//! The words of the file around a completion.

use std::collections::HashSet;

use crate::language::Language;

use super::prefilter::has_import;

/// A character of an identifier, in any language.
pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The words before and after the cursor. The words that touch the cursor are kept apart: they
/// belong to the completion where it goes on with them.
#[derive(Debug)]
pub(super) struct Words<'a> {
    inner: HashSet<&'a str>,
    /// The word at the end of the prefix.
    last: &'a str,
    /// The word at the start of the suffix.
    first: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(prefix: &'a str, suffix: &'a str) -> Self {
        let (before, last) = prefix.split_at(prefix.trim_end_matches(is_word).len());
        let rest = suffix.trim_start_matches(is_word);
        let (first, after) = suffix.split_at(suffix.len() - rest.len());
        let mut inner = HashSet::new();
        for text in [before, after] {
            inner.extend(text.split(|c| !is_word(c)).filter(|word| !word.is_empty()));
        }
        Self { inner, last, first }
    }

    /// `word` stands in the file, outside of the completion.
    pub(super) fn around(&self, completion: &str, word: &str) -> bool {
        self.inner.contains(word)
            || (word == self.last && !word.is_empty() && self.ends_before(completion))
            || (word == self.first && !word.is_empty() && self.starts_behind(completion))
    }

    /// The completion with the parts of words that it goes on with.
    pub(super) fn whole(&self, completion: &str) -> String {
        let last = if self.ends_before(completion) {
            ""
        } else {
            self.last
        };
        let first = if self.starts_behind(completion) {
            ""
        } else {
            self.first
        };
        [last, completion, first].concat()
    }

    fn ends_before(&self, completion: &str) -> bool {
        let next = if completion.is_empty() {
            self.first
        } else {
            completion
        };
        !next.starts_with(is_word)
    }

    fn starts_behind(&self, completion: &str) -> bool {
        let before = if completion.is_empty() {
            self.last
        } else {
            completion
        };
        !before.ends_with(is_word)
    }
}

/// Lines above and below a word of an import that belong to it.
const NEAR_IMPORT: usize = 3;

/// Words on the lines of imports and near them: what an import binds is among them.
pub(super) fn words_near_imports(language: Language, file: [&str; 2]) -> HashSet<&str> {
    // Go lists paths in a block that may be long.
    let path = |line: &str| language == Language::Go && line.contains(['"', '`']);
    let mut words = HashSet::new();
    for text in file {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut taken = 0;
        for (at, line) in lines.iter().enumerate() {
            if path(line) || has_import(line) {
                let from = taken.max(at.saturating_sub(NEAR_IMPORT));
                let to = lines.len().min(at + NEAR_IMPORT + 1);
                let near = lines.get(from..to).unwrap_or_default();
                words.extend(near.iter().flat_map(|line| line.split(|c| !is_word(c))));
                taken = to;
            }
        }
    }
    // A receiver that is no word of its own, or the object itself.
    for own in ["", "self", "this", "cls", "super"] {
        words.remove(own);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_touch_the_cursor_belong_to_what_goes_on_with_them() {
        let words = Words::new("a = b + val", "ue.c(d)");
        assert_eq!(words.whole("_"), "val_ue");
        assert!(!words.around("_", "val") && !words.around("_", "ue"));
        assert_eq!(words.whole(".x(1) + v"), ".x(1) + vue");
        assert!(words.around(".x", "val") && !words.around(".x", "ue"));
        assert!(words.around(".x(", "val") && words.around(".x(", "ue"));
        assert!(words.around("_", "d") && !words.around("_", "e"));
        assert_eq!(words.whole(""), "value");
        assert!(!words.around("", "val"));
        assert!(!Words::new("", "").around("x", ""));
    }
}
