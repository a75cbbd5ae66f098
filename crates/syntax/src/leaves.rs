//! The leaves of a part of a tree, with what each name is: what two versions of a text are compared
//! by.

use std::ops::Range;

use tree_sitter::Tree;

use crate::{
    builtins,
    language::Language,
    roles::{Path, Role, role, walk},
};

/// What a name is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameUse {
    /// It is defined here.
    Define,
    /// A variable that is read.
    Variable,
    /// A type.
    Type,
    /// A function that is called by its bare name.
    Call,
    /// A member that is called, of an object, a type or a module.
    Method,
    /// A member that is not called.
    Member,
    /// The name of a keyword argument, or a field in a literal.
    Keyword,
    /// Part of an import.
    Import,
    /// None of these, or not known.
    Other,
}

/// A leaf of a syntax tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its place in the text, in bytes.
    pub range: Range<usize>,
    /// The grammar's number for its kind.
    pub kind: u16,
    /// It is a comment, or part of one.
    pub comment: bool,
    /// It is a string, or part of one.
    pub string: bool,
    /// What it is, where it is a name.
    pub name: Option<NameUse>,
}

/// The leaves of `tree` that touch `range`, in order; `text` must be the tree's text.
#[must_use]
pub fn leaves(language: Language, text: &str, tree: &Tree, range: Range<usize>) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(language, tree, range, |path| {
        let leaf = path.leaf();
        let place = leaf.byte_range();
        if place.is_empty() {
            return;
        }
        let what = path.last().what;
        let mut name = what.is_name.then(|| {
            let parent = path.up(1).and_then(|up| up.node.next_sibling());
            let called = [leaf.next_sibling(), parent]
                .into_iter()
                .flatten()
                .any(|next| text[next.byte_range()].starts_with('('));
            given(language, path).unwrap_or_else(|| use_of(role(language, text, path), called))
        });
        if what.name == "hash_key_symbol" {
            // Ruby: `name: value` in a call.
            name = Some(NameUse::Keyword);
        }
        found.push(Leaf {
            range: place,
            kind: leaf.kind_id(),
            comment: what.is_comment,
            string: what.is_string,
            name,
        });
    });
    found
}

/// What a name is by its place alone, where its role says something else for the guard's sake.
fn given(language: Language, path: &Path) -> Option<NameUse> {
    let parent = path.up(1)?;
    match language {
        // A call may fill a variable that it is given; it is read all the same.
        Language::Php => (parent.kind == "variable_name" && path.up(2)?.kind == "argument")
            .then_some(NameUse::Variable),
        // What `new` makes is a type, as in every other language.
        _ if language.is_ecmascript() => {
            let bare = parent.kind == "new_expression" && path.last().field == Some("constructor");
            let member = parent.kind == "member_expression"
                && parent.field == Some("constructor")
                && path.last().field == Some("property");
            (bare || member).then_some(NameUse::Type)
        }
        Language::CSharp => (parent.kind == "object_creation_expression"
            && path.last().field == Some("type"))
        .then_some(NameUse::Type),
        // An annotation, up to the expression or the definition that it belongs to.
        Language::Python => path
            .ancestors()
            .take_while(|frame| frame.field != Some("body") && !frame.kind.contains("argument"))
            .any(|frame| frame.kind == "type")
            .then_some(NameUse::Type),
        _ => None,
    }
}

/// Inside of a macro a member's call is not known from the tree, hence `called`.
fn use_of(role: Role<'_>, called: bool) -> NameUse {
    match role {
        Role::Define(_) => NameUse::Define,
        Role::Variable => NameUse::Variable,
        Role::Type => NameUse::Type,
        Role::Call => NameUse::Call,
        Role::Member { call: true, .. } | Role::Scoped { call: true, .. } => NameUse::Method,
        Role::Member { object: None, .. } | Role::Scoped { scope: None, .. } if called => {
            NameUse::Method
        }
        Role::Member { .. } | Role::Scoped { .. } => NameUse::Member,
        Role::Keyword { .. } | Role::FieldOf => NameUse::Keyword,
        Role::Import => NameUse::Import,
        Role::Ignore => NameUse::Other,
    }
}

/// The language brings `name`: a keyword, a builtin, a name of its standard library, or one that
/// its code uses everywhere.
#[must_use]
pub fn is_common_name(language: Language, name: &str) -> bool {
    builtins::contains(language, name)
}

/// The language's standard library has the module `name`.
#[must_use]
pub fn is_standard_module(language: Language, name: &str) -> bool {
    builtins::contains_module(language, name)
}

/// Whether a module of the language's standard library has `name`; `None` for a module that is not
/// listed.
#[must_use]
pub fn is_standard_name(language: Language, module: &str, name: &str) -> Option<bool> {
    let module = module.strip_prefix("node:").unwrap_or(module);
    builtins::module(language, module).map(|names| names.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn names_are_told_apart_by_their_use() {
        let cases = [
            (
                Language::Python,
                "total = load(path, mode=x).rows.fetch(1)\n",
                &[
                    ("total", NameUse::Define),
                    ("load", NameUse::Call),
                    ("path", NameUse::Variable),
                    ("mode", NameUse::Keyword),
                    ("rows", NameUse::Member),
                    ("fetch", NameUse::Method),
                ][..],
            ),
            (
                Language::Rust,
                "fn f() { println!(\"{}\", a.b.c(d)); Store::open(e); }",
                &[
                    ("b", NameUse::Member),
                    ("c", NameUse::Method),
                    ("d", NameUse::Variable),
                    ("open", NameUse::Method),
                ],
            ),
            (
                Language::Java,
                "class A { void f() { this.x.load(y); make(z); } }",
                &[
                    ("load", NameUse::Method),
                    ("make", NameUse::Call),
                    ("z", NameUse::Variable),
                ],
            ),
            (
                Language::Php,
                "<?php $this->store->insert($row); Cache::forget($key); $x?->tick(); make($z);",
                &[
                    ("store", NameUse::Member),
                    ("insert", NameUse::Method),
                    ("row", NameUse::Variable),
                    ("Cache", NameUse::Variable),
                    ("forget", NameUse::Method),
                    ("tick", NameUse::Method),
                    ("make", NameUse::Call),
                ],
            ),
            (
                Language::TypeScript,
                "const a = new Store(b); const c = new net.Server(d); e.f<G>(h);",
                &[
                    ("Store", NameUse::Type),
                    ("net", NameUse::Variable),
                    ("Server", NameUse::Type),
                    ("f", NameUse::Method),
                ],
            ),
            (
                Language::CSharp,
                "class A { void F() { var a = new Store(b); a.Get(c); } }",
                &[
                    ("Store", NameUse::Type),
                    ("b", NameUse::Variable),
                    ("Get", NameUse::Method),
                ],
            ),
            (
                Language::Python,
                "def f(a: Row, b=c) -> List[Item]:\n    d: float = e(g)\n",
                &[
                    ("Row", NameUse::Type),
                    ("c", NameUse::Variable),
                    ("Item", NameUse::Type),
                    ("float", NameUse::Type),
                    ("e", NameUse::Call),
                    ("g", NameUse::Variable),
                ],
            ),
        ];
        for (language, text, expected) in cases {
            let tree = parse(language, text).unwrap();
            let found = leaves(language, text, &tree, 0..text.len());
            for (name, expected) in expected {
                let leaf = found
                    .iter()
                    .find(|leaf| &text[leaf.range.clone()] == *name)
                    .unwrap();
                assert_eq!(leaf.name, Some(*expected), "{language} {name}");
            }
        }
    }
}
