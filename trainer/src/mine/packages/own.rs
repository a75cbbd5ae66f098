//! What a file says about the repository that it is in: the module, package or namespace that it
//! belongs to, and the name that others import it by. Read from its path and its first lines,
//! without parsing.

use truefill_syntax::Language;

use crate::dedup::words::hash;

/// What a file adds to its repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// The module, package or namespace, cut to what a repository's files share.
    pub module: Option<String>,
    /// Hashes of names that lead to the file.
    pub names: Vec<u64>,
}

/// Parts of a package's or namespace's name that tell repositories apart.
const JAVA_PARTS: usize = 3;
const NAMESPACE_PARTS: usize = 2;

/// Folders above the packages of a repository.
const PYTHON_ROOTS: &[&str] = &["src", "lib", "python", "py"];

/// Folders of a header's path that an include may name.
const INCLUDE_PARTS: usize = 4;

/// What the file at `path` says.
pub fn own(language: Language, path: &str, text: &str) -> Own {
    match language {
        Language::Python => Own {
            module: python(path),
            names: Vec::new(),
        },
        Language::Java => Own {
            module: declared(text, &["package"]).map(|name| first(&name, '.', JAVA_PARTS)),
            names: stem(path),
        },
        Language::CSharp => Own {
            module: declared(text, &["namespace"]).map(|name| first(&name, '.', NAMESPACE_PARTS)),
            names: stem(path),
        },
        Language::Php => Own {
            module: declared(text, &["namespace"]).map(|name| first(&name, '\\', NAMESPACE_PARTS)),
            names: stem(path),
        },
        Language::Ruby => Own {
            module: ruby(path),
            names: ruby_names(path),
        },
        Language::Cpp => Own {
            module: None,
            names: include_names(path),
        },
        _ => Own::default(),
    }
}

/// The key under which a repository's files keep a name.
pub fn key(language: Language, name: &str) -> u64 {
    hash(format!("{}:{name}", language.name()).as_bytes())
}

/// A constant of Ruby and a file's name as one word: `HTTPClient`, `http_client`.
pub fn plain(name: &str) -> String {
    let word = name.chars().filter(|c| c.is_alphanumeric());
    word.flat_map(char::to_lowercase).collect()
}

fn first(name: &str, separator: char, parts: usize) -> String {
    let parts: Vec<&str> = name.split(separator).take(parts).collect();
    parts.join(&separator.to_string())
}

/// The name after a keyword at the start of a line.
fn declared(text: &str, keywords: &[&str]) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        let (keyword, rest) = line.split_once([' ', '\t'])?;
        if !keywords.contains(&keyword) {
            return None;
        }
        let rest = rest.trim_start();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '\\')))
            .unwrap_or(rest.len());
        (end > 0).then(|| rest[..end].to_owned())
    })
}

fn file_stem(path: &str) -> &str {
    let name = super::file_name(path);
    name.split('.').next().unwrap_or(name)
}

/// A file is called like the type in it.
fn stem(path: &str) -> Vec<u64> {
    let language = crate::mine::survey::paths::language(path);
    let key = |language| key(language, file_stem(path));
    language.map(key).into_iter().collect()
}

fn python(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop()?;
    // The package is the first folder below the archive's own and the usual ones.
    let package = parts
        .iter()
        .rev()
        .take_while(|part| {
            !PYTHON_ROOTS.contains(part) && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
        .last();
    package
        .copied()
        .or(name.strip_suffix(".py").filter(|name| *name != "setup"))
        .map(str::to_owned)
}

fn ruby(path: &str) -> Option<String> {
    let (_, inside) = path.rsplit_once("lib/")?;
    let first = inside.split('/').next()?;
    Some(first.trim_end_matches(".rb").to_owned())
}

fn ruby_names(path: &str) -> Vec<u64> {
    vec![key(Language::Ruby, &plain(file_stem(path)))]
}

/// A header, by the ends of its path.
fn include_names(path: &str) -> Vec<u64> {
    if !path.contains(".h") {
        return Vec::new();
    }
    let parts: Vec<&str> = path.split('/').collect();
    let from = parts.len().saturating_sub(INCLUDE_PARTS);
    (from..parts.len())
        .map(|at| key(Language::Cpp, &parts[at..].join("/")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_their_module() {
        for (language, path, text, expected) in [
            (
                Language::Java,
                "a/B.java",
                "/* x */\npackage org.a.b.c;\n",
                Some("org.a.b"),
            ),
            (
                Language::CSharp,
                "B.cs",
                "\u{feff}namespace A.B.C\n{",
                Some("A.B"),
            ),
            (
                Language::Php,
                "a.php",
                "<?php\nnamespace V\\P\\Q;\n",
                Some("V\\P"),
            ),
            (Language::Python, "x-1.0/src/pkg/sub/m.py", "", Some("pkg")),
            (Language::Python, "x-1.0/pkg/m.py", "", Some("pkg")),
            (Language::Python, "pkg/m.py", "", Some("pkg")),
            (Language::Python, "single.py", "", Some("single")),
            (Language::Ruby, "g/lib/thing/x.rb", "", Some("thing")),
            (Language::Ruby, "g/app/x.rb", "", None),
            (Language::Rust, "src/lib.rs", "mod a;", None),
        ] {
            let found = own(language, path, text);
            assert_eq!(found.module.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn headers_are_known_by_the_ends_of_their_paths() {
        let names = own(Language::Cpp, "r/include/a/b/c.hpp", "").names;
        for path in ["c.hpp", "b/c.hpp", "a/b/c.hpp"] {
            assert!(names.contains(&key(Language::Cpp, path)), "{path}");
        }
        assert!(own(Language::Cpp, "a/b.cc", "").names.is_empty());
    }
}
