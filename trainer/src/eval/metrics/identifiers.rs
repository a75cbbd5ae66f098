//! CrossCodeEval's identifiers: which names of the project a completion uses.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;
use truefill_syntax::Language;

/// What is left out before names are looked for. A quote that stands alone takes everything up to the
/// next one with it, also on other lines.
static STRING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"#).ok());

/// Python's `\w+`: without the combining marks that Rust's has.
static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]+").ok());

/// How near a completion's identifiers are to the golden one's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IdentifierMatch {
    /// The same ones in the same order.
    pub exact: bool,
    /// Share of the prediction's that the golden completion has; 0 without any.
    pub precision: f64,
    /// Share of the golden completion's that the prediction has; 0 without any.
    pub recall: f64,
    /// Both as one figure, their harmonic mean; 0 where neither completion has any.
    pub f1: f64,
}

impl IdentifierMatch {
    /// Compares completions from which comments have been taken. `exact` compares lists, the shares sets.
    #[must_use]
    pub fn of(language: Language, prediction: &str, golden: &str) -> Self {
        let prediction = identifiers(language, prediction);
        let golden = identifiers(language, golden);
        let exact = prediction == golden;
        let prediction: HashSet<String> = prediction.into_iter().collect();
        let golden: HashSet<String> = golden.into_iter().collect();
        let common = prediction.intersection(&golden).count();
        let share = |of: usize, all: usize| match all {
            0 => 0.0,
            _ => of as f64 / all as f64,
        };
        Self {
            exact,
            precision: share(common, prediction.len()),
            recall: share(common, golden.len()),
            f1: share(2 * common, prediction.len() + golden.len()),
        }
    }
}

/// The words of code that start as an identifier does and are no keyword, strings left out, in order.
/// Keywords are those of CrossCodeEval's lists, for its four languages: no literals but `None` and
/// C#'s `null`.
#[must_use]
pub fn identifiers(language: Language, code: &str) -> Vec<String> {
    let (Some(string), Some(word)) = (&*STRING, &*WORD) else {
        return Vec::new();
    };
    let code = string.replace_all(code, "");
    let keywords = keywords(language);
    word.find_iter(&code)
        .map(|word| word.as_str())
        .filter(|word| word.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()))
        .filter(|word| !keywords.contains(word))
        .map(str::to_owned)
        .collect()
}

const fn keywords(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &PYTHON,
        Language::Java => &JAVA,
        Language::CSharp => &CSHARP,
        Language::TypeScript | Language::Tsx | Language::JavaScript => &TYPESCRIPT,
        _ => &[],
    }
}

#[rustfmt::skip]
const PYTHON: [&str; 33] = [
    "None", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with",
    "yield",
];

#[rustfmt::skip]
const JAVA: [&str; 51] = [
    "abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class", "const",
    "continue", "default", "do", "double", "else", "enum", "extends", "final", "finally",
    "float", "for", "goto", "if", "implements", "import", "instanceof", "int", "interface",
    "long", "native", "new", "package", "private", "protected", "public", "return", "short",
    "static", "strictfp", "super", "switch", "synchronized", "this", "throw", "throws",
    "transient", "try", "var", "void", "volatile", "while",
];

#[rustfmt::skip]
const CSHARP: [&str; 75] = [
    "abstract", "as", "base", "bool", "break", "byte", "case", "catch", "char", "checked",
    "class", "const", "continue", "decimal", "default", "delegate", "do", "double", "else",
    "enum", "event", "explicit", "extern", "finally", "fixed", "float", "for", "foreach",
    "goto", "if", "implicit", "in", "int", "interface", "internal", "is", "lock", "long",
    "namespace", "new", "null", "object", "operator", "out", "override", "params", "private",
    "protected", "public", "readonly", "ref", "return", "sbyte", "sealed", "short", "sizeof",
    "stackalloc", "static", "string", "struct", "switch", "this", "throw", "try", "typeof",
    "uint", "ulong", "unchecked", "unsafe", "ushort", "using", "virtual", "void", "volatile",
    "while",
];

#[rustfmt::skip]
const TYPESCRIPT: [&str; 42] = [
    "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete",
    "do", "else", "enum", "export", "extends", "finally", "for", "function", "if", "implements",
    "import", "in", "instanceof", "interface", "let", "new", "package", "private", "protected",
    "public", "return", "static", "super", "switch", "this", "throw", "try", "typeof", "var",
    "void", "while", "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keywords_and_numbers_are_no_identifiers() {
        let found = identifiers(
            Language::Python,
            r#"x = f("a \" b", 'c', 2, _d) if None else True"#,
        );
        assert_eq!(found, ["x", "f", "_d", "True"]);
        assert_eq!(identifiers(Language::Rust, "fn main()"), ["fn", "main"]);
        assert!(identifiers(Language::Java, "").is_empty());
    }

    #[test]
    fn no_identifiers_are_an_exact_match_without_shares() {
        let found = IdentifierMatch::of(Language::Java, "1", "2");
        let none = IdentifierMatch {
            exact: true,
            precision: 0.0,
            recall: 0.0,
            f1: 0.0,
        };
        assert_eq!(found, none);
    }
}
