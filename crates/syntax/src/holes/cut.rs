//! Where holes can be cut.

use std::ops::Range;

use tree_sitter::{Node, Tree};

use crate::{
    language::Language,
    parse::parse,
    roles::{Grammar, Path, Role, role, walk_nodes},
    text::{line_end, line_start},
};

use super::{
    Hole, HoleKind,
    kinds::{is_block, is_one_import, is_statement},
};

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

/// Every hole that can be cut into `text`, from its tree, in the order of the text: start, end,
/// kind.
#[must_use]
pub fn holes_in(language: Language, text: &str, tree: &Tree) -> Vec<Hole> {
    let mut cutter = Cutter::new(language, text, &HoleKind::ALL);
    walk_nodes(language, tree, 0..text.len(), |path, is_leaf| {
        cutter.node(path);
        if is_leaf {
            let is_name = path.last().what.is_name;
            cutter.leaf(path, is_name.then(|| role(language, text, path)));
        }
    });
    cutter.finish()
}

/// Cuts holes into a text whose nodes it is shown in order, parents before their children.
pub(crate) struct Cutter<'a> {
    language: Language,
    text: &'a str,
    kinds: &'a [HoleKind],
    found: Vec<Hole>,
    line: Line,
}

/// The line that the last leaf stands in.
#[derive(Default)]
struct Line {
    /// Its bytes, without the line break.
    range: Range<usize>,
    /// Where its last code ends.
    code_end: usize,
    /// Where its last mark of a comment starts, or of what looks like one.
    mark: Option<usize>,
}

impl Line {
    fn at(text: &str, at: usize) -> Self {
        let range = line_start(text, at)..line_end(text, at);
        let line = &text[range.clone()];
        Self {
            code_end: range.start + line.trim_end().len(),
            mark: line
                .rfind("//")
                .max(line.rfind('#'))
                .map(|mark| range.start + mark),
            range,
        }
    }
}

impl<'a> Cutter<'a> {
    /// Cuts holes of `kinds` alone.
    pub(crate) fn new(language: Language, text: &'a str, kinds: &'a [HoleKind]) -> Self {
        Self {
            language,
            text,
            kinds,
            found: Vec::new(),
            line: Line::default(),
        }
    }

    /// The holes, each once.
    pub(crate) fn finish(mut self) -> Vec<Hole> {
        // Nearly in order already, which a stable sort makes use of.
        self.found
            .sort_by_key(|hole| (hole.range.start, hole.range.end, hole.kind));
        self.found.dedup();
        self.found
    }

    fn wants(&self, kind: HoleKind) -> bool {
        self.kinds.contains(&kind)
    }

    fn add(&mut self, kind: HoleKind, range: Range<usize>) {
        if self.wants(kind) {
            self.found.push(Hole { kind, range });
        }
    }

    /// Cuts at the node at the end of `path`.
    pub(crate) fn node(&mut self, path: &Path) {
        let frame = path.last();
        if frame.what.is_error {
            return;
        }
        let node = frame.node;
        let facts = &frame.what.holes;
        let range = path.range();
        let body = &self.text[range.clone()];
        let short = body.len() <= LONGEST;
        let one_line = || !body.contains('\n');
        if short && is_one_import(self.language, self.text, path) {
            self.add(HoleKind::Import, range);
            return;
        }
        // What ends otherwise has an initializer or a body behind its arguments, or none.
        let call = facts.call && body.contains('(') || facts.creation && body.ends_with(')');
        if call && node.is_named() && short && one_line() {
            self.add(HoleKind::CallSite, range.clone());
        }
        let arguments = facts.arguments && frame.field == Some("arguments");
        if arguments && short && body.starts_with('(') && body.ends_with(')') && body.len() > 2 {
            self.add(HoleKind::Arguments, range.start + 1..range.end - 1);
        }
        if short && body.len() > 4 && is_statement(self.language, path) && self.is_plain(path) {
            self.add(HoleKind::Statement, range.clone());
        }
        if is_block(self.text, path) && body.lines().count() <= MOST_LINES {
            let braces = body.starts_with('{') && body.ends_with('}');
            let inner = if braces {
                range.start + 1..range.end - 1
            } else {
                range
            };
            let code = self.text[inner.clone()].trim();
            if code.len() > 8 && (braces || code.contains('\n') || one_line()) {
                let start = inner.start + self.text[inner.clone()].find(code).unwrap_or(0);
                self.add(HoleKind::Block, start..start + code.len());
            }
        }
    }

    /// The statement has no body of its own.
    fn is_plain(&self, path: &Path) -> bool {
        let node = path.leaf();
        let body = &self.text[path.range()];
        let grammar = Grammar::of(self.language);
        let has = |node: Node, field| grammar.child(node, field).is_some();
        // Ruby's `check! if x` has its statement as a body.
        (path.last().what.holes.modified || !has(node, "body"))
            && !has(node, "consequence")
            && !body.contains("{\n")
            && !ends_block(body)
    }

    /// Cuts at the leaf at the end of `path`; `role` is its role where it is a name.
    pub(crate) fn leaf(&mut self, path: &Path, role: Option<Role>) {
        let what = path.last().what;
        let mut range = path.range();
        if range.is_empty() || what.is_comment || what.is_string {
            return;
        }
        // PHP's sigil is a leaf of its own, and part of the name.
        let variable = path.up(1).filter(|up| up.kind == "variable_name");
        let behind_sigil = variable.is_some() && what.name != "$";
        // Every token but a line's first begins one: they cost more than all other kinds together.
        if !behind_sigil && self.wants(HoleKind::LineEnd) {
            self.line_end(range.start);
        }
        if let Some(variable) = variable {
            range = variable.start..variable.end;
        }
        let used =
            role.is_some_and(|role| !matches!(role, Role::Define(_) | Role::Ignore | Role::Import));
        if used && range.len() >= 2 {
            self.add(HoleKind::Identifier, range);
        }
    }

    /// From the token at `start` to the end of its line.
    fn line_end(&mut self, start: usize) {
        if !self.line.range.contains(&start) {
            self.line = Line::at(self.text, start);
        }
        let Line {
            range,
            code_end,
            mark,
        } = &self.line;
        let code_end = *code_end;
        if code_end <= start + 3 || mark.is_some_and(|mark| mark >= start) {
            return;
        }
        let before = &self.text[range.start..start];
        let starts_line =
            self.text[..start].ends_with(['\n', ' ', '\t']) && before.trim().is_empty();
        if !starts_line && self.text[start..code_end].trim_start().len() > 3 {
            self.add(HoleKind::LineEnd, start..code_end);
        }
    }
}

/// Ruby: the statement's last line closes a block with a body.
fn ends_block(body: &str) -> bool {
    let last = body.lines().next_back().unwrap_or("").trim();
    body.contains('\n') && matches!(last, "end" | "}")
}
