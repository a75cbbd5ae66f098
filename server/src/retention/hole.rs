//! A place where suggestions were served, until it is left alone.

use std::time::Instant;

use ropey::Rope;
use truefill_journal::{Document, Event, Extent, HoleRecord, Outcome, SuggestionId};
use truefill_syntax::{Language, Shape};

use super::common::common;
use super::kept::Kept;
use super::settle::settled;
use super::span::Span;
use super::{Times, inferred, narrow};
use crate::documents::Splice;

/// Characters that no hand writes with one edit.
const AT_ONCE: usize = 3;

/// A suggestion that was served.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its id.
    pub id: SuggestionId,
    /// The document, for the journal.
    pub document: Document,
    /// Where it was to be inserted, in characters.
    pub at: usize,
    /// Characters from there on whose place it takes, such as those that the item of an editor's menu
    /// stands for.
    pub replaces: usize,
    /// What it inserts.
    pub text: String,
    /// The language, where there is a grammar for it.
    pub language: Option<Language>,
    /// How far it was to go.
    pub shape: Shape,
    /// Whether it is an item of a menu.
    pub menu: bool,
}

/// What the user did about a suggestion, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    No,
    Accepted,
    Rejected,
}

/// How a suggestion came to stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Not,
    /// One edit wrote it, or much of it.
    AtOnce,
    /// Key by key; what undoing and redoing write later is the user's own, too.
    ByHand,
}

/// A place where suggestions were served.
#[derive(Debug)]
pub(super) struct Hole {
    /// All that were served for it at once, the first one first.
    pub(super) offers: Vec<(SuggestionId, String)>,
    pub(super) served: Served,
    pub(super) span: Span,
    pub(super) since: Instant,
    /// When it was first touched, and when last.
    pub(super) touched: Option<[Instant; 2]>,
    /// Nothing was done for long: it can only be accepted yet.
    pub(super) over: bool,
    pub(super) decided: Decided,
    /// Whether the suggestion came to stand there, and how.
    pub(super) written: Written,
    /// What shadows would have suggested.
    pub(super) shadows: Vec<(SuggestionId, String)>,
}

impl Hole {
    /// A place where these were served, the first one first.
    pub(super) fn new(served: Served, offers: Vec<(SuggestionId, String)>, now: Instant) -> Self {
        Self {
            offers,
            span: Span {
                start: served.at,
                end: served.at + served.replaces,
            },
            served,
            since: now,
            touched: None,
            over: false,
            decided: Decided::No,
            written: Written::Not,
            shadows: Vec::new(),
        }
    }

    /// Whether it is one of those that were served for it.
    pub(super) fn offered(&self, id: SuggestionId) -> bool {
        self.offers.iter().any(|(offered, _)| *offered == id)
    }

    /// When it is settled, if nothing touches it.
    pub(super) fn due(&self, times: &Times) -> Option<Instant> {
        let [_, last] = self.touched.unwrap_or([self.since; 2]);
        (!self.over).then_some(last + times.settle)
    }

    /// Its text was changed.
    pub(super) fn touch(&mut self, now: Instant) {
        let [first, _] = self.touched.unwrap_or([now; 2]);
        self.touched = Some([first, now]);
    }

    /// Whether its suggestion stands there and nobody has said or done anything about it.
    pub(super) fn is_idle(&self) -> bool {
        self.decided == Decided::No && self.touched.is_none()
    }

    /// Nothing was done about it for so long that its suggestion counts as turned down.
    pub(super) fn give_up(&mut self) -> Event {
        self.over = true;
        let reason = Some("left_alone".to_owned());
        inferred(self.served.id, Outcome::Rejected { reason })
    }

    /// A suggestion of it was taken, perhaps long after it was given up.
    pub(super) fn accept(&mut self, now: Instant) {
        self.decided = Decided::Accepted;
        if std::mem::take(&mut self.over) {
            self.since = now;
        }
    }

    /// Follows the text of a menu's item that an edit has just written at once: an editor with a menu need not run an
    /// item's command, so that nobody may ever tell that it was taken.
    pub(super) fn enter(&mut self, splices: &[Splice], rope: &Rope, now: Instant) -> Option<Kept> {
        let Self { served, span, .. } = self;
        let may_be = self.written == Written::Not && self.decided == Decided::No;
        if !served.menu || !may_be {
            return None;
        }
        let text = rope.get_slice(span.start..span.end)?.to_string();
        if text.replace("\r\n", "\n") != served.text {
            return None;
        }
        if !splices.last().is_some_and(|splice| ends(*splice, *span)) {
            self.written = Written::ByHand;
            return None;
        }
        self.written = Written::AtOnce;
        if std::mem::take(&mut self.over) {
            self.since = now;
        }
        Some(Kept {
            id: served.id,
            document: served.document.clone(),
            text: served.text.clone(),
            span: Some(*span),
            since: now,
            taken: 0,
            undone: false,
            done: false,
            head: None,
        })
    }

