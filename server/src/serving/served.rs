//! The suggestions that were served last, so that outcomes can be told of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Suggestions that are remembered; outcomes of older ones are not taken.
const LIMIT: usize = 1024;

/// A suggestion that was served.
#[derive(Debug, Clone)]
pub struct Served {
    /// What it inserts, from the cursor on.
    pub text: String,
    /// Outcomes told of it so far.
    pub outcomes: u32,
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
    /// Remembers a suggestion.
    pub fn remember(&self, id: &str, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let served = Served {
            text: text.to_owned(),
            outcomes: 0,
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

    /// The suggestion of an id, with one more outcome counted; `None` where it is unknown.
    pub fn outcome(&self, id: &str) -> Option<Served> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let served = inner.by_id.get_mut(id)?;
        let before = served.clone();
        served.outcomes += 1;
        Some(before)
    }
}

/// Characters in the first `units` UTF-16 code units of a text.
pub fn chars_in_units(text: &str, units: usize) -> usize {
    let mut left = units;
    text.chars()
        .take_while(|character| {
            let fits = character.len_utf16() <= left;
            left = left.saturating_sub(character.len_utf16());
            fits
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let served = ServedLast::default();
        for number in 0..=LIMIT {
            served.remember(&number.to_string(), "x");
        }
        assert!(served.outcome("0").is_none());
        assert_eq!(served.outcome("1").map(|served| served.outcomes), Some(0));
        assert_eq!(served.outcome("1").map(|served| served.outcomes), Some(1));
    }

    #[test]
    fn units_become_characters() {
        assert_eq!(chars_in_units("a😀b", 0), 0);
        assert_eq!(chars_in_units("a😀b", 2), 1);
        assert_eq!(chars_in_units("a😀b", 3), 2);
        assert_eq!(chars_in_units("a😀b", 99), 3);
    }
}
