//! What the clean-up has to know about a language: comments, strings, brackets, words.
//!
//! This is a light table for text rules that must also work in files without a
//! grammar; whatever needs a syntax tree belongs to `truefill-syntax`.

/// How a pair of quotes behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringKind {
    /// What opens and closes the string.
    pub quote: &'static str,
    /// Whether a line break may stand inside. Also where a language lets any string
    /// run over lines, this is only for quotes meant for that: a scanner that
    /// has lost its way must find it again at the next line.
    pub multiline: bool,
    /// Whether the quote holds one character, so that a lone one (a lifetime,
    /// an apostrophe) opens nothing.
    pub character: bool,
}

/// The facts about one language.
#[derive(Debug)]
pub struct LanguageFacts {
    /// What begins a comment to the line's end; the first is the usual one.
    pub line_comments: &'static [&'static str],
    /// What begins and ends a comment over several lines.
    pub block_comment: Option<(&'static str, &'static str)>,
    /// Strings, longer quotes first.
    pub strings: &'static [StringKind],
    /// Pairs of brackets.
    pub brackets: &'static [(char, char)],
    /// Words that close a block on a line of their own.
    pub closing_words: &'static [&'static str],
    /// Words that go on with a construct at the indentation that began it.
    pub continuing_words: &'static [&'static str],
    /// Words that mean nothing as a whole suggestion.
    pub dangling_words: &'static [&'static str],
    /// What begins a line that stands outside of all blocks, such as `#` in C.
    pub directive: Option<char>,
    /// Whether the text is prose or markup, where fences and trailing spaces mean something.
    pub prose: bool,
}

const DOUBLE: StringKind = StringKind {
    quote: "\"",
    multiline: false,
    character: false,
};
const SINGLE: StringKind = StringKind {
    quote: "'",
    multiline: false,
    character: false,
};
const LONG_DOUBLE: StringKind = StringKind {
    quote: "\"\"\"",
    multiline: true,
    character: false,
};
const LONG_SINGLE: StringKind = StringKind {
    quote: "'''",
    multiline: true,
    character: false,
};
const BACKTICK: StringKind = StringKind {
    quote: "`",
    multiline: true,
    character: false,
};
const CHARACTER: StringKind = StringKind {
    quote: "'",
    multiline: false,
    character: true,
};

const BRACKETS: &[(char, char)] = &[('(', ')'), ('[', ']'), ('{', '}')];

const C_CONTINUING: &[&str] = &[
    "else",
    "catch",
    "finally",
    "case",
    "default",
    "while",
    "public",
    "private",
    "protected",
];

const C_FAMILY: LanguageFacts = LanguageFacts {
    line_comments: &["//"],
    block_comment: Some(("/*", "*/")),
    strings: &[DOUBLE, CHARACTER],
    brackets: BRACKETS,
    closing_words: &[],
    continuing_words: C_CONTINUING,
    dangling_words: &[
        "public",
        "private",
        "protected",
        "static",
        "const",
        "final",
        "class",
        "interface",
        "enum",
        "struct",
        "template",
        "typename",
        "using",
        "namespace",
        "import",
        "package",
        "extends",
        "implements",
        "if",
        "for",
        "while",
        "switch",
        "case",
        "new",
        "throw",
        "typedef",
        "unsigned",
        "abstract",
        "override",
        "virtual",
        "internal",
        "readonly",
        "void",
        "var",
    ],
    directive: Some('#'),
    prose: false,
};

const JAVASCRIPT: LanguageFacts = LanguageFacts {
    strings: &[DOUBLE, SINGLE, BACKTICK],
    dangling_words: &[
        "const",
        "let",
        "var",
        "function",
        "class",
        "import",
        "export",
        "from",
        "extends",
        "if",
        "for",
        "while",
        "switch",
        "case",
        "new",
        "throw",
        "await",
        "async",
        "typeof",
        "interface",
        "type",
        "public",
        "private",
        "protected",
        "static",
        "readonly",
        "declare",
        "enum",
    ],
    directive: None,
    ..C_FAMILY
};

const RUST: LanguageFacts = LanguageFacts {
    strings: &[DOUBLE, CHARACTER],
    continuing_words: &["else"],
    dangling_words: &[
        "pub", "fn", "let", "mut", "impl", "struct", "enum", "trait", "use", "mod", "const",
        "static", "type", "match", "if", "for", "while", "unsafe", "async", "move", "ref", "dyn",
        "extern",
    ],
    directive: None,
    ..C_FAMILY
};

