//! Where a sample ends.

use super::reply::laid_out;

/// Where the text has as many lines as the golden completion, blank ones in front left out.
pub(super) fn end_of_line(text: &str, lines: usize) -> Option<usize> {
    let lead = text.len() - text.trim_start().len();
    let mut ends = text[lead..].match_indices('\n');
    ends.nth(lines - 1).map(|(at, _)| lead + at)
}

/// A sample as it would stand in the hole: without what the suffix goes on with, where the model
/// wrote that too, and with the golden completion's white space at both ends.
pub(super) fn fitted(sample: &str, golden: &str, suffix: &str) -> String {
    let rest = suffix.lines().next().unwrap_or_default().trim();
    let whole = sample.trim();
    let without = whole.strip_suffix(rest).map(str::trim_end);
    let core = match without.filter(|_| !rest.is_empty()) {
        // A closing bracket may be the sample's own.
        Some(without) if open_brackets(whole) != 0 || open_brackets(without) == 0 => without,
        _ => whole,
    };
    laid_out(core, golden)
}

/// Brackets that are opened and not closed; below 0 where more are closed.
fn open_brackets(text: &str) -> i64 {
    let value = |character| match character {
        '(' | '[' | '{' => 1,
        ')' | ']' | '}' => -1,
        _ => 0,
    };
    text.chars().map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_end_where_the_hole_does() {
        assert_eq!(end_of_line("\n  a(b)\nc", 1), Some(7));
        assert_eq!(end_of_line("a", 1), None);
        for (sample, suffix, expected) in [
            ("load(x)))", ")\nnext", " load(x))\n"),
            ("load(x);", ";\n", " load(x)\n"),
            ("load(x)", "\n", " load(x)\n"),
            ("load(x)", ")", " load(x)\n"),
            ("a, b)", ")", " a, b\n"),
            ("a, b(c), d", ")", " a, b(c), d\n"),
            ("a, b", ", c)", " a, b\n"),
            ("f(a): g", ":", " f(a): g\n"),
        ] {
            assert_eq!(fitted(sample, " golden\n", suffix), expected, "{sample}");
        }
    }
}
