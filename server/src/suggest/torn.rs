//! What a limit cut off: half a line and half a word are no suggestion.

use super::lines::is_word;

/// The part of a text that is whole, where a limit of tokens or of time ended it: its whole
/// lines, or, where there is only one, everything up to the word that may go on.
pub fn whole_part(text: &str) -> &str {
    let lines = text.rfind('\n').map(|at| &text[..at]);
    match lines.filter(|lines| !lines.trim().is_empty()) {
        Some(lines) => lines,
        None => text.trim_end_matches(is_word).trim_end(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_words_stay_whole() {
        let table = [
            ("a = 1\nb = 2\nc = so", "a = 1\nb = 2"),
            ("a = 1\n", "a = 1"),
            ("return first + sec", "return first +"),
            ("call(a, b", "call(a,"),
            ("call(a, b)", "call(a, b)"),
            ("\n    retu", ""),
            ("\n    x = f(", "\n    x = f("),
            ("größe", ""),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(whole_part(text), expected, "{text:?}");
        }
    }
}