const GO: LanguageFacts = LanguageFacts {
    strings: &[DOUBLE, BACKTICK, CHARACTER],
    continuing_words: &["else", "case", "default"],
    dangling_words: &[
        "func",
        "var",
        "const",
        "type",
        "struct",
        "interface",
        "package",
        "import",
        "if",
        "for",
        "switch",
        "case",
        "go",
        "defer",
        "range",
        "map",
        "chan",
        "select",
    ],
    directive: None,
    ..C_FAMILY
};

const PHP: LanguageFacts = LanguageFacts {
    line_comments: &["//", "#"],
    strings: &[DOUBLE, SINGLE],
    dangling_words: &[
        "public",
        "private",
        "protected",
        "static",
        "function",
        "class",
        "interface",
        "trait",
        "namespace",
        "use",
        "extends",
        "implements",
        "if",
        "for",
        "foreach",
        "while",
        "switch",
        "case",
        "new",
        "throw",
        "echo",
        "const",
        "abstract",
        "final",
    ],
    directive: None,
    ..C_FAMILY
};

const PYTHON: LanguageFacts = LanguageFacts {
    line_comments: &["#"],
    block_comment: None,
    strings: &[LONG_DOUBLE, LONG_SINGLE, DOUBLE, SINGLE],
    brackets: BRACKETS,
    closing_words: &[],
    continuing_words: &["else", "elif", "except", "finally", "case"],
    dangling_words: &[
        "def", "class", "import", "from", "if", "elif", "for", "while", "with", "as", "lambda",
        "async", "await", "del", "global", "nonlocal", "assert", "not", "and", "or", "in", "is",
        "except",
    ],
    directive: None,
    prose: false,
};

const RUBY: LanguageFacts = LanguageFacts {
    closing_words: &["end"],
    continuing_words: &["else", "elsif", "rescue", "ensure", "when", "in"],
    strings: &[DOUBLE, SINGLE],
    dangling_words: &[
        "def",
        "class",
        "module",
        "if",
        "unless",
        "while",
        "until",
        "elsif",
        "case",
        "when",
        "require",
        "require_relative",
        "include",
        "extend",
        "attr_accessor",
        "attr_reader",
        "alias",
        "undef",
    ],
    ..PYTHON
};

const LUA: LanguageFacts = LanguageFacts {
    line_comments: &["--"],
    block_comment: Some(("--[[", "]]")),
    strings: &[DOUBLE, SINGLE],
    closing_words: &["end", "until"],
    continuing_words: &["else", "elseif"],
    dangling_words: &[
        "local", "function", "if", "for", "while", "elseif", "not", "and", "or",
    ],
    ..PYTHON
};

const SHELL: LanguageFacts = LanguageFacts {
    strings: &[DOUBLE, SINGLE],
    closing_words: &["fi", "done", "esac"],
    continuing_words: &["else", "elif"],
    dangling_words: &[
        "if", "for", "while", "case", "function", "local", "export", "elif",
    ],
    ..PYTHON
};

const DATA: LanguageFacts = LanguageFacts {
    strings: &[DOUBLE, SINGLE],
    continuing_words: &[],
    dangling_words: &[],
    ..PYTHON
};

const MARKUP: LanguageFacts = LanguageFacts {
    line_comments: &[],
    block_comment: Some(("<!--", "-->")),
    strings: &[],
    brackets: &[],
    closing_words: &[],
    continuing_words: &[],
    dangling_words: &[],
    directive: None,
    prose: true,
};

/// For what the table does not name: brackets and double quotes, nothing else.
const UNKNOWN: LanguageFacts = LanguageFacts {
    line_comments: &[],
    block_comment: None,
    strings: &[DOUBLE],
    brackets: BRACKETS,
    closing_words: &["end"],
    continuing_words: &["else"],
    dangling_words: &[],
    directive: None,
    prose: false,
};

