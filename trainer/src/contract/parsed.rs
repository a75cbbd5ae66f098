//! A file with a hole that is filled, and its tree.

use std::ops::Range;
use std::time::Duration;

use tree_sitter::{Node, Tree};
use truefill_syntax::{Language, Leaf, leaves, parse_within};

use super::arguments::misplaced;
use super::names::{contains_word, tells};

/// Longer windows are not read, in bytes. The bound is one of bytes and not of time, so that a busy
/// machine gives the same rows.
const LONGEST: usize = 512 << 10;

/// More than any window takes: a last resort against a parser that does not end.
const PARSE_LIMIT: Duration = Duration::from_secs(600);

/// A window with the text of its hole in place.
pub struct Parsed {
    /// Its language.
    pub language: Language,
    /// The whole window.
    pub text: String,
    /// Where the hole's text lies.
    pub hole: Range<usize>,
    /// The window's tree.
    pub tree: Tree,
    /// Places where the parser gave up or made something up, and arguments where none may stand.
    pub(super) errors: usize,
    leaves: Vec<Leaf>,
}

impl Parsed {
    /// Parses a window; `None` where it is too long.
    #[must_use]
    pub fn new(language: Language, prefix: &str, middle: &str, suffix: &str) -> Option<Self> {
        let text = [prefix, middle, suffix].concat();
        if text.len() > LONGEST {
            return None;
        }
        let hole = prefix.len()..prefix.len() + middle.len();
        let tree = parse_within(language, &text, None, PARSE_LIMIT)?;
        let errors = errors(&tree) + misplaced(language, &text, &tree, &hole);
        let leaves = leaves(language, &text, &tree, hole.clone());
        Some(Self {
            language,
            text,
            hole,
            tree,
            errors,
            leaves,
        })
    }

    /// The same window with another text in the hole.
    pub(super) fn with(&self, middle: &str) -> Option<Self> {
        Self::new(
            self.language,
            &self.text[..self.hole.start],
            middle,
            &self.text[self.hole.end..],
        )
    }

    /// The hole's text.
    #[must_use]
    pub fn in_hole(&self) -> &str {
        &self.text[self.hole.clone()]
    }

    /// The leaves in the hole.
    #[must_use]
    pub fn hole_leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// A leaf's text.
    #[must_use]
    pub fn text_of(&self, leaf: &Leaf) -> &str {
        &self.text[leaf.range.clone()]
    }

    /// What two leaves are compared by.
    pub(super) fn leaf(&self, at: usize) -> Option<(u16, &str)> {
        let leaf = self.leaves.get(at)?;
        Some((leaf.kind, self.text_of(leaf)))
    }

    /// The window has `name` as a whole word.
    #[must_use]
    pub fn has_word(&self, name: &str) -> bool {
        contains_word(&self.text, name)
    }

    /// The name says that it is invented, in a window that has no such word.
    #[must_use]
    pub fn tells(&self, name: &str) -> bool {
        tells(name, &self.text)
    }

    /// Whether putting `new` for `old` at `leaves` gives the other text, byte for byte.
    pub(super) fn rebuilds(&self, leaves: &[Leaf], old: &str, new: &str, other: &Self) -> bool {
        let mut rebuilt = String::new();
        let mut at = 0;
        for leaf in leaves {
            if self.text_of(leaf) == old {
                rebuilt.push_str(&self.text[at..leaf.range.start]);
                rebuilt.push_str(new);
                at = leaf.range.end;
            }
        }
        rebuilt.push_str(&self.text[at..]);
        rebuilt == other.text
    }

    /// The smallest node of one of `kinds` around a range.
    pub(crate) fn around(&self, range: &Range<usize>, kinds: &[&str]) -> Option<Node<'_>> {
        let root = self.tree.root_node();
        let mut node = root.descendant_for_byte_range(range.start, range.end)?;
        loop {
            if kinds.contains(&node.kind()) {
                return Some(node);
            }
            node = node.parent()?;
        }
    }

    /// Whether a node of one of `kinds` lies in the hole, if only with a part.
    pub(super) fn has_in_hole(&self, kinds: &[&str]) -> bool {
        let mut found = false;
        walk(&self.tree, |node| {
            let inside =
                node.start_byte() < self.hole.end && self.hole.start < node.end_byte() && !found;
            found |= inside && kinds.contains(&node.kind());
            inside && !found
        });
        found
    }
}

/// Counts nodes that are errors or missing, going only where there are some.
fn errors(tree: &Tree) -> usize {
    let mut count = 0;
    walk(tree, |node| {
        count += usize::from(node.is_error() || node.is_missing());
        node.has_error() && !node.is_error()
    });
    count
}

/// Visits nodes from the root on, in the order of the text; below those alone of which `visit` says
/// so.
pub(crate) fn walk<'t>(tree: &'t Tree, mut visit: impl FnMut(Node<'t>) -> bool) {
    let mut cursor = tree.walk();
    loop {
        if visit(cursor.node()) && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}
