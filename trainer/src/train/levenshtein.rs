//! Levenshtein's edit distance with the edits themselves.

use std::ops::Range;

/// Comparisons beyond so many are not made: it is the square of some eight thousand characters,
/// and a byte each.
const MOST_CELLS: usize = 1 << 26;

/// Where two texts differ, in characters: what of one stands in the place of what of the other, by the
/// fewest insertions, deletions and substitutions; neighbours are joined. Of equally short ways the
/// one with substitutions is taken, read from the end. Texts that are too long for it differ from
/// their first difference to their last.
pub fn edits(one: &[char], other: &[char]) -> Vec<[Range<usize>; 2]> {
    let start = common(one.iter(), other.iter());
    let (a, b) = (&one[start..], &other[start..]);
    let end = common(a.iter().rev(), b.iter().rev());
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    let shift = |[a, b]: [Range<usize>; 2]| [a, b].map(|r| r.start + start..r.end + start);
    if a.is_empty() || b.is_empty() || (a.len() + 1) * (b.len() + 1) > MOST_CELLS {
        return vec![shift([0..a.len(), 0..b.len()])];
    }
    let steps = Steps::find(a, b);
    steps.runs().into_iter().map(shift).collect()
}

fn common<'a>(one: impl Iterator<Item = &'a char>, other: impl Iterator<Item = &'a char>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Replace,
    Delete,
    Insert,
}

/// The last step of the shortest way to every cell.
struct Steps {
    cells: Vec<Step>,
    rows: usize,
    columns: usize,
}

impl Steps {
    fn find(a: &[char], b: &[char]) -> Self {
        let (rows, columns) = (a.len() + 1, b.len() + 1);
        let mut cells = vec![Step::Insert; rows * columns];
        let mut above: Vec<u32> = (0..columns as u32).collect();
        for row in 1..rows {
            let mut current = vec![row as u32; columns];
            cells[row * columns] = Step::Delete;
            for column in 1..columns {
                let equal = a[row - 1] == b[column - 1];
                let (across, step) = match equal {
                    true => (above[column - 1], Step::Keep),
                    false => (above[column - 1] + 1, Step::Replace),
                };
                let deleted = (above[column] + 1, Step::Delete);
                let inserted = (current[column - 1] + 1, Step::Insert);
                let mut best = (across, step);
                for way in [deleted, inserted] {
                    if way.0 < best.0 {
                        best = way;
                    }
                }
                current[column] = best.0;
                cells[row * columns + column] = best.1;
            }
            above = current;
        }
        Self {
            cells,
            rows,
            columns,
        }
    }

    /// Runs of steps that change something, from the first.
    fn runs(&self) -> Vec<[Range<usize>; 2]> {
        let (mut row, mut column) = (self.rows - 1, self.columns - 1);
        let mut runs: Vec<[Range<usize>; 2]> = Vec::new();
        let mut joined = false;
        while row > 0 || column > 0 {
            let step = self.cells[row * self.columns + column];
            let end = [row, column];
            row -= usize::from(step != Step::Insert);
            column -= usize::from(step != Step::Delete);
            if step == Step::Keep {
                joined = false;
                continue;
            }
            match runs.last_mut().filter(|_| joined) {
                Some(run) => [run[0].start, run[1].start] = [row, column],
                None => runs.push([row..end[0], column..end[1]]),
            }
            joined = true;
        }
        runs.reverse();
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(one: &str, other: &str) -> Vec<(String, String)> {
        let [a, b] = [one, other].map(|text| text.chars().collect::<Vec<char>>());
        let text = |chars: &[char]| chars.iter().collect::<String>();
        edits(&a, &b)
            .into_iter()
            .map(|[x, y]| (text(&a[x]), text(&b[y])))
            .collect()
    }

    #[test]
    fn edits_are_the_fewest() {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(shown("abc", "abc"), []);
        assert_eq!(shown("", "ab"), [pair("", "ab")]);
        assert_eq!(
            shown("kitten", "sitting"),
            [pair("k", "s"), pair("e", "i"), pair("", "g")]
        );
        // Four substitutions and a deletion, not a `c` in common with seven edits around it.
        assert_eq!(shown("price", "cost"), [pair("price", "cost")]);
        assert_eq!(shown("a.b", "b"), [pair("a.", "")]);
        assert_eq!(shown("xay", "xbbay"), [pair("", "bb")]);
    }
}
