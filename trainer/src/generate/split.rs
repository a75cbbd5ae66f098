//! The hole moves onto an import's line (paper "hard negatives", B.1).

use std::ops::Range;

use truefill_syntax::{Draw, symbols_of};

use crate::contract::Parsed;
use crate::rows::{Context, Split};

/// The window cut around `range`, which is in the window's bytes; checked to give it back.
fn at(context: &Context, window: &str, range: Range<usize>) -> Option<Split> {
    let start = context.span.window_start;
    let split = Split {
        prefix: window.get(..range.start)?.to_owned(),
        golden: window.get(range.clone())?.to_owned(),
        suffix: window.get(range.end..)?.to_owned(),
        hole_start: start + range.start,
        hole_end: start + range.end,
    };
    let rebuilt = [&*split.prefix, &split.golden, &split.suffix].concat();
    (rebuilt == window).then_some(split)
}

/// Cuts at one of the window's imports that stand on a line of their own.
pub(super) fn draw(context: &Context, parsed: &Parsed, draw: &mut Draw) -> Option<Split> {
    let symbols = symbols_of(parsed.language, &parsed.text, &parsed.tree);
    let mut lines: Vec<Range<usize>> = symbols
        .imports
        .iter()
        .filter(|import| !import.wildcard || import.name.is_none())
        .map(|import| line_around(&parsed.text, import.module_range.start))
        .filter(|line| is_whole(parsed, line))
        .collect();
    lines.dedup();
    if lines.is_empty() {
        return None;
    }
    let line = lines.swap_remove(draw.below(lines.len()));
    at(context, &parsed.text, line)
}

/// Cuts at the line that a model named; the first, where there are several.
pub(super) fn at_line(context: &Context, parsed: &Parsed, wanted: &str) -> Option<Split> {
    let wanted = wanted.trim();
    if wanted.is_empty() {
        return None;
    }
    let mut start = 0;
    for line in parsed.text.split_inclusive('\n') {
        if line.trim() == wanted {
            return at(context, &parsed.text, line_around(&parsed.text, start));
        }
        start += line.len();
    }
    None
}

/// The line of `place` without the white space around it.
fn line_around(text: &str, place: usize) -> Range<usize> {
    let start = text[..place].rfind('\n').map_or(0, |at| at + 1);
    let end = text[place..].find('\n').map_or(text.len(), |at| place + at);
    let line = &text[start..end];
    let lead = line.len() - line.trim_start().len();
    start + lead..start + line.trim_end().len().max(lead)
}

/// The import begins and ends on the line: its brackets and quotes are closed there.
fn is_whole(parsed: &Parsed, line: &Range<usize>) -> bool {
    if line.len() < 4 || line.len() > 200 {
        return false;
    }
    let text = &parsed.text[line.clone()];
    let count = |c: char| text.matches(c).count();
    let closed = count('(') == count(')') && count('{') == count('}');
    closed && count('"').is_multiple_of(2) && !text.ends_with(['\\', ','])
}
