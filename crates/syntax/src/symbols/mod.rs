//! What one file defines, imports and names.

mod classes;
mod collect;
mod imports;
mod imports_paths;
mod signatures;
mod words;

use std::ops::Range;

use serde::Serialize;
use tree_sitter::Tree;

use crate::{language::Language, parse::parse, roles::SymbolKind};

pub(crate) use collect::Collector;
pub(crate) use imports::{calls_one_of, is_import};
pub use words::symbols_of_words;

/// A name that a file defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// The name, without sigils (`$`, `@`).
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// The class (struct, trait, module) that it is a member of.
    pub container: Option<String>,
    /// It is visible inside of one function only.
    pub local: bool,
    /// The name's place in the file.
    pub range: Range<usize>,
}

/// The parameters of a function, in a language that can name them in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// The function.
    pub name: String,
    /// Its class.
    pub container: Option<String>,
    /// Parameter names in order.
    pub parameters: Vec<String>,
    /// It takes names that are not listed (`**kwargs`), or a decorator may have changed it.
    pub open: bool,
}

/// A class and what it inherits from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// The class.
    pub name: String,
    /// Last names of its bases.
    pub bases: Vec<String>,
    /// It may have members that are not written down (`__getattr__`, mixins, macros).
    pub open: bool,
}

/// One imported module or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The module as written: `a.b`, `./x`, `crate::a`, `a/b.h`.
    pub module: String,
    /// The name taken from the module; `None` for the module itself.
    pub name: Option<String>,
    /// What it is called in this file, where that differs.
    pub alias: Option<String>,
    /// Everything in the module.
    pub wildcard: bool,
    /// The module's place in the file.
    pub module_range: Range<usize>,
    /// The name's place in the file; empty without a name.
    pub name_range: Range<usize>,
}

impl Import {
    /// What the import is called in its file: the alias, the name, or the module's last part.
    #[must_use]
    pub fn local_name(&self) -> &str {
        if let Some(alias) = &self.alias {
            return alias;
        }
        match &self.name {
            Some(name) => name,
            None => self
                .module
                .rsplit(['.', '/', ':', '\\'])
                .next()
                .unwrap_or(&self.module),
        }
    }
}

/// Everything that the index and the resolver want to know about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Symbols {
    /// Definitions in the order of the text.
    pub definitions: Vec<Definition>,
    /// Signatures of functions.
    pub signatures: Vec<Signature>,
    /// Classes with their bases.
    pub classes: Vec<Class>,
    /// Imports in the order of the text.
    pub imports: Vec<Import>,
    /// Every identifier in the code and in strings that are one identifier; sorted, once each.
    pub names: Vec<String>,
}

/// Reads the symbols of `text`. Empty where the text is too long or takes too long to parse.
#[must_use]
pub fn symbols(language: Language, text: &str) -> Symbols {
    parse(language, text)
        .map(|tree| symbols_of(language, text, &tree))
        .unwrap_or_default()
}

/// Reads the symbols of `text` from its tree.
#[must_use]
pub fn symbols_of(language: Language, text: &str, tree: &Tree) -> Symbols {
    collect::collect(language, text, tree, 0..text.len(), true)
}

/// Reads the symbols of the part of the tree that touches `range`, all but the names.
pub(crate) fn symbols_in(
    language: Language,
    text: &str,
    tree: &Tree,
    range: Range<usize>,
) -> Symbols {
    collect::collect(language, text, tree, range, false)
}

#[cfg(test)]
mod tests;
