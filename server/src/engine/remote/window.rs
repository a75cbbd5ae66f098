//! How much of the text around the cursor a request takes along.

use crate::engine::EngineRequest;

/// Code has about this many bytes a token; the server's tokenizer is not known here.
const BYTES_A_TOKEN: usize = 3;
/// The prefix's start moves in steps of this part of its room, so that the server's cache holds.
const STEPS: usize = 8;

/// Text around the cursor, within the budget in bytes; the prefix starts at a line.
pub(super) fn window(request: &EngineRequest) -> (&str, &str) {
    let total = request.window_tokens * BYTES_A_TOKEN;
    let for_suffix = (total as f32 * request.suffix_share) as usize;
    let suffix = head(&request.suffix, for_suffix);
    let room = total - suffix.len();
    let step = (room / STEPS).max(1);
    let surplus = request.prefix.len().saturating_sub(room);
    (
        &request.prefix[start(&request.prefix, surplus, step)..],
        suffix,
    )
}

/// The first line start behind the first multiple of `step` that is not before `surplus`; the
/// multiple itself where that line is longer than a step.
fn start(prefix: &str, surplus: usize, step: usize) -> usize {
    if surplus == 0 {
        return 0;
    }
    let at = surplus.next_multiple_of(step).min(prefix.len());
    let from = prefix.ceil_char_boundary(at);
    let until = prefix.ceil_char_boundary(from.saturating_add(step));
    let line = prefix[from..until].find('\n').map(|at| from + at + 1);
    line.filter(|line| *line < prefix.len()).unwrap_or(from)
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
        for suffix in ["", text.as_str()] {
            let mut starts = std::collections::BTreeSet::new();
            let room = 1024 * BYTES_A_TOKEN - suffix.len().min(1024 * BYTES_A_TOKEN / 4);
            for extra in 0..room / STEPS {
                let prefix = &text[..12_000 + extra];
                let request = request(prefix, suffix);
                let (window, _) = window(&request);
                assert!(window.len() <= room, "{}", window.len());
                assert!(window.len() >= room * 3 / 4, "{}", window.len());
                let start = prefix.len() - window.len();
                assert_eq!(start % line.len(), 0, "at a line");
                starts.insert(start);
            }
            assert!(starts.len() <= 2, "{starts:?}");
        }
        let short = request("é\nb", "ü");
        assert_eq!(window(&short), ("é\nb", "ü"));
    }

    #[test]
    fn one_long_line_is_cut_between_characters() {
        let text = "é".repeat(9000);
        let request = request(&text, "");
        let (window, _) = window(&request);
        let room = 1024 * BYTES_A_TOKEN;
        assert!((room * 3 / 4..=room).contains(&window.len()));
    }
}
