//! The completion in its file: the text, its tree, and the names that are around.

use std::{collections::HashSet, ops::Range, path::Path};

use tree_sitter::Tree;

use crate::{
    builtins,
    index::{Table, key},
    language::Language,
    parse::parse,
    roles::SymbolKind,
    symbols::{Import, Symbols, symbols_in, symbols_of},
    text::{floor_boundary, line_end, line_start},
};

/// Larger files are parsed in a window around the completion, in bytes to each side.
const WINDOW: usize = 96 << 10;

pub(super) struct Scene<'a> {
    pub language: Language,
    pub path: String,
    /// The window of the file with the completion in it.
    pub text: String,
    /// The completion's place in `text`.
    pub range: Range<usize>,
    pub tree: Tree,
    /// Words of the file outside of the completion.
    pub words: HashSet<&'a str>,
    /// What the file defines, the completion included.
    pub symbols: Symbols,
    /// What the completion imports.
    pub imports: Vec<Import>,
    /// Names that the completion defines.
    pub declared: HashSet<String>,
    pub table: &'a Table,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        language: Language,
        path: &Path,
        prefix: &'a str,
        completion: &str,
        suffix: &'a str,
        table: &'a Table,
    ) -> Option<Self> {
        let before = &prefix[window_start(prefix)..];
        let after = &suffix[..window_end(suffix)];
        let text = format!("{before}{completion}{after}");
        let range = before.len()..before.len() + completion.len();
        let tree = parse(language, &text)?;
        let inside = symbols_in(language, &text, &tree, range.clone());
        let within = |other: &Range<usize>| other.start < range.end && other.end > range.start;
        let defined = inside
            .definitions
            .iter()
            .filter(|found| within(&found.range));
        let mut declared: HashSet<String> = defined.map(|found| found.name.clone()).collect();
        let imports: Vec<Import> = inside
            .imports
            .into_iter()
            .filter(|import| within(&import.module_range) || within(&import.name_range))
            .collect();
        declared.extend(imports.iter().map(|import| import.local_name().to_owned()));
        let symbols = symbols_of(language, &text, &tree);
        let mut words = HashSet::new();
        collect_words(prefix, starts_word(completion, suffix), false, &mut words);
        collect_words(suffix, false, ends_word(prefix, completion), &mut words);
        Some(Self {
            language,
            path: key(path),
            text,
            range,
            tree,
            words,
            symbols,
            imports,
            declared,
            table,
        })
    }

    /// The name stands in the file, in the completion as a definition, or among the names that the
    /// language brings.
    pub(super) fn is_near(&self, name: &str) -> bool {
        self.words.contains(name)
            || self.declared.contains(name)
            || builtins::contains(self.language, name)
    }

    /// The name stands nowhere: not near, and in no other file.
    pub(super) fn is_nowhere(&self, name: &str) -> bool {
        !self.is_near(name) && self.table.files_with(name) == 0
    }

    /// The import that binds `name` in the file.
    pub(super) fn import_of(&self, name: &str) -> Option<&Import> {
        self.symbols
            .imports
            .iter()
            .find(|import| import.local_name() == name)
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
        self.symbols
            .definitions
            .iter()
            .any(|found| found.name == name && !found.local && !value(found.kind))
    }

    /// The place of `range` of the text in the completion.
    pub(super) fn in_completion(&self, range: &Range<usize>) -> Range<usize> {
        let start = range.start.max(self.range.start) - self.range.start;
        let end = range.end.min(self.range.end).max(self.range.start) - self.range.start;
        start..end.max(start)
    }
}

fn window_start(prefix: &str) -> usize {
    if prefix.len() <= WINDOW {
        0
    } else {
        line_start(prefix, prefix.len() - WINDOW)
    }
}

fn window_end(suffix: &str) -> usize {
    if suffix.len() <= WINDOW {
        suffix.len()
    } else {
        line_end(suffix, floor_boundary(suffix, WINDOW))
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The completion goes on with the word at the end of the prefix.
fn starts_word(completion: &str, suffix: &str) -> bool {
    let next = if completion.is_empty() {
        suffix
    } else {
        completion
    };
    next.starts_with(is_word)
}

/// The completion ends in the word at the start of the suffix.
fn ends_word(prefix: &str, completion: &str) -> bool {
    let last = if completion.is_empty() {
        prefix
    } else {
        completion
    };
    last.ends_with(is_word)
}

/// Gathers the words of `text`, without the last or the first where the completion touches it.
fn collect_words<'a>(
    text: &'a str,
    drop_last: bool,
    drop_first: bool,
    words: &mut HashSet<&'a str>,
) {
    let end = if drop_last {
        text.trim_end_matches(is_word).len()
    } else {
        text.len()
    };
    let start = if drop_first {
        text.len() - text.trim_start_matches(is_word).len()
    } else {
        0
    };
    let Some(text) = text.get(start..end) else {
        return;
    };
    words.extend(
        text.split(|c: char| !is_word(c))
            .filter(|word| !word.is_empty()),
    );
}
