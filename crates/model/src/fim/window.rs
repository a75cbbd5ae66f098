//! Which part of a document a prompt shows.
//!
//! The prefix's window begins on a grid, so that it does not move with every character: positions
//! are counted from the document's start in blocks of some hundred bytes, and all decisions look
//! only at text before the last whole block. While the user types inside one block, the window
//! keeps its start, and the tokens before the cursor stay as they are in the KV cache.

use crate::tokens::TokenId;

/// Text is looked at up to so many bytes per token of budget; code has 3 to 4.
pub const MAX_BYTES_PER_TOKEN: usize = 6;

/// The prefix as it stands in a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PrefixWindow {
    /// Where the window begins, in bytes of the prefix.
    pub start: usize,
    /// Tokens of the part before the anchor.
    pub head: Vec<TokenId>,
    /// Tokens from the anchor to the cursor.
    pub line: Vec<TokenId>,
}

/// What the window is to fulfil.
#[derive(Clone, Copy, Debug)]
pub(super) struct PrefixLimits {
    /// Most tokens of head and line together.
    pub tokens: usize,
    /// The grid, in bytes.
    pub block: usize,
    /// Where the head ends, in bytes of the prefix.
    pub anchor: usize,
}

/// The last part of `text` that fits.
///
/// `encode_head` may put text before the head; both give the ids of a text by itself. `bytes` says
/// how many bytes of text a token stands for.
pub(super) fn fit_prefix<E>(
    text: &str,
    limits: PrefixLimits,
    encode_head: impl Fn(&str) -> Result<Vec<TokenId>, E>,
    encode_line: impl Fn(&str) -> Result<Vec<TokenId>, E>,
    bytes: impl Fn(TokenId) -> usize,
) -> Result<PrefixWindow, E> {
    let mut start = planned_start(text, limits, &encode_line, bytes)?;
    loop {
        let anchor = limits.anchor.max(start);
        let head = encode_head(&text[start..anchor])?;
        let line = encode_line(&text[anchor..])?;
        let tokens = head.len() + line.len();
        if tokens <= limits.tokens || start == text.len() {
            let fits = tokens <= limits.tokens;
            let (head, line) = if fits {
                (head, line)
            } else {
                Default::default()
            };
            return Ok(PrefixWindow { start, head, line });
        }
        start = later_start(text, start, tokens - limits.tokens, tokens, limits.block);
    }
}

/// Where the window begins if the text is as dense as it was so far.
///
/// At each whole block the start is chosen anew, early enough to leave room for the block that
/// begins there. Within the block, eighths of it are gone through in their order; only where the
/// room runs short does the start move on. So the result is a function of the text, and it changes
/// about once per block.
fn planned_start<E>(
    text: &str,
    limits: PrefixLimits,
    encode: impl Fn(&str) -> Result<Vec<TokenId>, E>,
    bytes: impl Fn(TokenId) -> usize,
) -> Result<usize, E> {
    let step = eighth(limits.block);
    let whole = text.len() / limits.block * limits.block;
    if whole == 0 {
        return Ok(0);
    }
    let floor = whole.saturating_sub(limits.tokens * MAX_BYTES_PER_TOKEN);
    let begin = grid_cut(text, floor.div_ceil(step), step);
    let end = text.floor_char_boundary(text.len() / step * step);
    if begin >= end {
        return Ok(begin.min(text.len()));
    }
    let counted = Counted::new(begin, encode(&text[begin..end])?, bytes);
    // Tokens at the end of what is counted may still change with the next character.
    let settled = whole.saturating_sub(step);
    let block_room = limits
        .tokens
        .saturating_sub(counted.reserve(settled, limits.block + step));
    let step_room = limits
        .tokens
        .saturating_sub(counted.reserve(settled, 2 * step));
    let plan = |settled: usize| {
        let least = counted.start_for(settled, block_room);
        let cuts = (least / step..settled / step).map(|nth| grid_cut(text, nth, step));
        std::iter::once(begin)
            .chain(cuts)
            .find(|cut| *cut >= least)
            .unwrap_or(settled)
    };
    let mut start = plan(settled);
    let mut at = settled + step;
    while at + step <= end {
        if counted.between(start, at) > step_room {
            start = plan(at);
        }
        at += step;
    }
    Ok(text.floor_char_boundary(start))
}

