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

/// Phrases of paragraphs that take back what a licence gives, in small letters: of 1,159 licence files of the corpus
/// the one with such a paragraph has one of these, and words such as "only" and "not" are in 32.
const RESTRICTIONS: &[&str] = &[
    "commons clause",
    "right to sell",
    "may not sell",
    "may only be exercised",
    "may only be used",
    "only be used for",
    "may not be used for",
    "may not be used in",
    "may not be used by",
    "may not be used to",
    "solely for",
    "for non-commercial",
    "for noncommercial",
    "commercial use",
    "commercial purposes",
    "is prohibited",
    "are prohibited",
    "not permitted",
    "competes with",
    "compete with",
    "for evaluation",
    "evaluation purposes",
    "internal use",
    "educational purposes",
    "research purposes",
    "field of use",
];

/// The licence whose text this is; `LicenseRef-not-free` where a paragraph that is not the licence's restricts
/// what it grants.
pub fn in_text(text: &str) -> Option<String> {
    static STORE: OnceLock<Option<Store>> = OnceLock::new();
    let store = STORE.get_or_init(|| Store::load_inline().ok()).as_ref()?;
    match nearest(store, &TextData::new(text)) {
        Some(found) if found.score < EXACT && restriction(text, found.known).is_some() => {
            Some(super::NOT_FREE.to_owned())
        }
        Some(Found { name, .. }) => Some(super::canonical(name).unwrap_or_else(|| name.to_owned())),
        // A file with more words than a licence is told by the phrases of headers.
        None => super::in_header(text),
    }
}

/// A licence of the store, and which of its texts is how like another one.
#[derive(Clone, Copy)]
struct Found<'a> {
    name: &'a str,
    known: &'a TextData,
    score: f32,
}

/// The known text that is most like this one. The store has no order of its own, so equal scores
/// are told apart here: the shorter name is the plainer licence. Where no text fits exactly, a
/// common licence that fits nearly as well is meant, not a rare variant of it.
fn nearest<'a>(store: &'a Store, text: &TextData) -> Option<Found<'a>> {
    let mut found: Vec<Found> = store
        .iter()
        .filter_map(|(name, entry)| {
            let texts = std::iter::once(&entry.original)
                .chain(&entry.alternates)
                .chain(&entry.headers);
            texts
                .map(|known| Found {
                    name,
                    known,
                    score: known.match_score(text),
                })
                .max_by(|a, b| a.score.total_cmp(&b.score))
        })
        .filter(|it| it.score >= CONFIDENCE)
        .collect();
    found.sort_by(|a, b| {
        (b.score.total_cmp(&a.score))
            .then(a.name.len().cmp(&b.name.len()))
            .then(a.name.cmp(b.name))
    });
    let best = *found.first()?;
    if best.score >= EXACT {
        return Some(best);
    }
    let near = found.iter().filter(|it| it.score >= best.score - NEAR);
    let common = near.copied().find(|it| COMMON.contains(&it.name));
    Some(common.unwrap_or(best))
}

/// A paragraph that the known text does not have (without it the two are more alike) and that restricts: such as
/// "the rights granted above may only be exercised to …", or the Commons Clause, behind the words of a free licence.
fn restriction<'a>(text: &'a str, known: &TextData) -> Option<&'a str> {
    let paragraphs: Vec<&str> = text
        .split("\n\n")
        .flat_map(|part| part.split("\r\n\r\n"))
        .collect();
    paragraphs.iter().enumerate().find_map(|(at, paragraph)| {
        let plain = super::header::flat(paragraph);
        if !RESTRICTIONS.iter().any(|phrase| plain.contains(phrase)) {
            return None;
        }
        let mut others = paragraphs.clone();
        others.remove(at);
        let without = known.match_score(&TextData::new(&others.join("\n\n")));
        (without > known.match_score(&TextData::new(text))).then_some(*paragraph)
    })
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

    #[test]
    fn a_free_licence_with_a_restriction_is_not_free() {
        let mit = include_str!("../../../../LICENSE-MIT");
        let more = [
            "The rights granted above may only be exercised to make programs that work with our service.",
            "\"Commons Clause\" License Condition: without limiting other conditions, the grant of rights under the \
             License will not include the right to sell the Software.",
            "Use of this software by makers of weapons is prohibited.",
        ];
        for paragraph in more {
            for text in [
                format!("{mit}\n\n{paragraph}\n"),
                format!("{paragraph}\n\n{mit}"),
                mit.replacen(
                    "\n\nTHE SOFTWARE",
                    &format!("\n\n{paragraph}\n\nTHE SOFTWARE"),
                    1,
                ),
                format!("{mit}\n\n{paragraph}\n").replace('\n', "\r\n"),
            ] {
                assert_eq!(
                    in_text(&text).as_deref(),
                    Some("LicenseRef-not-free"),
                    "{text}"
                );
            }
        }
        let harmless =
            format!("{mit}\n\nCopyright 2020 Others\n\nThanks go to everybody who helped.\n");
        assert_eq!(in_text(&harmless).as_deref(), Some("MIT"));
    }
}
