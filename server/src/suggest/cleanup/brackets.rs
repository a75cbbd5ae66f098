//! Brackets and quotes that the text after the cursor already has.

use super::{Change, Scene, lines};
use crate::suggest::lexer::{self, Place};

/// Cuts at the first closing bracket that closes what the suffix closes.
///
/// A bracket that closes what stands open before the cursor, and that nothing
/// after it closes, is needed and stays.
pub fn closer(text: &str, scene: &Scene<'_>) -> Change {
    let effect = scene.balance.effect(text, scene.around.facts);
    Change::cut(effect.first_surplus)
}

/// Cuts at the quote that ends the string the cursor stands in, where the
/// rest of the line ends it too.
pub fn quote(text: &str, scene: &Scene<'_>) -> Change {
    let Place::Text(kind) = scene.balance.cursor else {
        return Change::None;
    };
    let rest = scene.around.rest_of_line();
    // With an even number of quotes the rest has strings of its own, not this one's end.
    if rest.matches(kind.quote).count() % 2 == 0 {
        return Change::None;
    }
    // Escapes are the scanner's business: find where it leaves the string.
    let ends = |text: &str| {
        let end = lexer::scan(text, scene.balance.cursor, scene.around.facts, |_| {});
        end != scene.balance.cursor
    };
    if !ends(lines::first(text)) {
        return Change::None;
    }
    let quotes = text.match_indices(kind.quote).map(|(at, _)| at);
    let mut closing = quotes.filter(|&at| ends(&text[..at + kind.quote.len()]));
    Change::cut(closing.next())
}

/// Cuts a last line that only closes and equals the line after the cursor.
///
/// For closing words, which the bracket scanner does not see: two `end` in one
/// column never follow each other.
pub fn duplicate_line(text: &str, scene: &Scene<'_>) -> Change {
    let Some(next) = scene.next_line else {
        return Change::None;
    };
    let all = lines::split(text.trim_end());
    let Some((index, last)) = all.iter().enumerate().next_back() else {
        return Change::None;
    };
    let whole = scene.whole_line(index, last.text);
    let closes = scene.around.facts.is_closing_line(&whole);
    if !scene.ends_lines() || !closes || !lines::same(&whole, next) {
        return Change::None;
    }
    if index == 0 && !scene.around.on_blank_start() {
        return Change::None;
    }
    let brackets = whole
        .chars()
        .any(|c| scene.around.facts.closes(c).is_some());
    if brackets && scene.balance.needs_closer() {
        return Change::None;
    }
    Change::Cut(last.start)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn surplus_closers() {
        check(
            closer,
            &[
                Case::new("foo(|)", "a, b)", "a, b"),
                Case::new("foo(|);", "a);\nbar();", "a"),
                Case::new("fn f() {\n    |\n}\n", "x();\n}\n\nfn g() {}", "x();\n"),
                Case::new("x|\n", ")", ""),
                Case::same("foo(|", "a, b)"),
                Case::same("foo(|)", "bar(a)"),
                Case::same("foo(|)", "a) + (b"),
                Case::same("fn f() {\n    if a {\n        |\n}\n", "x();\n    }"),
                Case::same("x = |", "'}'"),
                Case::same("// |", ":)"),
                Case::same("s = \"|\"", ")"),
            ],
        );
    }

    #[test]
    fn surplus_quotes() {
        check(
            quote,
            &[
                Case::new("f(\"|\")", "abc\")", "abc"),
                Case::new("f(\"|\")", "a\\\"b\", c", "a\\\"b"),
                Case::new("f('|')", "abc'", "abc").language("python"),
                Case::same("f(\"|", "abc\")"),
                Case::same("f(\"|, x = \"b\")", "a\""),
                Case::same("f(|\"a\")", "\"b\", "),
                Case::same("f(\"a\", |)", "\"b\""),
                Case::same("fn f<'|>", "a"),
            ],
        );
    }

    #[test]
    fn duplicate_closing_lines() {
        check(
            duplicate_line,
            &[
                Case::new("def f\n  |\nend\n", "x\nend", "x\n").language("ruby"),
                Case::same("if a\n  |\nend\n", "x\n  end").language("ruby"),
                Case::new("{\n  |\n}", "x\n}", "x\n"),
                Case::same("{\n{\n  |\n}", "x\n}"),
                Case::same("x|\nend", "end").language("ruby"),
            ],
        );
    }
}
