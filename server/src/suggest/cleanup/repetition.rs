//! The model going round in circles, and copying what stands above.

use super::{Change, Scene, lines};
use crate::suggest::flow::Run;

/// Drops a suggestion that begins by repeating the lines right above the cursor.
///
/// Counts whole lines only: the first line with what stands before the cursor.
pub fn above(text: &str, scene: &Scene<'_>) -> Change {
    if !scene.ends_lines() {
        return Change::None;
    }
    let own = whole_lines(text, scene);
    let above: Vec<&str> = scene
        .around
        .above()
        .filter(|line| !line.trim().is_empty())
        .take(own.len().max(2))
        .collect();
    // What repeats above the cursor is meant to repeat.
    if let [first, second, ..] = above[..]
        && lines::same(first, second)
    {
        return Change::None;
    }
    // `above` runs upwards: a block of n lines is above.take(n) reversed.
    let repeats = (1..=above.len().min(own.len())).any(|n| {
        let block = above[..n].iter().rev();
        let equal = block.zip(&own).all(|(above, own)| lines::same(above, own));
        equal && own[..n].iter().any(|line| lines::is_substantial(line))
    });
    Change::drop_if(repeats)
}

/// The suggestion's lines that are not blank, the first completed by the cursor's line.
fn whole_lines(text: &str, scene: &Scene<'_>) -> Vec<String> {
    lines::split(text)
        .iter()
        .enumerate()
        .map(|(index, line)| scene.whole_line(index, line.text))
        .filter(|line| !line.trim().is_empty())
        .collect()
}

/// Cuts before a line that stands there for the third time in a row.
pub fn lines_in_a_row(text: &str, scene: &Scene<'_>) -> Change {
    let above = scene.around.above().find(|line| !line.trim().is_empty());
    let mut run = Run::new(scene.around.facts, above);
    let all = lines::split(text);
    let found = all
        .iter()
        .enumerate()
        .find(|(index, line)| run.is_too_long(&scene.whole_line(*index, line.text)));
    Change::cut(found.map(|(_, line)| line.start))
}

/// Longest block that is looked for, in lines.
const LONGEST_BLOCK: usize = 12;

/// Cuts before a block of lines that repeats the one right before it.
///
/// Two lines have to come three times, three and more twice: short pairs
/// alternate in honest code.
pub fn blocks(text: &str, _: &Scene<'_>) -> Change {
    let all: Vec<_> = lines::split(text)
        .into_iter()
        .filter(|line| !line.text.trim().is_empty())
        .collect();
    let same = |a: usize, b: usize, n: usize| {
        // The first line lacks the indentation that the cursor's line has.
        (0..n).all(|i| {
            let (one, other) = (all[a + i].text, all[b + i].text);
            if a + i == 0 {
                one.trim() == other.trim()
            } else {
                lines::same(one, other)
            }
        })
    };
    for start in 0..all.len() {
        for n in 2..=LONGEST_BLOCK.min((all.len() - start) / 2) {
            let telling = all[start..start + n]
                .iter()
                .filter(|l| lines::is_substantial(l.text));
            let distinct = !same(start, start + 1, n.min(all.len() - start - 1));
            if telling.count() < 2 || !distinct || !same(start, start + n, n) {
                continue;
            }
            let thrice = start + 3 * n <= all.len() && same(start, start + 2 * n, n);
            if n >= 3 || thrice {
                return Change::Cut(all[start + n].start);
            }
        }
    }
    Change::None
}

