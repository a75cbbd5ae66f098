//! An accepted text, for as long as samples of it are taken.

use std::time::Instant;

use ropey::Rope;
use truefill_journal::{Censored, Document, Event, Outcome, OutcomeRecord, Retained, SuggestionId};

use super::common::common;
use super::span::Span;
use super::{Times, narrow};
use crate::documents::Splice;

/// Characters around the place of a suggestion in which its text is looked for.
const AROUND: usize = 400;

/// An accepted text.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) id: SuggestionId,
    pub(super) document: Document,
    pub(super) text: String,
    /// Where it is; not known until the editor's change has come.
    pub(super) span: Option<Span>,
    pub(super) since: Instant,
    /// Samples taken.
    pub(super) taken: usize,
    /// It was taken out again, and may be put back.
    pub(super) undone: bool,
    /// Nothing more is recorded of it.
    pub(super) done: bool,
    /// What the repository had checked out when it was accepted; looked up with the next that is due.
    pub(super) head: Option<Option<String>>,
}

impl Kept {
    /// When the next sample is due.
    pub(super) fn due(&self, times: &Times) -> Option<Instant> {
        let (_, after) = times.samples.get(self.taken).filter(|_| !self.done)?;
        Some(self.since + *after)
    }

    /// When it wants to be looked at next.
    pub(super) fn look(&self, times: &Times) -> Option<Instant> {
        match &self.head {
            None => Some(self.since),
            Some(_) => self.due(times),
        }
    }

    /// Takes a sample, or says why none can be taken any more.
    pub(super) fn sample(
        &mut self,
        rope: Option<&Rope>,
        head: Option<&String>,
        times: &Times,
    ) -> Option<Event> {
        if self.head.as_ref().is_none_or(|then| then.as_ref() != head) {
            return self.end(Censored::BranchSwitched, times);
        }
        let span = self.span;
        let found = rope
            .zip(span)
            .filter(|(rope, span)| span.end <= rope.len_chars());
        let Some((rope, span)) = found else {
            return self.end(Censored::Unreadable, times);
        };
        let now = rope
            .slice(span.start..span.end)
            .to_string()
            .replace("\r\n", "\n");
        let event = self.record(Retained::Chars(narrow(common(&self.text, &now))), times);
        self.taken += 1;
        event
    }

    /// Whether it is neither there nor will come back.
    pub(super) fn is_gone(&self) -> bool {
        self.done && !self.undone && self.span.is_none_or(Span::is_empty)
    }

    /// Follows it again where an edit has just put it back.
    pub(super) fn redo(&mut self, splice: Splice, rope: &Rope) {
        let length = self.text.chars().count();
        let is_insertion =
            splice.removed == 0 && splice.added.abs_diff(length) <= self.text.lines().count();
        let place = self.span.filter(|_| self.undone && is_insertion);
        let found = place.and_then(|place| located(rope, place, &self.text));
        let Some(span) = found.filter(|span| span.start.abs_diff(splice.at) <= length) else {
            return;
        };
        // The sample that said so is taken.
        self.taken += 1;
        (self.span, self.undone, self.done) = (Some(span), false, false);
    }

    /// The last that is recorded of it.
    pub(super) fn end(&mut self, why: Censored, times: &Times) -> Option<Event> {
        let event = self.record(Retained::Censored(why), times);
        self.done = true;
        self.undone = why == Censored::Undone;
        event
    }

    fn record(&self, kept: Retained, times: &Times) -> Option<Event> {
        let (after_s, _) = *times.samples.get(self.taken).filter(|_| !self.done)?;
        Some(Event::Outcome(OutcomeRecord {
            suggestion: self.id,
            sequence: after_s,
            outcome: Outcome::Kept {
                after_s,
                of: narrow(self.text.chars().count()),
                kept,
            },
            inferred: true,
        }))
    }
}

/// Where an accepted text stands: at its place, or the nearest one around it, since an editor may
/// have put a closing bracket or an indentation beside it.
pub(super) fn located(rope: &Rope, place: Span, text: &str) -> Option<Span> {
    let found = exactly(rope, place, text);
    // Editors insert the document's own line ends.
    found.or_else(|| exactly(rope, place, &text.replace('\n', "\r\n")))
}

fn exactly(rope: &Rope, place: Span, text: &str) -> Option<Span> {
    let length = text.chars().count();
    let from = place.start.saturating_sub(AROUND).min(rope.len_chars());
    let to = (place.start + length + AROUND).min(rope.len_chars());
    let around = rope.slice(from..to).to_string();
    let starts = around.match_indices(text).map(|(byte, _)| byte);
    let starts = starts.map(|byte| from + around[..byte].chars().count());
    let start = starts.min_by_key(|start| start.abs_diff(place.start))?;
    (length > 0).then_some(Span {
        start,
        end: start + length,
    })
}
