//! Licence files.

use std::sync::OnceLock;

use spdx::detection::{Store, TextData};

/// How like a known text a file must be.
const CONFIDENCE: f32 = 0.8;

/// A score from which on a text is the known one.
const EXACT: f32 = 0.99;

/// Scores that say the same.
const NEAR: f32 = 0.05;

/// Licences that are meant more often than their variants.
const COMMON: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-3-Clause",
    "BSD-2-Clause",
    "ISC",
    "MPL-2.0",
];

/// Beginnings of names, in capitals.
const NAMES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "MIT-LICENSE"];

/// Ends of names of code that happens to be called `license`.
const CODE: &[&str] = &[
    ".rs", ".py", ".go", ".js", ".ts", ".java", ".cs", ".php", ".rb", ".html", ".json", ".cc",
    ".h", ".yml", ".yaml", ".xml",
];

/// The file holds a licence's text, by its name.
pub fn is_licence_file(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let lower = name.to_ascii_lowercase();
    NAMES.iter().any(|start| upper.starts_with(start))
        && !CODE.iter().any(|end| lower.ends_with(end))
        // Lists of other people's licences.
        && !["3RD", "THIRD", "DEPEND", "BUNDLE", "VENDOR"].iter().any(|word| upper.contains(word))
}

/// The licence whose text this is.
pub fn in_text(text: &str) -> Option<String> {
    static STORE: OnceLock<Option<Store>> = OnceLock::new();
    let store = STORE.get_or_init(|| Store::load_inline().ok()).as_ref()?;
    match nearest(store, &TextData::new(text)) {
        Some(name) => Some(super::canonical(name).unwrap_or_else(|| name.to_owned())),
        // A file with more words than a licence is told by the phrases of headers.
        None => super::in_header(text),
    }
}

/// The known text that is most like this one. The store has no order of its own, so equal scores
/// are told apart here: the shorter name is the plainer licence. Where no text fits exactly, a
/// common licence that fits nearly as well is meant, not a rare variant of it.
fn nearest<'a>(store: &'a Store, text: &TextData) -> Option<&'a str> {
    let mut scores: Vec<(f32, &str)> = store
        .iter()
        .map(|(name, entry)| {
            let texts = std::iter::once(&entry.original)
                .chain(&entry.alternates)
                .chain(&entry.headers);
            let best = texts
                .map(|known| known.match_score(text))
                .fold(0.0, f32::max);
            (best, name.as_str())
        })
        .filter(|(score, _)| *score >= CONFIDENCE)
        .collect();
    scores.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then(a.1.len().cmp(&b.1.len()))
            .then(a.1.cmp(b.1))
    });
    let (best, name) = *scores.first()?;
    if best >= EXACT {
        return Some(name);
    }
    let near = scores.iter().filter(|(score, _)| *score >= best - NEAR);
    let common = near
        .map(|(_, name)| *name)
        .find(|name| COMMON.contains(name));
    Some(common.unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_licence_files() {
        for (name, expected) in [
            ("LICENSE", true),
            ("LICENSE.md", true),
            ("license-mit", true),
            ("COPYING.LESSER", true),
            ("MIT-LICENSE.txt", true),
            ("license.rs", false),
            ("LICENSE-3rdparty.txt", false),
            ("README", false),
        ] {
            assert_eq!(is_licence_file(name), expected, "{name}");
        }
    }

    #[test]
    fn texts_are_told_apart() {
        let own = include_str!("../../../../LICENSE-MIT");
        assert_eq!(in_text(own).as_deref(), Some("MIT"));
        let own = include_str!("../../../../LICENSE-APACHE");
        assert_eq!(in_text(own).as_deref(), Some("Apache-2.0"));
        assert_eq!(in_text("All rights reserved."), None);
    }
}
