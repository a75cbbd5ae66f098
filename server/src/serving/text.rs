//! The text around the cursor as a model and the syntax crate get it.

use crate::documents::{ByteOffset, PositionError, Range, Snapshot};

use super::ask::Ask;

/// Text on both sides of the cursor, with `\n` as its only line end: models and rules
/// know no other, and editors write the document's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    /// Before the cursor, with the selected item of the completion menu in place.
    pub prefix: String,
    /// After the cursor.
    pub suffix: String,
    /// What a suggestion starts with because it is selected in the completion menu.
    pub selected: String,
    /// What a suggestion replaces.
    pub replaces: Range,
}

/// The text around the cursor of a request.
///
/// # Errors
/// [`PositionError`] where a position names no place.
pub fn around(snapshot: &Snapshot, ask: &Ask) -> Result<Around, PositionError> {
    let cursor = snapshot.byte_offset(ask.position, ask.encoding)?;
    let (start, end, selected, replaces) = match &ask.selected {
        Some(selected) => {
            let start = snapshot.byte_offset(selected.range.start, ask.encoding)?;
            let end = snapshot.byte_offset(selected.range.end, ask.encoding)?;
            (start, end.max(start), selected.text.clone(), selected.range)
        }
        None => {
            let here = snapshot.position(cursor, ask.encoding);
            (
                cursor,
                cursor,
                String::new(),
                Range {
                    start: here,
                    end: here,
                },
            )
        }
    };
    let (prefix, _) = snapshot.split(start);
    let (_, suffix) = snapshot.split(end);
    let prefix = with_newlines(prefix) + &selected;
    Ok(Around {
        prefix,
        suffix: with_newlines(suffix),
        selected,
        replaces,
    })
}

/// The text with each `\r\n` and lone `\r` made `\n`.
fn with_newlines(text: String) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

/// Bytes on each side of the cursor that the syntax crate gets to parse at most. A tree of
/// a whole large file would cost more than the completion.
const PARSED: usize = 48 << 10;

impl Around {
    /// The end of the prefix and the start of the suffix that are worth parsing, cut at
    /// line ends.
    pub fn nearby(&self) -> (&str, &str) {
        (tail(&self.prefix, PARSED), head(&self.suffix, PARSED))
    }
}

/// The last lines of a text that fit.
fn tail(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let cut = text.ceil_char_boundary(text.len() - limit);
    let line = text[cut..].find('\n').map_or(cut, |at| cut + at + 1);
    &text[line..]
}

/// The first lines of a text that fit.
fn head(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let cut = text.floor_char_boundary(limit);
    let line = text[..cut].rfind('\n').map_or(cut, |at| at + 1);
    &text[..line]
}

/// The offset of a request's cursor.
///
/// # Errors
/// [`PositionError`] where it names no place.
pub fn cursor(snapshot: &Snapshot, ask: &Ask) -> Result<ByteOffset, PositionError> {
    snapshot.byte_offset(ask.position, ask.encoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Documents, Encoding, Position};
    use crate::serving::ask::{Selected, Trigger};

    fn ask(line: u32, column: u32, selected: Option<Selected>) -> Ask {
        Ask {
            uri: "file:///a".into(),
            position: Position::new(line, column),
            encoding: Encoding::Utf16,
            trigger: Trigger::Invoked,
            selected,
            version: None,
            menu: false,
        }
    }

    fn snapshot(text: &str) -> Snapshot {
        let documents = Documents::default();
        documents.open("file:///a", "rust", 1, text);
        documents.snapshot("file:///a").unwrap()
    }

    #[test]
    fn line_ends_become_newlines() {
        let around = around(&snapshot("a\r\nb\rc\r\nd"), &ask(1, 1, None)).unwrap();
        assert_eq!(
            (around.prefix.as_str(), around.suffix.as_str()),
            ("a\nb", "\nc\nd")
        );
        let here = Position::new(1, 1);
        assert_eq!(
            around.replaces,
            Range {
                start: here,
                end: here
            }
        );
    }

    #[test]
    fn the_selected_item_stands_in_the_prefix() {
        let range = Range {
            start: Position::new(0, 8),
            end: Position::new(0, 10),
        };
        let selected = Selected {
            range,
            text: "log".into(),
        };
        let around = around(&snapshot("console.lo;\n"), &ask(0, 10, Some(selected))).unwrap();
        assert_eq!(around.prefix, "console.log");
        assert_eq!(around.suffix, ";\n");
        assert_eq!((around.selected.as_str(), around.replaces), ("log", range));
    }

    #[test]
    fn long_texts_are_cut_at_lines() {
        assert_eq!(tail("aaa\nbbb\nccc", 6), "ccc");
        assert_eq!(tail("aaaa", 3), "aaa");
        assert_eq!(head("aaa\nbbb\nccc", 6), "aaa\n");
        assert_eq!(head("世世", 4), "世");
    }
}
