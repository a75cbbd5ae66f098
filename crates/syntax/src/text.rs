//! Small helpers over lines, columns and character boundaries.

/// Columns that a tab advances; only comparisons within one file depend on it.
const TAB: usize = 4;

/// The greatest character boundary that is at most `offset`.
pub(crate) fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Start of the line that holds `offset`, in bytes.
pub(crate) fn line_start(text: &str, offset: usize) -> usize {
    let offset = floor_boundary(text, offset);
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// End of the line that holds `offset`, before its line break, in bytes.
pub(crate) fn line_end(text: &str, offset: usize) -> usize {
    let offset = floor_boundary(text, offset);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    if end > offset && text.as_bytes()[end - 1] == b'\r' {
        end - 1
    } else {
        end
    }
}

/// The width of a line's leading white space, in columns.
pub(crate) fn indent_width(line: &str) -> usize {
    let mut width = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => width += 1,
            b'\t' => width += TAB - width % TAB,
            _ => break,
        }
    }
    width
}

/// The first line of `text` that is not blank, with its byte offset.
pub(crate) fn first_code_line(text: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            return Some((at, line.trim_end()));
        }
        at += line.len();
    }
    None
}

/// The last part of `text` of at most `limit` bytes. Where something must be cut, it starts at a
/// line without indentation when there is one, since a lexer is most likely at rest there.
pub(crate) fn tail_window(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let cut = line_end(text, text.len() - limit);
    let mut at = cut;
    for line in text[cut..].split_inclusive('\n') {
        let first = line.bytes().next().unwrap_or(b'\n');
        if at > cut && (first.is_ascii_alphabetic() || first == b'_' || first == b'@') {
            return &text[at..];
        }
        at += line.len();
    }
    &text[cut..]
}

/// The first part of `text` of at most `limit` bytes. Where something must be cut, it ends before
/// a line without indentation when there is one, or else at a line break.
pub(crate) fn whole_head(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let head = head_window(text, limit);
    let starts = |line: &str| line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let breaks = head.match_indices('\n').map(|(at, _)| at + 1);
    let mut ends: Vec<usize> = breaks.filter(|&at| starts(&text[at..])).collect();
    // A header's last line (`) -> u8 {`) or a lone name would make a short head of a long one.
    let end = ends.pop().filter(|&at| at > limit / 2);
    let end = end.or_else(|| head.rfind('\n').map(|at| at + 1));
    end.map_or(head, |end| &text[..end])
}

/// The first part of `text` of at most `limit` bytes, cut at a character boundary.
pub(crate) fn head_window(text: &str, limit: usize) -> &str {
    &text[..floor_boundary(text, limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_at_any_offset() {
        let text = "ab\r\nç\n\nx";
        assert_eq!((line_start(text, 1), line_end(text, 1)), (0, 2));
        assert_eq!((line_start(text, 5), line_end(text, 5)), (4, 6));
        assert_eq!((line_start(text, 7), line_end(text, 7)), (7, 7));
        assert_eq!((line_start(text, 99), line_end(text, 99)), (8, 9));
        assert_eq!(indent_width("  \tx"), 4);
        assert_eq!(first_code_line("\n \n  a\nb"), Some((3, "  a")));
    }

    #[test]
    fn a_cut_window_starts_at_an_unindented_line() {
        let text = "def a():\n    long_body()\n    more()\ndef b():\n    x\n";
        assert_eq!(tail_window(text, 30), "def b():\n    x\n");
        assert_eq!(tail_window(text, 1000), text);
        assert_eq!(
            whole_head(text, 44),
            "def a():\n    long_body()\n    more()\n"
        );
        assert_eq!(whole_head("a\n  b\n  c\n", 8), "a\n  b\n");
        assert_eq!(whole_head(text, 1000), text);
    }
}
