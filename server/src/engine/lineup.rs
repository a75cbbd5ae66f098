//! What is served: the arms of a comparison, each with its engine.

use std::sync::Arc;

use truefill_model::store::{Serving, Unit};

use super::{Engine, EngineInfo};

/// The arm's name where nothing is compared.
pub const ONLY: &str = "default";

/// An arm and what serves it.
#[derive(Clone)]
pub struct Slot {
    /// The arm's name.
    pub name: Arc<str>,
    /// Its share of the units, 0 to 1.
    pub share: f64,
    /// It is never shown: it decodes when nothing else does.
    pub shadow: bool,
    /// What its engine serves.
    pub info: EngineInfo,
    /// Its engine; arms with the same checkpoint have the same.
    pub engine: Arc<dyn Engine>,
}

/// All arms of one generation of the store's `serving.json`; at least one of them is shown.
#[derive(Clone)]
pub struct Lineup {
    /// Of `serving.json`; 0 where it names no arms.
    pub generation: u64,
    /// Mixed into the assignment.
    pub salt: String,
    /// What is assigned to an arm.
    pub unit: Unit,
    /// Arms that could not be opened, each with the reason.
    pub refused: Vec<String>,
    first: Slot,
    others: Vec<Slot>,
}

impl Lineup {
    /// One engine for everything.
    pub fn single(engine: Arc<dyn Engine>) -> Self {
        Self {
            generation: 0,
            salt: String::new(),
            unit: Unit::Document,
            refused: Vec::new(),
            first: Slot {
                name: ONLY.into(),
                share: 1.0,
                shadow: false,
                info: engine.info(),
                engine,
            },
            others: Vec::new(),
        }
    }

    /// The arms of `serving.json`, in its order; `None` where there is none.
    pub fn of(serving: &Serving, slots: impl IntoIterator<Item = Slot>) -> Option<Self> {
        let mut slots = slots.into_iter();
        Some(Self {
            generation: serving.generation,
            salt: serving.salt.clone(),
            unit: serving.unit,
            refused: Vec::new(),
            first: slots.next()?,
            others: slots.collect(),
        })
    }

    /// The same with what is missing in it.
    #[must_use]
    pub fn with_refused(self, refused: Vec<String>) -> Self {
        Self { refused, ..self }
    }

    /// The arm that others are compared with.
    pub fn first(&self) -> &Slot {
        &self.first
    }

    /// All arms, the first one first.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether units are assigned to arms; without arms in `serving.json` nothing is.
    pub fn assigns(&self) -> bool {
        self.generation > 0
    }

    /// The arm that a number from 0 to 1 falls on: arms stand side by side, as wide as their
    /// shares, so that a change of one share moves as few units as possible.
    pub fn at(&self, point: f64) -> &Slot {
        let mut edge = 0.0;
        let shown = || self.slots().filter(|slot| slot.share > 0.0);
        for slot in shown() {
            edge += slot.share;
            if point < edge {
                return slot;
            }
        }
        // Shares need not sum up to 1 exactly.
        shown().last().unwrap_or(&self.first)
    }
}

impl std::fmt::Debug for Lineup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slots = self.slots();
        let arms = slots.map(|slot| (&slot.name, slot.share, &slot.info.checkpoint));
        f.debug_struct("Lineup")
            .field("generation", &self.generation)
            .field("arms", &arms.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Two lineups are the same where they serve the same by the same rules.
impl PartialEq for Lineup {
    fn eq(&self, other: &Self) -> bool {
        let key = |slot: &Slot| {
            let share = slot.share.to_bits();
            (
                Arc::clone(&slot.name),
                share,
                slot.shadow,
                slot.info.clone(),
            )
        };
        (self.generation, &self.salt, self.unit) == (other.generation, &other.salt, other.unit)
            && self.slots().map(key).eq(other.slots().map(key))
    }
}

impl Eq for Lineup {}
