//! Names that need no definition in a repository.

use crate::{builtins, language::Language};

/// The language or its standard library brings `name`, or code of the language uses it so often
/// that it is known everywhere.
#[must_use]
pub fn is_known_everywhere(language: Language, name: &str) -> bool {
    builtins::contains(language, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_known_and_inventions_are_not() {
        assert!(is_known_everywhere(Language::Java, "String"));
        assert!(!is_known_everywhere(Language::Java, "StringFrobnicator"));
    }
}
