//! How much of the text around the cursor a request takes along.

use crate::engine::EngineRequest;

/// Code has about this many bytes a token; the server's tokenizer is not known here.
const BYTES_A_TOKEN: usize = 3;
/// The prefix's start moves in steps of this many bytes, so that the server's cache holds.
const STEP: usize = 2048;

/// Text around the cursor, within the budget in bytes; the prefix starts at a line.
pub(super) fn window(request: &EngineRequest) -> (&str, &str) {
    let total = request.window_tokens * BYTES_A_TOKEN;
    let for_suffix = (total as f32 * request.suffix_share) as usize;
    let suffix = head(&request.suffix, for_suffix);
    let surplus = request.prefix.len().saturating_sub(total - suffix.len());
    let start = surplus.next_multiple_of(STEP).min(request.prefix.len());
    let start = match start {
        0 => 0,
        _ => {
            let from = request.prefix.floor_char_boundary(start);
            let line = request.prefix[from..].find('\n').map(|at| from + at + 1);
            line.filter(|line| *line < request.prefix.len())
                .unwrap_or(from)
        }
    };
    (&request.prefix[start..], suffix)
}

fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::request;
    use super::*;

    #[test]
    fn the_window_moves_in_steps_and_starts_at_a_line() {
        let line = "x = compute(x, 1)\n";
        let text = line.repeat(1000);
        let mut starts = std::collections::BTreeSet::new();
        for extra in 0..STEP {
            let prefix = &text[..12_000 + extra];
            let request = request(prefix, "");
            let (window, _) = window(&request);
            assert!(window.len() <= 1024 * BYTES_A_TOKEN);
            let start = prefix.len() - window.len();
            assert_eq!(start % line.len(), 0, "at a line");
            starts.insert(start);
        }
        assert!(starts.len() <= 2, "{starts:?}");
        let short = request("é\nb", "ü");
        assert_eq!(window(&short), ("é\nb", "ü"));
    }
}
