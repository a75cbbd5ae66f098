//! A light scanner: which brackets of a text stand in code, and whether the
//! text ends inside a string or a comment.
//!
//! It knows no grammar. Where a language defeats it (a regular expression, a
//! raw string), the rules that use it must do less, never more: they cut only
//! what it is sure about.

use super::facts::{LanguageFacts, StringKind};

/// Where a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In code.
    Code,
    /// In a comment that ends with the line.
    LineComment,
    /// In a comment that ends with its closing marker.
    BlockComment,
    /// In a string of this kind.
    Text(StringKind),
}

/// A bracket in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// Byte offset in the scanned text.
    pub at: usize,
    /// Index of its pair in the language's facts.
    pub kind: usize,
    /// Whether it opens.
    pub opens: bool,
}

/// Scans `text`, which begins in `place`, calls `found` on each bracket that
/// stands in code, and returns the place of its end.
pub fn scan(
    text: &str,
    place: Place,
    facts: &LanguageFacts,
    mut found: impl FnMut(Bracket),
) -> Place {
    let mut place = place;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_ascii_alphanumeric() || c == ' ' || c == '_' {
            // Begins and ends nothing in any language of the table.
            at += 1;
            continue;
        }
        let rest = &text[at..];
        let (next, step) = match place {
            Place::Code => in_code(rest, c, at, facts, &mut found),
            Place::LineComment => (
                if c == '\n' {
                    Place::Code
                } else {
                    Place::LineComment
                },
                c.len_utf8(),
            ),
            Place::BlockComment => match facts.block_comment {
                Some((_, close)) if rest.starts_with(close) => (Place::Code, close.len()),
                _ => (Place::BlockComment, c.len_utf8()),
            },
            Place::Text(kind) => in_string(rest, c, kind),
        };
        place = next;
        at += step;
    }
    place
}

fn in_code(
    rest: &str,
    c: char,
    at: usize,
    facts: &LanguageFacts,
    found: &mut impl FnMut(Bracket),
) -> (Place, usize) {
    if let Some((open, _)) = facts.block_comment
        && rest.starts_with(open)
    {
        return (Place::BlockComment, open.len());
    }
    if let Some(marker) = facts
        .line_comments
        .iter()
        .find(|marker| rest.starts_with(**marker))
    {
        return (Place::LineComment, marker.len());
    }
    if let Some(kind) = facts
        .strings
        .iter()
        .find(|kind| rest.starts_with(kind.quote))
    {
        return open_string(rest, *kind);
    }
    if let Some(kind) = facts.opens(c) {
        found(Bracket {
            at,
            kind,
            opens: true,
        });
    } else if let Some(kind) = facts.closes(c) {
        found(Bracket {
            at,
            kind,
            opens: false,
        });
    }
    (Place::Code, c.len_utf8())
}

/// A quote in code: a string begins, unless it is a character literal (skipped
/// whole) or a lone mark such as a lifetime (skipped alone).
fn open_string(rest: &str, kind: StringKind) -> (Place, usize) {
    if !kind.character {
        return (Place::Text(kind), kind.quote.len());
    }
    let body = &rest[kind.quote.len()..];
    let mut chars = body.char_indices();
    let closing = match chars.next() {
        Some((_, '\\')) => {
            // The escaped character itself may be the quote.
            chars.next();
            chars.take(10).find(|&(_, c)| c == '\'' || c == '\n')
        }
        Some((_, '\n')) | None => None,
        Some(_) => chars.next(),
    };
    match closing {
        Some((end, '\'')) => (Place::Code, kind.quote.len() + end + 1),
        _ => (Place::Code, kind.quote.len()),
    }
}

fn in_string(rest: &str, c: char, kind: StringKind) -> (Place, usize) {
    if rest.starts_with(kind.quote) {
        return (Place::Code, kind.quote.len());
    }
    match c {
        '\\' => {
            let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
            (Place::Text(kind), 1 + escaped)
        }
        // A string that cannot run over lines was no string, or is unfinished: recover.
        '\n' if !kind.multiline => (Place::Code, 1),
        _ => (Place::Text(kind), c.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, text: &str, brackets: &str, code: bool) {
        let mut found = String::new();
        let place = scan(
            text,
            Place::Code,
            LanguageFacts::for_lsp_id(id),
            |bracket| {
                found.push_str(&text[bracket.at..=bracket.at]);
            },
        );
        assert_eq!(found, brackets, "{id} {text:?}");
        assert_eq!(
            place == Place::Code,
            code,
            "{id} {text:?} ends in {place:?}"
        );
    }

    #[test]
    fn brackets_in_code_only() {
        check("rust", "f(\"(\", '(', '\\'', [a]) // )", "([])", false);
        check("rust", "fn f<'a>(x: &'a str) {", "(){", true);
        check("rust", "/* ( */ {", "{", true);
        check("rust", "\"two\nlines (", "(", true);
        check("java", "\"unfinished (\n)", ")", true);
        check("python", "\"\"\" ( \n \" ( \"\"\" )", ")", true);
        check("python", "d['a'] # '", "[]", false);
        check("python", "'it\\'s (", "", false);
        check("javascript", "`a ${b} (\n`()", "()", true);
        check("markdown", "it's (", "", true);
        check("go", "'\\x00' + 'é' + (", "(", true);
        check("unknown", "don't (a)", "()", true);
    }
}
