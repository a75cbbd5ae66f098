//! What each identifier of a syntax tree is: a definition, a variable, a member, a keyword.
//!
//! One table a language maps (parent kind, field) to a role. Kinds that only wrap a name (patterns,
//! declarators) are transparent: the question then goes to the parent above.

mod grammar;
mod rules_braces;
mod rules_scripting;
mod special;
mod walk;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use crate::language::Language;

pub(crate) use grammar::Grammar;
pub(crate) use walk::{Frame, Path, walk, walk_nodes};

/// What a definition defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolKind {
    /// A function, a method's twin outside of a class, or a macro.
    Function,
    /// A function of a class.
    Method,
    /// A class, struct, enum, interface, trait or type alias.
    Class,
    /// A field, property, enum member or object key.
    Field,
    /// A variable.
    Variable,
    /// A parameter, of a function or a type.
    Parameter,
    /// A constant.
    Constant,
    /// A module or namespace.
    Module,
}

/// The role of one identifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role<'tree> {
    Define(SymbolKind),
    /// A bare name that is read.
    Variable,
    /// A bare name that is called.
    Call,
    Type,
    /// `object.name`; no object where it cannot be told (inside a macro, `?.name`).
    Member {
        object: Option<Node<'tree>>,
        call: bool,
    },
    /// `scope::name`.
    Scoped {
        scope: Option<Node<'tree>>,
        call: bool,
    },
    /// The name of a keyword argument of `call`.
    Keyword {
        call: Option<Node<'tree>>,
    },
    /// A field named in a literal or a pattern.
    FieldOf,
    Import,
    Ignore,
}

/// A role as it stands in a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    Define(SymbolKind),
    /// A definition if the name starts in lower case, a use otherwise (Rust's patterns).
    Bind,
    Variable,
    Type,
    /// With the field that holds the object.
    Member(&'static str),
    Scoped(&'static str),
    /// A member if the field has something in it, a call otherwise.
    MemberOrCall(&'static str),
    Keyword,
    FieldOf,
    Ignore,
    /// Everything below is an import.
    Import,
    /// The parent only wraps the name.
    Through,
}

/// One line of a table: parent kind, field (`""` for none, `"*"` for any), rule.
pub(crate) type Line = (&'static str, &'static str, Rule);

/// The tables of a language.
pub(crate) struct Table {
    /// Kinds of leaves that are names.
    pub names: &'static [&'static str],
    pub lines: &'static [Line],
    /// (kind, field) of what is called.
    pub calls: &'static [(&'static str, &'static str)],
    /// Kinds below which every name has the rule.
    pub regions: &'static [(&'static str, Rule)],
    /// Kinds of definitions that hold members.
    pub containers: &'static [&'static str],
    /// Kinds of definitions that hold local names.
    pub functions: &'static [&'static str],
}

pub(crate) fn table(language: Language) -> &'static Table {
    match language {
        Language::Python => &rules_scripting::PYTHON,
        Language::JavaScript | Language::TypeScript | Language::Tsx => &rules_scripting::ECMASCRIPT,
        Language::Ruby => &rules_scripting::RUBY,
        Language::Php => &rules_scripting::PHP,
        Language::Go => &rules_braces::GO,
        Language::Rust => &rules_braces::RUST,
        Language::Java => &rules_braces::JAVA,
        Language::CSharp => &rules_braces::CSHARP,
        Language::Cpp => &rules_braces::CPP,
    }
}

/// The role of the name at the end of `path`.
pub(crate) fn role<'tree>(language: Language, text: &str, path: &Path<'tree>) -> Role<'tree> {
    if let Some(role) = special::role(language, text, path) {
        return role;
    }
    if let Some(rule) = path.up(1).and_then(|parent| parent.region) {
        return from_rule(language, text, path, 0, rule);
    }
    let mut depth = 0;
    while let (Some(child), Some(parent)) = (path.up(depth), path.up(depth + 1)) {
        let field = child.field.unwrap_or("");
        let mut lines = parent.what.lines.iter();
        match lines.find(|(line_field, _)| *line_field == field || *line_field == "*") {
            Some((_, Rule::Through)) => depth += 1,
            Some((_, rule)) => return from_rule(language, text, path, depth, *rule),
            None => break,
        }
    }
    default_role(path, depth)
}

fn default_role<'tree>(path: &Path<'tree>, depth: usize) -> Role<'tree> {
    if is_called(path, depth) {
        Role::Call
    } else if path.kind() == "type_identifier" {
        Role::Type
    } else {
        Role::Variable
    }
}

fn is_called(path: &Path, depth: usize) -> bool {
    let (Some(child), Some(parent)) = (path.up(depth), path.up(depth + 1)) else {
        return false;
    };
    let field = child.field.unwrap_or("");
    parent.what.calls.contains(&field)
}

fn from_rule<'tree>(
    language: Language,
    text: &str,
    path: &Path<'tree>,
    depth: usize,
    rule: Rule,
) -> Role<'tree> {
    let parent = path.up(depth + 1).map(|frame| frame.node);
    let grammar = Grammar::of(language);
    let object = |field: &str| parent.and_then(|parent| grammar.child(parent, field));
    // Mostly the member is what a call calls; PHP's calls of members hold the name themselves.
    let called = || is_called(path, depth) || is_called(path, depth + 1);
    match rule {
        Rule::Define(kind) => Role::Define(kind),
        Rule::Bind => {
            let name = &text[path.leaf().byte_range()];
            let lower = name.starts_with(|c: char| c.is_lowercase() || c == '_');
            if lower {
                Role::Define(SymbolKind::Variable)
            } else {
                Role::Variable
            }
        }
        Rule::Variable => default_role(path, depth),
        Rule::Type => Role::Type,
        Rule::Member(field) => Role::Member {
            object: object(field),
            call: called(),
        },
        Rule::Scoped(field) => Role::Scoped {
            scope: object(field),
            call: called(),
        },
        Rule::MemberOrCall(field) => match object(field) {
            Some(object) => Role::Member {
                object: Some(object),
                call: true,
            },
            None => Role::Call,
        },
        Rule::Keyword => Role::Keyword {
            call: path.up(depth + 3).map(|frame| frame.node),
        },
        Rule::FieldOf => Role::FieldOf,
        Rule::Import => Role::Import,
        Rule::Ignore | Rule::Through => Role::Ignore,
    }
}
