//! What shadow arms would have said, against what was given in their place.

use std::collections::BTreeMap;

use serde::Serialize;
use truefill_journal::{SuggestionId, SuggestionRow};

use super::compare::{ALPHA, LEAST_UNITS, TUNED_FOR, spread};
use super::sequence::{Sequence, half_width};

/// A shadow arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shadow {
    /// Its name.
    pub arm: String,
    /// Its checkpoint.
    pub checkpoint: String,
    /// Places at which both said something and the user left something.
    pub places: u64,
    /// Documents with such a place.
    pub documents: u64,
    /// Mean share of the shadow's text, or of what was written if that is longer, in common with what
    /// was written, 0 to 1.
    pub agreement: f64,
    /// The same of what was given in its place.
    pub shown_agreement: f64,
    /// The interval of the difference that holds at all times together; documents are what is drawn.
    /// `None` while there are too few.
    pub interval: Option<[f64; 2]>,
}

#[derive(Default)]
struct Sums {
    checkpoint: String,
    own: f64,
    shown: f64,
    /// Places and summed differences of each document.
    documents: BTreeMap<String, (f64, f64)>,
}

/// All shadow arms of rows.
pub fn shadows(rows: &[SuggestionRow]) -> Vec<Shadow> {
    let shown: BTreeMap<SuggestionId, f64> = rows
        .iter()
        .filter(|row| row.shadow_of.is_none())
        .filter_map(|row| Some((row.id, agreement(row)?)))
        .collect();
    let mut arms = BTreeMap::<&str, Sums>::new();
    for row in rows {
        let of = row.shadow_of.and_then(|id| shown.get(&id));
        let (Some(of), Some(own)) = (of, agreement(row)) else {
            continue;
        };
        let sums = arms.entry(&row.arm).or_default();
        // Another checkpoint is another arm.
        if sums.checkpoint != row.checkpoint {
            *sums = Sums {
                checkpoint: row.checkpoint.clone(),
                ..Sums::default()
            };
        }
        sums.own += own;
        sums.shown += of;
        let (places, difference) = sums.documents.entry(row.document.clone()).or_default();
        *places += 1.0;
        *difference += own - of;
    }
    arms.into_iter().map(|(arm, sums)| sums.told(arm)).collect()
}

/// The share of a suggestion that agrees with what was written.
fn agreement(row: &SuggestionRow) -> Option<f64> {
    let agreed = row.outcomes.iter().find(|it| it.event == "agreed")?;
    let (chars, of) = (agreed.chars?, agreed.of_chars?);
    Some(f64::from(chars) / f64::from(of.max(1)))
}

impl Sums {
    fn told(self, arm: &str) -> Shadow {
        let units: Vec<(f64, f64)> = self.documents.into_values().collect();
        let places: f64 = units.iter().map(|(places, _)| places).sum();
        let difference = (self.own - self.shown) / places;
        let error = spread(&units, difference).sqrt();
        let sequence = Sequence {
            alpha: ALPHA,
            tuned_for: TUNED_FOR,
        };
        let half = half_width(sequence, units.len() as f64, error);
        let enough = units.len() as u64 >= LEAST_UNITS;
        Shadow {
            arm: arm.to_owned(),
            checkpoint: self.checkpoint,
            places: places as u64,
            documents: units.len() as u64,
            agreement: self.own / places,
            shown_agreement: self.shown / places,
            interval: enough.then_some([difference - half, difference + half]),
        }
    }
}