impl LanguageFacts {
    /// The facts for a language identifier of the protocol (`rust`, `typescriptreact`, …).
    ///
    /// An identifier that the table does not name gets cautious defaults.
    pub fn for_lsp_id(id: &str) -> &'static Self {
        match id {
            "c" | "cpp" | "csharp" | "java" | "kotlin" | "swift" | "scala" | "objective-c"
            | "dart" | "cuda-cpp" | "zig" => &C_FAMILY,
            "javascript" | "javascriptreact" | "typescript" | "typescriptreact" | "jsonc" => {
                &JAVASCRIPT
            }
            "rust" => &RUST,
            "go" => &GO,
            "php" => &PHP,
            "python" => &PYTHON,
            "ruby" | "elixir" | "crystal" => &RUBY,
            "lua" => &LUA,
            "shellscript" | "sh" | "bash" | "zsh" | "makefile" | "dockerfile" => &SHELL,
            "json" | "yaml" | "toml" | "ini" | "properties" => &DATA,
            "markdown" | "html" | "xml" | "plaintext" | "latex" | "restructuredtext" | "vue"
            | "svelte" | "asciidoc" => &MARKUP,
            _ => &UNKNOWN,
        }
    }

    /// The index of the pair that `c` opens.
    pub fn opens(&self, c: char) -> Option<usize> {
        self.brackets.iter().position(|pair| pair.0 == c)
    }

    /// The index of the pair that `c` closes.
    pub fn closes(&self, c: char) -> Option<usize> {
        self.brackets.iter().position(|pair| pair.1 == c)
    }

    /// Whether a line does nothing but close what stands open: brackets and closing words.
    pub fn is_closing_line(&self, line: &str) -> bool {
        let line = line.trim();
        if line.is_empty() {
            return false;
        }
        let bare = line.trim_end_matches([';', ',']);
        self.closing_words.contains(&bare)
            || (bare.chars().any(|c| self.closes(c).is_some())
                && line
                    .chars()
                    .all(|c| self.closes(c).is_some() || matches!(c, ';' | ',' | ' ')))
    }

    /// Whether a line says which line it is: its equal further on is the same
    /// line, not one of its like.
    ///
    /// Attributes, comments and headers say what comes next, and come again.
    pub fn identifies(&self, line: &str) -> bool {
        let line = line.trim();
        let comment = self
            .line_comments
            .iter()
            .any(|marker| line.starts_with(marker))
            || self
                .block_comment
                .is_some_and(|(open, _)| line.starts_with(open))
            || line.starts_with('*');
        let attribute = line.starts_with("#[") || line.starts_with('@');
        // One item of a list may equal another.
        let item = line.ends_with(',');
        let header = line.ends_with(':') || line.ends_with(|c| self.opens(c).is_some());
        super::lines::is_substantial(line) && !comment && !attribute && !header && !item
    }

    /// Whether a line goes on with, or closes, a construct that began at its own
    /// indentation, or stands outside of all indentation.
    pub fn continues_construct(&self, line: &str) -> bool {
        let line = line.trim();
        let word_end = line
            .find(|c| !super::lines::is_word(c))
            .unwrap_or(line.len());
        let word = &line[..word_end];
        let first = line.chars().next();
        first.is_some_and(|c| self.closes(c).is_some() || self.directive == Some(c))
            || self.continuing_words.contains(&word)
            || self.closing_words.contains(&word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines() {
        let table = [
            ("rust", "}", true),
            ("rust", "  });", true),
            ("rust", "} else {", false),
            ("rust", "x)", false),
            ("rust", ";", false),
            ("rust", "", false),
            ("ruby", "  end", true),
            ("ruby", "ending", false),
            ("shellscript", "fi", true),
            ("python", ")", true),
            ("python", "end", false),
        ];
        for (id, line, expected) in table {
            let facts = LanguageFacts::for_lsp_id(id);
            assert_eq!(facts.is_closing_line(line), expected, "{id} {line:?}");
        }
    }

    #[test]
    fn identifying_lines() {
        let table = [
            ("rust", "let a = b;", true),
            ("rust", "#[cfg(feature = \"x\")]", false),
            ("rust", "/// The sum of both.", false),
            ("rust", "if a.is_some() {", false),
            ("rust", "}", false),
            ("python", "@dataclass(frozen=True)", false),
            ("python", "for a in items:", false),
            ("java", "* of the sum", false),
            ("rust", "(0, 0, 255),", false),
        ];
        for (id, line, expected) in table {
            let facts = LanguageFacts::for_lsp_id(id);
            assert_eq!(facts.identifies(line), expected, "{id} {line:?}");
        }
    }

    #[test]
    fn continued_constructs() {
        let table = [
            ("python", "else:", true),
            ("python", "elsewhere = 1", false),
            ("python", "return", false),
            ("rust", "} else {", true),
            ("ruby", "rescue Error", true),
            ("go", "case 1:", true),
            ("cpp", "#ifdef X", true),
            ("rust", "#[test]", false),
        ];
        for (id, line, expected) in table {
            let facts = LanguageFacts::for_lsp_id(id);
            assert_eq!(facts.continues_construct(line), expected, "{id} {line:?}");
        }
    }
}