/// Where the tokens of a text end.
struct Counted {
    begin: usize,
    ends: Vec<usize>,
}

impl Counted {
    fn new(begin: usize, ids: Vec<TokenId>, bytes: impl Fn(TokenId) -> usize) -> Self {
        let mut at = begin;
        let end = |id| {
            at += bytes(id);
            at
        };
        Self {
            begin,
            ends: ids.into_iter().map(end).collect(),
        }
    }

    fn until(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end <= at)
    }

    fn between(&self, from: usize, to: usize) -> usize {
        self.until(to).saturating_sub(self.until(from))
    }

    /// The earliest place from which at most `room` tokens lead to `to`.
    fn start_for(&self, to: usize, room: usize) -> usize {
        match self.until(to).checked_sub(room + 1) {
            None => self.begin,
            Some(last_dropped) => self.ends[last_dropped],
        }
    }

    /// Tokens for so many bytes more, a tenth above what the text up to `to` needs.
    fn reserve(&self, to: usize, bytes: usize) -> usize {
        let seen = to.saturating_sub(self.begin).max(1);
        let density = (self.until(to) as f32 / seen as f32).clamp(0.25, 1.0);
        (bytes as f32 * density * 1.1).ceil() as usize
    }
}

fn eighth(block: usize) -> usize {
    (block / 8).max(1)
}

/// A start behind `start` that leaves out at least `excess` of `tokens` tokens, if those are spread
/// evenly; on a finer grid than the planned one.
fn later_start(text: &str, start: usize, excess: usize, tokens: usize, block: usize) -> usize {
    let left = text.len() - start;
    let skip = (left as f32 * excess as f32 / tokens.max(1) as f32).ceil() as usize;
    let fine = eighth(block);
    let target = (start + skip.max(1)).min(text.len());
    let nth = target.div_ceil(fine);
    let cut = if (nth + 1) * fine <= text.len() {
        grid_cut(text, nth, fine)
    } else {
        target
    };
    text.ceil_char_boundary(cut.max(start + 1))
}

/// The grid's nth place: the first line start in its block, or the block's own start where a line
/// is longer than that.
fn grid_cut(text: &str, nth: usize, block: usize) -> usize {
    let start = text.ceil_char_boundary(nth * block);
    if start == 0 {
        return 0;
    }
    let end = text.floor_char_boundary((nth + 1) * block).max(start);
    next_line_start(text, start, end).unwrap_or(start)
}

/// The first line start in `from..to`.
fn next_line_start(text: &str, from: usize, to: usize) -> Option<usize> {
    (from..to).find(|at| is_line_start(text.as_bytes(), *at))
}

fn is_line_start(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    match before {
        None => true,
        Some(b'\n') => true,
        Some(b'\r') => bytes.get(at) != Some(&b'\n'),
        Some(_) => false,
    }
}

/// Where the head of a line-anchored prompt ends: the start of the line in which the last multiple
/// of `every` bytes lies, of the cursor's line for 0. A line longer than `block` is cut on the grid.
pub(super) fn anchor(text: &str, every: usize, block: usize) -> usize {
    let at = match every {
        0 => text.len(),
        every => text.floor_char_boundary(text.len() / every * every),
    };
    let limit = at.saturating_sub(block);
    let line = (limit..=at)
        .rev()
        .find(|at| is_line_start(text.as_bytes(), *at));
    line.unwrap_or_else(|| text.ceil_char_boundary(at / block * block))
}

/// The first part of `text` that fits in `budget` tokens, cut after a line's end if that leaves
/// anything, else after any character. Returns its length in bytes and its tokens.
pub(super) fn fit_front<E>(
    text: &str,
    budget: usize,
    encode: impl Fn(&str) -> Result<Vec<TokenId>, E>,
) -> Result<(usize, Vec<TokenId>), E> {
    if budget == 0 || text.is_empty() {
        return Ok((0, Vec::new()));
    }
    let mut end = text.len();
    let seen = text.floor_char_boundary(budget * MAX_BYTES_PER_TOKEN);
    if seen < end {
        end = line_end(text, seen);
    }
    loop {
        let ids = encode(&text[..end])?;
        if ids.len() <= budget {
            return Ok((end, ids));
        }
        let share = end as f32 * budget as f32 / ids.len() as f32;
        end = line_end(
            text,
            text.floor_char_boundary((share as usize).min(end - 1)),
        );
    }
}

