//! How much of a file a row holds.

use std::ops::Range;

/// The part of `text` around `hole` that a row holds: all of it where it has at most `limit` bytes,
/// else about `prefix_share` of them before the hole. Cut at line starts, unless one line alone is
/// longer than its share. What one side does not need, the other gets.
pub fn window(text: &str, hole: &Range<usize>, limit: usize, prefix_share: f64) -> Range<usize> {
    if text.len() <= limit {
        return 0..text.len();
    }
    let free = limit.saturating_sub(hole.len());
    let after = text.len() - hole.end;
    let before = ((free as f64 * prefix_share) as usize).max(free.saturating_sub(after));
    let start = start(text, hole.start, before.min(hole.start));
    let end = end(
        text,
        hole.end,
        free.saturating_sub(hole.start - start).min(after),
    );
    start..end
}

/// The first line start within `bytes` before `hole`; in a line that is longer, a character.
fn start(text: &str, hole: usize, bytes: usize) -> usize {
    let mut from = hole - bytes;
    if from == 0 || text.as_bytes()[from - 1] == b'\n' {
        return from;
    }
    while !text.is_char_boundary(from) {
        from += 1;
    }
    match text[from..hole].find('\n') {
        Some(at) => from + at + 1,
        None => from,
    }
}

/// The last line start within `bytes` after `hole`; in a line that is longer, a character.
fn end(text: &str, hole: usize, bytes: usize) -> usize {
    let mut to = hole + bytes;
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    if to == text.len() {
        return to;
    }
    match text[hole..to].rfind('\n') {
        Some(at) => hole + at + 1,
        None => to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_file_is_cut_at_line_starts() {
        let text = "aaaa\nbbbb\ncccc HOLE dddd\neeee\nffff\n";
        let at = text.find("HOLE").expect("there");
        let cut = |limit| {
            let range = window(text, &(at..at + 4), limit, 0.5);
            &text[range]
        };
        assert_eq!(cut(100), text);
        assert_eq!(cut(28), "bbbb\ncccc HOLE dddd\neeee\n");
        assert_eq!(cut(12), "ccc HOLE ddd");
    }

    #[test]
    fn what_one_side_does_not_need_the_other_gets() {
        let lines: String = (0..100).map(|n| format!("line {n:03}\n")).collect();
        let late = window(&lines, &(890..893), 400, 0.5);
        assert!(late.len() > 380 && late.end == lines.len(), "{late:?}");
        let early = window(&lines, &(3..5), 400, 0.9);
        assert!(early.len() > 380 && early.start == 0, "{early:?}");
    }

    proptest! {
        #[test]
        fn a_window_holds_its_hole_within_the_limit(
            text in "[aé😀\n ]{0,400}", a in 0_usize..400, b in 0_usize..400,
            limit in 1_usize..500, share in 0.1_f64..0.9,
        ) {
            let floor = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) { at -= 1; }
                at
            };
            let (a, b) = (floor(a.min(b)), floor(a.max(b)));
            let window = window(&text, &(a..b), limit, share);
            prop_assert!(window.start <= a && b <= window.end);
            prop_assert!(text.get(window.clone()).is_some());
            prop_assert!(window.len() <= limit.max(b - a) || text.len() <= limit);
        }
    }
}
