//! What differs between two texts: lines first, and characters within lines that differ.

use serde::Serialize;
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};

/// Characters of differing lines that are compared one by one at most.
const CHARACTERS: usize = 4000;

/// A line of one text or of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// ` ` of both, `-` of the first, `+` of the second.
    pub sign: char,
    /// Its text in parts.
    pub parts: Vec<Part>,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The text.
    pub text: String,
    /// The other text lacks it.
    pub differs: bool,
}

/// The lines of both texts; nothing where they are the same.
#[must_use]
pub fn lines(before: &str, after: &str) -> Vec<Line> {
    if before == after {
        return Vec::new();
    }
    let old: Vec<&str> = before.split('\n').collect();
    let new: Vec<&str> = after.split('\n').collect();
    let mut out = Vec::new();
    for found in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (old, new) = (&old[found.old_range()], &new[found.new_range()]);
        match found.tag() {
            DiffTag::Equal => out.extend(old.iter().map(|line| whole(' ', line))),
            DiffTag::Delete => out.extend(old.iter().map(|line| whole('-', line))),
            DiffTag::Insert => out.extend(new.iter().map(|line| whole('+', line))),
            DiffTag::Replace => out.extend(replaced(&old.join("\n"), &new.join("\n"))),
        }
    }
    out
}

fn whole(sign: char, text: &str) -> Line {
    let text = text.to_owned();
    let differs = false;
    Line {
        sign,
        parts: vec![Part { text, differs }],
    }
}

/// Lines in place of others: the characters that only one side has are marked.
fn replaced(before: &str, after: &str) -> Vec<Line> {
    let (old, new): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    if old.len() + new.len() > CHARACTERS {
        let removed = before.split('\n').map(|line| whole('-', line));
        let added = after.split('\n').map(|line| whole('+', line));
        return removed.chain(added).collect();
    }
    let found = capture_diff_slices(Algorithm::Myers, &old, &new);
    let removed = side('-', &found, |op| (&old[op.old_range()], op.tag()));
    let added = side('+', &found, |op| (&new[op.new_range()], op.tag()));
    removed.into_iter().chain(added).collect()
}

fn side<'t>(
    sign: char,
    found: &[DiffOp],
    of: impl Fn(&DiffOp) -> (&'t [char], DiffTag),
) -> Vec<Line> {
    let parts = Vec::new;
    let mut lines = vec![Line {
        sign,
        parts: parts(),
    }];
    for (text, tag) in found.iter().map(of) {
        let differs = tag != DiffTag::Equal;
        for (at, piece) in text.split(|character| *character == '\n').enumerate() {
            if at > 0 {
                lines.push(Line {
                    sign,
                    parts: parts(),
                });
            }
            let text: String = piece.iter().collect();
            if let (false, Some(line)) = (text.is_empty(), lines.last_mut()) {
                line.parts.push(Part { text, differs });
            }
        }
    }
    lines
}

/// As the block of a Markdown file.
#[must_use]
pub fn text(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let parts: String = line.parts.iter().map(|part| &*part.text).collect();
        format!("{}{parts}\n", line.sign)
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_then_characters() {
        let found = lines("a\nreturn x\nb", "a\nreturn y\nb\nc");
        assert_eq!(text(&found), " a\n-return x\n+return y\n b\n+c\n");
        let differing = |line: &Line| -> Vec<String> {
            let parts = line.parts.iter().filter(|part| part.differs);
            parts.map(|part| part.text.clone()).collect()
        };
        assert_eq!(
            found.iter().flat_map(differing).collect::<Vec<_>>(),
            ["x", "y"]
        );
        assert_eq!(lines("same", "same"), []);
        assert_eq!(text(&lines("", "a\nb")), "-\n+a\n+b\n");
    }

    /// Both sides can be put together again, however long they are.
    #[test]
    fn nothing_is_lost() {
        let long = "x = 1\n".repeat(900);
        for (before, after) in [
            ("def f():\n  pass", "def g(a):\n\n  return"),
            (&*long, "y = 1"),
            ("a", ""),
        ] {
            let found = lines(before, after);
            let side = |sign: char| {
                let lines = found
                    .iter()
                    .filter(|line| line.sign == sign || line.sign == ' ');
                let texts = lines.map(|line| {
                    line.parts
                        .iter()
                        .map(|part| &*part.text)
                        .collect::<String>()
                });
                texts.collect::<Vec<_>>().join("\n")
            };
            assert_eq!((&*side('-'), &*side('+')), (before, after));
        }
    }
}
