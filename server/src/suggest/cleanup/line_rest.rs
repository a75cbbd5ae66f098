//! What stands in the cursor's line after the cursor.

use super::{Change, Scene, lines};
use crate::suggest::lexer::Place;

/// Keeps the first line where the cursor's line goes on with words.
///
/// Brackets, quotes and marks after the cursor are what editors insert by
/// themselves: several lines between them are welcome.
pub fn mid_line(text: &str, scene: &Scene<'_>) -> Change {
    if !lines::has_word(scene.around.rest_of_line()) {
        return Change::None;
    }
    match text.find('\n') {
        Some(0) => Change::Drop,
        at => Change::cut(at),
    }
}

/// Cuts what the suggestion repeats of the rest of the line.
///
/// Tries the whole rest first, then ever shorter beginnings of it at the end
/// of the suggestion's first line. A cut counts only if brackets and strings
/// fit at least as well afterwards: `bar(x)` before `)` keeps its own bracket.
pub fn overlap(text: &str, scene: &Scene<'_>) -> Change {
    let rest = scene.around.rest_of_line().trim();
    // Operators go together as the next character has it: `:` before `:x`.
    if rest.is_empty() || !(lines::has_word(rest) || is_punctuation(rest)) {
        return Change::None;
    }
    let line = lines::first(text);
    let faults = scene.faults(text);
    let fits = |at: usize| scene.faults(&text[..at]) <= faults;
    let in_code = scene.balance.cursor == Place::Code;
    if let Some(at) = whole(line, rest, in_code, fits) {
        return Change::Cut(at);
    }
    let end = text.trim_end();
    if let Some(kept) = end.strip_suffix(rest)
        && is_apart(end, kept.len())
        && fits(kept.len())
    {
        return Change::Cut(kept.len());
    }
    let lengths = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    let found = lengths
        .filter(|&length| length < rest.len() && end.ends_with(&rest[..length]))
        .map(|length| (end.len() - length, length))
        .find(|&(at, length)| is_seam(end, at, rest, length) && fits(at));
    Change::cut(found.map(|(at, _)| at))
}

/// Whether a text is made of marks that end things: they mean the same alone and together.
fn is_punctuation(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, ')' | ']' | '}' | '"' | '\'' | '`' | ';' | ',' | ' '))
}

/// Whether byte `at` of a line tears neither a word nor a run of quotes.
fn is_apart(line: &str, at: usize) -> bool {
    let quotes = ["\"", "'", "`"];
    let torn = |quote: &&str| line[..at].ends_with(*quote) && line[at..].starts_with(*quote);
    !lines::tears_word(line, at) && !quotes.iter().any(torn)
}

/// The whole rest of the line inside the suggestion's first line, last occurrence first.
fn whole(line: &str, rest: &str, in_code: bool, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let at_end = |at: usize| at + rest.len() == line.trim_end().len();
    let words = rest
        .split(|c| !lines::is_word(c))
        .filter(|word| !word.is_empty())
        .count();
    let marks = rest
        .chars()
        .filter(|&c| !lines::is_word(c) && c != ' ')
        .count();
    // In the middle, a word or a few marks prove nothing, and prose nothing at all.
    let telling = in_code && (words >= 2 || (words == 1 && marks >= 2));
    line.rmatch_indices(rest)
        .map(|(at, _)| at)
        .filter(|&at| is_apart(line, at) && (at_end(at) || telling))
        .find(|&at| fits(at))
}

/// Whether an overlap of `length` bytes at `at` lies between words on both of its sides.
fn is_seam(line: &str, at: usize, rest: &str, length: usize) -> bool {
    let overlap = &rest[..length];
    let whole_words = is_apart(line, at) && !lines::tears_word(rest, length);
    // A short word before a mark may well be said twice: `a` before `a.b`.
    let telling = match lines::has_word(overlap) {
        true => overlap.chars().count() >= 3,
        false => is_punctuation(overlap),
    };
    whole_words && telling && !overlap.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn several_lines_in_the_middle_of_a_line() {
        check(
            mid_line,
            &[
                Case::new("x = | + y", "1\nz = 2", "1"),
                Case::new("x = | + y", "\nz = 2", ""),
                Case::same("f {|}", "\n  x\n"),
                Case::same("f(|);", "a,\n b"),
                Case::same("x = |\ny", "1\nz"),
            ],
        );
    }

    #[test]
    fn overlap_with_the_rest_of_the_line() {
        check(
            overlap,
            &[
                Case::new("foo(|, bar)", "x, bar)", "x"),
                Case::new("foo(|, bar)", "x, bar) + 1", "x"),
                Case::new("let total = | + b;", "a + b;", "a "),
                Case::new("foo(|);", "x);", "x"),
                Case::new("foo(|)", "x)", "x"),
                Case::new("foo(|);", "x)", "x"),
                Case::new("foo(|))", "x)", "x"),
                Case::new("foo(|, y)", "x, ", "x"),
                Case::new("s = \"|\"", "abc\"", "abc"),
                Case::new("s = \"|\")", "abc\")", "abc"),
                Case::new("x = |;", "foo();", "foo()"),
                Case::new("x = |;", "S {\n    a,\n};", "S {\n    a,\n}"),
                Case::new("f {|}", "\n    x\n}", "\n    x\n"),
                // Brackets of its own are kept: nothing is over-cut.
                Case::same("foo(|)", "bar(x)"),
                Case::same("foo(|)", "bar(x), baz(y)"),
                Case::same("a = |x)", "bar(x)"),
                Case::same("foo(|, x)", "vec![a, b]"),
                Case::same("x = |a.b", "a + a"),
                Case::same("a(b(c(|);", "0))"),
                Case::same("link!(\"a.| \"b\" fn f());", "dll\""),
                Case::same("return |\"", "b\""),
                Case::same("x = |y", "my"),
                Case::same("core|:f()", "::mem:"),
                Case::same("/// a\n|/", "//"),
                Case::same("\"\"\"doc|\"", "\"\"").language("python"),
                Case::same("// the sign| the sum", " of the product of both").language("rust"),
                Case::same("import |util", "a.util as my_"),
                Case::same("x = |\n", "1"),
                Case::same("f(|)", "a,\n b"),
                Case::new("s = |\"", "\"abc\"", "\"abc"),
                Case::same("s = |\"\"", "\"abc\" + "),
            ],
        );
    }
}
