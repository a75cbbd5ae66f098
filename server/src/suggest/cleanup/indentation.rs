//! Indentation: of the first line, of the file's style, and as the border of a block.

use super::{Change, Scene, lines};
use crate::suggest::facts::LanguageFacts;
use crate::suggest::flow::Border;
use crate::suggest::lexer::{self, Place};
use crate::suggest::surroundings::{IndentUnit, TAB_COLUMNS};

/// Cuts at the first line that stands further left than the block of the cursor.
pub fn left_scope(text: &str, scene: &Scene<'_>) -> Change {
    let mut border = Border::new(scene.around.facts);
    let all = lines::split(text);
    let mut filled = all
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.text.trim().is_empty());
    let left = filled.find(|(index, line)| {
        let whole = scene.whole_line(*index, line.text);
        !whole.trim().is_empty() && !border.admits(&whole)
    });
    Change::cut(left.map(|(_, line)| line.start))
}

/// Deletes the indentation of the first line where the cursor's line has it already.
pub fn first_line(text: &str, scene: &Scene<'_>) -> Change {
    let around = &scene.around;
    let have = around.line_before();
    let own = lines::leading(text);
    if have.is_empty() || own.is_empty() || !around.on_blank_start() {
        return Change::None;
    }
    let both = lines::columns(&format!("{have}{own}x"));
    let expected = expected_columns(scene);
    if expected.contains(&both) && !expected.contains(&lines::columns(have)) {
        return Change::None;
    }
    Change::Text(text[own.len()..].to_owned())
}

/// Columns in which a new line would be at home: that of the line above, and
/// one level deeper where that line opens a block.
fn expected_columns(scene: &Scene<'_>) -> Vec<usize> {
    let Some(above) = scene.around.above().find(|line| !line.trim().is_empty()) else {
        return vec![0];
    };
    let column = lines::columns(above);
    let opens = above
        .trim_end()
        .ends_with(['{', '(', '[', ':', '=', ',', '\\', '>']);
    let unit = match scene.around.indent {
        Some(IndentUnit::Spaces(width)) => width,
        Some(IndentUnit::Tab) | None => TAB_COLUMNS,
    };
    if opens {
        vec![column + unit]
    } else {
        vec![column]
    }
}

/// Rewrites the indentation of the lines after the first to the file's style:
/// tabs against spaces, and a width that is off by one everywhere.
pub fn reindent(text: &str, scene: &Scene<'_>) -> Change {
    if !text.contains('\n') || !matches!(scene.balance.cursor, Place::Code) {
        return Change::None;
    }
    let column = lines::columns(&scene.whole_line(0, lines::first(text)));
    let style = match scene.around.indent {
        Some(IndentUnit::Tab) => tabs(text),
        Some(IndentUnit::Spaces(width)) if text.contains("\n\t") => Some(spaces(text, width)),
        Some(IndentUnit::Spaces(width)) => even(text, width, column, scene.around.facts),
        None => None,
    };
    style.map_or(Change::None, Change::Text)
}

/// Maps the indentation of each filled line after the first.
fn map_indents(text: &str, map: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let indent = lines::leading(line);
        if index == 0 || indent.is_empty() || indent.len() == line.len() {
            out.push_str(line);
        } else {
            out.push_str(&map(indent));
            out.push_str(&line[indent.len()..]);
        }
    }
    out
}

/// The indentations of the filled lines after the first.
fn indents(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(lines::leading)
}

/// Leading spaces to tabs; a level is the narrowest indentation found, at most 4.
fn tabs(text: &str) -> Option<String> {
    let narrowest = indents(text)
        .filter(|i| i.starts_with("  "))
        .map(str::len)
        .min()?;
    let width = if narrowest % 4 == 0 {
        4
    } else {
        narrowest.min(4)
    };
    Some(map_indents(text, |indent| {
        let tabs = indent.bytes().take_while(|&b| b == b'\t').count();
        let spaces = indent.len() - tabs;
        format!(
            "{}{}",
            "\t".repeat(tabs + spaces / width),
            " ".repeat(spaces % width)
        )
    }))
}

/// Leading tabs to spaces, `width` a level.
fn spaces(text: &str, width: usize) -> String {
    map_indents(text, |indent| indent.replace('\t', &" ".repeat(width)))
}

