//! Where holes can be cut.

use std::{collections::BTreeSet, ops::Range};

use tree_sitter::{Node, Tree};

use crate::{
    language::Language,
    parse::parse,
    roles::{Role, role, table, walk},
    text::line_end,
};

use super::{
    Hole, HoleKind,
    kinds::{Place, is_block, is_one_import, is_statement},
};

/// Holes in the order of the text: start, end, kind.
type Found = BTreeSet<(usize, usize, HoleKind)>;

/// Longer calls, arguments and statements are not cut, in bytes.
const LONGEST: usize = 400;

/// Bodies with more lines are not cut.
const MOST_LINES: usize = 30;

/// Every hole that can be cut into `text`. Empty where it does not parse in time.
#[must_use]
pub fn holes(language: Language, text: &str) -> Vec<Hole> {
    parse(language, text)
        .map(|tree| holes_in(language, text, &tree))
        .unwrap_or_default()
}

/// Every hole that can be cut into `text`, from its tree.
#[must_use]
pub fn holes_in(language: Language, text: &str, tree: &Tree) -> Vec<Hole> {
    let mut found = Found::new();
    let mut cursor = tree.walk();
    // Kept here, since a node finds its parent by a search from the root.
    let mut parents: Vec<Node> = Vec::new();
    loop {
        let node = cursor.node();
        if !node.is_error() {
            let place = Place {
                node,
                parent: parents.last().copied(),
                field: cursor.field_name(),
            };
            cut_node(language, text, &place, &mut found);
        }
        if cursor.goto_first_child() {
            parents.push(node);
            continue;
        }
        if cursor.goto_next_sibling() {
            continue;
        }
        loop {
            parents.pop();
            if !cursor.goto_parent() {
                cut_leaves(language, text, tree, &mut found);
                let hole = |(start, end, kind)| Hole {
                    kind,
                    range: start..end,
                };
                return found.into_iter().map(hole).collect();
            }
            if cursor.goto_next_sibling() {
                break;
            }
        }
    }
}

fn cut_node(language: Language, text: &str, place: &Place, found: &mut Found) {
    let (node, field) = (place.node, place.field);
    let kind = node.kind();
    let range = node.byte_range();
    let body = &text[range.clone()];
    let short = body.len() <= LONGEST;
    let one_line = !body.contains('\n');
    let mut add = |kind, range: Range<usize>| {
        found.insert((range.start, range.end, kind));
    };
    if short && is_one_import(language, text, place) {
        add(HoleKind::Import, range.clone());
        return;
    }
    let call = kind.contains("call") || kind.contains("invocation") && !kind.contains("macro");
    if call && node.is_named() && short && one_line && body.contains('(') {
        add(HoleKind::CallSite, range.clone());
    }
    let arguments = matches!(kind, "arguments" | "argument_list") && field == Some("arguments");
    if arguments && short && body.starts_with('(') && body.ends_with(')') && body.len() > 2 {
        add(HoleKind::Arguments, range.start + 1..range.end - 1);
    }
    if short && body.len() > 4 && is_statement(language, place) && is_plain(node, body) {
        add(HoleKind::Statement, range.clone());
    }
    if is_block(text, place) && body.lines().count() <= MOST_LINES {
        let braces = body.starts_with('{') && body.ends_with('}');
        let inner = if braces {
            range.start + 1..range.end - 1
        } else {
            range
        };
        let code = text[inner.clone()].trim();
        if code.len() > 8 && (braces || code.contains('\n') || one_line) {
            let start = inner.start + text[inner.clone()].find(code).unwrap_or(0);
            add(HoleKind::Block, start..start + code.len());
        }
    }
}

/// The statement has no body of its own.
fn is_plain(node: Node, body: &str) -> bool {
    // Ruby's `check! if x` has its statement as a body.
    let modified = node.kind().ends_with("_modifier");
    (modified || node.child_by_field_name("body").is_none())
        && node.child_by_field_name("consequence").is_none()
        && !body.contains("{\n")
        && !ends_block(body)
}

/// Ruby: the statement's last line closes a block with a body.
fn ends_block(body: &str) -> bool {
    let last = body.lines().next_back().unwrap_or("").trim();
    body.contains('\n') && matches!(last, "end" | "}")
}

fn cut_leaves(language: Language, text: &str, tree: &Tree, found: &mut Found) {
    let names = table(language).names;
    walk(language, tree, 0..text.len(), |path| {
        let leaf = path.leaf();
        let mut range = leaf.byte_range();
        if range.is_empty() || leaf.kind().contains("comment") || leaf.kind().contains("string") {
            return;
        }
        // PHP's sigil is a leaf of its own, and part of the name.
        let variable = path.up(1).filter(|up| up.kind == "variable_name");
        let behind_sigil = variable.is_some() && leaf.kind() != "$";
        let end = line_end(text, range.start);
        let rest = &text[range.start..end];
        let starts_line = text[..range.start].ends_with(['\n', ' ', '\t'])
            && text[crate::text::line_start(text, range.start)..range.start]
                .trim()
                .is_empty();
        let code = !rest.contains("//") && !rest.contains('#');
        if rest.trim().len() > 3 && !starts_line && !behind_sigil && code {
            found.insert((
                range.start,
                range.start + rest.trim_end().len(),
                HoleKind::LineEnd,
            ));
        }
        if let Some(variable) = variable {
            range = variable.node.byte_range();
        }
        if !names.contains(&leaf.kind()) || range.len() < 2 {
            return;
        }
        let used = !matches!(
            role(language, text, path),
            Role::Define(_) | Role::Ignore | Role::Import
        );
        if used {
            found.insert((range.start, range.end, HoleKind::Identifier));
        }
    });
}
