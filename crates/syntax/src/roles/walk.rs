//! A walk over the leaves of a tree, with the path from the root to each.
//!
//! Each node on the path carries what its ancestors say about it, so that no question at a leaf
//! needs to look at all of them, or at all siblings: in a text that does not parse, one node can
//! have every token of the file as its child.

use std::ops::Range;

use tree_sitter::{Node, Tree, TreeCursor};

use crate::language::Language;

use super::{
    Rule,
    grammar::{Grammar, Imports, Kind},
};

/// One node on the way from the root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'tree> {
    pub node: Node<'tree>,
    /// Its first byte, and the byte behind it.
    pub start: usize,
    pub end: usize,
    /// The field that it fills in its parent.
    pub field: Option<&'static str>,
    /// What its language says about its kind.
    pub what: &'static Kind,
    pub kind: &'static str,
    /// Kind of the sibling before it.
    pub before: Option<&'static str>,
    /// The rule of the innermost region that it is or stands in.
    pub region: Option<Rule>,
    /// The innermost node that imports and that it is or stands in.
    pub import: Option<Node<'tree>>,
    /// It is or stands in a list of tokens (Rust's macros) that holds a closure or a block.
    pub code: bool,
}

impl<'tree> Frame<'tree> {
    fn new(
        grammar: &'static Grammar,
        cursor: &TreeCursor<'tree>,
        before: Option<&'static str>,
        parent: Option<&Self>,
    ) -> Self {
        let node = cursor.node();
        let what = grammar.kind(node);
        let imports = match what.imports {
            Imports::Never => false,
            Imports::Always => true,
            Imports::WithSource => grammar.child(node, "source").is_some(),
        };
        let Range { start, end } = node.byte_range();
        Self {
            node,
            start,
            end,
            field: cursor.field_id().map(|id| grammar.field(id)),
            what,
            kind: what.name,
            before,
            region: what
                .region
                .or_else(|| parent.and_then(|parent| parent.region)),
            import: imports
                .then_some(node)
                .or_else(|| parent.and_then(|parent| parent.import)),
            code: parent.is_some_and(|parent| parent.code)
                || (what.name == "token_tree" && has_code(node)),
        }
    }
}

/// A closure or a block among the tokens.
fn has_code(tokens: Node) -> bool {
    let mut cursor = tokens.walk();
    tokens.children(&mut cursor).any(|child| {
        let block = || child.child(0).is_some_and(|open| open.kind() == "{");
        matches!(child.kind(), "|" | "||") || (child.kind() == "token_tree" && block())
    })
}

/// The way from the root to a leaf.
#[derive(Debug, Default)]
pub(crate) struct Path<'tree> {
    frames: Vec<Frame<'tree>>,
}

impl<'tree> Path<'tree> {
    /// The leaf.
    pub(crate) fn leaf(&self) -> Node<'tree> {
        self.last().node
    }

    /// The leaf's bytes.
    pub(crate) fn range(&self) -> Range<usize> {
        let Frame { start, end, .. } = *self.last();
        start..end
    }

    /// The leaf's kind.
    pub(crate) fn kind(&self) -> &'static str {
        self.last().kind
    }

    /// The leaf's frame.
    pub(crate) fn last(&self) -> &Frame<'tree> {
        &self.frames[self.frames.len() - 1]
    }

    /// The frame `steps` above the leaf.
    pub(crate) fn up(&self, steps: usize) -> Option<Frame<'tree>> {
        let index = self.frames.len().checked_sub(steps + 1)?;
        self.frames.get(index).copied()
    }

    /// The frames above the leaf, innermost first.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &Frame<'tree>> + '_ {
        self.frames.iter().rev().skip(1)
    }
}

/// Nodes deeper than this are not visited: only hostile texts nest so deep, and the path would
/// make the walk quadratic.
const MAX_DEPTH: usize = 400;

/// Visits every leaf that touches `range`, in order, named and unnamed. Without recursion.
pub(crate) fn walk<'tree>(
    language: Language,
    tree: &'tree Tree,
    range: Range<usize>,
    mut visit: impl FnMut(&Path<'tree>),
) {
    walk_nodes(language, tree, range, |path, is_leaf| {
        if is_leaf {
            visit(path);
        }
    });
}

/// Visits every node that touches `range`, parents before their children, and says of each whether
/// it is a leaf. Without recursion.
pub(crate) fn walk_nodes<'tree>(
    language: Language,
    tree: &'tree Tree,
    range: Range<usize>,
    mut visit: impl FnMut(&Path<'tree>, bool),
) {
    let grammar = Grammar::of(language);
    let mut cursor = tree.walk();
    let root = Frame::new(grammar, &cursor, None, None);
    let mut path = Path { frames: vec![root] };
    loop {
        let Frame {
            node, start, end, ..
        } = *path.last();
        let touches = start < range.end && end > range.start;
        let deep = path.frames.len() > MAX_DEPTH;
        // To go there is how to learn whether there is one: to count them takes as long again.
        let enters = touches && !deep && cursor.goto_first_child();
        if touches {
            visit(&path, !enters && (!deep || node.child_count() == 0));
        }
        if enters {
            let frame = Frame::new(grammar, &cursor, None, path.frames.last());
            path.frames.push(frame);
            continue;
        }
        loop {
            if path.last().start < range.end && cursor.goto_next_sibling() {
                let before = path.frames.pop().map(|frame| frame.kind);
                let frame = Frame::new(grammar, &cursor, before, path.frames.last());
                path.frames.push(frame);
                break;
            }
            if !cursor.goto_parent() {
                return;
            }
            path.frames.pop();
        }
    }
}
