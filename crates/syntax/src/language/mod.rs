//! The languages that Truefill knows: names, file extensions, comment markers, grammars.

mod facts;

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

pub(crate) use facts::WordClass;

/// A programming language with a grammar that is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C#.
    CSharp,
    /// C++, and C, which its grammar reads well enough.
    Cpp,
    /// Go.
    Go,
    /// Java.
    Java,
    /// JavaScript, with JSX.
    JavaScript,
    /// PHP, with the HTML around it.
    Php,
    /// Python.
    Python,
    /// Ruby.
    Ruby,
    /// Rust.
    Rust,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX, a grammar of its own.
    Tsx,
}

/// How a language is indented where a file gives no sign of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indentation {
    /// Indented with tabs.
    pub tabs: bool,
    /// Columns a level.
    pub width: usize,
    /// Indentation ends blocks (Python).
    pub significant: bool,
}

impl Language {
    /// Every language, in the order of the enum.
    pub const ALL: [Self; 11] = [
        Self::CSharp,
        Self::Cpp,
        Self::Go,
        Self::Java,
        Self::JavaScript,
        Self::Php,
        Self::Python,
        Self::Ruby,
        Self::Rust,
        Self::TypeScript,
        Self::Tsx,
    ];

    /// The language of a file, by its extension or well-known name; `None` for any other file.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        let by_extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .and_then(|extension| Self::from_extension(&extension.to_ascii_lowercase()));
        by_extension.or_else(|| match path.file_name()?.to_str()? {
            "Rakefile" | "Gemfile" | "Vagrantfile" | "Guardfile" | "Podfile" => Some(Self::Ruby),
            "SConstruct" | "SConscript" => Some(Self::Python),
            _ => None,
        })
    }

    fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "cs" | "csx" => Self::CSharp,
            "cpp" | "cc" | "cxx" | "c++" | "hpp" | "hh" | "hxx" | "h++" | "h" | "c" | "ipp"
            | "inl" | "tpp" | "cu" | "cuh" => Self::Cpp,
            "go" => Self::Go,
            "java" => Self::Java,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "php" | "phtml" | "php5" | "php7" | "php8" => Self::Php,
            "py" | "pyi" | "pyw" => Self::Python,
            "rb" | "rake" | "gemspec" | "ru" => Self::Ruby,
            "rs" => Self::Rust,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            _ => return None,
        })
    }

    /// The language of an LSP `languageId`; `None` for one that has no grammar here.
    #[must_use]
    pub fn from_lsp_id(id: &str) -> Option<Self> {
        Some(match id {
            "csharp" => Self::CSharp,
            "cpp" | "c" | "cuda-cpp" => Self::Cpp,
            "go" => Self::Go,
            "java" => Self::Java,
            "javascript" | "javascriptreact" => Self::JavaScript,
            "php" => Self::Php,
            "python" => Self::Python,
            "ruby" => Self::Ruby,
            "rust" => Self::Rust,
            "typescript" => Self::TypeScript,
            "typescriptreact" => Self::Tsx,
            _ => return None,
        })
    }

    /// The stable, lower-case name, as it stands in data files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CSharp => "csharp",
            Self::Cpp => "cpp",
            Self::Go => "go",
            Self::Java => "java",
            Self::JavaScript => "javascript",
            Self::Php => "php",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
            Self::Tsx => "tsx",
        }
    }

    /// What starts a comment that runs to the line's end.
    #[must_use]
    pub const fn line_comment(self) -> &'static str {
        match self {
            Self::Python | Self::Ruby => "#",
            _ => "//",
        }
    }

    /// The markers around a comment over several lines; `None` where the language has none.
    /// Ruby's markers each stand alone at the start of a line.
    #[must_use]
    pub const fn block_comment(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Python => None,
            Self::Ruby => Some(("=begin", "=end")),
            _ => Some(("/*", "*/")),
        }
    }

    /// How the language is usually indented.
    #[must_use]
    pub const fn indentation(self) -> Indentation {
        let (tabs, width) = match self {
            Self::Go => (true, 4),
            Self::Ruby | Self::JavaScript | Self::TypeScript | Self::Tsx => (false, 2),
            _ => (false, 4),
        };
        Indentation {
            tabs,
            width,
            significant: matches!(self, Self::Python),
        }
    }

    /// The compiled-in grammar.
    #[must_use]
    pub fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::CSharp => tree_sitter_c_sharp::LANGUAGE.into(),
            Self::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::Php => tree_sitter_php::LANGUAGE_PHP.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::Ruby => tree_sitter_ruby::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
        }
    }

    /// Blocks are ended by a brace, not by indentation or by `end`.
    pub(crate) const fn has_braces(self) -> bool {
        !matches!(self, Self::Python | Self::Ruby)
    }

    /// JavaScript, TypeScript and TSX share their names and most of their rules.
    #[must_use]
    pub const fn is_ecmascript(self) -> bool {
        matches!(self, Self::JavaScript | Self::TypeScript | Self::Tsx)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// No language has this name.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown language `{0}`, expected one of csharp, cpp, go, java, javascript, php, python, ruby, rust, typescript, tsx"
)]
pub struct UnknownLanguage(String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|language| language.name() == name)
            .ok_or_else(|| UnknownLanguage(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_grammar_is_usable() {
        for language in Language::ALL {
            assert_eq!(language.name().parse::<Language>().unwrap(), language);
            assert!(language.grammar().node_kind_count() > 50, "{language}");
        }
        assert!("cobol".parse::<Language>().is_err());
    }

    #[test]
    fn paths_and_editor_ids_name_the_language() {
        let cases = [
            ("a/b.py", Some(Language::Python)),
            ("x.TSX", Some(Language::Tsx)),
            ("x.d.ts", Some(Language::TypeScript)),
            ("x.jsx", Some(Language::JavaScript)),
            ("lib.h", Some(Language::Cpp)),
            ("Rakefile", Some(Language::Ruby)),
            ("Makefile", None),
            ("noextension", None),
            (".env", None),
        ];
        for (path, expected) in cases {
            assert_eq!(Language::from_path(Path::new(path)), expected, "{path}");
        }
        assert_eq!(
            Language::from_lsp_id("typescriptreact"),
            Some(Language::Tsx)
        );
        assert_eq!(
            Language::from_lsp_id("javascriptreact"),
            Some(Language::JavaScript)
        );
        assert_eq!(Language::from_lsp_id("csharp"), Some(Language::CSharp));
        assert_eq!(Language::from_lsp_id("plaintext"), None);
    }
}
