//! Several suggestions for one place, each said once.

use super::lines;

/// How many suggestions are shown at most.
pub const MOST: usize = 3;

/// The indices of the texts to show, in their order: at most [`MOST`], without
/// those that say what an earlier one says, whitespace aside.
///
/// A text that is the beginning of another one is kept: it stops earlier,
/// which may be what the user wants.
pub fn distinct<T: AsRef<str>>(texts: &[T]) -> Vec<usize> {
    let mut said: Vec<Vec<&str>> = Vec::new();
    let mut kept = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let words = words(text.as_ref());
        if kept.len() < MOST && !words.is_empty() && !said.contains(&words) {
            said.push(words);
            kept.push(index);
        }
    }
    kept
}

/// A text's lines, without what an editor may add or take: spaces at the ends
/// of lines, blank lines, and the width of indentation.
fn words(text: &str) -> Vec<&str> {
    lines::split(text)
        .iter()
        .map(|line| line.text.trim())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_in_order() {
        let table: &[(&[&str], &[usize])] = &[
            (&["a", "b", "a ", "c", "d"], &[0, 1, 3]),
            (&["x\n  y", "x\n\n    y\n"], &[0]),
            (&["", " \n", "a"], &[2]),
            (&["a", "a b"], &[0, 1]),
            (&[], &[]),
        ];
        for (texts, expected) in table {
            assert_eq!(distinct(texts), *expected, "{texts:?}");
        }
    }
}
