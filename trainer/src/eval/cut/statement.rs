//! CrossCodeEval: the first statement.

use std::time::Duration;

use tree_sitter::Node;
use truefill_syntax::{Language, parse_within};

use crate::eval::text::strip_end;

/// What the protocol gives one parse; a text that takes longer is not cut.
const PARSE_LIMIT: Duration = Duration::from_secs(5);

/// A completion's first statement, as `scripts/eval_utils.py` cuts it.
///
/// Python: up to the first line end at which prompt and completion parse without an error, white space
/// at the end left out; the whole completion where there is none. Other languages (the protocol
/// knows Java, C# and TypeScript): up to the first `;`, `{` or `}`, which belongs to it; the
/// whole completion where there is none, and also where it is the very first character.
#[must_use]
pub fn first_statement<'a>(language: Language, prompt: &str, completion: &'a str) -> &'a str {
    match language {
        Language::Python => python_statement(prompt, completion),
        _ => match completion.find([';', '{', '}']) {
            None | Some(0) => completion,
            Some(end) => &completion[..=end],
        },
    }
}

fn python_statement<'a>(prompt: &str, completion: &'a str) -> &'a str {
    let ends = completion.match_indices('\n').map(|(at, _)| at);
    for end in ends.skip_while(|at| *at == 0) {
        let statement = &completion[..end];
        let code = format!("{prompt}{statement}");
        match parse_within(Language::Python, &code, None, PARSE_LIMIT) {
            Some(tree) if !has_error_node(tree.root_node()) => return strip_end(statement),
            Some(_) => {}
            None => return completion,
        }
    }
    completion
}

/// Whether something was left out of the tree. A token that the parser added is none.
fn has_error_node(root: Node<'_>) -> bool {
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if node.is_error() {
            return true;
        }
        if node.has_error() {
            let mut cursor = node.walk();
            open.extend(node.children(&mut cursor));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_its_bracket_or_line() {
        let java = |text| first_statement(Language::Java, "", text);
        assert_eq!(java("a(b); c"), "a(b);");
        assert_eq!(java("if (é) { c"), "if (é) {");
        assert_eq!(java("; a;"), "; a;");
        assert_eq!(java("a"), "a");
        let python = |text| first_statement(Language::Python, "x = ", text);
        assert_eq!(python("f(\n    1,\n)  \r\ny = 2\n"), "f(\n    1,\n)");
        assert_eq!(python("f(1)"), "f(1)");
        assert_eq!(python("f(1\n\n"), "f(1\n\n");
        assert_eq!(python("\n1\n2"), "\n1");
        assert_eq!(python(""), "");
    }

    #[test]
    fn what_cannot_be_parsed_is_left_as_it_is() {
        let prompt = "#".repeat(2 << 20);
        assert_eq!(
            first_statement(Language::Python, &prompt, "\na\nb"),
            "\na\nb"
        );
    }
}
