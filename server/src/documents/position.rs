//! Positions as the protocol counts them, and offsets as the text counts them.

use ropey::Rope;

/// A zero-based line. Lines end at `\n`, `\r\n` and a lone `\r`, at nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub u32);

/// A zero-based column in the negotiated encoding's code units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(pub u32);

/// UTF-8 bytes from the document's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteOffset(pub usize);

/// Unicode scalar values from the document's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CharOffset(pub usize);

/// What a column counts; negotiated once, at `initialize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, the protocol's default.
    #[default]
    Utf16,
}

/// A place between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: Line,
    /// The column.
    pub column: Units,
}

impl Position {
    /// The position at `column` of `line`.
    pub fn new(line: u32, column: u32) -> Self {
        Self {
            line: Line(line),
            column: Units(column),
        }
    }
}

/// Why a position names no place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// The line is behind the end of the document.
    #[error("line {line} does not exist, the document has {lines}")]
    Line {
        /// The line asked for, zero-based.
        line: u32,
        /// Lines that there are.
        lines: usize,
    },
    /// The column is inside a character.
    #[error("column {column} of line {line} is inside a character")]
    InsideCharacter {
        /// The line, zero-based.
        line: u32,
        /// The column, in code units.
        column: u32,
    },
}

/// Number of lines; a text that ends in a line end has an empty last line.
fn lines(rope: &Rope) -> usize {
    rope.len_lines()
}

/// Char offsets of the line's first character and of its line end (or the text's end).
pub(super) fn line_span(rope: &Rope, line: usize) -> (usize, usize) {
    let start = rope.line_to_char(line);
    let mut end = rope.line_to_char((line + 1).min(lines(rope)));
    if line + 1 < lines(rope) {
        let last = rope.char(end - 1);
        end -= 1;
        if last == '\n' && end > start && rope.char(end - 1) == '\r' {
            end -= 1;
        }
    } else {
        end = rope.len_chars();
    }
    (start, end)
}

/// The offset of a position. A column behind the line's end means the line's end, as
/// the protocol says. The line just behind the last one, which some clients name to
/// mean "to the end", is the text's end.
///
/// # Errors
/// [`PositionError`] where the position names no place.
pub fn char_offset(
    rope: &Rope,
    position: Position,
    encoding: Encoding,
) -> Result<CharOffset, PositionError> {
    let line = position.line.0 as usize;
    if line == lines(rope) && position.column.0 == 0 {
        return Ok(CharOffset(rope.len_chars()));
    }
    if line >= lines(rope) {
        return Err(PositionError::Line {
            line: position.line.0,
            lines: lines(rope),
        });
    }
    let (start, end) = line_span(rope, line);
    let column = position.column.0 as usize;
    let inside = PositionError::InsideCharacter {
        line: position.line.0,
        column: position.column.0,
    };
    let offset = match encoding {
        Encoding::Utf8 => {
            let first = rope.char_to_byte(start);
            let wanted = first.saturating_add(column).min(rope.char_to_byte(end));
            let offset = rope.byte_to_char(wanted);
            (rope.char_to_byte(offset) == wanted).then_some(offset)
        }
        Encoding::Utf16 => {
            let first = rope.char_to_utf16_cu(start);
            let wanted = first.saturating_add(column).min(rope.char_to_utf16_cu(end));
            let offset = rope.utf16_cu_to_char(wanted);
            (rope.char_to_utf16_cu(offset) == wanted).then_some(offset)
        }
    };
    offset.map(CharOffset).ok_or(inside)
}

/// The position of an offset; one behind the end is the end.
pub fn position(rope: &Rope, offset: CharOffset, encoding: Encoding) -> Position {
    let offset = offset.0.min(rope.len_chars());
    let line = rope.char_to_line(offset);
    let start = rope.line_to_char(line);
    let column = match encoding {
        Encoding::Utf8 => rope.char_to_byte(offset) - rope.char_to_byte(start),
        Encoding::Utf16 => rope.char_to_utf16_cu(offset) - rope.char_to_utf16_cu(start),
    };
    // The protocol's integers are 31 bits wide; a document of that size is refused long before.
    let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position::new(narrow(line), narrow(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, line: u32, column: u32, encoding: Encoding) -> Result<usize, PositionError> {
        let offset = char_offset(&Rope::from_str(text), Position::new(line, column), encoding);
        offset.map(|offset| offset.0)
    }

    #[test]
    fn only_the_protocols_three_line_ends_count() {
        let text = "a\nb\r\nc\rd\u{2028}e\u{85}f\u{b}g\u{c}h\u{2029}i";
        assert_eq!(Rope::from_str(text).len_lines(), 4);
        assert_eq!(at(text, 3, 0, Encoding::Utf16), Ok(7));
    }

    #[test]
    fn columns_count_code_units() {
        let text = "é世😀x";
        assert_eq!(at(text, 0, 4, Encoding::Utf16), Ok(3));
        assert_eq!(at(text, 0, 9, Encoding::Utf8), Ok(3));
        assert_eq!(
            at(text, 0, 3, Encoding::Utf16),
            Err(PositionError::InsideCharacter { line: 0, column: 3 })
        );
        assert_eq!(
            at(text, 0, 1, Encoding::Utf8),
            Err(PositionError::InsideCharacter { line: 0, column: 1 })
        );
    }

    #[test]
    fn columns_behind_the_line_end_mean_the_line_end() {
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            assert_eq!(at("ab\r\ncd", 0, 3, encoding), Ok(2));
            assert_eq!(at("ab\r\ncd", 0, u32::MAX, encoding), Ok(2));
            assert_eq!(at("ab\rcd", 0, 9, encoding), Ok(2));
            assert_eq!(at("ab\n", 1, 9, encoding), Ok(3));
        }
    }

    #[test]
    fn lines_behind_the_end_are_errors() {
        assert_eq!(at("ab", 1, 0, Encoding::Utf16), Ok(2));
        let missing = Err(PositionError::Line { line: 1, lines: 1 });
        assert_eq!(at("ab", 1, 1, Encoding::Utf16), missing);
        let missing = Err(PositionError::Line {
            line: u32::MAX,
            lines: 2,
        });
        assert_eq!(at("ab\n", u32::MAX, 0, Encoding::Utf16), missing);
    }

    #[test]
    fn offsets_become_positions_again() {
        let text = "é\r\n世😀x\ry\n";
        let rope = Rope::from_str(text);
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for offset in [0, 1, 3, 4, 5, 6, 7, 8, 9] {
                let there = position(&rope, CharOffset(offset), encoding);
                assert_eq!(char_offset(&rope, there, encoding), Ok(CharOffset(offset)));
            }
        }
    }
}
