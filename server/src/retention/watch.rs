//! The places that are followed, by document.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ropey::Rope;
use truefill_journal::{
    Censored, Document, Event, HoleRecord, Outcome, OutcomeRecord, Retained, SuggestionId,
};
use truefill_syntax::{Language, Shape};

use super::common::common;
use super::settle::settled;
use super::span::{End, Span, Touch};
use crate::documents::Splice;

/// When samples are taken, and how long a place is left alone until it is settled.
#[derive(Debug, Clone)]
pub struct Times {
    /// Seconds after an acceptance, as they are recorded, and how long that is.
    pub samples: Vec<(u32, Duration)>,
    /// Without an edit at a place for so long, what stands there is what the user meant.
    pub settle: Duration,
    /// A suggestion that stood for so long can have been seen.
    pub seen: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self::hurried(1)
    }
}

impl Times {
    /// All of it so many times as fast, for tests.
    pub fn hurried(factor: u32) -> Self {
        let after = |seconds: u32| Duration::from_secs(seconds.into()) / factor;
        Self {
            samples: [30, 90, 180, 360].map(|it| (it, after(it))).to_vec(),
            settle: after(60),
            seen: Duration::from_millis(300) / factor,
        }
    }
}

/// A suggestion that was served.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its id.
    pub id: SuggestionId,
    /// The document, for the journal.
    pub document: Document,
    /// Where it was to be inserted, in characters.
    pub at: usize,
    /// What it inserts.
    pub text: String,
    /// The language, where there is a grammar for it.
    pub language: Option<Language>,
    /// How far it was to go.
    pub shape: Shape,
}

/// Places and accepted texts that are followed in one document at most; the oldest go first.
const MOST: usize = 128;

/// Characters around the place of a suggestion in which its text is looked for.
const AROUND: usize = 400;

/// What the user did about a suggestion, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decided {
    No,
    Accepted,
    Rejected,
}

/// A place where suggestions were served.
#[derive(Debug)]
struct Hole {
    /// All that were served for it at once, the first one first.
    offers: Vec<(SuggestionId, String)>,
    served: Served,
    span: Span,
    since: Instant,
    touched: Option<Instant>,
    decided: Decided,
    /// What shadows would have suggested.
    shadows: Vec<(SuggestionId, String)>,
}

/// An accepted text.
#[derive(Debug)]
struct Kept {
    id: SuggestionId,
    document: Document,
    text: String,
    /// Where it is; not known until the editor's change has come.
    span: Option<Span>,
    since: Instant,
    /// Samples taken.
    taken: usize,
    /// Nothing more is recorded of it.
    done: bool,
    /// What the repository had checked out when it was accepted; looked up with the next that is due.
    head: Option<Option<String>>,
}

#[derive(Debug, Default)]
struct Places {
    holes: Vec<Hole>,
    kept: Vec<Kept>,
}

/// Follows what was served, by document.
#[derive(Debug)]
pub struct Watch {
    times: Times,
    /// Whether text of documents may be recorded.
    text: bool,
    places: HashMap<String, Places>,
}

impl Watch {
    /// Follows nothing yet.
    pub fn new(times: Times) -> Self {
        Self {
            times,
            text: false,
            places: HashMap::new(),
        }
    }

    /// Whether text of documents may be recorded from now on.
    pub fn keep_text(&mut self, text: bool) {
        self.text = text;
    }

    /// Suggestions were served for one place of a document, the best one first.
    pub fn served(&mut self, uri: &str, offers: Vec<Served>, now: Instant) -> Vec<Event> {
        let Some(served) = offers.first().cloned() else {
            return Vec::new();
        };
        let places = self.places.entry(uri.to_owned()).or_default();
        let mut events = Vec::new();
        // Who types on at a place gets one suggestion after the other for it.
        places.holes.retain(|hole| {
            let here = (hole.span.start..=hole.span.end).contains(&served.at);
            let gone = here && hole.decided == Decided::No;
            if gone {
                events.push(inferred(hole.served.id, Outcome::Superseded));
            }
            !gone
        });
        if places.holes.len() == MOST {
            places.holes.remove(0);
        }
        let offers = offers.into_iter().map(|offer| (offer.id, offer.text));
        places.holes.push(Hole {
            offers: offers.collect(),
            span: Span {
                start: served.at,
                end: served.at,
            },
            served,
            since: now,
            touched: None,
            decided: Decided::No,
            shadows: Vec::new(),
        });
        events
    }

