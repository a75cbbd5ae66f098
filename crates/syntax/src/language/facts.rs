//! Words of each language that open, continue or name a block.

use super::Language;

/// What a word means at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordClass {
    /// Opens a type or a namespace: its body holds members.
    Container,
    /// Opens a function.
    Function,
    /// Opens a control block.
    Control,
    /// Goes on with the statement above at the same indentation (`else`).
    Continuation,
    /// A word before a definition (`pub`, `async`, `static`).
    Modifier,
    /// Anything else.
    Other,
}

const CONTAINERS: &[&str] = &[
    "class",
    "struct",
    "interface",
    "impl",
    "trait",
    "enum",
    "namespace",
    "module",
    "union",
    "record",
    "mod",
];
const FUNCTIONS: &[&str] = &["def", "fn", "func", "function", "fun"];
const CONTROL: &[&str] = &[
    "if", "for", "while", "switch", "match", "try", "do", "with", "loop", "unless", "until",
    "case", "begin", "foreach", "select", "using", "lock", "unsafe", "repeat",
];
const MODIFIERS: &[&str] = &[
    "pub",
    "public",
    "private",
    "protected",
    "internal",
    "static",
    "async",
    "abstract",
    "final",
    "export",
    "default",
    "override",
    "virtual",
    "sealed",
    "partial",
    "extern",
    "const",
    "inline",
    "template",
    "declare",
    "readonly",
    "unsafe",
];

impl Language {
    /// Words that go on with the statement above at the same indentation.
    const fn continuations(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["else", "elif", "except", "finally"],
            Self::Ruby => &["else", "elsif", "rescue", "ensure", "when", "in"],
            Self::Php => &["else", "elseif", "catch", "finally"],
            Self::Go | Self::Rust => &["else"],
            _ => &["else", "catch", "finally"],
        }
    }

    /// A word that starts with `start` could go on with the statement above it.
    pub(crate) fn may_continue(self, start: &str) -> bool {
        let last = if self == Self::Ruby { "end" } else { "while" };
        self.continuations()
            .iter()
            .chain([&last])
            .any(|word| word.starts_with(start))
    }

    /// What `word` means where a statement of this language starts.
    pub(crate) fn word_class(self, word: &str) -> WordClass {
        let belongs = match word {
            "fn" | "impl" | "trait" | "mod" | "loop" | "match" => {
                matches!(self, Self::Rust)
                    || (word == "match" && matches!(self, Self::Python | Self::Php))
            }
            "def" => matches!(self, Self::Python | Self::Ruby),
            "func" | "select" => self == Self::Go,
            "function" => self.is_ecmascript() || self == Self::Php,
            "with" => matches!(self, Self::Python) || self.is_ecmascript(),
            "begin" | "unless" | "until" | "module" => {
                self == Self::Ruby || (word == "module" && self.is_ecmascript())
            }
            "for" | "while" | "if" => true,
            _ => true,
        };
        if !belongs {
            WordClass::Other
        } else if self.continuations().contains(&word) {
            WordClass::Continuation
        } else if CONTAINERS.contains(&word) {
            WordClass::Container
        } else if FUNCTIONS.contains(&word) {
            WordClass::Function
        } else if CONTROL.contains(&word) {
            WordClass::Control
        } else if MODIFIERS.contains(&word) {
            WordClass::Modifier
        } else {
            WordClass::Other
        }
    }

    /// The class of a header line such as `pub async fn run(` or `class Foo:`, by its words.
    pub(crate) fn header_class(self, line: &str) -> WordClass {
        let mut words = line
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty());
        let first = loop {
            let Some(word) = words.next() else {
                return WordClass::Other;
            };
            match self.word_class(word) {
                WordClass::Modifier => {}
                class => break class,
            }
        };
        if first != WordClass::Other {
            return first;
        }
        // `type Foo struct {`, `public final class`, `let f = function`: the word may stand later.
        words
            .take(6)
            .map(|word| self.word_class(word))
            .find(|class| matches!(class, WordClass::Container | WordClass::Function))
            .unwrap_or(WordClass::Other)
    }
}
