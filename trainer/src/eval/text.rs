//! White space and lines as Python's `str` knows them: every benchmark's figures were made with it.

/// What `str.strip` and `str.split` take for white space: Unicode's, and the four separators U+001C to
/// U+001F, which Rust leaves out.
#[must_use]
pub fn is_whitespace(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `text.strip()`.
#[must_use]
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_whitespace)
}

/// `text.rstrip()`.
#[must_use]
pub fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_whitespace)
}

/// `text.split()`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_whitespace).filter(|word| !word.is_empty())
}

/// `text.splitlines(keepends=True)`: a carriage return alone ends a line, and so do a form feed and
/// Unicode's separators.
pub fn lines_with_ends(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = rest.char_indices().find(|(_, c)| is_line_end(*c)) {
        let crlf = rest[at..].starts_with("\r\n");
        let (line, after) = rest.split_at(at + end.len_utf8() + usize::from(crlf));
        lines.push(line);
        rest = after;
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines.into_iter()
}

/// `text.splitlines()`.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    lines_with_ends(text).map(|line| match line.strip_suffix("\r\n") {
        Some(line) => line,
        None => line.strip_suffix(is_line_end).unwrap_or(line),
    })
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::eval::reference;

    #[derive(Deserialize)]
    struct Characters {
        white_space: Vec<u32>,
        line_ends: Vec<u32>,
    }

    /// Every character, as CPython's own `str` sorts it.
    #[test]
    fn characters_are_sorted_as_by_python() {
        let rows: Vec<Characters> = reference::rows("characters.jsonl");
        let expected = rows.first().unwrap();
        let all = || (0..=0x10_ffff).filter_map(char::from_u32);
        let white: Vec<u32> = all().filter(|c| is_whitespace(*c)).map(u32::from).collect();
        assert_eq!(white, expected.white_space);
        let ends: Vec<u32> = all().filter(|c| is_line_end(*c)).map(u32::from).collect();
        assert_eq!(ends, expected.line_ends);
    }

    #[test]
    fn lines_end_as_in_python() {
        let split = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split("a\r\nb\rc\n\nd"), ["a", "b", "c", "", "d"]);
        assert_eq!(split("a\n"), ["a"]);
        assert_eq!(split("\n\r"), ["", ""]);
        assert_eq!(split("é\u{2028}ü\u{85}"), ["é", "ü"]);
        let kept: Vec<&str> = lines_with_ends("a\r\nb\u{c}c").collect();
        assert_eq!(kept, ["a\r\n", "b\u{c}", "c"]);
    }
}
