//! Names that a language brings: keywords, builtins, the standard library's, and names that code
//! of the language uses so often that they are known everywhere.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use crate::language::Language;

const LISTS: usize = 9;

/// The language's list, its number, and its modules' names.
const fn data(language: Language) -> (usize, &'static str, &'static str) {
    match language {
        Language::CSharp => (0, include_str!("data/csharp.txt"), ""),
        Language::Cpp => (1, include_str!("data/cpp.txt"), ""),
        Language::Go => (
            2,
            include_str!("data/go.txt"),
            include_str!("data/go.modules.txt"),
        ),
        Language::Java => (3, include_str!("data/java.txt"), ""),
        Language::JavaScript | Language::TypeScript | Language::Tsx => (
            4,
            include_str!("data/ecmascript.txt"),
            include_str!("data/ecmascript.modules.txt"),
        ),
        Language::Php => (5, include_str!("data/php.txt"), ""),
        Language::Python => (
            6,
            include_str!("data/python.txt"),
            include_str!("data/python.modules.txt"),
        ),
        Language::Ruby => (7, include_str!("data/ruby.txt"), ""),
        Language::Rust => (8, include_str!("data/rust.txt"), ""),
    }
}

type Words = HashSet<&'static str>;
type Modules = HashMap<&'static str, Words>;

/// The language brings `name`.
pub(crate) fn contains(language: Language, name: &str) -> bool {
    static SETS: [OnceLock<Words>; LISTS] = [const { OnceLock::new() }; LISTS];
    let (number, words, _) = data(language);
    SETS[number]
        .get_or_init(|| words.split_ascii_whitespace().collect())
        .contains(name)
}

/// The names of a module of the standard library; `None` for a module that is not listed.
pub(crate) fn module(language: Language, module: &str) -> Option<&'static Words> {
    static MODULES: [OnceLock<Modules>; LISTS] = [const { OnceLock::new() }; LISTS];
    let (number, _, modules) = data(language);
    let modules = MODULES[number].get_or_init(|| {
        // One module a line: its name, a colon, its names.
        let lines = modules.lines().filter_map(|line| line.split_once(':'));
        lines
            .map(|(module, names)| (module, names.split_ascii_whitespace().collect()))
            .collect()
    });
    modules.get(module)
}

/// The standard library has `module` in its list.
pub(crate) fn contains_module(language: Language, name: &str) -> bool {
    module(language, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_the_names_that_everyone_uses() {
        let cases = [
            (Language::Python, &["print", "append", "self", "None"][..]),
            (
                Language::TypeScript,
                &["console", "push", "Promise", "undefined"],
            ),
            (Language::Rust, &["Some", "unwrap", "println", "into_iter"]),
            (Language::Go, &["append", "nil", "Println", "error"]),
            (Language::Java, &["String", "println", "add", "Override"]),
            (Language::CSharp, &["Console", "WriteLine", "Add", "nameof"]),
            (Language::Cpp, &["std", "push_back", "size_t", "nullptr"]),
            (Language::Php, &["strlen", "Exception", "array_map", "this"]),
            (Language::Ruby, &["puts", "each", "attr_reader", "nil"]),
        ];
        for (language, names) in cases {
            for name in names {
                assert!(contains(language, name), "{language} {name}");
            }
            assert!(!contains(language, "frobnicate_widget"), "{language}");
        }
    }

    #[test]
    fn modules_of_the_standard_library_list_their_names() {
        assert!(
            module(Language::Python, "collections")
                .unwrap()
                .contains("OrderedDict")
        );
        assert!(
            module(Language::JavaScript, "fs")
                .unwrap()
                .contains("readFileSync")
        );
        assert!(module(Language::Python, "numpy").is_none());
    }
}
