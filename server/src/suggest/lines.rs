//! Small helpers on lines: windows, indentation, significance.

use super::surroundings::TAB_COLUMNS;

/// The last at most `bytes` bytes of `text`, begun at a character boundary.
pub fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// The first at most `bytes` bytes of `text`, ended at a character boundary.
pub fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text after the last line break.
pub fn last(text: &str) -> &str {
    text.rfind('\n').map_or(text, |at| &text[at + 1..])
}

/// The text before the first line break, without a carriage return at its end.
pub fn first(text: &str) -> &str {
    let line = text.find('\n').map_or(text, |at| &text[..at]);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The spaces and tabs that a line begins with.
pub fn leading(line: &str) -> &str {
    let end = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
    &line[..end]
}

/// The column that a line's text begins in, tabs counted to multiples of [`TAB_COLUMNS`].
pub fn columns(line: &str) -> usize {
    leading(line).bytes().fold(0, |column, byte| match byte {
        b'\t' => (column / TAB_COLUMNS + 1) * TAB_COLUMNS,
        _ => column + 1,
    })
}

/// A line of a text with the byte where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Byte offset of the line's first character.
    pub start: usize,
    /// The line without its line break.
    pub text: &'a str,
}

impl Line<'_> {
    /// Byte offset of the line's end, before its line break.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The lines of `text`; a text that ends in a line break has a last, empty line.
pub fn split(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split('\n')
        .map(|line| {
            let at = start;
            start += line.len() + 1;
            Line {
                start: at,
                text: line,
            }
        })
        .collect()
}

/// Whether a character belongs to a word: letters, digits, underscore.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the text has a letter, a digit or an underscore.
pub fn has_word(text: &str) -> bool {
    text.chars().any(is_word)
}

/// Whether a line says enough that its repetition is no accident of the grammar.
///
/// `}`, `end`, `break;` and `return` occur next to their equals in good code;
/// `total += item.price` hardly ever does.
pub fn is_substantial(line: &str) -> bool {
    let line = line.trim();
    let mut words = line.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    let (Some(word), more) = (words.next(), words.next().is_some()) else {
        return false;
    };
    let marks = line
        .chars()
        .filter(|&c| !is_word(c) && !matches!(c, ';' | ':' | ',' | ' '))
        .count();
    more || (word.chars().count() >= 4 && marks >= 2)
}

/// Whether cutting `text` at byte `at` would tear a word in two.
pub fn tears_word(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().is_some_and(is_word);
    before && text[at..].chars().next().is_some_and(is_word)
}

/// Whether two lines are the same but for trailing whitespace, indentation compared in columns.
pub fn same(one: &str, other: &str) -> bool {
    one.trim() == other.trim() && columns(one) == columns(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_at_character_boundaries() {
        assert_eq!(tail("aé世😀", 5), "😀");
        assert_eq!(tail("ab", 9), "ab");
        assert_eq!(head("aé世😀", 4), "aé");
        assert_eq!(head("ab", 9), "ab");
    }

    #[test]
    fn columns_count_tabs_to_multiples() {
        for (line, expected) in [("x", 0), ("  x", 2), ("\tx", 4), (" \tx", 4), ("\t x", 5)] {
            assert_eq!(columns(line), expected, "{line:?}");
        }
    }

    #[test]
    fn substance_of_a_line() {
        let no = [
            "",
            "}",
            "});",
            "end",
            "break;",
            "return",
            "else:",
            "*/",
            "continue;",
            "x();",
        ];
        let yes = [
            "return x",
            "foo.bar();",
            "total += 1",
            "cleanup();",
            "case Some(x) =>",
        ];
        for line in no {
            assert!(!is_substantial(line), "{line:?}");
        }
        for line in yes {
            assert!(is_substantial(line), "{line:?}");
        }
    }

    #[test]
    fn split_keeps_offsets() {
        let found: Vec<_> = split("a\n\nbc\n")
            .iter()
            .map(|l| (l.start, l.text))
            .collect();
        assert_eq!(found, [(0, "a"), (2, ""), (3, "bc"), (6, "")]);
    }
}
