//! The suggestions that were served last, so that outcomes can be told of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Suggestions that are remembered; outcomes of older ones are not taken.
const LIMIT: usize = 1024;

/// Times that one suggestion was served that are remembered; an editor speaks of the first or of one of the
/// last.
const TIMES: usize = 256;

/// A suggestion that was served, perhaps several times: while it is typed through, its rest is.
#[derive(Debug, Clone)]
pub struct Served {
    /// What it inserts, from the cursor on.
    text: String,
    /// Outcomes told of it so far.
    pub outcomes: u32,
    /// The last one last.
    times: VecDeque<Time>,
}

/// One time that a suggestion or its rest was served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Time {
    /// Bytes of the suggestion that stood in the document already.
    from: usize,
    /// Where what was served of it ends, in bytes.
    to: usize,
    /// The menu's selection, which the item began with.
    selected: String,
}

/// How much of a suggestion was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Characters of the suggestion from its beginning, typed ones included.
    pub chars: usize,
    /// Whether nothing is left of what was served.
    pub whole: bool,
    /// Whether it ends at the end of a line.
    pub line: bool,
}

impl Served {
    /// The suggestion's characters up to a byte.
    pub fn chars(&self, bytes: usize) -> usize {
        let bytes = self.text.floor_char_boundary(bytes);
        self.text[..bytes].chars().count()
    }

    /// The suggestion's first characters.
    pub fn beginning(&self, chars: usize) -> &str {
        let end = self.text.char_indices().nth(chars);
        &self.text[..end.map_or(self.text.len(), |(byte, _)| byte)]
    }

    /// All of what was served last.
    pub fn whole(&self) -> Accepted {
        let end = self.times.back().map_or(self.text.len(), |time| time.to);
        self.up_to(end, end)
    }

    /// The first `units` UTF-16 units of an item; `inserts` is the item's text, where the
    /// editor tells it, by which the time is known that it was served.
    pub fn part(&self, inserts: Option<&str>, units: usize) -> Accepted {
        let is_it = |time: &&Time| inserts.is_some_and(|inserts| self.inserts(time, inserts));
        let time = self.times.iter().rev().find(is_it).or(self.times.back());
        let time = time.cloned().unwrap_or_default();
        let units = units.saturating_sub(time.selected.encode_utf16().count());
        let taken = prefix_of_units(&self.text[time.from..time.to], units);
        self.up_to(time.from + taken.len(), time.to)
    }

    fn inserts(&self, time: &Time, text: &str) -> bool {
        text.strip_prefix(time.selected.as_str()) == Some(&self.text[time.from..time.to])
    }

    fn up_to(&self, end: usize, all: usize) -> Accepted {
        let (taken, left) = self.text.split_at(end);
        Accepted {
            chars: taken.chars().count(),
            whole: end == all,
            line: taken.ends_with('\n') || left.starts_with('\n'),
        }
    }
}

/// The suggestions served last, the oldest forgotten first.
#[derive(Default)]
pub struct ServedLast {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_id: HashMap<String, Served>,
    order: VecDeque<String>,
}

impl ServedLast {
    /// Remembers a suggestion; its item began with what was selected in the menu.
    pub fn remember(&self, id: &str, text: &str, selected: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let time = Time {
            from: 0,
            to: text.len(),
            selected: selected.to_owned(),
        };
        let served = Served {
            text: text.to_owned(),
            outcomes: 0,
            times: [time].into(),
        };
        if inner.by_id.insert(id.to_owned(), served).is_none() {
            inner.order.push_back(id.to_owned());
        }
        while inner.order.len() > LIMIT {
            if let Some(oldest) = inner.order.pop_front() {
                inner.by_id.remove(&oldest);
            }
        }
    }

    /// Remembers that so many bytes of a suggestion are served again, from a byte on.
    pub fn rest(&self, id: &str, from: usize, bytes: usize, selected: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(served) = inner.by_id.get_mut(id) else {
            return;
        };
        let to = from + bytes;
        if served.text.get(from..to).is_none() {
            return;
        }
        let time = Time {
            from,
            to,
            selected: selected.to_owned(),
        };
        // The first one stays where it is: of it an editor may speak to the end.
        let rest = served.times.iter().skip(1);
        match rest.clone().position(|before| *before == time) {
            Some(before) => drop(served.times.remove(before + 1)),
            None if rest.len() + 1 == TIMES => drop(served.times.remove(1)),
            None => {}
        }
        served.times.push_back(time);
    }

