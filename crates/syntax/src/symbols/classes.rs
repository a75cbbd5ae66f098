//! Classes and what they inherit from.

use tree_sitter::Node;

use crate::language::Language;

use super::{Class, collect::last_name};

/// Fields and child kinds under which bases stand.
const HERITAGE: &[&str] = &[
    "argument_list",
    "class_heritage",
    "superclass",
    "super_interfaces",
    "extends_interfaces",
    "base_list",
    "base_class_clause",
    "base_clause",
    "class_interface_clause",
    "extends_type_clause",
];

/// The class that `node` defines.
pub(super) fn class_of(language: Language, text: &str, node: Node) -> Option<Class> {
    let name = node.child_by_field_name("name")?;
    let mut bases = Vec::new();
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        if HERITAGE.contains(&child.kind()) {
            base_names(text, child, &mut bases);
        }
    }
    let body = node.child_by_field_name("body");
    let body = body.map_or("", |body| &text[body.byte_range()]);
    Some(Class {
        name: last_name(&text[name.byte_range()])?,
        bases,
        open: is_open(language, text, node, body),
    })
}

fn base_names(text: &str, heritage: Node, bases: &mut Vec<String>) {
    let mut cursor = heritage.walk();
    for base in heritage.named_children(&mut cursor) {
        match base.kind() {
            "extends_clause" | "implements_clause" | "type_list" => base_names(text, base, bases),
            "access_specifier" => {}
            // `metaclass=M` and computed bases can add anything; an empty name is never found.
            "keyword_argument" | "call" | "call_expression" => bases.push(String::new()),
            _ => bases.extend(last_name(&text[base.byte_range()])),
        }
    }
}

fn is_open(language: Language, text: &str, node: Node, body: &str) -> bool {
    let decorated = node
        .parent()
        .is_some_and(|parent| parent.kind() == "decorated_definition");
    match language {
        Language::Python => {
            let dynamic = [
                "__getattr__",
                "__getattribute__",
                "setattr(",
                "__dict__",
                "locals()",
            ];
            let plain = decorated && is_dataclass(text, node);
            (decorated && !plain) || dynamic.iter().any(|word| body.contains(word))
        }
        Language::Php => body.contains("__get") || body.contains("__call") || body.contains("use "),
        Language::Ruby => true,
        // Its other part may be one that a build writes.
        Language::CSharp => has_modifier(text, node, "partial"),
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            body.contains("[key") || body.contains("Object.assign(this") || body.contains("this[")
        }
        _ => false,
    }
}

fn has_modifier(text: &str, node: Node, modifier: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .any(|child| child.kind() == "modifier" && text[child.byte_range()] == *modifier)
}

fn is_dataclass(text: &str, node: Node) -> bool {
    node.parent().is_some_and(|parent| {
        text[parent.start_byte()..node.start_byte()]
            .trim_start_matches('@')
            .starts_with("dataclass")
    })
}
