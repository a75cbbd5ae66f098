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

/// One arm: a checkpoint and its share of the documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Such as `champion`.
    pub name: Alias,
    /// What it serves.
    pub checkpoint: CheckpointId,
    /// Its share, relative to the other arms' weights; 0 gives it nothing.
    pub weight: f64,
}

/// What is served. Generation 0, without arms, is the state before anything was written: the
/// alias `default` is served then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Serving {
    /// Rises by one with every change.
    pub generation: u64,
    /// Mixed into the assignment of documents to arms; a new one assigns anew.
    pub salt: String,
    /// The arms.
    pub arms: Vec<Arm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    generation: u64,
    salt: String,
    arms: Vec<Arm>,
}

impl Serving {
    fn check(&self) -> Result<(), String> {
        if self.arms.len() > ARMS_LIMIT {
            return Err(format!(
                "expected at most {ARMS_LIMIT} arms, found {}",
                self.arms.len()
            ));
        }
        if self.salt.len() > SALT_LIMIT {
            return Err(format!("expected a salt of at most {SALT_LIMIT} bytes"));
        }
        let mut names = BTreeSet::new();
        for arm in &self.arms {
            if !names.insert(&arm.name) {
                return Err(format!(
                    "expected each arm once, found `{}` again",
                    arm.name
                ));
            }
            if !arm.weight.is_finite() || arm.weight < 0.0 {
                return Err(format!(
                    "arm `{}`: expected a weight of 0 or more, found {}",
                    arm.name, arm.weight
                ));
            }
        }
        let total: f64 = self.arms.iter().map(|arm| arm.weight).sum();
        let shared_out = total.is_finite() && total > 0.0;
        if !shared_out && !self.arms.is_empty() {
            return Err(format!(
                "expected weights with a sum above 0, found {total}"
            ));
        }
        Ok(())
    }
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
        let File {
            generation,
            salt,
            arms,
            ..
        } = disk::parse(&path, &bytes, VERSION)?;
        let serving = Serving {
            generation,
            salt,
            arms,
        };
        serving
            .check()
            .map_err(|problem| StoreError::Refused { path, problem })?;
        Ok(serving)
    }

    /// Changes what is served, if nobody else has since `expected` was read. The new state's
    /// generation is set here, to `expected` + 1.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where somebody has; else where the arms are not valid or one's
    /// checkpoint is not installed.
    pub fn swap_serving(&self, expected: u64, mut new: Serving) -> Result<Serving> {
        let _guard = self.lock()?;
        let found = self.serving()?.generation;
        if found != expected {
            return Err(StoreError::Conflict { expected, found });
        }
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
            arms: new.arms.clone(),
        };
        disk::replace(&*self.disk, &self.root.join(FILE), &disk::to_json(&file)?)?;
        Ok(new)
    }
}
