//! The places that are followed, by document.

use std::collections::HashMap;
use std::time::Instant;

use ropey::Rope;
use truefill_journal::{Censored, Document, Event, Outcome, SuggestionId};

use super::hole::{Decided, Hole, Served};
use super::kept::{Kept, located};
use super::span::{End, Span, Touch};
use super::{Times, inferred};
use crate::documents::Splice;

/// Places and accepted texts that are followed in one document at most; the oldest go first.
const MOST: usize = 128;

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
        places.holes.push(Hole::new(served, offers.collect(), now));
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
            let hole = places.holes.iter_mut().find(|hole| hole.offered(id))?;
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
            if hole.offered(id) {
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
            let hole = places.holes.iter().find(|hole| hole.offered(kept.id));
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

#[cfg(test)]
mod tests;
