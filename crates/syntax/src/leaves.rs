//! The leaves of a part of a tree, with what each name is: what two versions of a text are compared
//! by.

use std::ops::Range;

use tree_sitter::Tree;

use crate::{
    builtins,
    language::Language,
    roles::{Role, role, table, walk},
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
    let names = table(language).names;
    let mut found = Vec::new();
    walk(language, tree, range, |path| {
        let leaf = path.leaf();
        let place = leaf.byte_range();
        if place.is_empty() {
            return;
        }
        let kind = leaf.kind();
        let mut name = names.contains(&kind).then(|| {
            let parent = path.up(1).and_then(|up| up.node.next_sibling());
            let called = [leaf.next_sibling(), parent]
                .into_iter()
                .flatten()
                .any(|next| text[next.byte_range()].starts_with('('));
            use_of(role(language, text, path), called)
        });
        if kind == "hash_key_symbol" {
            // Ruby: `name: value` in a call.
            name = Some(NameUse::Keyword);
        }
        found.push(Leaf {
            range: place,
            kind: leaf.kind_id(),
            comment: kind.contains("comment"),
            string: kind.contains("string"),
            name,
        });
    });
    found
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
        Role::Keyword { .. } | Role::FieldOf { .. } => NameUse::Keyword,
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
