//! Licence files.

use std::sync::OnceLock;

use spdx::detection::scan::Scanner;
use spdx::detection::{Store, TextData};

/// How like a known text a file must be.
const CONFIDENCE: f32 = 0.8;

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
    let scanner = Scanner::new(store)
        .confidence_threshold(CONFIDENCE)
        .optimize(false);
    let found = scanner.scan(&TextData::new(text));
    match found.license {
        Some(licence) => Some(name(licence.name)),
        // Several texts in one file apply together; a file with more words than licences is told
        // by the header's phrases.
        None => super::in_header(text),
    }
}

/// The scanner's name of the GNU family lacks what SPDX has since added.
fn name(found: &str) -> String {
    super::canonical(found).unwrap_or_else(|| found.to_owned())
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
