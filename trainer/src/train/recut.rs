//! Holes that are cut anew in each epoch, anywhere in a row's text.
//!
//! What a model can fill in is what it was shown holes of. Mined holes are parts of syntax inside a line; lines as
//! they stand, with indentation and line break, and spans between any two characters (Bavarian et al.,
//! "Efficient Training of Language Models to Fill in the Middle", arXiv 2207.14255) are drawn here.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::vary::Draw;

/// Longer holes are not cut, in bytes.
const LONGEST: usize = 1000;
/// Lines of a hole at most.
const MOST_LINES: u32 = 8;
/// Characters of a span: at least, and at most.
const SPAN: [f64; 2] = [4.0, 400.0];

/// How holes are cut, by shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holes {
    /// Where the row has its own.
    pub own: f64,
    /// Whole lines with their line break.
    pub lines: f64,
    /// From any character of a line to its end, without the line break: what is asked while one types.
    pub rest: f64,
    /// From any character on, 4 to 400 characters, each magnitude as often.
    pub span: f64,
    /// The share of holes of lines that have one of them; of the others each further one is half as frequent.
    pub one_line: f64,
}

impl Default for Holes {
    fn default() -> Self {
        Self {
            own: 1.0,
            lines: 0.0,
            rest: 0.0,
            span: 0.0,
            one_line: 0.5,
        }
    }
}

impl Holes {
    /// Whether every hole stays where it is.
    #[must_use]
    pub fn are_own(&self) -> bool {
        self.lines == 0.0 && self.rest == 0.0 && self.span == 0.0
    }

    /// Where a row's hole is cut in `text`, in bytes; nothing where it stays, or where what was drawn is blank, too
    /// long, or has nothing before it.
    #[must_use]
    pub fn cut(&self, draw: &Draw<'_>, text: &str) -> Option<Range<usize>> {
        let total = self.own + self.lines + self.rest + self.span;
        let drawn = draw.share("hole") * total;
        let range = match drawn {
            it if it < self.own => return None,
            it if it < self.own + self.lines => lines(draw, text, self.one_line)?,
            it if it < self.own + self.lines + self.rest => rest(draw, text, self.one_line)?,
            _ => span(draw, text)?,
        };
        let hole = &text[range.clone()];
        let fits = range.start > 0 && hole.len() <= LONGEST && !hole.trim().is_empty();
        fits.then_some(range)
    }
}

/// Whole lines; the first of them has something in it.
fn lines(draw: &Draw<'_>, text: &str, one_line: f64) -> Option<Range<usize>> {
    let mut at = 0;
    let ends: Vec<Range<usize>> = text
        .split_inclusive('\n')
        .map(|line| {
            at += line.len();
            at - line.len()..at
        })
        .collect();
    let full = (0..ends.len()).filter(|line| !text[ends[*line].clone()].trim().is_empty());
    let full: Vec<usize> = full.collect();
    let first = *full.get(draw.below("first line", full.len()))?;
    let drawn = draw.share("lines");
    let more = match drawn < one_line {
        true => 0.0,
        // From 1 on, each half as likely as the one before.
        false => 1.0 - ((1.0 - drawn) / (1.0 - one_line)).log2(),
    };
    let last = first + (more as usize).min(MOST_LINES as usize - 1);
    let last = last.min(ends.len() - 1);
    Some(ends[first].start..ends[last].end)
}

/// What is left of a line, perhaps with lines behind it. The hole may begin behind the indentation, and does not
/// begin inside of it.
fn rest(draw: &Draw<'_>, text: &str, one_line: f64) -> Option<Range<usize>> {
    let lines = lines(draw, text, one_line)?;
    let hole = text[lines.clone()].trim_end();
    let indentation = hole.len() - hole.trim_start().len();
    let first = hole.lines().next().unwrap_or_default();
    let characters: Vec<usize> = first[indentation..]
        .char_indices()
        .map(|(at, _)| at)
        .collect();
    let from = characters.get(draw.below("rest", characters.len()))?;
    Some(lines.start + indentation + from..lines.start + hole.len())
}

