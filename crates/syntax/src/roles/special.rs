//! Roles that one pair of parent and field cannot tell.

use super::{Frame, Path, Role, Rule, SymbolKind};
use crate::language::Language;

/// Macros of the standard library whose arguments are expressions.
const EXPRESSION_MACROS: &[&str] = &[
    "println",
    "print",
    "eprintln",
    "eprint",
    "format",
    "write",
    "writeln",
    "vec",
    "panic",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "unreachable",
    "unimplemented",
    "todo",
    "dbg",
    "matches",
    "bail",
    "anyhow",
    "ensure",
    "info",
    "debug",
    "warn",
    "error",
    "trace",
];

pub(super) fn role<'tree>(
    language: Language,
    text: &str,
    path: &Path<'tree>,
) -> Option<Role<'tree>> {
    let (leaf, parent) = (path.last(), path.up(1)?);
    match language {
        Language::Python => python(text, path, &parent),
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            ecmascript(text, path, leaf, &parent)
        }
        Language::Rust => rust(text, path, leaf, &parent),
        Language::Php => php(path, leaf, &parent),
        Language::CSharp => csharp(path, leaf, &parent),
        Language::Cpp => cpp(text, path, &parent),
        Language::Java => java(leaf, &parent),
        Language::Ruby => ruby(path, leaf),
        Language::Go => None,
    }
}

/// `self.name = …` defines a field; `with x as (a, b)` defines what is written as a value.
fn python<'tree>(text: &str, path: &Path<'tree>, parent: &Frame<'tree>) -> Option<Role<'tree>> {
    let mut around = path.ancestors();
    let target = around.find(|frame| !matches!(frame.kind, "tuple" | "list" | "list_splat"));
    if target.is_some_and(|frame| frame.kind == "as_pattern_target") {
        return Some(Role::Define(SymbolKind::Variable));
    }
    let up = path.up(2)?;
    if parent.kind == "keyword_argument" && path.up(0)?.field == Some("name") {
        // A class's keywords (`metaclass=`) go to another class.
        let call = path.up(3)?.node;
        return (call.kind() != "call").then_some(Role::Ignore);
    }
    let assigned = path.up(1)?.field == Some("left") && up.kind == "assignment";
    let is_name = path.up(0)?.field == Some("attribute");
    if parent.kind != "attribute" || !assigned || !is_name {
        return None;
    }
    let object = parent.node.child_by_field_name("object")?;
    let own = matches!(&text[object.byte_range()], "self" | "cls");
    own.then_some(Role::Define(SymbolKind::Field))
}

fn ecmascript<'tree>(
    text: &str,
    path: &Path<'tree>,
    leaf: &Frame<'tree>,
    parent: &Frame<'tree>,
) -> Option<Role<'tree>> {
    let kind = parent.kind;
    if matches!(
        kind,
        "jsx_opening_element" | "jsx_closing_element" | "jsx_self_closing_element"
    ) {
        let tag = &text[leaf.node.byte_range()];
        let built_in = tag.starts_with(|c: char| c.is_lowercase()) || kind == "jsx_closing_element";
        return built_in.then_some(Role::Ignore);
    }
    if kind == "export_specifier" {
        let from = path
            .up(3)
            .is_some_and(|up| up.node.child_by_field_name("source").is_some());
        return from.then_some(Role::Import);
    }
    if kind == "member_expression" && path.up(0)?.field == Some("property") {
        let assigned =
            path.up(1)?.field == Some("left") && path.up(2)?.kind == "assignment_expression";
        if !assigned {
            return None;
        }
        let object = parent.node.child_by_field_name("object")?;
        let own = object.kind() == "this" || &text[object.byte_range()] == "exports";
        return own.then_some(Role::Define(SymbolKind::Field));
    }
    // A type's parameter names (`(a: T) => U`) define nothing that is used.
    None
}

fn rust<'tree>(
    text: &str,
    path: &Path<'tree>,
    leaf: &Frame<'tree>,
    parent: &Frame<'tree>,
) -> Option<Role<'tree>> {
    match (parent.kind, leaf.kind) {
        ("field_pattern", "shorthand_field_identifier") => {
            return Some(Role::Define(SymbolKind::Variable));
        }
        ("field_pattern", "field_identifier") => return Some(Role::Ignore),
        ("tuple_struct_pattern" | "struct_pattern", _) if path.up(0)?.field == Some("type") => {
            return Some(Role::Variable);
        }
        ("macro_definition", "identifier") => return Some(Role::Define(SymbolKind::Function)),
        ("token_tree", _) if path.last().region == Some(Rule::Ignore) => return None,
        ("token_tree", _) => {}
        _ => return None,
    }
    match path.last().before {
        Some(".") => {
            return Some(Role::Member {
                object: None,
                call: false,
            });
        }
        Some("::") => {
            return Some(Role::Scoped {
                scope: None,
                call: false,
            });
        }
        _ => {}
    }
    let makro = path
        .ancestors()
        .find(|frame| frame.kind == "macro_invocation")?;
    let name = makro.node.child_by_field_name("macro")?;
    let name = text[name.byte_range()].rsplit("::").next().unwrap_or("");
    // `name = value` names an argument of a format string; a closure's or a block's own names
    // are not told apart from their uses, so a macro with such code is left alone.
    let after = text[leaf.node.end_byte()..].trim_start().strip_prefix('=');
    let named = after.is_some_and(|rest| !rest.starts_with(['=', '>']));
    let judged = EXPRESSION_MACROS.contains(&name) && !named && !path.last().code;
    Some(if judged { Role::Variable } else { Role::Ignore })
}