    /// That it was taken, where it was written at once and nobody has said what became of it.
    pub(super) fn presumed(&mut self) -> Option<Event> {
        if self.written != Written::AtOnce || self.decided != Decided::No {
            return None;
        }
        self.decided = Decided::Accepted;
        let outcome = Outcome::Accepted {
            extent: Extent::Whole,
            chars: narrow(self.served.text.chars().count()),
        };
        Some(inferred(self.served.id, outcome))
    }

    /// What is known of a place that was left alone.
    pub(super) fn settle(
        &self,
        rope: Option<&Rope>,
        kept: &[Kept],
        text: bool,
        times: &Times,
    ) -> Vec<Event> {
        let Self { served, span, .. } = self;
        let found = rope.and_then(|rope| settled(rope, *span, served.language, served.shape));
        let mut events = Vec::new();
        if self.decided == Decided::No {
            events.extend(self.judged(found.as_ref().map(|it| &*it.golden), times));
        }
        if let Some(found) = &found {
            events.extend(self.agreements(&lines(&found.golden)));
        }
        let Some(found) = found.filter(|_| text) else {
            return events;
        };
        let start = span.start;
        let end = start + found.golden.chars().count();
        let own = kept.iter().filter_map(|kept| kept.span);
        let own = own.filter_map(|it| {
            let (from, to) = (it.start.max(start), it.end.min(end));
            let byte = |at: usize| byte_of(&found.golden, at - start);
            (from < to).then(|| (byte(from), byte(to)))
        });
        let own = own.collect();
        let mut taken = kept
            .iter()
            .map(|kept| kept.id)
            .filter(|id| self.offered(*id));
        events.push(Event::Hole(Box::new(HoleRecord {
            suggestion: taken.next_back().unwrap_or(served.id),
            document: served.document.clone(),
            prefix: found.prefix.replace("\r\n", "\n"),
            golden: found.golden.replace("\r\n", "\n"),
            suffix: found.suffix.replace("\r\n", "\n"),
            kind: found.kind,
            own,
        })));
        events
    }

    /// How far shadows, and what was given in their place, agree with what was written in the end.
    fn agreements(&self, golden: &str) -> Vec<Event> {
        let shown = self.offers.first().filter(|_| !self.shadows.is_empty());
        let agreed = |(id, text): &(SuggestionId, String)| {
            let text = text.trim();
            let outcome = Outcome::Agreed {
                chars: narrow(common(text, golden)),
                of: narrow(text.chars().count().max(golden.chars().count())),
            };
            inferred(*id, outcome)
        };
        shown.into_iter().chain(&self.shadows).map(agreed).collect()
    }

    /// What the user thought of a suggestion that nothing was told of, by what stands there now.
    fn judged(&self, golden: Option<&str>, times: &Times) -> Option<Event> {
        let text = self.served.text.trim();
        let outcome = match (golden, self.touched) {
            // Written by hand just as it was suggested.
            (Some(golden), _) if lines(golden).starts_with(text) => return None,
            // Gone before it could be seen.
            (_, Some([first, _])) if first.duration_since(self.since) < times.seen => {
                Outcome::NotShown {
                    reason: "typed_on".to_owned(),
                }
            }
            (golden, _) => Outcome::Rejected {
                reason: Some(
                    match golden {
                        Some(_) => "rewritten",
                        None => "left_alone",
                    }
                    .to_owned(),
                ),
            },
        };
        Some(inferred(self.served.id, outcome))
    }
}

/// Whether an edit wrote a place's end, and so much of its text that it was neither a key, nor a few that came
/// together, nor a pair of brackets that an editor closes.
fn ends(splice: Splice, span: Span) -> bool {
    let all = splice.at + splice.added == span.end;
    all && splice.added >= AT_ONCE && 2 * splice.added >= span.len()
}

fn lines(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

/// The byte of a character, as if each line ended in `\n`.
fn byte_of(text: &str, chars: usize) -> u32 {
    let byte = text
        .char_indices()
        .nth(chars)
        .map_or(text.len(), |(byte, _)| byte);
    narrow(byte - text[..byte].matches("\r\n").count())
}
