//! A syntax tree that follows the edits of its text.

use std::time::Duration;

use tree_sitter::{InputEdit, Point, Tree};

use crate::{language::Language, parse::parse_within, text::floor_boundary};

/// A syntax tree. The text stays with the caller, who passes the text that the tree describes.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxTree {
    language: Language,
    tree: Tree,
}

impl SyntaxTree {
    /// Parses `text` within `limit`.
    #[must_use]
    pub(crate) fn parse_within(language: Language, text: &str, limit: Duration) -> Option<Self> {
        let tree = parse_within(language, text, None, limit)?;
        Some(Self { language, tree })
    }

    /// Follows an edit that replaced `removed` by `inserted` at byte `start`, and parses again,
    /// which costs about as much as the edit is large. `text` is the text after the edit. Returns
    /// false when the parse ran out of time or `text` is too long: drop the tree then.
    #[must_use]
    pub(crate) fn edit(
        &mut self,
        start: usize,
        removed: &str,
        inserted: &str,
        text: &str,
        limit: Duration,
    ) -> bool {
        let start = floor_boundary(text, start);
        let from = point_at(text, start);
        self.tree.edit(&InputEdit {
            start_byte: start,
            old_end_byte: start + removed.len(),
            new_end_byte: start + inserted.len(),
            start_position: from,
            old_end_position: advance(from, removed),
            new_end_position: advance(from, inserted),
        });
        match parse_within(self.language, text, Some(&self.tree), limit) {
            Some(tree) => {
                self.tree = tree;
                true
            }
            None => false,
        }
    }

    /// The tree-sitter tree.
    #[must_use]
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }
}

fn point_at(text: &str, offset: usize) -> Point {
    advance(Point { row: 0, column: 0 }, &text[..offset])
}

fn advance(from: Point, text: &str) -> Point {
    match text.rfind('\n') {
        None => Point {
            row: from.row,
            column: from.column + text.len(),
        },
        Some(last) => Point {
            row: from.row + text.bytes().filter(|&byte| byte == b'\n').count(),
            column: text.len() - last - 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::PARSE_TIME_LIMIT;

    #[test]
    fn an_edited_tree_equals_a_fresh_one() {
        let mut text = String::from("def f(a):\n    return a\n\nx = f(1)\n");
        let mut tree = SyntaxTree::parse_within(Language::Python, &text, PARSE_TIME_LIMIT).unwrap();
        for (start, removed, inserted) in [
            (10, "", "    b = 'ü'\n"),
            (0, "def", "async def"),
            (4, "c def", "c\ndef"),
            (0, "", "\n\n"),
        ] {
            text.replace_range(start..start + removed.len(), inserted);
            assert!(tree.edit(start, removed, inserted, &text, PARSE_TIME_LIMIT));
            let fresh =
                SyntaxTree::parse_within(Language::Python, &text, PARSE_TIME_LIMIT).unwrap();
            assert_eq!(
                tree.tree().root_node().to_sexp(),
                fresh.tree().root_node().to_sexp()
            );
            assert_eq!(
                tree.tree().root_node().end_position(),
                fresh.tree().root_node().end_position()
            );
        }
    }
}
