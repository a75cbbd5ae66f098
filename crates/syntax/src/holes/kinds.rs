//! Which nodes of the ten grammars are whole statements, imports and bodies.

use tree_sitter::Node;

use crate::{language::Language, symbols::is_import};

/// Statements without a body that end where they end in the text: no parts of statements such as
/// C#'s `variable_declaration`, which lacks the semicolon.
const STATEMENTS: &[&str] = &[
    "alias_declaration",
    "assert_statement",
    "assignment_statement",
    "co_return_statement",
    "const_declaration",
    "const_item",
    "constant_declaration",
    "dec_statement",
    "declaration",
    "defer_statement",
    "delete_statement",
    "echo_statement",
    "event_field_declaration",
    "export_statement",
    "expression_statement",
    "field_declaration",
    "go_statement",
    "inc_statement",
    "let_declaration",
    "lexical_declaration",
    "local_declaration_statement",
    "local_variable_declaration",
    "property_declaration",
    "raise_statement",
    "return_statement",
    "send_statement",
    "short_var_declaration",
    "static_item",
    "throw_statement",
    "type_alias_declaration",
    "type_alias_statement",
    "unset_statement",
    "using_declaration",
    "var_declaration",
    "variable_declaration",
    "yield_statement",
];

/// Nodes whose children are statements of Ruby, which has no kind for them.
const RUBY_BODIES: &[&str] = &[
    "begin",
    "block_body",
    "body_statement",
    "do",
    "else",
    "ensure",
    "program",
    "then",
];

/// What stands among Ruby's statements and is none, or has a body.
const RUBY_OTHERS: &[&str] = &[
    "begin",
    "begin_block",
    "case",
    "case_match",
    "class",
    "comment",
    "constant",
    "else",
    "empty_statement",
    "ensure",
    "for",
    "identifier",
    "if",
    "method",
    "module",
    "nil",
    "rescue",
    "self",
    "singleton_class",
    "singleton_method",
    "unless",
    "until",
    "while",
];

/// Bodies of these hold members or all of a file: nobody guesses what a class has in it.
const CONTAINERS: &[&str] = &[
    "class",
    "enum",
    "extension",
    "impl",
    "interface",
    "mod_item",
    "module",
    "namespace",
    "record",
    "struct",
    "trait",
    "union",
];

/// A node where it stands.
pub(super) struct Place<'tree> {
    pub node: Node<'tree>,
    pub parent: Option<Node<'tree>>,
    /// The field that it fills in its parent.
    pub field: Option<&'tree str>,
}

/// The node is a whole statement without a body of its own.
pub(super) fn is_statement(language: Language, place: &Place) -> bool {
    let Place {
        node,
        parent,
        field,
    } = *place;
    let below = parent.map_or("", |parent| parent.kind());
    if language == Language::Ruby {
        // What stands between braces on one line is an expression.
        let line = below == "block_body" && parent.is_some_and(|parent| one_line(parent));
        return !line
            && RUBY_BODIES.contains(&below)
            && node.is_named()
            && !RUBY_OTHERS.contains(&node.kind());
    }
    // The parts of a loop's or a condition's head are no statements.
    let part = field
        .is_some_and(|field| matches!(field, "initializer" | "init" | "update" | "condition"))
        || matches!(
            below,
            "export_statement" | "for_clause" | "init_statement" | "ambient_declaration"
        );
    let of_language = match node.kind() {
        "variable_declaration" => language.is_ecmascript(),
        // The fields of Go's and Rust's structs are parts of a list.
        "field_declaration" => !matches!(language, Language::Go | Language::Rust),
        // C#'s have bodies.
        "property_declaration" => language == Language::Php,
        kind => STATEMENTS.contains(&kind),
    };
    // What a C++ class only declares, nobody guesses.
    of_language && !part && !declares_function(node)
}

fn one_line(node: Node) -> bool {
    node.start_position().row == node.end_position().row
}

fn declares_function(node: Node) -> bool {
    let declarator = node.child_by_field_name("declarator");
    declarator.is_some_and(|declarator| declarator.kind() == "function_declarator")
}

/// The node imports one module, or the names of one: of a Go group a single line, in Ruby and
/// CommonJS the whole statement that requires.
pub(super) fn is_one_import(language: Language, text: &str, place: &Place) -> bool {
    let node = place.node;
    let kind = node.kind();
    let list = "import_spec_list";
    match (language, kind) {
        (Language::Go, "import_declaration") => {
            node.named_child(0).is_none_or(|child| child.kind() != list)
        }
        (Language::Go, "import_spec") => place.parent.is_some_and(|parent| parent.kind() == list),
        (Language::Go, _) => false,
        (Language::Ruby, "call") => requires(text, node),
        (Language::Ruby, _) => false,
        (_, "lexical_declaration" | "variable_declaration" | "expression_statement")
            if language.is_ecmascript() =>
        {
            node.named_child_count() == 1
                && node.named_child(0).is_some_and(|only| {
                    let value = only.child_by_field_name("value").unwrap_or(only);
                    value.kind() == "call_expression" && requires(text, value)
                })
        }
        _ => is_import(kind),
    }
}

/// A call of `require` with a string.
fn requires(text: &str, call: Node) -> bool {
    let named = |field| call.child_by_field_name(field);
    let Some(function) = named("function").or_else(|| named("method")) else {
        return false;
    };
    let argument = named("arguments").and_then(|list| list.named_child(0));
    call.child_by_field_name("receiver").is_none()
        && matches!(&text[function.byte_range()], "require" | "require_relative")
        && argument.is_some_and(|argument| argument.kind() == "string")
}

/// The node is the body of a function, a loop or a branch.
pub(super) fn is_block(text: &str, place: &Place) -> bool {
    let Some(parent) = place.parent.filter(|_| place.field == Some("body")) else {
        return false;
    };
    let container = CONTAINERS.iter().any(|part| parent.kind().contains(part));
    // PHP's `foreach (…): … endforeach` has the colon in its body.
    let colon = text[place.node.byte_range()].starts_with(':');
    !container && !colon
}
