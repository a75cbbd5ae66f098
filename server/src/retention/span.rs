//! A stretch of a document that is followed through its edits.

use crate::documents::Splice;

/// Characters beside a span that an edit may replace together with it and still be a user's own:
/// beyond, it is a tool's, such as a formatter's.
const ROOM: usize = 200;

/// A stretch of text, in characters (Unicode scalar values) of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What an edit did to a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Nothing, or it moved.
    None,
    /// Its text changed.
    Changed,
    /// It was taken out, exactly.
    Removed,
    /// It was replaced with much of what stands around it.
    Replaced,
}

/// Whether text that is added right behind a span belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It does: the span is a place where the user writes.
    Grows,
    /// It does not: the span is a text that is there.
    Stays,
}

impl Span {
    /// Its length.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Follows one edit. Text that took the place of a part of the span belongs to the span.
    pub fn edit(&mut self, splice: Splice, end: End) -> Touch {
        let Splice { at, removed, added } = splice;
        let gone = at + removed;
        let behind = match end {
            End::Grows => at > self.end,
            End::Stays => at >= self.end,
        };
        if behind {
            return Touch::None;
        }
        let before = match end {
            // Text that is typed at the place where the user writes is in it.
            End::Grows => gone < self.start || (gone == self.start && removed > 0),
            End::Stays => gone <= self.start,
        };
        if before {
            self.start = self.start - removed + added;
            self.end = self.end - removed + added;
            return Touch::None;
        }
        let exactly = at == self.start && gone == self.end && added == 0 && removed > 0;
        let beside = self.start.saturating_sub(at) + gone.saturating_sub(self.end);
        let touch = match () {
            () if exactly => Touch::Removed,
            () if beside > ROOM + 4 * self.len() => Touch::Replaced,
            () => Touch::Changed,
        };
        let end = self.end.max(gone) - removed + added;
        self.start = self.start.min(at);
        self.end = end.max(self.start);
        touch
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(splice: (usize, usize, usize), end: End) -> (usize, usize, Touch) {
        let mut span = Span { start: 10, end: 20 };
        let (at, removed, added) = splice;
        let touch = span.edit(Splice { at, removed, added }, end);
        (span.start, span.end, touch)
    }

    #[test]
    fn edits_move_change_and_remove() {
        use Touch::{Changed, None, Removed, Replaced};
        for (splice, stays, grows) in [
            ((0, 0, 3), (13, 23, None), (13, 23, None)),
            ((5, 5, 0), (5, 15, None), (5, 15, None)),
            ((10, 0, 2), (12, 22, None), (10, 22, Changed)),
            ((15, 0, 2), (10, 22, Changed), (10, 22, Changed)),
            ((20, 0, 2), (10, 20, None), (10, 22, Changed)),
            ((21, 0, 2), (10, 20, None), (10, 20, None)),
            ((20, 5, 0), (10, 20, None), (10, 20, Changed)),
            ((18, 5, 1), (10, 19, Changed), (10, 19, Changed)),
            ((8, 4, 1), (8, 17, Changed), (8, 17, Changed)),
            ((10, 10, 0), (10, 10, Removed), (10, 10, Removed)),
            ((10, 10, 4), (10, 14, Changed), (10, 14, Changed)),
            ((0, 400, 400), (0, 400, Replaced), (0, 400, Replaced)),
        ] {
            assert_eq!(after(splice, End::Stays), stays, "{splice:?} stays");
            assert_eq!(after(splice, End::Grows), grows, "{splice:?} grows");
        }
    }

    proptest! {
        /// Of what the user did not touch, nothing is lost: marked characters are found again.
        #[test]
        fn a_span_follows_its_characters(
            splices in proptest::collection::vec((0usize..60, 0usize..8, 0usize..8), 0..30),
            grows: bool,
        ) {
            let end = if grows { End::Grows } else { End::Stays };
            let mut text: Vec<char> = "a".repeat(20).chars().chain("X".repeat(10).chars())
                .chain("b".repeat(20).chars()).collect();
            let mut span = Span { start: 20, end: 30 };
            for (at, removed, added) in splices {
                let at = at.min(text.len());
                let removed = removed.min(text.len() - at);
                text.splice(at..at + removed, std::iter::repeat_n('.', added));
                span.edit(Splice { at, removed, added }, end);
                prop_assert!(span.start <= span.end && span.end <= text.len());
                let marked = text.iter().filter(|c| **c == 'X').count();
                let inside = text[span.start..span.end].iter().filter(|c| **c == 'X').count();
                prop_assert_eq!(marked, inside);
            }
        }
    }
}
