//! Sticky, seeded assignment: the same unit always gets the same arm, on every machine that reads
//! the same `serving.json`.
//!
//! A unit of documents is a document and a block of half an hour. A typing burst keeps the unit in
//! which it began, so that nobody's model changes between two keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use truefill_journal::{Assignment, UnixMicros};
use truefill_model::store::Unit;

use crate::engine::lineup::{Lineup, Slot};

/// How long a document keeps its arm.
const BLOCK_MICROS: i64 = 30 * 60 * 1_000_000;

/// A pause that ends a typing burst.
const BURST_MICROS: i64 = 30 * 1_000_000;

/// Documents whose block is remembered; beyond, all are forgotten, which costs a burst its arm.
const MOST_DOCUMENTS: usize = 4096;

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The document's path or URI.
    pub document: &'a str,
    /// The folder that the editor has opened around it, if there is one.
    pub workspace: Option<&'a str>,
}

/// A request's arm.
#[derive(Clone)]
pub struct Assigned {
    /// The arm.
    pub slot: Slot,
    /// How it was assigned, for the journal; `None` where nothing is.
    pub assignment: Option<Assignment>,
}

/// Assigns requests to arms.
pub struct Assigner {
    user: String,
    blocks: Mutex<HashMap<String, Block>>,
}

/// The half hour that a document's requests count for.
#[derive(Debug, Clone, Copy)]
struct Block {
    number: i64,
    last: UnixMicros,
}

impl Assigner {
    /// Assigns requests of a user.
    pub fn new(user: String) -> Self {
        Self {
            user,
            blocks: Mutex::default(),
        }
    }

    /// The arm of a request that comes now.
    pub fn assign(&self, lineup: &Lineup, place: Place<'_>, now: UnixMicros) -> Assigned {
        if !lineup.assigns() {
            return Assigned {
                slot: lineup.first().clone(),
                assignment: None,
            };
        }
        let unit = self.unit(lineup.unit, place, || self.block(place.document, now));
        Assigned {
            slot: lineup.at(point(&lineup.salt, &unit)).clone(),
            assignment: Some(Assignment {
                unit,
                generation: lineup.generation,
                shares: shares(lineup),
                comparison: comparison(lineup),
            }),
        }
    }

    /// The arm that a request would get now, without making one: a look begins no burst.
    pub fn look<'a>(&self, lineup: &'a Lineup, place: Place<'_>, now: UnixMicros) -> &'a Slot {
        if !lineup.assigns() {
            return lineup.first();
        }
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let held = blocks.get(place.document).copied();
        drop(blocks);
        let unit = self.unit(lineup.unit, place, || Block::at(held, now).number);
        lineup.at(point(&lineup.salt, &unit))
    }

    fn unit(&self, unit: Unit, place: Place<'_>, block: impl FnOnce() -> i64) -> String {
        let user = format!("user {}", self.user);
        match (unit, place.workspace) {
            (Unit::User, _) | (Unit::Workspace, None) => user,
            (Unit::Workspace, Some(folder)) => format!("{user} in {folder}"),
            (Unit::Document, _) => {
                let block = block();
                format!("{user} at {} in block {block}", place.document)
            }
        }
    }

    fn block(&self, document: &str, now: UnixMicros) -> i64 {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= MOST_DOCUMENTS && !blocks.contains_key(document) {
            blocks.clear();
        }
        let block = Block::at(blocks.get(document).copied(), now);
        blocks.insert(document.to_owned(), block);
        block.number
    }
}

impl Block {
    /// The one that a request of now counts for, after one that counted for `before`.
    fn at(before: Option<Self>, now: UnixMicros) -> Self {
        // A clock that was set back is a pause, too.
        let goes_on = |block: &Self| now.0.abs_diff(block.last.0) <= BURST_MICROS.unsigned_abs();
        let number = before
            .filter(goes_on)
            .map_or_else(|| now.0.div_euclid(BLOCK_MICROS), |block| block.number);
        Self { number, last: now }
    }
}

/// The shares of the arms that are shown.
fn shares(lineup: &Lineup) -> BTreeMap<String, f64> {
    let shown = lineup.slots().filter(|slot| slot.share > 0.0);
    shown
        .map(|slot| (slot.name.to_string(), slot.share))
        .collect()
}

/// The same for the same arms with the same checkpoints, shares and unit, whatever machine's they are.
fn comparison(lineup: &Lineup) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", lineup.unit));
    for slot in lineup.slots().filter(|slot| slot.share > 0.0) {
        let line = format!("\n{}\t{}\t{}", slot.name, slot.info.checkpoint, slot.share);
        hash.update(line);
    }
    hex::encode(&hash.finalize()[..8])
}

/// A number from 0 to 1 that hangs on nothing but salt and unit.
fn point(salt: &str, unit: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update((salt.len() as u64).to_le_bytes());
    hash.update(salt.as_bytes());
    hash.update(unit.as_bytes());
    let digest = hash.finalize();
    let mut bits = [0; 8];
    bits.copy_from_slice(&digest[..8]);
    // 53 bits are what a double holds.
    (u64::from_le_bytes(bits) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