/// The last line start at or before `at`, or `at` itself in the first line.
fn line_end(text: &str, at: usize) -> usize {
    let line = (1..=at)
        .rev()
        .find(|at| is_line_start(text.as_bytes(), *at));
    line.unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// A token for every character.
    fn characters(text: &str) -> Result<Vec<TokenId>, Infallible> {
        Ok(text.chars().map(|c| TokenId(c.into())).collect())
    }

    fn prefix(text: &str, tokens: usize, block: usize, anchor: usize) -> PrefixWindow {
        let limits = PrefixLimits {
            tokens,
            block,
            anchor,
        };
        let Ok(window) = fit_prefix(text, limits, characters, characters, |id| {
            char::from_u32(id.0).map_or(0, char::len_utf8)
        });
        window
    }

    fn front(text: &str, budget: usize) -> usize {
        let Ok((end, ids)) = fit_front(text, budget, characters);
        assert_eq!(ids.len(), text[..end].chars().count());
        end
    }

    #[test]
    fn suffix_ends_with_a_line() {
        let table = [
            ("abc\ndef\nghi", 100, 11),
            ("abc\ndef\nghi", 11, 11),
            ("abc\ndef\nghi", 10, 8),
            ("abc\ndef\nghi", 8, 8),
            ("abc\ndef\nghi", 5, 4),
            ("abc\ndef\nghi", 3, 3),
            ("abc\r\ndef\r\n", 6, 5),
            ("abc\rdef", 5, 4),
            ("ééééé", 3, 6),
            ("abc", 0, 0),
            ("", 5, 0),
        ];
        for (text, budget, expected) in table {
            assert_eq!(front(text, budget), expected, "{text:?} in {budget}");
        }
    }

    #[test]
    fn anchors_are_line_starts() {
        let text = "first\nsecond\r\nthird line";
        assert_eq!(anchor(text, 0, 64), 14);
        assert_eq!(anchor("first\n", 0, 64), 6);
        assert_eq!(anchor("first", 0, 64), 0);
        assert_eq!(anchor(text, 10, 64), 14);
        assert_eq!(anchor(&text[..19], 10, 64), 6);
        assert_eq!(anchor(&"x".repeat(100), 0, 16), 96);
        assert_eq!(anchor("a\rb", 0, 64), 2);
    }

    #[test]
    fn start_moves_once_per_block() {
        let text: String = (0..200).map(|nth| format!("line number {nth}\n")).collect();
        let mut starts = Vec::new();
        for end in 1000..2000 {
            starts.push(prefix(&text[..end], 400, 100, end).start);
        }
        let moves = starts.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(moves <= 10, "{moves} moves in 1000 bytes of blocks of 100");
        assert!(starts.is_sorted());
        assert!(starts.iter().all(|start| text[..*start].ends_with('\n')));
    }

    proptest! {
        #[test]
        fn windows_fit_and_are_tight(text in "(\\PC|\n|\r\n| {1,9}|é){0,300}", tokens in 0usize..120, block in 1usize..80, every in prop::sample::select(vec![0, 7, 64])) {
            let anchor = anchor(&text, every, block);
            prop_assert!(anchor <= text.len() && text.is_char_boundary(anchor));
            let window = prefix(&text, tokens, block, anchor);
            prop_assert!(text.is_char_boundary(window.start));
            prop_assert!(window.head.len() + window.line.len() <= tokens);
            prop_assert_eq!(window.head.len() + window.line.len(), text[window.start..].chars().count());
            let end = front(&text, tokens);
            prop_assert!(text.is_char_boundary(end));
            prop_assert!(text[..end].chars().count() <= tokens);
        }
    }
}
