//! How a typed text and what editors add to it run through a suggestion.

/// What editors close by themselves, and what was typed then.
pub(super) const OPENED_BY: &[(char, char)] = &[
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
];

/// How many closers an editor may have put after the cursor.
pub(super) const MOST_CLOSERS: usize = 4;

/// How many bytes of a suggestion a typed text runs through; `None` where they part.
///
/// Documents may have carriage returns before their line breaks, suggestions have none.
pub(super) fn typed_through(suggestion: &str, typed: &str) -> Option<usize> {
    let mut left = suggestion;
    let mut typed = typed.chars().peekable();
    while let Some(c) = typed.next() {
        if c == '\r' && typed.peek() == Some(&'\n') {
            continue;
        }
        left = left.strip_prefix(c)?;
    }
    Some(suggestion.len() - left.len())
}

/// Where the closer stands in a suggestion's rest that the editor has put after the cursor.
pub(super) fn before_closer(rest: &str, closer: char) -> Option<usize> {
    let open = OPENED_BY.iter().find(|(_, close)| *close == closer)?.0;
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        if c == closer && depth == 0 {
            return Some(at);
        }
        if c == closer {
            depth -= 1;
        } else if c == open {
            depth += 1;
        }
    }
    None
}
