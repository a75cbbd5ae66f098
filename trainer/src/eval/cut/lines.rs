//! "+trunc": as many lines as the golden completion has.
//!
//! "Hard negatives" (§4.1) keeps the prediction's first lines, as many as the golden completion has,
//! before it is compared, and does not say what a line is. Here lines end at a line feed, and white
//! space at the end opens no further one, as over-generation counts them during training too: golden
//! completions end with a line feed or without one for no reason of the model's.

use crate::eval::text::strip_end;

/// Lines of a completion, the blank ones at its end aside; at least one.
#[must_use]
pub fn line_count(completion: &str) -> usize {
    strip_end(completion).matches('\n').count() + 1
}

/// The prediction's first lines, as many as the golden completion has. Where something is cut off, the
/// last line's end is kept if the golden completion has one, so that edit similarity is not lowered
/// by the cut.
#[must_use]
pub fn first_lines<'a>(prediction: &'a str, golden: &str) -> &'a str {
    let ends = prediction.match_indices('\n').map(|(at, _)| at);
    match ends.into_iter().nth(line_count(golden) - 1) {
        Some(end) if golden.ends_with('\n') => &prediction[..=end],
        Some(end) => {
            let line = &prediction[..end];
            line.strip_suffix('\r').unwrap_or(line)
        }
        None => prediction,
    }
}

/// Whether a prediction has more lines than the golden completion.
#[must_use]
pub fn over_generates(prediction: &str, golden: &str) -> bool {
    line_count(prediction) > line_count(golden)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_many_lines_are_kept_as_the_golden_completion_has() {
        assert_eq!(first_lines("a\nb\nc\n", "x\ny\n"), "a\nb\n");
        assert_eq!(first_lines("a\nb\nc\n", "x\ny"), "a\nb");
        assert_eq!(first_lines("a\r\nb\r\n", "x"), "a");
        assert_eq!(first_lines("a\r\nb\r\n", "x\r\n"), "a\r\n");
        assert_eq!(first_lines("a", "x\ny\n"), "a");
        assert_eq!(first_lines("\n    a\n    b", "\n    x"), "\n    a");
        // An empty hole is a line: no model is right by being cut to nothing.
        assert_eq!(first_lines("a\nb", ""), "a");
        assert_eq!(first_lines("", "x"), "");
    }

    #[test]
    fn blank_lines_at_the_end_are_none_too_many() {
        assert_eq!(
            ["", "a", "a\n", "a\n\n \t\n", "\na\n", "a\n\nb"].map(line_count),
            [1, 1, 1, 1, 2, 3]
        );
        assert!(!over_generates("a\n\n", "x"));
        assert!(over_generates("a\nb", "x\n\n"));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_a_start_that_does_not_over_generate(a in "[a é\r\n\u{2028}]{0,12}", b in "[a é\r\n]{0,12}") {
            let kept = first_lines(&a, &b);
            prop_assert!(a.starts_with(kept));
            prop_assert!(!over_generates(kept, &b));
            prop_assert!(over_generates(&a, &b) || strip_end(kept) == strip_end(&a));
        }
    }
}