    /// The suggestion of an id, with one more outcome counted; `None` where it is unknown.
    pub fn outcome(&self, id: &str) -> Option<Served> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let served = inner.by_id.get_mut(id)?;
        let before = served.clone();
        served.outcomes += 1;
        Some(before)
    }
}

/// The characters in the first `units` UTF-16 code units of a text.
fn prefix_of_units(text: &str, units: usize) -> &str {
    let mut left = units;
    let fits = |(_, character): &(usize, char)| {
        let fits = character.len_utf16() <= left;
        left = left.saturating_sub(character.len_utf16());
        fits
    };
    let last = text.char_indices().take_while(fits).last();
    &text[..last.map_or(0, |(at, character)| at + character.len_utf8())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let served = ServedLast::default();
        for number in 0..=LIMIT {
            served.remember(&number.to_string(), "x", "");
        }
        assert!(served.outcome("0").is_none());
        assert_eq!(served.outcome("1").map(|served| served.outcomes), Some(0));
        assert_eq!(served.outcome("1").map(|served| served.outcomes), Some(1));
    }

    #[test]
    fn what_was_typed_through_key_by_key_is_known_from_its_first_item() {
        let text = "x".repeat(2 * TIMES);
        let served = ServedLast::default();
        served.remember("id", &text, "");
        for typed in 1..text.len() {
            served.rest("id", typed, text.len() - typed, "");
            served.rest("id", typed, text.len() - typed, "");
        }
        let part =
            |inserts: &str, units| served.outcome("id").map(|it| it.part(Some(inserts), units));
        let chars = |inserts, units| part(inserts, units).map(|accepted| accepted.chars);
        assert_eq!(chars(&text, 100), Some(100));
        assert_eq!(chars(&text[text.len() - 9..], 4), Some(text.len() - 5));
        let times = served.outcome("id").map(|it| it.times.len());
        assert_eq!(times, Some(TIMES));
    }

    #[test]
    fn units_become_characters() {
        for (units, expected) in [(0, ""), (2, "a"), (3, "a😀"), (99, "a😀b")] {
            assert_eq!(prefix_of_units("a😀b", units), expected);
        }
    }

    #[test]
    fn a_part_counts_from_where_its_item_began() {
        let served = ServedLast::default();
        served.remember("id", "f😀o(a)\nb", "lo");
        // What was typed, bytes that are left of the suggestion, and the selection then.
        served.rest("id", 5, 6, "");
        served.rest("id", 7, 1, "");
        served.rest("id", 7, 100, "ignored, there is no such part");
        let part = |chars, whole, line| Accepted { chars, whole, line };
        let table = [
            // The first item: two units of the selection come before the suggestion.
            (Some("lof😀o(a)\nb"), 2, part(0, false, false)),
            (Some("lof😀o(a)\nb"), 5, part(2, false, false)),
            (Some("lof😀o(a)\nb"), 9, part(6, false, true)),
            (Some("lof😀o(a)\nb"), 11, part(8, true, false)),
            // Its rest after two characters.
            (Some("o(a)\nb"), 1, part(3, false, false)),
            (Some("o(a)\nb"), 4, part(6, false, true)),
            (Some("o(a)\nb"), 6, part(8, true, false)),
            // The last one, whose closer the editor had put there.
            (Some("a"), 1, part(5, true, false)),
            (Some("something else"), 1, part(5, true, false)),
            (None, 1, part(5, true, false)),
        ];
        for (inserts, units, expected) in table {
            let found = served.outcome("id").map(|it| it.part(inserts, units));
            assert_eq!(found, Some(expected), "{inserts:?} {units}");
        }
        let whole = served.outcome("id").map(|it| it.whole());
        assert_eq!(whole, Some(part(5, true, false)));
    }
}
