//! Carriage returns, doubled spaces, spaces and blank lines at the end.

use super::{Change, Scene};
use crate::suggest::lexer::Place;

/// Deletes carriage returns before line breaks: the editor inserts its own.
pub fn carriage_return(text: &str, _: &Scene<'_>) -> Change {
    if text.contains('\r') {
        Change::Text(text.replace('\r', ""))
    } else {
        Change::None
    }
}

/// Deletes spaces at the beginning where one stands before the cursor already.
///
/// Indentation is another matter, see `indentation::first_line`, and so are
/// columns: more than one space before the cursor, or a comment's text.
pub fn double_space(text: &str, scene: &Scene<'_>) -> Change {
    let before = scene.around.line_before();
    let one_space = before.ends_with(' ') && !before.ends_with("  ");
    let in_code = scene.balance.cursor == Place::Code;
    if !one_space || !in_code || before.trim().is_empty() || !text.starts_with(' ') {
        return Change::None;
    }
    Change::Text(text.trim_start_matches(' ').to_owned())
}

/// Deletes whitespace at the end that would end up before a line break, and
/// blank lines before what stands after the cursor.
pub fn trailing(text: &str, scene: &Scene<'_>) -> Change {
    let kept = text.trim_end();
    let space = &text[kept.len()..];
    if space.is_empty() {
        return Change::None;
    }
    if scene.ends_lines() {
        return Change::Cut(kept.len());
    }
    // Something follows in the line: `a, ` before `b`, or a line break and
    // indentation before a closing bracket. One line break is enough.
    match (space.find('\n'), space.rfind('\n')) {
        (Some(first), Some(last)) if first != last || first > 0 => {
            Change::Text(format!("{kept}{}", &space[last..]))
        }
        (None, _) if scene.around.rest_of_line().starts_with([' ', '\t']) => {
            Change::Cut(kept.len())
        }
        _ => Change::None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn carriage_returns() {
        check(
            carriage_return,
            &[Case::new("|", "a\r\nb\r", "a\nb"), Case::same("|", "a\nb")],
        );
    }

    #[test]
    fn double_spaces() {
        check(
            double_space,
            &[
                Case::new("x = |", "  1", "1"),
                Case::same("x =|", " 1"),
                Case::same("x  |", " = 1"),
                Case::same("// a |", "  b"),
                Case::same("    |", "  x"),
                Case::same("x = |", "\n  y"),
            ],
        );
    }

    #[test]
    fn trailing_space() {
        check(
            trailing,
            &[
                Case::new("x = |", "1  \n\n", "1"),
                Case::new("x = |\ny", "1\t", "1"),
                Case::same("f(|b)", "a, "),
                Case::new("f(| b)", "a, ", "a,"),
                Case::same("f {|}", "\n    x\n"),
                Case::new("f {|}", "\n    x\n\n  ", "\n    x\n  "),
                Case::new("f {|}", "\n    x  \n", "\n    x\n"),
            ],
        );
    }
}