fn php<'tree>(
    path: &Path<'tree>,
    leaf: &Frame<'tree>,
    parent: &Frame<'tree>,
) -> Option<Role<'tree>> {
    if parent.kind == "class_constant_access_expression"
        && parent.node.named_child(0) != Some(leaf.node)
    {
        return Some(Role::Scoped {
            scope: parent.node.named_child(0),
            call: false,
        });
    }
    // `f($a, $matches)`: a call may fill a variable that it is given.
    if parent.kind == "variable_name" && path.up(2)?.kind == "argument" {
        return Some(Role::Define(SymbolKind::Variable));
    }
    if parent.kind == "const_element" && parent.node.named_child(0) != Some(leaf.node) {
        return Some(Role::Variable);
    }
    let arrays = path.ancestors().take_while(|frame| {
        matches!(
            frame.kind,
            "variable_name"
                | "array_element_initializer"
                | "pair"
                | "array_creation_expression"
                | "list_literal"
                | "subscript_expression"
        )
    });
    let depth = arrays.count();
    let (top, outside) = (path.up(depth)?, path.up(depth + 1)?);
    let assigned = outside.kind == "assignment_expression" && top.field == Some("left");
    if parent.kind == "pair" || path.up(2)?.kind == "pair" {
        let inside_foreach = path
            .ancestors()
            .nth(2)
            .is_some_and(|f| f.kind == "foreach_statement");
        return (!inside_foreach && !assigned).then_some(Role::Variable);
    }
    (assigned && depth > 1).then_some(Role::Define(SymbolKind::Variable))
}

fn csharp<'tree>(
    path: &Path<'tree>,
    leaf: &Frame<'tree>,
    parent: &Frame<'tree>,
) -> Option<Role<'tree>> {
    if leaf.kind == "implicit_parameter" {
        return Some(Role::Define(SymbolKind::Parameter));
    }
    if parent.kind == "assignment_expression" && path.up(0)?.field == Some("left") {
        let outside = path.up(2)?.node;
        if matches!(
            outside.kind(),
            "initializer_expression" | "with_initializer"
        ) {
            return Some(Role::FieldOf);
        }
    }
    // `let x = …`, `join x in …` of a query.
    let clause = matches!(parent.kind, "let_clause" | "join_clause");
    if clause && parent.node.named_child(0) == Some(leaf.node) {
        return Some(Role::Define(SymbolKind::Variable));
    }
    matches!(parent.kind, "subpattern" | "property_pattern_clause").then_some(Role::Ignore)
}

/// `int N::C::method(…) {…}` defines the method.
///
/// `TEST(Suite, Case) {…}` reads like a function, and names what it defines.
fn cpp<'tree>(text: &str, path: &Path<'tree>, parent: &Frame<'tree>) -> Option<Role<'tree>> {
    let function = path.up(3).filter(|up| up.kind == "function_declarator");
    if let Some(function) = function.filter(|_| parent.kind == "parameter_declaration") {
        let name = function.node.child_by_field_name("declarator")?;
        let upper = |c: char| c.is_uppercase() || c.is_ascii_digit() || c == '_';
        let makro = text[name.byte_range()].chars().all(upper);
        return makro.then_some(Role::Ignore);
    }
    if parent.kind != "qualified_identifier" || path.up(0)?.field != Some("name") {
        return None;
    }
    let mut depth = 1;
    while path.up(depth)?.kind == "qualified_identifier" {
        depth += 1;
    }
    let declared = path.up(depth)?.kind == "function_declarator"
        && path.up(depth - 1)?.field == Some("declarator");
    declared.then_some(Role::Define(SymbolKind::Method))
}

fn java<'tree>(leaf: &Frame<'tree>, parent: &Frame<'tree>) -> Option<Role<'tree>> {
    if parent.kind == "method_reference" && parent.node.named_child(0) != Some(leaf.node) {
        return Some(Role::Member {
            object: parent.node.named_child(0),
            call: false,
        });
    }
    if matches!(parent.kind, "scoped_type_identifier" | "scoped_identifier") {
        let first = parent.node.named_child(0) == Some(leaf.node);
        return (!first).then_some(Role::Scoped {
            scope: parent.node.named_child(0),
            call: false,
        });
    }
    let pattern = matches!(parent.kind, "type_pattern" | "record_pattern_component");
    (pattern && leaf.kind == "identifier").then_some(Role::Define(SymbolKind::Variable))
}

fn ruby<'tree>(path: &Path<'tree>, leaf: &Frame<'tree>) -> Option<Role<'tree>> {
    if leaf.kind == "hash_key_symbol" {
        // `in {name:}` binds the name; any other key is a symbol.
        let pattern = path.up(1).filter(|up| up.kind == "keyword_pattern");
        let Some(pattern) = pattern else {
            return Some(Role::Ignore);
        };
        let alone = pattern.node.child_by_field_name("value").is_none();
        return Some(match alone {
            true => Role::Define(SymbolKind::Variable),
            false => Role::Ignore,
        });
    }
    let field = leaf.kind == "instance_variable" || leaf.kind == "class_variable";
    let assigned = path.up(0)?.field == Some("left");
    (field && assigned).then_some(Role::Define(SymbolKind::Field))
}