/// From a character to another.
fn span(draw: &Draw<'_>, text: &str) -> Option<Range<usize>> {
    let start = text.floor_char_boundary(draw.below("span", text.len()));
    let [least, most] = SPAN.map(f64::ln);
    let characters = (least + draw.share("length") * (most - least)).exp();
    let hole = text[start..].chars().take(characters as usize);
    let bytes: usize = hole.map(char::len_utf8).sum();
    Some(start..start + bytes).filter(|range| !range.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "def f(x):\n    y = x\n\n    # größer\n    return y + 1\n";

    fn cuts(holes: Holes) -> Vec<Option<Range<usize>>> {
        let ids: Vec<String> = (0..400).map(|id| id.to_string()).collect();
        let draw = |id: &String| {
            let draw = Draw {
                seed: 1,
                epoch: 0,
                id,
            };
            holes.cut(&draw, TEXT)
        };
        ids.iter().map(draw).collect()
    }

    #[test]
    fn lines_are_whole() {
        let found = cuts(Holes {
            own: 0.5,
            lines: 0.5,
            ..Holes::default()
        });
        let own = found.iter().filter(|range| range.is_none()).count();
        // Half of them, and those that would have the first line.
        assert!((200..320).contains(&own), "{own}");
        let mut counts = std::collections::BTreeMap::new();
        for range in found.into_iter().flatten() {
            assert!(TEXT[..range.start].ends_with('\n'), "{range:?}");
            assert!(TEXT[range.clone()].ends_with('\n'), "{range:?}");
            let lines = TEXT[range].lines().count();
            *counts.entry(lines).or_insert(0) += 1;
        }
        assert!(counts[&1] > counts[&2] && counts[&2] > 0, "{counts:?}");
        let single = cuts(Holes {
            own: 0.0,
            lines: 1.0,
            one_line: 1.0,
            ..Holes::default()
        });
        let mut single = single.into_iter().flatten();
        assert!(single.all(|range| TEXT[range].lines().count() == 1));
    }

    #[test]
    fn the_rest_of_a_line_ends_before_its_break() {
        let found = cuts(Holes {
            own: 0.0,
            rest: 1.0,
            ..Holes::default()
        });
        let (mut starts, mut longer) = (std::collections::BTreeSet::new(), 0);
        for range in found.into_iter().flatten() {
            let hole = &TEXT[range.clone()];
            assert!(TEXT[range.end..].starts_with('\n'), "{hole:?}");
            assert!(
                !hole.starts_with(char::is_whitespace)
                    || !TEXT[..range.start].ends_with(['\n', ' ']),
                "{hole:?}"
            );
            starts.insert(range.start);
            longer += usize::from(hole.contains('\n'));
        }
        // Every character of `y = x`, of the comment and of the last line, and all but the first of `def f(x):`.
        assert_eq!(starts.len(), 8 + 5 + 8 + 12, "{starts:?}");
        assert!((50..200).contains(&longer), "{longer}");
    }

    #[test]
    fn spans_begin_and_end_at_any_character() {
        let found = cuts(Holes {
            own: 0.0,
            span: 1.0,
            ..Holes::default()
        });
        let spans: Vec<Range<usize>> = found.into_iter().flatten().collect();
        let starts: std::collections::BTreeSet<usize> = spans.iter().map(|it| it.start).collect();
        assert!(starts.len() > 40, "{}", starts.len());
        for range in spans {
            let hole = &TEXT[range.clone()];
            assert!(!hole.trim().is_empty());
            let whole = hole.chars().count() >= 4 || range.end == TEXT.len();
            assert!(whole, "{hole:?}");
        }
    }

    #[test]
    fn own_holes_stay() {
        assert!(cuts(Holes::default()).iter().all(Option::is_none));
        let draw = Draw {
            seed: 1,
            epoch: 0,
            id: "a",
        };
        let spans = Holes {
            own: 0.0,
            lines: 1.0,
            rest: 1.0,
            span: 1.0,
            one_line: 0.5,
        };
        assert_eq!(spans.cut(&draw, ""), None);
        assert_eq!(spans.cut(&draw, "\n\n"), None);
    }
}
