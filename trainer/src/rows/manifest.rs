//! What a step read, what it wrote, and how much of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::jsonl::Written;

/// A file that a step read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// `<output>.manifest.json`: beside every output, how it came about. The same inputs, recipe and
/// seed give the same manifest, but for what was paid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The command.
    pub step: String,
    /// The program's version.
    pub version: String,
    /// Everything that was set, with defaults filled in.
    pub recipe: serde_json::Value,
    /// What was read.
    pub inputs: Vec<Input>,
    /// What was written.
    pub outputs: Vec<Written>,
    /// Counts by name; the denominators stand beside the parts.
    pub counts: BTreeMap<String, u64>,
    /// Tables, each a list of rows.
    pub tables: BTreeMap<String, serde_json::Value>,
}

impl Manifest {
    /// A manifest of a step that ran with `recipe`.
    ///
    /// # Errors
    /// Where the recipe cannot be written as JSON.
    pub fn new(step: &str, recipe: &impl Serialize) -> Result<Self> {
        Ok(Self {
            step: step.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: serde_json::to_value(recipe)?,
            ..Self::default()
        })
    }

    /// Adds to a count.
    pub fn count(&mut self, name: impl Into<String>, more: u64) {
        *self.counts.entry(name.into()).or_default() += more;
    }

    /// Where the manifest of an output stands: `contexts.jsonl` has `contexts.jsonl.manifest.json`.
    pub fn path_for(output: &Path) -> PathBuf {
        beside(output, "manifest.json")
    }

    /// The manifest beside a file that a step wrote; `None` where there is none, or where it is of
    /// other bytes than `file` has.
    #[must_use]
    pub fn of(file: &Input) -> Option<Self> {
        let text = std::fs::read(Self::path_for(&file.path)).ok()?;
        let manifest: Self = serde_json::from_slice(&text).ok()?;
        let mut outputs = manifest.outputs.iter();
        let is_its = outputs.any(|output| output.sha256 == file.sha256);
        is_its.then_some(manifest)
    }

    /// Writes it beside `output`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_beside(&self, output: &Path) -> Result<PathBuf> {
        let path = Self::path_for(output);
        let text = serde_json::to_string_pretty(self)? + "\n";
        super::write_file(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// `<output>.<what>`: where a step keeps what belongs to an output. The whole name counts:
/// `a.python.jsonl` and `a.rust.jsonl` are two outputs.
#[must_use]
pub fn beside(output: &Path, what: &str) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    output.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_stands_beside_its_output() {
        for (output, expected) in [
            ("d/contexts.jsonl.zst", "d/contexts.jsonl.zst.manifest.json"),
            ("a.rust.jsonl", "a.rust.jsonl.manifest.json"),
            ("curated", "curated.manifest.json"),
        ] {
            assert_eq!(Manifest::path_for(Path::new(output)), Path::new(expected));
        }
    }

    /// Two outputs of one folder share no ledger, no samples and no batches.
    #[test]
    fn outputs_of_like_names_have_their_own() {
        for name in ["negatives.gpt.jsonl", "negatives.claude.jsonl", ".x.jsonl"] {
            let expected = format!("d/{name}.ledger.db");
            let output = format!("d/{name}");
            assert_eq!(
                crate::panel::ledger_beside(Path::new(&output)),
                Path::new(&expected)
            );
        }
    }
}
