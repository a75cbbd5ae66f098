//! What was done in a run's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::plan::{Step, Work};
use crate::rows::write_file;

/// `run.json`: written whole after each step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The program that wrote it.
    pub version: String,
    /// What is known of each step that was done.
    pub steps: BTreeMap<String, Done>,
    /// The checkpoint that was trained.
    pub candidate: Option<String>,
}

/// A step that was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Of the step and all before it.
    pub fingerprint: String,
    /// Seconds that it took, all tries together.
    pub seconds: f64,
    /// How it ended.
    pub ended: Ended,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// It has to go on.
    #[default]
    Open,
    /// It did what it was to do.
    Done,
    /// The gate refused the candidate.
    Refused,
}

impl State {
    /// Where it lies.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("run.json")
    }

    /// What an earlier run left; nothing where there was none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = Self::path(folder);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{}: expected the state of a run; remove it to begin anew",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_file(&Self::path(folder), text.as_bytes())
    }

    /// Whether a step was done as it would be done now.
    pub fn has(&self, step: &Step, fingerprint: &str) -> bool {
        let done = self.steps.get(step.name);
        done.is_some_and(|done| done.ended != Ended::Open && done.fingerprint == fingerprint)
            && step.outputs.iter().all(|output| output.exists())
    }
}

/// What a step hangs on: itself and all before it.
pub fn fingerprint(before: &str, step: &Step) -> String {
    let mut hash = Sha256::new();
    let work = match &step.work {
        Work::Command(arguments) => arguments.join("\0"),
        Work::Merge(files) => files
            .iter()
            .map(|file| file.to_string_lossy())
            .collect::<Vec<_>>()
            .join("\0"),
    };
    for part in [before, step.name, &work, &step.settings] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}
