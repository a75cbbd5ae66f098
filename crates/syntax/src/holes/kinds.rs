//! Which nodes of the ten grammars are whole statements, imports and bodies.

use tree_sitter::Node;

use crate::{
    language::Language,
    roles::{Frame, Grammar, Path},
    symbols::{calls_one_of, is_import},
};

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

/// What holes are cut at a kind of node, as far as the kind alone tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoleFacts {
    /// It is an import, maybe.
    import: ImportFact,
    /// It is a call.
    pub(super) call: bool,
    /// It makes an object (`new X(…)`): a call too, where it has arguments.
    pub(super) creation: bool,
    /// It is a list of arguments.
    pub(super) arguments: bool,
    /// It is a statement, where it stands among statements.
    statement: bool,
    /// A statement with its condition behind it (Ruby), which has the statement as its body.
    pub(super) modified: bool,
    /// What stands in it is a statement (Ruby).
    holds_statements: bool,
    /// What stands in it is no statement of its own: the parts of a loop's head, an export.
    holds_parts: bool,
    /// Its body holds members or all of a file: nobody guesses what a class has in it.
    container: bool,
    /// Go's group of imports.
    import_list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ImportFact {
    Never,
    Always,
    /// Go: where it has no group.
    Single,
    /// Go: in a group.
    Grouped,
    /// Ruby: a call of `require`.
    Call,
    /// CommonJS: a statement that is one call of `require`.
    Statement,
}

impl HoleFacts {
    pub(crate) fn new(language: Language, kind: &str) -> Self {
        let ruby = language == Language::Ruby;
        Self {
            import: ImportFact::of(language, kind),
            call: kind.contains("call") || kind.contains("invocation") && !kind.contains("macro"),
            // Not C#'s `new(…)`, which names nothing.
            creation: matches!(kind, "object_creation_expression" | "new_expression"),
            arguments: matches!(kind, "arguments" | "argument_list"),
            statement: match kind {
                _ if ruby => !RUBY_OTHERS.contains(&kind),
                "variable_declaration" => language.is_ecmascript(),
                // The fields of Go's and Rust's structs are parts of a list.
                "field_declaration" => !matches!(language, Language::Go | Language::Rust),
                // C#'s have bodies.
                "property_declaration" => language == Language::Php,
                _ => STATEMENTS.contains(&kind),
            },
            modified: kind.ends_with("_modifier"),
            holds_statements: ruby && RUBY_BODIES.contains(&kind),
            holds_parts: matches!(
                kind,
                "export_statement" | "for_clause" | "init_statement" | "ambient_declaration"
            ),
            container: CONTAINERS.iter().any(|part| kind.contains(part)),
            import_list: kind == "import_spec_list",
        }
    }
}

impl ImportFact {
    fn of(language: Language, kind: &str) -> Self {
        match (language, kind) {
            (Language::Go, "import_declaration") => Self::Single,
            (Language::Go, "import_spec") => Self::Grouped,
            (Language::Ruby, "call") => Self::Call,
            (Language::Go | Language::Ruby, _) => Self::Never,
            (_, "lexical_declaration" | "variable_declaration" | "expression_statement")
                if language.is_ecmascript() =>
            {
                Self::Statement
            }
            _ if is_import(kind) => Self::Always,
            _ => Self::Never,
        }
    }
}

/// The node at the end of `path` is a whole statement without a body of its own.
pub(super) fn is_statement(language: Language, path: &Path) -> bool {
    let frame = path.last();
    let parent = path.up(1);
    if !frame.what.holes.statement {
        return false;
    }
    if language == Language::Ruby {
        let Some(parent) = parent.filter(|parent| parent.what.holes.holds_statements) else {
            return false;
        };
        // What stands between braces on one line is an expression.
        return !(parent.kind == "block_body" && one_line(parent.node)) && frame.node.is_named();
    }
    // The parts of a loop's or a condition's head are no statements.
    let part = frame
        .field
        .is_some_and(|field| matches!(field, "initializer" | "init" | "update" | "condition"))
        || parent.is_some_and(|parent| parent.what.holes.holds_parts);
    // What a C++ class only declares, nobody guesses.
    !part && !declares_function(language, frame.node)
}

fn one_line(node: Node) -> bool {
    node.start_position().row == node.end_position().row
}

fn declares_function(language: Language, node: Node) -> bool {
    let grammar = Grammar::of(language);
    let declarator = grammar.child(node, "declarator");
    declarator.is_some_and(|declarator| grammar.kind(declarator).name == "function_declarator")
}

/// The node at the end of `path` imports one module, or the names of one: of a Go group a single
/// line, in Ruby and CommonJS the whole statement that requires.
pub(super) fn is_one_import(language: Language, text: &str, path: &Path) -> bool {
    let node = path.leaf();
    let is_list = |frame: Frame| frame.what.holes.import_list;
    match path.last().what.holes.import {
        ImportFact::Never => false,
        ImportFact::Always => true,
        ImportFact::Single => node
            .named_child(0)
            .is_none_or(|child| !Grammar::of(language).kind(child).holes.import_list),
        ImportFact::Grouped => path.up(1).is_some_and(is_list),
        ImportFact::Call => requires(text, node),
        ImportFact::Statement => {
            node.named_child_count() == 1
                && node.named_child(0).is_some_and(|only| {
                    let value = only.child_by_field_name("value").unwrap_or(only);
                    value.kind() == "call_expression" && requires(text, value)
                })
        }
    }
}

/// A call of `require` with a string.
fn requires(text: &str, call: Node) -> bool {
    let named = |field| call.child_by_field_name(field);
    let argument = named("arguments").and_then(|list| list.named_child(0));
    calls_one_of(text, call, &["require", "require_relative"])
        && named("receiver").is_none()
        && argument.is_some_and(|argument| argument.kind() == "string")
}

/// The node at the end of `path` is the body of a function, a loop or a branch.
pub(super) fn is_block(text: &str, path: &Path) -> bool {
    if path.last().field != Some("body") {
        return false;
    }
    let Some(parent) = path.up(1) else {
        return false;
    };
    // PHP's `foreach (…): … endforeach` has the colon in its body.
    let colon = text[path.range()].starts_with(':');
    !parent.what.holes.container && !colon
}
