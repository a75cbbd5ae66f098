//! A walk over the named leaves of a tree, with the path from the root to each.

use std::ops::Range;

use tree_sitter::{Node, Tree};

/// One node on the way from the root, with the field that it fills in its parent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'tree> {
    pub node: Node<'tree>,
    pub field: Option<&'tree str>,
}

/// The way from the root to a leaf.
#[derive(Debug, Default)]
pub(crate) struct Path<'tree> {
    frames: Vec<Frame<'tree>>,
}

impl<'tree> Path<'tree> {
    /// The leaf.
    pub(crate) fn leaf(&self) -> Node<'tree> {
        self.frames[self.frames.len() - 1].node
    }

    /// The frame `steps` above the leaf.
    pub(crate) fn up(&self, steps: usize) -> Option<Frame<'tree>> {
        let index = self.frames.len().checked_sub(steps + 1)?;
        self.frames.get(index).copied()
    }

    /// The frames above the leaf, innermost first.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = Frame<'tree>> + '_ {
        self.frames.iter().rev().skip(1).copied()
    }
}

/// Nodes deeper than this are not visited: only hostile texts nest so deep, and the path would
/// make the walk quadratic.
const MAX_DEPTH: usize = 400;

/// Visits every leaf that touches `range`, in order, named and unnamed. Without recursion.
pub(crate) fn walk<'tree>(
    tree: &'tree Tree,
    range: Range<usize>,
    mut visit: impl FnMut(&Path<'tree>),
) {
    let mut cursor = tree.walk();
    let mut path = Path {
        frames: vec![Frame {
            node: cursor.node(),
            field: None,
        }],
    };
    loop {
        let node = cursor.node();
        let touches = node.start_byte() < range.end && node.end_byte() > range.start;
        let deep = path.frames.len() > MAX_DEPTH;
        if touches && !deep && cursor.goto_first_child() {
            path.frames.push(Frame {
                node: cursor.node(),
                field: cursor.field_name(),
            });
            continue;
        }
        if touches && node.child_count() == 0 {
            visit(&path);
        }
        loop {
            if cursor.node().start_byte() < range.end && cursor.goto_next_sibling() {
                path.frames.pop();
                path.frames.push(Frame {
                    node: cursor.node(),
                    field: cursor.field_name(),
                });
                break;
            }
            if !cursor.goto_parent() {
                return;
            }
            path.frames.pop();
        }
    }
}