    /// The user took so much of a suggestion from its beginning, with what was typed of it.
    pub fn accepted(
        &mut self,
        id: SuggestionId,
        text: &str,
        rope_of: impl Fn(&str) -> Option<Rope>,
        now: Instant,
    ) {
        let found = self.places.iter_mut().find_map(|(uri, places)| {
            let of = |hole: &&mut Hole| hole.offers.iter().any(|(offered, _)| *offered == id);
            let hole = places.holes.iter_mut().find(of)?;
            hole.decided = Decided::Accepted;
            Some((
                uri,
                hole.span,
                hole.served.document.clone(),
                &mut places.kept,
            ))
        });
        let Some((uri, place, document, all)) = found else {
            return;
        };
        let span = rope_of(uri).and_then(|rope| located(&rope, place, text));
        let taken = match all.iter().position(|kept| kept.id == id) {
            Some(before) => all.remove(before).taken,
            None => 0,
        };
        if all.len() == MOST {
            all.remove(0);
        }
        all.push(Kept {
            id,
            document,
            text: text.to_owned(),
            span,
            since: now,
            taken,
            done: false,
            head: None,
        });
    }

    /// A shadow would have suggested something else in a suggestion's place.
    pub fn shadowed(&mut self, shown: SuggestionId, shadow: SuggestionId, text: String) {
        let mut holes = self.places.values_mut().flat_map(|it| &mut it.holes);
        if let Some(hole) = holes.find(|hole| hole.served.id == shown) {
            hole.shadows.push((shadow, text));
        }
    }

    /// The user turned a suggestion down.
    pub fn rejected(&mut self, id: SuggestionId) {
        let holes = self.places.values_mut().flat_map(|it| &mut it.holes);
        for hole in holes {
            if hole.offers.iter().any(|(offered, _)| *offered == id) {
                hole.decided = Decided::Rejected;
            }
        }
    }

    /// A document was edited; `rope` is its text now.
    pub fn edited(
        &mut self,
        uri: &str,
        splices: &[Splice],
        rope: &Rope,
        now: Instant,
    ) -> Vec<Event> {
        let Some(places) = self.places.get_mut(uri) else {
            return Vec::new();
        };
        let mut events = Vec::new();
        for splice in splices {
            let mut replaced = false;
            for hole in &mut places.holes {
                match hole.span.edit(*splice, End::Grows) {
                    Touch::None => {}
                    Touch::Changed | Touch::Removed => hole.touched = Some(now),
                    Touch::Replaced => replaced = true,
                }
            }
            if replaced {
                // What a tool writes is not what the user meant.
                places
                    .holes
                    .retain(|hole| hole.decided == Decided::Accepted);
            }
            for kept in &mut places.kept {
                let touch = kept
                    .span
                    .as_mut()
                    .map(|span| span.edit(*splice, End::Stays));
                let why = match touch {
                    Some(Touch::Removed) => Censored::Undone,
                    Some(Touch::Replaced) => Censored::Reformatted,
                    _ => continue,
                };
                events.extend(kept.end(why, &self.times));
            }
        }
        for kept in places.kept.iter_mut().filter(|kept| kept.span.is_none()) {
            let of = |hole: &&Hole| hole.offers.iter().any(|(id, _)| *id == kept.id);
            let hole = places.holes.iter().find(of);
            kept.span = hole.and_then(|hole| located(rope, hole.span, &kept.text));
        }
        places
            .kept
            .retain(|kept| !(kept.done && kept.span.is_none_or(Span::is_empty)));
        events
    }

