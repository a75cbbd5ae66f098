//! Parameters of functions, in the languages whose calls can name them.

use tree_sitter::Node;

use crate::language::Language;

use super::Signature;

/// Decorators that leave a function's parameters as they are.
const PLAIN_DECORATORS: &[&str] = &[
    "staticmethod",
    "classmethod",
    "property",
    "abstractmethod",
    "abc.abstractmethod",
    "overload",
    "t.overload",
    "typing.overload",
    "override",
    "final",
];

/// The signature of the function that `node` defines; `None` where calls cannot name parameters.
pub(super) fn signature_of(
    language: Language,
    text: &str,
    node: Node,
    name: &str,
    container: Option<String>,
) -> Option<Signature> {
    if !matches!(
        language,
        Language::Python | Language::CSharp | Language::Php
    ) {
        return None;
    }
    let list = node.child_by_field_name("parameters")?;
    let mut parameters = Vec::new();
    let mut open = language == Language::Python && is_decorated(text, node);
    let mut cursor = list.walk();
    for parameter in list.named_children(&mut cursor) {
        if text[parameter.byte_range()].starts_with("**") {
            open = true;
        } else {
            parameters.extend(parameter_name(text, parameter));
        }
    }
    Some(Signature {
        name: name.to_owned(),
        container,
        parameters,
        open,
    })
}

fn parameter_name(text: &str, parameter: Node) -> Option<String> {
    let name = match parameter.child_by_field_name("name") {
        Some(name) => name,
        None if parameter.kind() == "identifier" => parameter,
        None => parameter
            .named_child(0)
            .filter(|child| child.kind() == "identifier")?,
    };
    Some(text[name.byte_range()].trim_start_matches('$').to_owned())
}

fn is_decorated(text: &str, node: Node) -> bool {
    let Some(parent) = node
        .parent()
        .filter(|parent| parent.kind() == "decorated_definition")
    else {
        return false;
    };
    let mut cursor = parent.walk();
    parent
        .named_children(&mut cursor)
        .filter(|child| child.kind() == "decorator")
        .any(|child| {
            !PLAIN_DECORATORS.contains(&text[child.byte_range()].trim_start_matches('@').trim())
        })
}