/// Cuts a last line that ends in one pattern over and over.
///
/// A pattern of 3 bytes or more six times, of 10 or more four times. Rules of
/// dashes and the like are drawn on purpose, and so is what stands twice in
/// the line above: a table.
pub fn tail(text: &str, scene: &Scene<'_>) -> Change {
    let end = text.trim_end();
    let line = lines::last(end);
    let at = end.len() - line.len();
    let meant = |pattern: &str| {
        let above = scene.around.above().next().unwrap_or_default();
        let twice = pattern.repeat(2);
        above.contains(&twice) || scene.around.line_before().contains(&twice)
    };
    let found = (3..=line.len() / 4).find_map(|size| {
        let needed = if size >= 10 { 4 } else { 6 };
        let start = repeated_tail(line.as_bytes(), size, needed)?;
        let pattern = line.get(start..start + size);
        pattern
            .is_none_or(|pattern| lines::has_word(pattern) && !meant(pattern))
            .then_some(start)
    });
    // The repeated part is worthless, and what leads to it is torn: the line goes.
    Change::cut(found.map(|_| at))
}

/// Where a pattern of `size` bytes begins that fills the end at least `needed` times.
fn repeated_tail(line: &[u8], size: usize, needed: usize) -> Option<usize> {
    let periodic = line
        .iter()
        .rev()
        .zip(line.iter().rev().skip(size))
        .take_while(|(a, b)| a == b);
    let length = periodic.count() + size;
    (length >= size * needed).then(|| line.len() - length)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn lines_above() {
        check(
            above,
            &[
                Case::new("    push(a, 1);\n    |\n", "push(a, 1);", ""),
                Case::new("    push(a, 1);\n    pu|\n", "sh(a, 1);\n    x();", ""),
                Case::new("a = f(1)\nb = g(2)\n|\n", "a = f(1)\nb = g(2)", ""),
                Case::same("a = f(1)\nb = g(2)\n|\n", "a = f(1)\nc = g(2)"),
                Case::same("    push(a, 1);\n    |\n", "push(a, 2);"),
                Case::same("  }\n|\n", "}"),
                Case::same("pub i8,\npub i8,\n|\n", "pub i8,"),
                Case::same("if x:\n    return None\n|\n", "return None"),
                Case::same("f(a, b);\nf(|);\n", "a, b"),
            ],
        );
    }

    #[test]
    fn lines_three_times() {
        check(
            lines_in_a_row,
            &[
                Case::new("|", "a(1)\na(1)\na(1)\na(1)", "a(1)\na(1)\n"),
                Case::new("a(1)\n|", "a(1)\na(1)", "a(1)\n"),
                Case::new("|", "a(1)\n\na(1)\n\na(1)", "a(1)\n\na(1)\n\n"),
                Case::same("|", "a(1)\na(1)\nb"),
                Case::same("|", "}\n}\n}\n}"),
                Case::same("|", "  end\n end\nend").language("ruby"),
            ],
        );
    }

    #[test]
    fn repeated_blocks() {
        check(
            blocks,
            &[
                Case::new(
                    "|",
                    "a(1)\nb(2)\nc(3)\na(1)\nb(2)\nc(3)\nd",
                    "a(1)\nb(2)\nc(3)\n",
                ),
                Case::new("|", "a(1)\nb(2)\na(1)\nb(2)\na(1)\nb(2)\n", "a(1)\nb(2)\n"),
                Case::same("|", "a(1)\nb(2)\na(1)\nb(2)"),
                Case::same("|", "a(1)\n}\nb(2)\n}\nc(3)\n}"),
                Case::same("|", "}\n}\n}\n}\n}\n}"),
            ],
        );
    }

    #[test]
    fn repeated_tails() {
        check(
            tail,
            &[
                Case::new("|", "x\ny = abcabcabcabcabcabc", "x\n"),
                Case::new("|", "y = abcabcabcabcabcabc", ""),
                Case::new("|", "x\nlong_name_long_name_long_name_long_name_", "x\n"),
                Case::same("|", "# ----------------------------"),
                Case::same("0, 0, 0, 0,\n|", "0, 0, 0, 0, 0, 0, 0, 0, 0,"),
                Case::same("|", "x = [0, 0, 0, 0, 0, 0, 0, 0]"),
                Case::same("|", "hahaha"),
            ],
        );
    }
}