    /// Nothing more can be said of a document.
    pub fn lost(&mut self, uri: &str, why: Censored) -> Vec<Event> {
        let Some(mut places) = self.places.remove(uri) else {
            return Vec::new();
        };
        let undecided = places
            .holes
            .iter()
            .filter(|hole| hole.decided == Decided::No);
        let unseen = undecided.map(|hole| {
            let reason = why.as_str().to_owned();
            inferred(hole.served.id, Outcome::NotShown { reason })
        });
        let ends = places.kept.iter_mut();
        let ends = ends.filter_map(|kept| kept.end(why, &self.times));
        unseen.chain(ends).collect()
    }

    /// Nothing more can be said of any document.
    pub fn close(&mut self) -> Vec<Event> {
        let uris: Vec<String> = self.places.keys().cloned().collect();
        let lost = uris.iter().map(|uri| self.lost(uri, Censored::Closed));
        lost.collect::<Vec<_>>().concat()
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Instant> {
        let places = self.places.values();
        let samples = places.clone().flat_map(|it| &it.kept);
        let samples = samples.filter_map(|kept| kept.look(&self.times));
        let holes = places.flat_map(|it| &it.holes);
        samples.chain(holes.map(|hole| hole.due(&self.times))).min()
    }

    /// Takes what is due: `rope_of` gives a document's text, `head_of` what its repository has
    /// checked out.
    pub fn take(
        &mut self,
        now: Instant,
        rope_of: impl Fn(&str) -> Option<Rope>,
        head_of: impl Fn(&Document) -> Option<String>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for (uri, places) in &mut self.places {
            let rope = rope_of(uri);
            for kept in &mut places.kept {
                if kept.head.is_none() {
                    kept.head = Some(head_of(&kept.document));
                }
                while kept.due(&self.times).is_some_and(|due| due <= now) {
                    events.extend(kept.sample(rope.as_ref(), &head_of, &self.times));
                }
            }
            let due = |hole: &Hole| hole.due(&self.times) <= now;
            let (over, holes) = std::mem::take(&mut places.holes).into_iter().partition(due);
            places.holes = holes;
            for hole in over {
                events.extend(hole.settle(rope.as_ref(), &places.kept, self.text, &self.times));
            }
        }
        events
    }
}

impl Hole {
    fn due(&self, times: &Times) -> Instant {
        self.touched.unwrap_or(self.since) + times.settle
    }

    /// What is known of a place that was left alone.
    fn settle(self, rope: Option<&Rope>, kept: &[Kept], text: bool, times: &Times) -> Vec<Event> {
        let Self { served, span, .. } = &self;
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
        let taken = kept.iter().map(|kept| kept.id);
        let mut taken = taken.filter(|id| self.offers.iter().any(|(offered, _)| offered == id));
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
            (_, Some(touched)) if touched.duration_since(self.since) < times.seen => {
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

impl Kept {
    fn due(&self, times: &Times) -> Option<Instant> {
        let (_, after) = times.samples.get(self.taken).filter(|_| !self.done)?;
        Some(self.since + *after)
    }

    /// When it wants to be looked at next.
    fn look(&self, times: &Times) -> Option<Instant> {
        match &self.head {
            None => Some(self.since),
            Some(_) => self.due(times),
        }
    }

    fn sample(
        &mut self,
        rope: Option<&Rope>,
        head_of: impl Fn(&Document) -> Option<String>,
        times: &Times,
    ) -> Option<Event> {
        if Some(head_of(&self.document)) != self.head {
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

    /// The last that is recorded of it.
    fn end(&mut self, why: Censored, times: &Times) -> Option<Event> {
        let event = self.record(Retained::Censored(why), times);
        self.done = true;
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

fn lines(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

/// Where an accepted text stands: at its place, or the nearest one around it, since an editor may
/// have put a closing bracket or an indentation beside it.
fn located(rope: &Rope, place: Span, text: &str) -> Option<Span> {
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

/// The byte of a character, as if each line ended in `\n`.
fn byte_of(text: &str, chars: usize) -> u32 {
    let byte = text
        .char_indices()
        .nth(chars)
        .map_or(text.len(), |(byte, _)| byte);
    narrow(byte - text[..byte].matches("\r\n").count())
}

fn inferred(suggestion: SuggestionId, outcome: Outcome) -> Event {
    Event::Outcome(OutcomeRecord {
        suggestion,
        sequence: 0,
        outcome,
        inferred: true,
    })
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
