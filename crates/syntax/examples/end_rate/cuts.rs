//! What is cut out of a file.

use std::ops::Range;

use tree_sitter::Tree;
use truefill_syntax::{HoleKind, Language, holes_in, parse};

/// Kinds of cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// From a token to the end of its line.
    Line,
    /// A statement of one line, on a line of its own.
    Statement,
    /// The inside of a body of several lines; what closes it stays.
    Body,
    /// Everything that a header began, from its colon or brace on.
    Begun,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Line, Self::Statement, Self::Body, Self::Begun];
}

/// A cut.
#[derive(Clone, Debug)]
pub struct Cut {
    pub kind: Kind,
    pub range: Range<usize>,
    /// Text behind the end that may be kept as well: what closes a call, a semicolon.
    pub also: String,
}

pub fn cuts(language: Language, text: &str) -> Vec<Cut> {
    let Some(tree) = parse(language, text) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for hole in holes_in(language, text, &tree) {
        let golden = &text[hole.range.clone()];
        let (before, after) = (&text[..hole.range.start], &text[hole.range.end..]);
        let starts_line = before.ends_with(['\n', ' ', '\t'])
            && before.rsplit('\n').next().unwrap_or("").trim().is_empty();
        let ends_line = after.split('\n').next().unwrap_or("").trim().is_empty();
        let several = golden.contains('\n');
        let kind = match hole.kind {
            HoleKind::LineEnd if ends_line => Kind::Line,
            HoleKind::Statement | HoleKind::Import
                if !several && starts_line && ends_line && has_sibling(before, after) =>
            {
                Kind::Statement
            }
            HoleKind::Block if several && starts_line && ends_line => Kind::Body,
            _ => continue,
        };
        if kind == Kind::Body {
            found.extend(begun(&tree, text, &hole.range));
            if holds_members(&tree, &hole.range) {
                continue;
            }
        }
        let (range, also) = (hole.range, String::new());
        found.push(Cut { kind, range, also });
    }
    found
}

/// A line right above or below is as deep: the statement is not all that its body holds.
fn has_sibling(before: &str, after: &str) -> bool {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut above = before.rsplit('\n');
    let own = above.next().map_or(0, str::len);
    let beside = |line: Option<&str>| {
        line.is_some_and(|line| {
            let code = line.trim();
            !code.is_empty() && depth(line) == own && !code.starts_with(['/', '*', '#', '@', '}'])
        })
    };
    beside(above.next()) || beside(after.split('\n').nth(1))
}

/// The body of a type or namespace. A suggestion gives its members one by one.
fn holds_members(tree: &Tree, body: &Range<usize>) -> bool {
    const HOLDERS: [&str; 10] = [
        "class",
        "struct",
        "interface",
        "impl",
        "trait",
        "enum",
        "record",
        "module",
        "namespace",
        "mod_item",
    ];
    let root = tree.root_node();
    let mut node = root.descendant_for_byte_range(body.start, body.end);
    for _ in 0..3 {
        let kind = node.map_or("", |node| node.kind());
        if HOLDERS.iter().any(|holder| kind.starts_with(holder)) {
            return true;
        }
        if kind.contains("function") || kind.contains("method") || kind.contains("statement") {
            return false;
        }
        node = node.and_then(|node| node.parent());
    }
    false
}

/// From the mark that opens the body to the end of the statement that stands around it.
fn begun(tree: &Tree, text: &str, body: &Range<usize>) -> Option<Cut> {
    let start = text[..body.start].trim_end().len();
    if !text[..start].ends_with(['{', ':']) {
        return None;
    }
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let mut node = tree
        .root_node()
        .descendant_for_byte_range(body.start, body.end)?;
    while let Some(parent) = node.parent() {
        let kind = parent.kind();
        let ends = ["block", "body", "statement_list", "declaration_list"];
        let several = ends.iter().any(|end| kind.ends_with(end)) && parent.start_byte() + 1 < start;
        if parent.start_byte() < line || parent.parent().is_none() || several {
            break;
        }
        node = parent;
    }
    let end = node.end_byte();
    let end = start + text.get(start..end)?.trim_end().len();
    if node.start_byte() >= start || node.has_error() || end <= body.start {
        return None;
    }
    let also = text[end..].chars().take_while(|c| ")]};,".contains(*c));
    Some(Cut {
        kind: Kind::Begun,
        range: start..end,
        also: also.collect(),
    })
}
