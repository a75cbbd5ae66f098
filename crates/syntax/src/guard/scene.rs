//! The completion in its file and in its workspace: the questions that the rules ask.

use std::{collections::HashSet, ops::Range};

use tree_sitter::Tree;

use crate::{
    builtins,
    index::Table,
    language::Language,
    roles::SymbolKind,
    symbols::{Import, Symbols},
};

use super::{reading::Reading, words::Words};

pub(super) struct Scene<'a> {
    pub language: Language,
    pub path: &'a str,
    /// The window of the file with the completion in it.
    pub text: &'a str,
    /// The completion's place in `text`.
    pub range: Range<usize>,
    pub tree: &'a Tree,
    /// What the window defines, the completion included.
    pub symbols: &'a Symbols,
    /// What the completion imports.
    pub imports: &'a [Import],
    pub table: &'a Table,
    /// The whole file before and after the completion.
    file: [&'a str; 2],
    words: &'a Words<'a>,
    /// Names that the completion defines.
    declared: &'a HashSet<String>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        language: Language,
        path: &'a str,
        file: [&'a str; 2],
        words: &'a Words<'a>,
        reading: &'a Reading,
        table: &'a Table,
    ) -> Self {
        Self {
            language,
            path,
            file,
            text: &reading.text,
            range: reading.range.clone(),
            tree: reading.tree(),
            symbols: &reading.symbols,
            imports: &reading.imports,
            table,
            words,
            declared: &reading.declared,
        }
    }

    /// The name stands in the file, outside of the completion.
    pub(super) fn is_around(&self, name: &str) -> bool {
        self.words.around(&self.text[self.range.clone()], name)
    }

    /// The name stands in the file, in the completion as a definition, or among the names that the
    /// language brings.
    pub(super) fn is_near(&self, name: &str) -> bool {
        self.is_around(name)
            || self.declared.contains(name)
            || builtins::contains(self.language, name)
    }

    /// The name stands nowhere: not near, and in no other file.
    pub(super) fn is_nowhere(&self, name: &str) -> bool {
        !self.is_near(name) && self.table.files_with(name) == 0
    }

    /// The import that binds `name` in the file.
    pub(super) fn import_of(&self, name: &str) -> Option<&'a Import> {
        let imports = &self.symbols.imports;
        imports.iter().find(|import| import.local_name() == name)
    }

    /// The file defines a class, function, constant or module of that name. A variable says nothing
    /// about where its value comes from.
    pub(super) fn is_defined_here(&self, name: &str) -> bool {
        let value = |kind| {
            matches!(
                kind,
                SymbolKind::Variable | SymbolKind::Field | SymbolKind::Parameter
            )
        };
        let mut definitions = self.symbols.definitions.iter();
        definitions.any(|found| found.name == name && !found.local && !value(found.kind))
    }

    /// The file brings all its names in by itself: nothing is a global of another script.
    pub(super) fn is_module(&self) -> bool {
        let exported = |line: &str| line.starts_with("export ") || line.starts_with("module.exp");
        !self.symbols.imports.is_empty() || self.text.lines().any(exported)
    }

    /// The text stands in the file, outside of the completion.
    pub(super) fn is_written(&self, text: &str) -> bool {
        self.file.iter().any(|part| part.contains(text))
    }

    /// The place of `range` of the text in the completion.
    pub(super) fn in_completion(&self, range: &Range<usize>) -> Range<usize> {
        let start = range.start.max(self.range.start) - self.range.start;
        let end = range.end.min(self.range.end).max(self.range.start) - self.range.start;
        start..end.max(start)
    }
}
