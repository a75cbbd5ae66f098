//! The completion in its file, parsed: one parse for the first completion at a place, an edit of
//! its tree for each other one.

use std::{collections::HashSet, ops::Range, time::Duration};

use tree_sitter::Tree;

use crate::{
    language::Language,
    symbols::{Import, Symbols, symbols_in},
    text::{tail_window, whole_head},
    tree::SyntaxTree,
};

/// Bytes of the file that are parsed: its head, where imports stand, and what is near the cursor.
/// Words are read from the whole file. On the packages of `scripts/guard-*.txt` the whole file
/// instead of this window changes no verdict in a thousand, and takes several times as long.
const HEAD: usize = 8 << 10;
const BEFORE: usize = 24 << 10;
const AFTER: usize = 8 << 10;

/// Time for a parse where nobody sets another. Beyond it nothing is judged: the suggestion is waited
/// for.
pub(super) const LIMIT: Duration = Duration::from_millis(200);

/// A completion in the window of its file.
#[derive(Debug)]
pub(super) struct Reading {
    pub text: String,
    /// The completion's place in `text`.
    pub range: Range<usize>,
    tree: SyntaxTree,
    /// What the window defines and imports, the completion included.
    pub symbols: Symbols,
    /// What the completion imports.
    pub imports: Vec<Import>,
    /// Names that the completion defines.
    pub declared: HashSet<String>,
}

impl Reading {
    /// Reads `completion` between `prefix` and `suffix` within `limit`, from the reading of another
    /// completion at the same place where there is one.
    pub(super) fn new(
        language: Language,
        prefix: &str,
        completion: &str,
        suffix: &str,
        other: Option<Self>,
        limit: Duration,
    ) -> Option<Self> {
        let (text, range, tree) = match other {
            Some(other) => other.exchange(completion, limit),
            None => fresh(language, prefix, completion, suffix, limit),
        }?;
        let symbols = symbols_in(language, &text, tree.tree(), 0..text.len());
        let touches = |other: &Range<usize>| other.start < range.end && other.end > range.start;
        let defined = symbols.definitions.iter();
        let defined = defined.filter(|found| touches(&found.range));
        let mut declared: HashSet<String> = defined.map(|found| found.name.clone()).collect();
        let imports = symbols.imports.iter();
        let imports: Vec<Import> = imports
            .filter(|import| touches(&import.module_range) || touches(&import.name_range))
            .cloned()
            .collect();
        declared.extend(imports.iter().map(|import| import.local_name().to_owned()));
        Some(Self {
            text,
            range,
            tree,
            symbols,
            imports,
            declared,
        })
    }

    pub(super) fn tree(&self) -> &Tree {
        self.tree.tree()
    }

    fn exchange(
        mut self,
        completion: &str,
        limit: Duration,
    ) -> Option<(String, Range<usize>, SyntaxTree)> {
        let removed = self.text[self.range.clone()].to_owned();
        let range = self.range.start..self.range.start + completion.len();
        self.text.replace_range(self.range, completion);
        let fits = self
            .tree
            .edit(range.start, &removed, completion, &self.text, limit);
        fits.then_some((self.text, range, self.tree))
    }
}

fn fresh(
    language: Language,
    prefix: &str,
    completion: &str,
    suffix: &str,
    limit: Duration,
) -> Option<(String, Range<usize>, SyntaxTree)> {
    let (head, near) = if prefix.len() <= HEAD + BEFORE {
        ("", prefix)
    } else {
        (whole_head(prefix, HEAD), tail_window(prefix, BEFORE))
    };
    let after = whole_head(suffix, AFTER);
    let text = [head, near, completion, after].concat();
    let start = head.len() + near.len();
    let tree = SyntaxTree::parse_within(language, &text, limit)?;
    Some((text, start..start + completion.len(), tree))
}
