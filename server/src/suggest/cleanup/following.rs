//! What stands in the lines after the cursor's line.

use super::{Change, Scene, lines};
use crate::suggest::flow::SuffixWatch;

/// Cuts at the line where the suggestion begins to repeat the lines after it.
///
/// [`SuffixWatch`] tells where that is certain. Where everything from a line to
/// the suggestion's end equals what follows, less will do: for lines that only
/// close, that the brackets fit better without them.
pub fn overlap(text: &str, scene: &Scene<'_>) -> Change {
    let Some(next) = scene.next_line else {
        return Change::None;
    };
    if !scene.ends_lines() {
        return Change::None;
    }
    let mut watch = SuffixWatch::new(scene.around.facts, scene.around.following());
    let all = lines::split(text);
    for (index, line) in all.iter().enumerate() {
        if line.text.trim().is_empty() || (index == 0 && !scene.around.on_blank_start()) {
            continue;
        }
        let whole = scene.whole_line(index, line.text);
        if let Some(start) = watch.see(&whole, line.start) {
            return Change::Cut(start);
        }
        let last = text[line.end()..].trim().is_empty();
        let again = lines::same(&whole, next) && runs_to_end(&all[index..], scene, text);
        if again || (last && scene.around.truncated && is_beginning(&whole, next)) {
            return Change::Cut(line.start);
        }
    }
    Change::None
}

/// Whether all lines from here to the end equal the following ones, and cutting them is sound.
fn runs_to_end(rest: &[lines::Line<'_>], scene: &Scene<'_>, text: &str) -> bool {
    let Some(first) = rest.first() else {
        return false;
    };
    let filled = |line: &&str| !line.trim().is_empty();
    let mut following = scene.around.following().filter(filled);
    let mut own = rest.iter().map(|line| line.text).filter(filled).enumerate();
    let equal = own.all(|(index, line)| {
        // The first may be the cursor's own line, which the caller has compared.
        let next = following.next();
        next.is_some_and(|next| index == 0 || lines::same(line, next))
    });
    let telling = rest
        .iter()
        .filter(|line| lines::is_substantial(line.text))
        .count();
    if equal && telling >= 2 {
        return true;
    }
    // One item of a list may equal the next.
    let item = first.text.trim_end().ends_with(',') && !lines::is_substantial(first.text);
    let (with, without) = (scene.faults(text), scene.faults(&text[..first.start]));
    let brackets = first
        .text
        .chars()
        .any(|c| scene.around.facts.closes(c).is_some());
    let only_closes = brackets && scene.around.facts.is_closing_line(first.text);
    equal
        && !item
        && if only_closes {
            without < with
        } else {
            without <= with
        }
}

/// Whether a line that a limit cut short is the beginning of the next line.
fn is_beginning(line: &str, next: &str) -> bool {
    const TELLING: usize = 6;
    let line = line.trim_end();
    line.trim().chars().count() >= TELLING
        && lines::columns(line) == lines::columns(next)
        && next.trim().starts_with(line.trim())
}

/// Lines that a block has at least, for likeness to prove anything.
const BLOCK_LINES: usize = 3;

/// Drops a suggestion whose every line is almost the line after the cursor in its place.
///
/// Fewer than three lines may differ by one digit and be exactly what was
/// meant (the next assertion of a test), so they are left alone.
pub fn block(text: &str, scene: &Scene<'_>) -> Change {
    if !scene.ends_lines() || !scene.around.on_blank_start() {
        return Change::None;
    }
    let filled = |line: &&str| !line.is_empty();
    let own: Vec<&str> = text.lines().map(str::trim).filter(filled).collect();
    if own.len() < BLOCK_LINES {
        return Change::None;
    }
    let next: Vec<&str> = scene
        .around
        .following()
        .map(str::trim)
        .filter(filled)
        .take(own.len())
        .collect();
    if next.len() < own.len() {
        return Change::None;
    }
    Change::drop_if(almost_equal(&own, &next))
}

/// Whether the lines differ in at most one character of forty.
fn almost_equal(own: &[&str], next: &[&str]) -> bool {
    /// A line's distance costs the square of its length.
    const LONGEST_LINE: usize = 400;
    let length: usize = own.iter().map(|line| line.len()).sum();
    let mut left = (length / 40).max(1);
    own.iter().zip(next).all(|(one, other)| {
        if one == other {
            return true;
        }
        if one.len().abs_diff(other.len()) > 4 * left || one.len() > LONGEST_LINE {
            return false;
        }
        let distance = strsim::levenshtein(one, other);
        let fits = distance <= left;
        left = left.saturating_sub(distance);
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn overlap_with_the_following_lines() {
        let body = "fn f() {\n    |\n    let b = 2;\n}\n";
        check(
            overlap,
            &[
                Case::new(body, "let a = 1;\n    let b = 2;\n}", "let a = 1;\n"),
                Case::new(
                    body,
                    "let a = 1;\n    let b = 2;\n    let c = 3;",
                    "let a = 1;\n",
                ),
                Case::new(body, "let b = 2;", ""),
                Case::same(body, "let b = 3;"),
                Case::new(body, "let a = 1;\n    let b =", "let a = 1;\n").truncated(),
                Case::same(body, "let a = 1;\n    let b ="),
                Case::new("fn f() {\n    |\n}\n", "x();\n}", "x();\n"),
                // The bracket is needed: the suffix's own closes the outer block.
                Case::same("fn f() {\n  if a {\n    |\n}\n", "x();\n  }"),
                Case::same("fn f() {\n if a {\n|\n}\n", "x();\n}"),
                Case::same("fn f() {|}\n}\n", "x();\n}"),
                Case::new("def f\n  |\nend\n", "x\nend", "x\n").language("ruby"),
                Case::same("if a\n  if b\n    |\nend\n", "x\n  end").language("ruby"),
                Case::new(
                    "    foo()\n    |\n    break;",
                    "bar();\n    break;",
                    "bar();\n",
                ),
                Case::same("    |\n    break;\n  x", "a();\n    break;\n  b:\n    c();"),
                // The same words deeper in are another statement.
                Case::same("if x:\n        |\n    return None", "return None").language("python"),
                Case::new("if x:\n    |\n    return None", "return None", "").language("python"),
                Case::same("foo(|)\nbar(a, b)", "x,\nbar(a, b)"),
            ],
        );
    }

    #[test]
    fn almost_the_following_block() {
        let next = "|\nlet first = one;\nlet second = two;\nlet third = three;\n";
        check(
            block,
            &[
                Case::new(
                    next,
                    "let first = one;\nlet second = two;\nlet third = threw;",
                    "",
                ),
                Case::same(next, "let first = one;\nlet second = two;"),
                Case::same(
                    next,
                    "let fourth = four;\nlet fifth = five;\nlet sixth = six;",
                ),
                Case::same("|\nassert(f(1), 2);", "assert(f(2), 2);"),
            ],
        );
    }
}
