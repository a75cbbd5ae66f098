//! What the syntax tree says about the cursor: comment, string, the body around it.

use tree_sitter::{Node, Tree};

/// A body (braces, an indented block, `do … end`) around the cursor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    /// It holds nothing but comments.
    pub empty: bool,
    /// Its part of the tree did not parse.
    pub has_error: bool,
}

/// The cursor's place in the tree.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surroundings {
    pub in_comment: bool,
    pub in_string: bool,
    /// The cursor stands in a part that did not parse.
    pub in_error: bool,
    /// Some part of the file did not parse.
    pub file_has_error: bool,
    /// The innermost body around the cursor.
    pub body: Option<Body>,
}

/// Reads the path from the root to the cursor.
pub(super) fn surroundings(tree: &Tree, text: &str, offset: usize) -> Surroundings {
    let file_has_error = tree.root_node().has_error();
    let mut seen = Surroundings {
        file_has_error,
        ..Surroundings::default()
    };
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        note(node, text, offset, &mut seen);
        // The child that touches the cursor from the left matters for comments that run to the
        // line's end; any other child must lie around the cursor.
        let mut child = cursor.goto_first_child();
        while child && cursor.node().end_byte() < offset {
            child = cursor.goto_next_sibling();
        }
        if !child || cursor.node().start_byte() >= offset {
            return seen;
        }
    }
}

fn note(node: Node, text: &str, offset: usize, seen: &mut Surroundings) {
    let kind = node.kind();
    let strictly_inside = node.start_byte() < offset && offset < node.end_byte();
    if node.is_error() {
        seen.in_error = true;
    }
    if is_comment(kind) && node.start_byte() < offset {
        let line = !text[node.byte_range()].starts_with("/*");
        let open_end = line && offset == node.end_byte() && !text[..offset].ends_with('\n');
        seen.in_comment = strictly_inside || open_end;
    } else if is_string(kind) && strictly_inside {
        seen.in_string = true;
    } else if kind.contains("interpolation") || kind == "template_substitution" {
        seen.in_string = false;
    } else if is_body(kind) && strictly_inside {
        let mut children = node.walk();
        let empty = node
            .named_children(&mut children)
            .all(|child| is_comment(child.kind()));
        seen.body = Some(Body {
            empty,
            has_error: node.has_error(),
        });
    }
}

fn is_comment(kind: &str) -> bool {
    kind.ends_with("comment") || kind == "comment"
}

fn is_string(kind: &str) -> bool {
    matches!(
        kind,
        "string"
            | "string_literal"
            | "raw_string_literal"
            | "interpreted_string_literal"
            | "verbatim_string_literal"
            | "interpolated_string_expression"
            | "template_string"
            | "encapsed_string"
            | "heredoc"
            | "nowdoc"
            | "heredoc_body"
            | "char_literal"
            | "character_literal"
            | "rune_literal"
            | "regex"
            | "subshell"
            | "string_array"
            | "symbol_array"
            | "nowdoc_body"
    )
}

fn is_body(kind: &str) -> bool {
    matches!(
        kind,
        "block"
            | "statement_block"
            | "compound_statement"
            | "class_body"
            | "declaration_list"
            | "field_declaration_list"
            | "interface_body"
            | "enum_body"
            | "enum_variant_list"
            | "body_statement"
            | "do_block"
            | "object"
            | "array"
            | "object_type"
            | "switch_body"
            | "match_block"
            | "constructor_body"
            | "literal_value"
            | "initializer_list"
    )
}
