//! What is served: `serving.json`, changed by compare and swap.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::{Alias, CheckpointId, Result, Store, disk};

const FILE: &str = "serving.json";
const VERSION: u32 = 1;
const LIMIT: u64 = 1 << 20;
const ARMS_LIMIT: usize = 64;
const SALT_LIMIT: usize = 200;

/// Earlier states that `serving.json` keeps, to go back to.
const HISTORY: usize = 8;

/// One arm: a checkpoint and its share of the units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Such as `champion`.
    pub name: Alias,
    /// What it serves.
    pub checkpoint: CheckpointId,
    /// Its share, relative to the other arms' weights; 0 gives it nothing.
    pub weight: f64,
    /// It decodes when nothing else does, and is never shown; its weight is 0.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shadow: bool,
    /// Why it was stopped, by a guardrail or by hand; its weight is 0 since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

impl Arm {
    /// An arm that is shown.
    pub fn new(name: Alias, checkpoint: CheckpointId, weight: f64) -> Self {
        Self {
            name,
            checkpoint,
            weight,
            shadow: false,
            stopped: None,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What gets one arm together: the unit of randomisation, which is the unit of analysis, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A document, for half an hour.
    #[default]
    Document,
    /// A folder that the editor has opened.
    Workspace,
    /// A user of a machine.
    User,
}

/// What is served. Generation 0, without arms, is the state before anything was written: the
/// alias `default` is served then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Serving {
    /// Rises by one with every change.
    pub generation: u64,
    /// Mixed into the assignment of units to arms; a new one assigns anew.
    pub salt: String,
    /// What is assigned to an arm.
    pub unit: Unit,
    /// The arms; the first is the one that others are compared with.
    pub arms: Vec<Arm>,
    /// The states before, the newest first.
    pub history: Vec<Past>,
}

/// An earlier state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Its generation.
    pub generation: u64,
    /// Its salt.
    pub salt: String,
    /// Its unit.
    #[serde(default)]
    pub unit: Unit,
    /// Its arms.
    pub arms: Vec<Arm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    generation: u64,
    salt: String,
    #[serde(default)]
    unit: Unit,
    arms: Vec<Arm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<Past>,
}

impl Serving {
    fn check(&self) -> Result<(), String> {
        if self.salt.len() > SALT_LIMIT {
            return Err(format!("expected a salt of at most {SALT_LIMIT} bytes"));
        }
        check_arms(&self.arms)?;
        if self.history.len() > HISTORY {
            return Err(format!("expected at most {HISTORY} earlier states"));
        }
        for past in &self.history {
            check_arms(&past.arms)?;
        }
        Ok(())
    }

    /// This state as one of the past.
    fn past(&self) -> Past {
        Past {
            generation: self.generation,
            salt: self.salt.clone(),
            unit: self.unit,
            arms: self.arms.clone(),
        }
    }

    /// The share of the units that each arm gets, from 0 to 1, in the order of the arms.
    pub fn shares(&self) -> impl Iterator<Item = (&Arm, f64)> {
        let total: f64 = self.arms.iter().map(|arm| arm.weight).sum();
        self.arms.iter().map(move |arm| (arm, arm.weight / total))
    }
}

fn check_arms(arms: &[Arm]) -> Result<(), String> {
    if arms.len() > ARMS_LIMIT {
        return Err(format!(
            "expected at most {ARMS_LIMIT} arms, found {}",
            arms.len()
        ));
    }
    let mut names = BTreeSet::new();
    for arm in arms {
        let Arm { name, weight, .. } = arm;
        if !names.insert(name) {
            return Err(format!("expected each arm once, found `{name}` again"));
        }
        if !weight.is_finite() || *weight < 0.0 {
            return Err(format!(
                "arm `{name}`: expected a weight of 0 or more, found {weight}"
            ));
        }
        if *weight > 0.0 && (arm.shadow || arm.stopped.is_some()) {
            return Err(format!(
                "arm `{name}`: expected a weight of 0 for an arm that is a shadow or stopped, \
                 found {weight}"
            ));
        }
    }
    let total: f64 = arms.iter().map(|arm| arm.weight).sum();
    let shared_out = total.is_finite() && total > 0.0;
    if !shared_out && !arms.is_empty() {
        return Err(format!(
            "expected weights with a sum above 0, found {total}"
        ));
    }
    Ok(())
}

impl Store {
    /// What is served now.
    ///
    /// # Errors
    /// Where `serving.json` cannot be read or is refused.
    pub fn serving(&self) -> Result<Serving> {
        let path = self.root.join(FILE);
        let bytes = match disk::read_limited(&path, LIMIT) {
            Ok(bytes) => bytes,
            Err(StoreError::Io { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Serving::default());
            }
            Err(error) => return Err(error),
        };
        let file: File = disk::parse(&path, &bytes, VERSION)?;
        let serving = Serving {
            generation: file.generation,
            salt: file.salt,
            unit: file.unit,
            arms: file.arms,
            history: file.history,
        };
        serving
            .check()
            .map_err(|problem| StoreError::Refused { path, problem })?;
        Ok(serving)
    }

    /// Changes what is served, if nobody else has since `expected` was read. The new state's
    /// generation is set here, to `expected` + 1, and its history.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where somebody has; else where the arms are not valid or one's
    /// checkpoint is not installed.
    pub fn swap_serving(&self, expected: u64, mut new: Serving) -> Result<Serving> {
        let _guard = self.lock()?;
        let before = self.serving()?;
        let found = before.generation;
        if found != expected {
            return Err(StoreError::Conflict { expected, found });
        }
        new.history = std::iter::once(before.past())
            .chain(before.history)
            .take(HISTORY)
            .collect();
        new.generation = expected
            .checked_add(1)
            .ok_or_else(|| StoreError::Invalid("the generation cannot rise further".into()))?;
        new.check().map_err(StoreError::Invalid)?;
        for arm in &new.arms {
            self.get(&arm.checkpoint)?;
        }
        let file = File {
            version: VERSION,
            generation: new.generation,
            salt: new.salt.clone(),
            unit: new.unit,
            arms: new.arms.clone(),
            history: new.history.clone(),
        };
        disk::replace(&*self.disk, &self.root.join(FILE), &disk::to_json(&file)?)?;
        Ok(new)
    }
}
