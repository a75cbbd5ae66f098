//! The names of a text that is not parsed, because it is too long or not quite text.

use std::collections::BTreeSet;

use super::{Class, Import, Symbols};

/// What stands before the name of a type with members.
const CLASSES: [&str; 12] = [
    "class",
    "enum",
    "extension",
    "for",
    "impl",
    "interface",
    "module",
    "namespace",
    "object",
    "record",
    "struct",
    "trait",
];

/// Every word of `text` as a name, code or not. What follows from these symbols is only what the
/// text may name: its classes may have more members, and others may import any name from it.
#[must_use]
pub fn symbols_of_words(text: &str) -> Symbols {
    let mut names = BTreeSet::new();
    let mut classes = BTreeSet::new();
    let (mut rest, mut before) = (text, "");
    while let Some(start) = rest.find(is_part) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        if !word.starts_with(|c: char| c.is_numeric()) {
            names.insert(word);
            // Ruby's methods may end so.
            if rest[end..].starts_with(['?', '!']) {
                names.insert(&rest[..=end]);
            }
            if CLASSES.contains(&before) {
                classes.insert(word);
            }
        }
        before = word;
        rest = &rest[end..];
    }
    let classes = classes.into_iter().map(|name| Class {
        name: name.to_owned(),
        bases: Vec::new(),
        open: true,
    });
    Symbols {
        classes: classes.collect(),
        imports: vec![Import {
            module: "*".to_owned(),
            name: None,
            alias: None,
            wildcard: true,
            module_range: 0..0,
            name_range: 0..0,
        }],
        names: names.into_iter().map(str::to_owned).collect(),
        ..Symbols::default()
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{real_files::real_files, symbols};

    #[test]
    fn words_hold_every_name_that_a_parse_finds() {
        for (path, language, text) in real_files() {
            let (parsed, words) = (symbols(language, &text), symbols_of_words(&text));
            for name in &parsed.names {
                // Several words in one token (`a::b`, `IsNil?`) are looked up one by one.
                let mut parts = name
                    .split(|c: char| !is_part(c))
                    .filter(|it| !it.is_empty());
                let found = words.names.binary_search(name).is_ok()
                    || parts.all(|part| words.names.iter().any(|word| word == part));
                assert!(found, "{name} of {}", path.display());
            }
        }
        let ruby = symbols_of_words("def empty?; end\nclass Basket\n0xff\n");
        assert_eq!(
            ruby.names,
            ["Basket", "class", "def", "empty", "empty?", "end"]
        );
        assert!(ruby.classes.iter().all(|class| class.open) && ruby.classes.len() == 1);
    }
}
