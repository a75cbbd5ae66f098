//! The places that are followed, by document.

use std::collections::HashMap;
use std::time::Instant;

use ropey::Rope;
use truefill_journal::{Censored, Document, Event, Outcome, SuggestionId};

use super::hole::{Decided, Hole, Served};
use super::kept::{Kept, located};
use super::span::{End, Touch};
use super::{Times, inferred};
use crate::documents::Splice;

/// Places and accepted texts that are followed in one document at most; the oldest go first.
const MOST: usize = 128;

#[derive(Debug, Default)]
struct Places {
    holes: Vec<Hole>,
    kept: Vec<Kept>,
}

impl Places {
    /// Takes samples of one more accepted text.
    fn keep(&mut self, kept: Kept) {
        if self.kept.len() == MOST {
            self.kept.remove(0);
        }
        self.kept.push(kept);
    }

    /// Follows one edit.
    fn follow(&mut self, splice: Splice, rope: &Rope, now: Instant, times: &Times) -> Vec<Event> {
        let mut replaced = false;
        for hole in &mut self.holes {
            match hole.span.edit(splice, End::Grows) {
                Touch::None => {}
                Touch::Changed | Touch::Removed => hole.touch(now),
                Touch::Replaced => replaced = true,
            }
        }
        let mut events = Vec::new();
        let mut undone = Vec::new();
        for kept in &mut self.kept {
            let touch = kept.span.as_mut().map(|span| span.edit(splice, End::Stays));
            match touch {
                Some(Touch::Removed) => {
                    undone.push(kept.id);
                    events.extend(kept.end(Censored::Undone, times));
                }
                Some(Touch::Replaced) => events.extend(kept.end(Censored::Reformatted, times)),
                _ => kept.redo(splice, rope),
            }
        }
        let awaited = |hole: &Hole| {
            let mut waiting = self.kept.iter().filter(|kept| kept.span.is_none());
            waiting.any(|kept| hole.offered(kept.id))
        };
        // What a tool writes is not what the user meant, and of what was undone nothing is known.
        self.holes.retain_mut(|hole| {
            let stays = (!replaced || awaited(hole)) && !undone.iter().any(|id| hole.offered(*id));
            if !stays {
                events.extend(hole.presumed());
            }
            stays
        });
        events
    }
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
        places.holes.retain_mut(|hole| {
            let here = (hole.span.start..=hole.span.end).contains(&served.at);
            if here {
                events.extend(hole.presumed());
            }
            let gone = here && hole.decided == Decided::No;
            if gone && !hole.over {
                events.push(inferred(hole.served.id, Outcome::Superseded));
            }
            !gone
        });
        if places.holes.len() == MOST {
            events.extend(places.holes.remove(0).presumed());
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
            hole.accept(now);
            let (place, document) = (hole.span, hole.served.document.clone());
            Some((uri, place, document, places))
        });
        let Some((uri, place, document, places)) = found else {
            return;
        };
        let span = rope_of(uri).and_then(|rope| located(&rope, place, text));
        let taken = match places.kept.iter().position(|kept| kept.id == id) {
            Some(before) => places.kept.remove(before).taken,
            None => 0,
        };
        places.keep(Kept {
            id,
            document,
            text: text.to_owned(),
            span,
            since: now,
            taken,
            undone: false,
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
            events.extend(places.follow(*splice, rope, now, &self.times));
        }
        let entered = places.holes.iter_mut();
        let entered: Vec<Kept> = entered
            .filter_map(|hole| hole.enter(splices, rope, now))
            .collect();
        entered.into_iter().for_each(|kept| places.keep(kept));
        for kept in places.kept.iter_mut().filter(|kept| kept.span.is_none()) {
            let hole = places.holes.iter().find(|hole| hole.offered(kept.id));
            kept.span = hole.and_then(|hole| located(rope, hole.span, &kept.text));
        }
        places.kept.retain(|kept| !kept.is_gone());
        events
    }

    /// Nothing more can be said of a document.
    pub fn lost(&mut self, uri: &str, why: Censored) -> Vec<Event> {
        let Some(mut places) = self.places.remove(uri) else {
            return Vec::new();
        };
        let taken = places.holes.iter_mut().filter_map(Hole::presumed);
        let taken: Vec<Event> = taken.collect();
        let undecided = places
            .holes
            .iter()
            .filter(|hole| hole.decided == Decided::No && !hole.over);
        let unseen = undecided.map(|hole| {
            let reason = why.as_str().to_owned();
            inferred(hole.served.id, Outcome::NotShown { reason })
        });
        let ends = places.kept.iter_mut();
        let ends = ends.filter_map(|kept| kept.end(why, &self.times));
        taken.into_iter().chain(unseen).chain(ends).collect()
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
        let holes = holes.filter_map(|hole| hole.due(&self.times));
        samples.chain(holes).min()
    }

    /// The documents of which [`Self::take`] has to know what their repositories have checked out.
    pub fn asks_heads(&self, now: Instant) -> Vec<Document> {
        let all = self.places.values().flat_map(|it| &it.kept);
        let asks = |kept: &&Kept| kept.look(&self.times).is_some_and(|look| look <= now);
        let documents = all.filter(asks).map(|kept| kept.document.clone());
        documents.collect()
    }

    /// Takes what is due: `rope_of` gives a document's text, `heads` has what the repositories of
    /// documents have checked out, by their paths. What is not in it is taken the next time.
    pub fn take(
        &mut self,
        now: Instant,
        rope_of: impl Fn(&str) -> Option<Rope>,
        heads: &HashMap<String, Option<String>>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for (uri, places) in &mut self.places {
            let rope = rope_of(uri);
            for kept in &mut places.kept {
                let Some(head) = heads.get(&kept.document.path) else {
                    continue;
                };
                kept.head.get_or_insert_with(|| head.clone());
                while kept.due(&self.times).is_some_and(|due| due <= now) {
                    events.extend(kept.sample(rope.as_ref(), head.as_ref(), &self.times));
                }
            }
            let Places { holes, kept } = places;
            holes.retain_mut(|hole| {
                if hole.due(&self.times).is_none_or(|due| due > now) {
                    return true;
                }
                let is_idle = hole.is_idle();
                match is_idle {
                    true => events.push(hole.give_up()),
                    false => {
                        events.extend(hole.presumed());
                        events.extend(hole.settle(rope.as_ref(), kept, self.text, &self.times))
                    }
                }
                is_idle
            });
        }
        events
    }
}

#[cfg(test)]
mod tests;