/// Whether a line begins inside a round or square bracket that the text opens:
/// such lines stand where the bracket has put them.
fn is_aligned(text: &str, facts: &LanguageFacts) -> bool {
    let mut depth = 0usize;
    let mut aligned = false;
    let mut seen = 0;
    lexer::scan(text, Place::Code, facts, |bracket| {
        aligned |= depth > 0 && text[seen..bracket.at].contains('\n');
        seen = bracket.at;
        if text[bracket.at..].starts_with(['{', '}']) {
            return;
        }
        depth = if bracket.opens {
            depth + 1
        } else {
            depth.saturating_sub(1)
        };
    });
    aligned || (depth > 0 && text[seen..].contains('\n'))
}

/// Takes one space away, or adds one, where every line is off by exactly that
/// and the first line, which begins in `column`, is not.
fn even(text: &str, width: usize, column: usize, facts: &LanguageFacts) -> Option<String> {
    const NARROWEST: usize = 3;
    // A comment's stars stand one column in.
    let stars = || text.lines().any(|line| line.trim_start().starts_with('*'));
    if width < NARROWEST || !column.is_multiple_of(width) || stars() || is_aligned(text, facts) {
        return None;
    }
    let mut rests = indents(text).map(|indent| indent.len() % width);
    let rest = rests.next()?;
    if !rests.all(|other| other == rest) {
        return None;
    }
    match rest {
        1 => Some(map_indents(text, |indent| indent[1..].to_owned())),
        rest if rest == width - 1 => Some(map_indents(text, |indent| format!("{indent} "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn lines_outside_the_block() {
        check(
            left_scope,
            &[
                Case::new(
                    "def f():\n    |",
                    "x = 1\n    y = 2\ndef g():",
                    "x = 1\n    y = 2\n",
                ),
                Case::new("    |", "x\n\n  y", "x\n\n"),
                Case::same("    |", "x\n  }\n}"),
                Case::same("    if a:\n        |", "b()\n    else:\n        c()")
                    .language("python"),
                Case::new("    if a:\n        |", "b()\n    c()", "b()\n").language("python"),
                Case::same("|", "x\ny"),
                Case::same("if a {|}", "\n    x\n"),
                Case::same("x = |", "[\n  1,\n]"),
            ],
        );
    }

    #[test]
    fn indentation_of_the_first_line() {
        check(
            first_line,
            &[
                Case::new("fn f() {\n    |", "    x();\n    y();", "x();\n    y();"),
                Case::same("fn f() {\n|", "    x();"),
                Case::same("fn f() {\n  |", "  x();").indent(IndentUnit::Spaces(4)),
                Case::new("    a();\n    |", " x();", "x();"),
                Case::same("    a();\n  |", "  x();"),
                Case::same("x =|", " 1"),
                Case::new("\t\ta();\n\t\t|", "\t\tx();", "x();"),
            ],
        );
    }

    #[test]
    fn style_of_indentation() {
        check(
            reindent,
            &[
                Case::new("\ta\n\t|", "if x {\n        y\n    }", "if x {\n\t\ty\n\t}"),
                Case::new("\ta\n\t|", "if x {\n  y\n}", "if x {\n\ty\n}"),
                Case::new(
                    "    a\n    |",
                    "if x {\n\t\ty\n\t}",
                    "if x {\n        y\n    }",
                ),
                Case::new(
                    "    a\n    |",
                    "if x {\n         y\n     }",
                    "if x {\n        y\n    }",
                ),
                Case::new(
                    "    a\n    |",
                    "if x {\n       y\n   }",
                    "if x {\n        y\n    }",
                ),
                Case::same("    a\n    |", "f(a,\n      b)"),
                Case::same("    a\n    |", "fun(a, b,\n        c, g(d),\n        e)"),
                Case::same("    a\n    |", "fu(a, b,\n       c)"),
                Case::same("    a\n    |", "if x {\n        y\n    }"),
                Case::same("|", "if x {\n\ty\n}"),
                Case::same("    a\n     |", "1,\n     2,"),
                Case::same("    a\n    |", "/*\n     * x\n     */"),
                Case::same("\ts = `|", "\n    y\n    `").language("javascript"),
            ],
        );
    }
}
