//! Edits as the client sends them, applied to a rope.

use ropey::Rope;

use super::position::{CharOffset, Encoding, Position, PositionError, char_offset};
use super::typing::EditKind;

/// A stretch of text, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its start.
    pub start: Position,
    /// Its end.
    pub end: Position,
}

/// One change of a `textDocument/didChange`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is replaced; `None` replaces the whole text.
    pub range: Option<Range>,
    /// By what.
    pub text: String,
}

/// Why a change was not applied. No variant holds text of the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The document was never opened, or closed.
    #[error("the document is not open")]
    NotOpen,
    /// The version did not increase, so the order of the edits is unknown.
    #[error("version {found} came after version {current}, versions must increase")]
    Version {
        /// The version that the document has.
        current: i32,
        /// The version that came.
        found: i32,
    },
    /// A position names no place.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// A range ends before it starts.
    #[error("a range ends before it starts")]
    Reversed,
    /// The notification's parameters could not be read.
    #[error("a change could not be read")]
    Unreadable,
    /// An earlier change could not be applied.
    #[error("an earlier change could not be applied: {0}")]
    Poisoned(Box<EditError>),
}

/// What a change did, in characters (Unicode scalar values) of the text before it; what it takes
/// out and puts in again alike is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// Where it begins.
    pub at: usize,
    /// How many were taken out.
    pub removed: usize,
    /// How many were put in.
    pub added: usize,
}

impl Splice {
    /// What the replacement of a text by another one does at a place.
    pub fn of(at: usize, old: &Rope, new: &Rope) -> Self {
        let shorter = old.len_chars().min(new.len_chars());
        let head = old.chars().zip(new.chars());
        let head = head.take_while(|(old, new)| old == new).count();
        let tail = backwards(old).zip(backwards(new));
        let tail = tail.take_while(|(old, new)| old == new).count();
        let tail = tail.min(shorter - head);
        Self {
            at: at + head,
            removed: old.len_chars() - head - tail,
            added: new.len_chars() - head - tail,
        }
    }
}

/// A change, and how it reads as typing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    /// Its kind.
    pub kind: EditKind,
    /// Where its text ends now.
    pub end: CharOffset,
    /// What it did.
    pub splice: Splice,
}

/// Applies one change and says what it did; `None` where it changed nothing.
pub(super) fn apply(
    rope: &mut Rope,
    change: &Change,
    encoding: Encoding,
) -> Result<Option<Effect>, EditError> {
    let Some(range) = change.range else {
        let new = Rope::from_str(&change.text);
        let effect = difference(rope, &new);
        *rope = new;
        return Ok(effect);
    };
    let start = char_offset(rope, range.start, encoding)?.0;
    let end = char_offset(rope, range.end, encoding)?.0;
    if end < start {
        return Err(EditError::Reversed);
    }
    let old = Rope::from(rope.slice(start..end));
    rope.remove(start..end);
    rope.insert(start, &change.text);
    let added = change.text.chars().count();
    let splice = match start == end {
        true => Splice {
            at: start,
            removed: 0,
            added,
        },
        false => Splice::of(start, &old, &Rope::from_str(&change.text)),
    };
    Ok(EditKind::of(end - start, added).map(|kind| Effect {
        kind,
        end: CharOffset(start + added),
        splice,
    }))
}

/// What a client with full sync did, seen from both texts: what is left when equal
/// beginnings and equal ends are taken away.
fn difference(old: &Rope, new: &Rope) -> Option<Effect> {
    let splice = Splice::of(0, old, new);
    let kind = EditKind::of(splice.removed, splice.added)?;
    Some(Effect {
        kind,
        end: CharOffset(splice.at + splice.added),
        splice,
    })
}

fn backwards(rope: &Rope) -> ropey::iter::Chars<'_> {
    rope.chars_at(rope.len_chars()).reversed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(start: (u32, u32), end: (u32, u32), text: &str) -> Change {
        let start = Position::new(start.0, start.1);
        let end = Position::new(end.0, end.1);
        Change {
            range: Some(Range { start, end }),
            text: text.into(),
        }
    }

    #[test]
    fn a_change_replaces_its_range() {
        let mut rope = Rope::from_str("one\r\ntwo\n");
        let done = |rope: &mut Rope, change: &Change| {
            let effect = apply(rope, change, Encoding::Utf16).unwrap().unwrap();
            let Splice { at, removed, added } = effect.splice;
            (effect.kind, effect.end.0, (at, removed, added))
        };
        let found = done(&mut rope, &change((0, 3), (1, 1), "-"));
        assert_eq!(found, (EditKind::Replacement, 4, (3, 3, 1)));
        assert_eq!(rope.to_string(), "one-wo\n");
        // A word that is replaced by its completion is completed.
        let found = done(&mut rope, &change((0, 0), (0, 3), "onetwo"));
        assert_eq!(found, (EditKind::Replacement, 6, (3, 0, 3)));
    }

    #[test]
    fn a_reversed_range_changes_nothing() {
        let mut rope = Rope::from_str("one");
        let result = apply(&mut rope, &change((0, 2), (0, 1), "x"), Encoding::Utf8);
        assert_eq!(result, Err(EditError::Reversed));
        assert_eq!(rope.to_string(), "one");
    }

    #[test]
    fn full_texts_are_classified_by_their_difference() {
        let cases = [
            ("abc", "abxc", Some((EditKind::Insertion, 3))),
            ("aaa", "aaaa", Some((EditKind::Insertion, 4))),
            ("aaaa", "aaa", Some((EditKind::Deletion, 3))),
            ("abc", "axc", Some((EditKind::Replacement, 2))),
            ("abc", "abc", None),
            ("", "x", Some((EditKind::Insertion, 1))),
        ];
        for (old, new, effect) in cases {
            let effect = effect.map(|(kind, end)| (kind, CharOffset(end)));
            let found = difference(&Rope::from_str(old), &Rope::from_str(new));
            let found = found.map(|it| (it.kind, it.end));
            assert_eq!(found, effect, "{old} {new}");
        }
    }
}
